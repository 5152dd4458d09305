"""Messages due, the sender's desks, and what marking writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

from shared.adapters.postgres.circumstance_store import CircumstanceTables
from shared.adapters.postgres.contact_event_store import ContactEventTables
from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.rows import as_json
from shared.adapters.postgres.timer_store import TimerTables
from shared.adapters.postgres.word_lists import listed, words_of
from shared.application.book import Book
from shared.application.reminding import NewMessage
from shared.application.sending import Place, SendingChanges
from shared.application.sending_desk import Debt, Desk, DueMessage, Reach, RulesInForce, Text
from shared.domain.case import CaseState
from shared.domain.hold import Hold, HoldKind

_PLAN = """
    insert into messages (message_id, customer_id, case_id, follow_up_id, about, step, anchor, policy_version, purpose,
                          template, channels, state, not_before, created_at, updated_at)
    select message_id::uuid, customer_id, case_id::uuid, follow_up_id::uuid, about, step, anchor, policy_version,
           purpose, template, channels::jsonb, 'planned', $12, $12, $12
    from unnest(string_to_array($1, chr(10)), string_to_array($2, chr(10)), string_to_array($3, chr(10), ''),
                string_to_array($4, chr(10), ''), string_to_array($5, chr(10)), string_to_array($6, chr(10)),
                $7::date[], $8::int[], string_to_array($9, chr(10)), string_to_array($10, chr(10)),
                string_to_array($11, chr(10)))
        as k(message_id, customer_id, case_id, follow_up_id, about, step, anchor, policy_version, purpose, template,
             channels)
    on conflict (message_id) do nothing
"""
# A value that is the same for all rows, the instant above all, is sent once: encoding arguments is most of what the
# driver does. Alike decisions are one row of ``noted``.
_MARK = """
    with k as materialized (
        select * from unnest($1::uuid[], $2::uuid[], string_to_array($3, chr(10)), string_to_array($4, chr(10)),
                             $5::uuid[], string_to_array($6, chr(10)), $7::date[], $8::int[], $9::bytea[],
                             $10::bytea[], $11::bytea[], $12::int[])
            as k(attempt_id, message_id, customer_id, channel, point_id, purpose, local_date, template_version,
                 text_sha256, body_enc, subject_enc, note)
    ), reserved as (
        insert into contact_ledger (attempt_id, customer_id, channel, purpose, local_date, at, state)
        select attempt_id, customer_id, channel, purpose, local_date, $14, 'reserved' from k
    ), marked as (
        insert into attempts (attempt_id, message_id, customer_id, channel, gateway, point_id, state, holder, fence,
                              lease_until, marked_at, template_version, text_sha256, body_enc, subject_enc)
        select attempt_id, message_id, customer_id, channel, $15::jsonb ->> channel, point_id, 'sending', $16, $17,
               clock_timestamp() + $18::interval, $14, template_version, text_sha256, body_enc, subject_enc from k
    )
    update messages m set state = 'submitting', not_before = $14, reason = null, channel = k.channel,
        tries = m.tries + 1, decision = noted.decision, updated_at = $14, row_version = m.row_version + 1
    from k join unnest($13::jsonb[]) with ordinality as noted(decision, place) on noted.place = k.note
    where m.message_id = k.message_id
"""
_LOOKS = 8  # batches that others may hold before those whom nobody does
_FIRST = datetime.min.replace(tzinfo=UTC)


class MessageTables(ContactEventTables, CircumstanceTables, TimerTables):
    async def add_messages(self, messages: Sequence[NewMessage]) -> None:
        if not messages:
            return
        ids, customers, cases, follow_ups, about, steps, anchors, versions, purposes, templates, channels = zip(
            *messages, strict=True
        )
        await self.conn.execute(
            _PLAN,
            *map(as_lines, (ids, customers, cases, follow_ups, about, steps)),
            anchors,
            versions,
            *map(as_lines, (purposes, templates, [listed(each) for each in channels])),
            self.now,
        )

    async def claim_due_messages(
        self, book: Book, limit: int, closed: Sequence[str], without: Collection[str] = (), after: Place | None = None
    ) -> Place | None:
        """Lock customers with messages due, but for those in ``without``: the first behind ``after`` that nobody else
        holds, or the first of all when none are there. The place up to which it looked."""
        place = after
        for _ in range(_LOOKS):
            due = await self._due_behind(place, limit, closed, without)
            if due:
                place = due[-1]
                await self.claim_customers(book, list({customer_id: None for _, customer_id in due}))
            if book.customers or (not due and place is None):
                break
            if not due:
                place = None
        return place

    async def _due_behind(
        self, place: Place | None, limit: int, closed: Sequence[str], without: Collection[str]
    ) -> list[Place]:
        since, customer_id = place or (_FIRST, "")
        rows = await self.conn.fetch(
            """
            select waits_until, customer_id from messages
            where waits_until <= $1 and (waits_until, customer_id) > ($5, $6)
              and not (channels->>0 = any($3::text[])) and not (customer_id = any($4::text[]))
            order by waits_until, customer_id limit $2
            """,
            *(self.now, limit, list(closed), list(without), since, customer_id),
        )
        return [Place(*row) for row in rows]

    async def load_desks(self, book: Book, rules: RulesInForce) -> list[Desk]:
        ids = as_lines(book.customers)
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
        await self._load_reach(desks, ids)
        await self._load_protection(desks, ids)
        await self._load_contacts(desks, ids, rules)
        await self._load_debts(desks, ids)
        return list(desks.values())

    async def _load_due(self, desks: dict[str, Desk], ids: str) -> None:
        rows = await self.conn.fetch(
            """
            select m.customer_id, m.message_id, m.case_id, m.follow_up_id, m.about, m.step, m.purpose, m.template,
                   m.channels::text, m.tries, exists (
                       select from follow_ups later
                       where later.case_id = m.case_id and later.kind = 'message' and later.state in ('issued', 'done')
                         and later.due_at > coalesce(mine.deferred_until, mine.due_at)
                   ), coalesce(mine.decided_at < c.reopened_at,
                               m.about like 'cure/%' and m.about <> 'cure/' || c.reopenings), m.anchor, c.state,
                   u.name_enc
            from messages m join customers u on u.customer_id = m.customer_id left join cases c on c.case_id = m.case_id
            left join follow_ups mine on mine.follow_up_id = m.follow_up_id
            where m.customer_id = any((select string_to_array($1, chr(10)))::text[]) and m.waits_until <= $2
            order by m.not_before, m.created_at, m.message_id
            """,
            ids,
            self.now,
        )
        for row in rows:
            desk = desks[row[0]]
            desk.messages.append(DueMessage(*(*row[1:8], words_of(row[8]), *row[9:13])))
            if row[13] is not None:
                desk.cases[row[2]] = CaseState(row[13])
            if row[14] is not None and not desk.name:
                desk.name = self.cipher.decrypt("customers", "name", row[0], row[14])

    async def _load_reach(self, desks: dict[str, Desk], ids: str) -> None:
        rows = await self.conn.fetch(
            """
            select customer_id, point_id, kind, source, value_enc from contact_points
            where customer_id = any((select string_to_array($1, chr(10)))::text[]) and state = 'active'
              and kind in ('mobile', 'email')
            order by customer_id, position, point_id
            """,
            ids,
        )
        for row in rows:
            desks[row[0]].reach.append(Reach(row[1], row[2], row[3], partial(self._opened, row[1], row[4])))

    def _opened(self, point_id: UUID, sealed: bytes) -> str:
        return self.cipher.decrypt("contact_points", "value", str(point_id), sealed)

    async def _load_protection(self, desks: dict[str, Desk], ids: str) -> None:
        """Holds on the person, or on an account they are followed for, opt-outs, and facts that still wait."""
        rows = await self.conn.fetch(
            """
            select hold_id, customer_id, account_id, kind, reason, placed_at, ends_at, released_at
            from holds where customer_id = any((select string_to_array($1, chr(10)))::text[]) and released_at is null
              and (ends_at is null or ends_at > $2)
            """,
            ids,
            self.now,
        )
        for row in rows:
            desks[row[1]].holds.append(Hold(str(row[0]), row[1], row[2], HoldKind(row[3]), *row[4:]))
        outs = await self.conn.fetch(
            "select customer_id, channel from preferences"
            " where customer_id = any((select string_to_array($1, chr(10)))::text[]) and opted_out",
            ids,
        )
        for row in outs:
            desks[row[0]].opted_out.add(row[1])
        waiting = await self.conn.fetch(
            "select distinct customer_id from parked"
            " where consumer = 'intake' and state in ('parked', 'dead')"
            " and customer_id = any((select string_to_array($1, chr(10)))::text[])",
            ids,
        )
        for row in waiting:
            desks[row[0]].facts_pending = True

    async def _load_contacts(self, desks: dict[str, Desk], ids: str, rules: RulesInForce) -> None:
        """The contacts of the person, under whatever customer ids they were made before mergers."""
        person = {**dict.fromkeys(desks, ""), **await self._merged_into(ids)}
        back = self.list_texts(desks, rules)
        rows = await self.conn.fetch(
            """
            select customer_id, local_date, channel, count(*), max(at) from contact_ledger
            where customer_id = any((select string_to_array($1, chr(10)))::text[]) and local_date >= $2
              and state <> 'released'
              and made_by = 'message'
            group by customer_id, local_date, channel
            """,
            as_lines(person),
            self.now.date() - timedelta(days=1),
        )
        for row in rows:
            desk = desks[person[row[0]] or row[0]]
            if desk.lists_texts:
                continue
            counts = desk.contacts.setdefault(row[1], {})
            counts[row[2]] = counts.get(row[2], 0) + row[3]
            desk.last_contacts[row[2]] = max(row[4], desk.last_contacts.get(row[2], row[4]))
        await self.load_circumstances(desks, rules)
        await self.load_contact_events(desks, person, back)

    async def _merged_into(self, ids: str) -> dict[str, str]:
        """Customers that were merged away into ``ids``, directly or by way of others, and who they are now."""
        rows = await self.conn.fetch(
            """
            with recursive person as (
                select customer_id, merged_into as stays from customers
                where merged_into = any((select string_to_array($1, chr(10)))::text[])
                union
                select c.customer_id, p.stays from customers c join person p on c.merged_into = p.customer_id
            )
            select customer_id, stays from person
            """,
            ids,
        )
        return {row[0]: row[1] for row in rows}

    async def _load_debts(self, desks: dict[str, Desk], ids: str) -> None:
        """The accounts that may be spoken of: not those that a hold on the account itself takes out."""
        rows = await self.conn.fetch(
            """
            select customer_id, account_id, card_last4, currency, past_due, oldest_due, bucket
            from accounts a where customer_id = any((select string_to_array($1, chr(10)))::text[])
              and status <> 'closed'
            order by customer_id, oldest_due nulls last, past_due desc, account_id
            """,
            ids,
        )
        for row in rows:
            desk = desks[row[0]]
            desk.card_last4 = desk.card_last4 or row[2]
            desk.cards[row[1]] = row[2]
            held = any(hold.account_id == row[1] for hold in desk.holds)
            if row[6] == "M0" or held or row[5] is None:
                continue
            if desk.debt is None:
                desk.debt = Debt(row[2], row[3], row[4], row[5])
            elif desk.debt.currency == row[3]:
                debt = desk.debt
                desk.debt = Debt(debt.card_last4, debt.currency, debt.past_due + row[4], debt.oldest_due)
        for desk in desks.values():  # a hold on one account is not a hold on the person
            desk.account_holds = [hold for hold in desk.holds if hold.account_id is not None]
            if desk.debt is not None:
                desk.holds = [hold for hold in desk.holds if hold.account_id is None]

    async def save_sending(
        self, changes: SendingChanges, *, holder: str, fence: int, lease: timedelta, gateways: Mapping[str, str]
    ) -> None:
        await self._save_states(changes)
        if not changes.sending:
            return
        noted: dict[int, tuple[int, Any]] = {}  # by identity: the place among those that are sent
        rows = []
        for marked, today, note in changes.sending:
            key = str(marked.attempt_id)
            subject = marked.text.subject
            place, _ = noted.setdefault(id(note), (len(noted) + 1, note))
            rows.append(
                (
                    marked.attempt_id,
                    marked.message.message_id,
                    marked.customer_id,
                    marked.channel,
                    marked.point_id,
                    marked.message.purpose,
                    today,
                    marked.text.version,
                    text_digest(marked.text),
                    self.cipher.encrypt("attempts", "body", key, marked.text.body),
                    self.cipher.encrypt("attempts", "subject", key, subject) if subject else None,
                    place,
                )
            )
        attempts, messages, customers, channels, points, purposes, *others = zip(*rows, strict=True)
        await self.conn.execute(
            _MARK,
            attempts,
            messages,
            as_lines(customers),
            as_lines(channels),
            points,
            as_lines(purposes),
            *others,
            [as_json(note) for _, note in noted.values()],
            self.now,
            dict(gateways),
            holder,
            fence,
            lease,
        )

    async def _save_states(self, changes: SendingChanges) -> None:
        """Of those that are not sent now."""
        rows: list[tuple[UUID, str, Any, str | None, Any]] = []
        for message, wait, note in changes.waiting:
            rows.append((message.message_id, "deferred", wait.until, wait.reason, as_json(note)))
        for message, drop, seen in changes.dropped:
            state = "failed" if drop.reason.startswith("wording") else "suppressed"
            rows.append((message.message_id, state, self.now, drop.reason, as_json(seen)))
        if rows:
            await self.conn.execute(
                """
                update messages m set state = k.state, not_before = k.not_before, reason = k.reason,
                    decision = coalesce(k.decision, m.decision), updated_at = $6, row_version = m.row_version + 1
                from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::jsonb[])
                    as k(message_id, state, not_before, reason, decision)
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
            where customer_id = any($1::text[]) and waits_until <= $2
            """,
            list(customer_ids),
            self.now,
            f"could not be marked: {reason}",
        )


def text_digest(text: Text) -> bytes:
    """SHA-256 of subject and body, kept for good even where the text itself is erased."""
    return sha256(f"{text.subject or ''}\n{text.body}".encode()).digest()
