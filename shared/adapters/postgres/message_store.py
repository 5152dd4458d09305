"""Messages due, the sender's desks, and what marking writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from shared.adapters.postgres.contact_event_store import ContactEventTables
from shared.adapters.postgres.rows import Rows
from shared.adapters.postgres.timer_store import TimerTables
from shared.application.book import Book
from shared.application.reminding import NewMessage
from shared.application.sending import SendingChanges
from shared.application.sending_desk import Debt, Desk, DueMessage, Reach, Text
from shared.domain.case import CaseState
from shared.domain.hold import Hold, HoldKind

_MESSAGES = Rows(
    "arrears.messages",
    {
        "message_id": "uuid",
        "customer_id": "text",
        "case_id": "uuid",
        "follow_up_id": "uuid",
        "about": "text",
        "step": "text",
        "anchor": "date",
        "policy_version": "int",
        "purpose": "text",
        "template": "text",
        "channels": "jsonb",
        "state": "text",
        "not_before": "timestamptz",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    "on conflict (message_id) do nothing",
)
_ATTEMPTS = Rows(
    "arrears.attempts",
    {
        "attempt_id": "uuid",
        "message_id": "uuid",
        "customer_id": "text",
        "channel": "text",
        "gateway": "text",
        "point_id": "uuid",
        "state": "text",
        "holder": "text",
        "fence": "bigint",
        "lease_until": "timestamptz",
        "marked_at": "timestamptz",
        "template_version": "int",
        "text_sha256": "bytea",
        "body_enc": "bytea",
        "subject_enc": "bytea",
    },
)
_LEDGER = Rows(
    "arrears.contact_ledger",
    {
        "attempt_id": "uuid",
        "customer_id": "text",
        "channel": "text",
        "purpose": "text",
        "local_date": "date",
        "at": "timestamptz",
        "state": "text",
    },
)


class MessageTables(ContactEventTables, TimerTables):
    async def add_messages(self, messages: Sequence[NewMessage]) -> None:
        await _MESSAGES.write(
            self.conn,
            (
                (
                    m.message_id,
                    m.customer_id,
                    m.case_id,
                    m.follow_up_id,
                    m.about,
                    m.step,
                    m.anchor,
                    m.policy_version,
                    m.purpose,
                    m.template,
                    list(m.channels),
                    "planned",
                    self.now,
                    self.now,
                    self.now,
                )
                for m in messages
            ),
        )

    async def claim_due_messages(self, book: Book, limit: int, closed: Sequence[str]) -> None:
        """Pick customers with messages due, then lock those that nobody else holds."""
        rows = await self.conn.fetch(
            """
            select distinct customer_id from (
                select customer_id from messages
                where state in ('planned', 'deferred') and not_before <= $1 and not (channels->>0 = any($3::text[]))
                order by not_before, customer_id limit $2
            ) due
            """,
            self.now,
            limit,
            list(closed),
        )
        if rows:
            await self.claim_customers(book, [row[0] for row in rows])

    async def load_desks(self, book: Book) -> list[Desk]:
        ids = list(book.customers)
        desks = {
            page.customer_id: Desk(
                page.customer_id,
                "",
                page.language,
                page.time_zone,
                page.jurisdiction,
                merged_away=page.merged_into is not None,
            )
            for page in book.customers.values()
        }
        await self._load_due(desks, ids)
        await self._load_names(desks, ids)
        await self._load_reach(desks, ids)
        await self._load_protection(desks, ids)
        await self._load_contacts(desks, ids)
        await self._load_debts(desks, ids)
        return list(desks.values())

    async def _load_due(self, desks: dict[str, Desk], ids: list[str]) -> None:
        rows = await self.conn.fetch(
            """
            select m.customer_id, m.message_id, m.case_id, m.follow_up_id, m.about, m.step, m.purpose, m.template,
                   m.channels, m.tries, c.state
            from messages m left join cases c on c.case_id = m.case_id
            where m.customer_id = any($1::text[]) and m.state in ('planned', 'deferred') and m.not_before <= $2
            order by m.not_before, m.created_at, m.message_id
            """,
            ids,
            self.now,
        )
        for row in rows:
            desk = desks[row[0]]
            desk.messages.append(DueMessage(*(*row[1:8], tuple(row[8]), row[9])))
            if row[10] is not None:
                desk.cases[row[2]] = CaseState(row[10])

    async def _load_names(self, desks: dict[str, Desk], ids: list[str]) -> None:
        rows = await self.conn.fetch(
            "select customer_id, name_enc from customers where customer_id = any($1::text[]) and name_enc is not null",
            ids,
        )
        for row in rows:
            desks[row[0]].name = self.cipher.decrypt("customers", "name", row[0], row[1])

    async def _load_reach(self, desks: dict[str, Desk], ids: list[str]) -> None:
        rows = await self.conn.fetch(
            """
            select customer_id, point_id, kind, source, value_enc from contact_points
            where customer_id = any($1::text[]) and state = 'active' and kind in ('mobile', 'email')
            order by customer_id, position, point_id
            """,
            ids,
        )
        for row in rows:
            value = self.cipher.decrypt("contact_points", "value", str(row[1]), row[4])
            desks[row[0]].reach.append(Reach(row[1], row[2], row[3], value))

    async def _load_protection(self, desks: dict[str, Desk], ids: list[str]) -> None:
        """Holds on the person, or on an account they are followed for, opt-outs, and facts that still wait."""
        rows = await self.conn.fetch(
            """
            select hold_id, customer_id, account_id, kind, reason, placed_at, ends_at, released_at
            from holds where customer_id = any($1::text[]) and released_at is null and (ends_at is null or ends_at > $2)
            """,
            ids,
            self.now,
        )
        for row in rows:
            desks[row[1]].holds.append(Hold(str(row[0]), row[1], row[2], HoldKind(row[3]), *row[4:]))
        outs = await self.conn.fetch(
            "select customer_id, channel from preferences where customer_id = any($1::text[]) and opted_out", ids
        )
        for row in outs:
            desks[row[0]].opted_out.add(row[1])
        waiting = await self.conn.fetch(
            "select distinct customer_id from parked"
            " where consumer = 'intake' and customer_id = any($1::text[]) and state in ('parked', 'dead')",
            ids,
        )
        for row in waiting:
            desks[row[0]].facts_pending = True

    async def _load_contacts(self, desks: dict[str, Desk], ids: list[str]) -> None:
        """The contacts of the person, under whatever customer ids they were made before mergers."""
        person = {**dict.fromkeys(ids, ""), **await self._merged_into(ids)}
        rows = await self.conn.fetch(
            """
            select customer_id, local_date, channel, count(*), max(at) from contact_ledger
            where customer_id = any($1::text[]) and local_date >= $2 and state <> 'released' and made_by = 'message'
            group by customer_id, local_date, channel
            """,
            list(person),
            self.now.date() - timedelta(days=1),
        )
        for row in rows:
            desk = desks[person[row[0]] or row[0]]
            counts = desk.contacts.setdefault(row[1], {})
            counts[row[2]] = counts.get(row[2], 0) + row[3]
            desk.last_contacts[row[2]] = max(row[4], desk.last_contacts.get(row[2], row[4]))
        await self.load_contact_events(desks, person)

    async def _merged_into(self, ids: list[str]) -> dict[str, str]:
        """Customers that were merged away into ``ids``, directly or by way of others, and who they are now."""
        rows = await self.conn.fetch(
            """
            with recursive person as (
                select customer_id, merged_into as stays from customers where merged_into = any($1::text[])
                union
                select c.customer_id, p.stays from customers c join person p on c.merged_into = p.customer_id
            )
            select customer_id, stays from person
            """,
            ids,
        )
        return {row[0]: row[1] for row in rows}

    async def _load_debts(self, desks: dict[str, Desk], ids: list[str]) -> None:
        """The accounts that may be spoken of: not those that a hold on the account itself takes out."""
        rows = await self.conn.fetch(
            """
            select customer_id, account_id, card_last4, currency, past_due, oldest_due, bucket
            from accounts a where customer_id = any($1::text[]) and status <> 'closed'
            order by customer_id, oldest_due nulls last, past_due desc, account_id
            """,
            ids,
        )
        for row in rows:
            desk = desks[row[0]]
            desk.card_last4 = desk.card_last4 or row[2]
            held = any(hold.account_id == row[1] for hold in desk.holds)
            if row[6] == "M0" or held or row[5] is None:
                continue
            if desk.debt is None:
                desk.debt = Debt(row[2], row[3], row[4], row[5])
            elif desk.debt.currency == row[3]:
                debt = desk.debt
                desk.debt = Debt(debt.card_last4, debt.currency, debt.past_due + row[4], debt.oldest_due)
        for desk in desks.values():  # a hold on one account is not a hold on the person
            if desk.debt is not None:
                desk.holds = [hold for hold in desk.holds if hold.account_id is None]

    async def save_sending(
        self, changes: SendingChanges, *, holder: str, fence: int, lease: timedelta, gateways: Mapping[str, str]
    ) -> None:
        await self._save_states(changes)
        if not changes.sending:
            return
        lease_until = await self.conn.fetchval("select clock_timestamp() + $1::interval", lease)
        attempts, ledger = [], []
        for marked, message, point_id, today, _ in changes.sending:
            key = str(marked.attempt_id)
            attempts.append(
                (
                    marked.attempt_id,
                    marked.message_id,
                    marked.customer_id,
                    marked.channel,
                    gateways[marked.channel],
                    point_id,
                    "sending",
                    holder,
                    fence,
                    lease_until,
                    self.now,
                    marked.text.version,
                    text_digest(marked.text),
                    self.cipher.encrypt("attempts", "body", key, marked.text.body),
                    self.cipher.encrypt("attempts", "subject", key, marked.text.subject)
                    if marked.text.subject
                    else None,
                )
            )
            ledger.append(
                (marked.attempt_id, marked.customer_id, marked.channel, message.purpose, today, self.now, "reserved")
            )
        await _ATTEMPTS.write(self.conn, attempts)
        await _LEDGER.write(self.conn, ledger)

    async def _save_states(self, changes: SendingChanges) -> None:
        rows: list[tuple[UUID, str, Any, str | None, str | None, int, Any]] = []
        for marked, message, _, _, note in changes.sending:
            rows.append((message.message_id, "submitting", self.now, None, marked.channel, 1, note))
        for message, wait, note in changes.waiting:
            rows.append((message.message_id, "deferred", wait.until, wait.reason, None, 0, note))
        for message, drop, seen in changes.dropped:
            state = "failed" if drop.reason.startswith("wording") else "suppressed"
            rows.append((message.message_id, state, self.now, drop.reason, None, 0, seen))
        if rows:
            await self.conn.execute(
                """
                update messages m set state = k.state, not_before = k.not_before, reason = k.reason,
                    channel = coalesce(k.channel, m.channel), tries = m.tries + k.tried,
                    decision = coalesce(k.decision, m.decision), updated_at = $8, row_version = m.row_version + 1
                from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::smallint[],
                            $7::jsonb[]) as k(message_id, state, not_before, reason, channel, tried, decision)
                where m.message_id = k.message_id
                """,
                *map(list, zip(*rows, strict=True)),
                self.now,
            )

    async def postpone_messages(self, customer_ids: Sequence[str], reason: str) -> None:
        await self.conn.execute(
            """
            update messages set state = 'deferred', not_before = $2 + interval '5 minutes', reason = $3,
                updated_at = $2, row_version = row_version + 1
            where customer_id = any($1::text[]) and state in ('planned', 'deferred') and not_before <= $2
            """,
            list(customer_ids),
            self.now,
            f"could not be marked: {reason}",
        )


def text_digest(text: Text) -> bytes:
    """SHA-256 of subject and body, kept for good even where the text itself is erased."""
    return sha256(f"{text.subject or ''}\n{text.body}".encode()).digest()
