"""Attempts after the mark: answers, receipts, leases that ran out, doubts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.rows import as_json
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.word_lists import words_of
from shared.application.doubts import Doubt
from shared.application.gateway import ErrorClass
from shared.application.settling import MessageChange, OpenAttempt, Settlement, SettlingChanges
from shared.domain.message import AttemptState, LedgerState, MessageState


class SettlingTables(Session):
    async def hold_customers(self, customer_ids: Iterable[str]) -> None:
        """Lock as ``lock_customers`` does, for who does not look at their pages."""
        await self.conn.execute(
            "select from customers where customer_id = any((select string_to_array($1, chr(10)))::text[])"
            " order by customer_id for no key update",
            as_lines(set(customer_ids)),
        )

    async def open_attempts(self, attempt_ids: Sequence[UUID]) -> dict[UUID, OpenAttempt]:
        rows = await self.conn.fetch(
            """
            select a.attempt_id, a.message_id, a.customer_id, a.channel, a.point_id, a.state, m.state,
                   m.case_id, m.follow_up_id, m.step, m.purpose, m.channels::text, m.tries
            from attempts a join messages m using (message_id) where a.attempt_id = any($1::uuid[])
            """,
            list(attempt_ids),
        )
        return {
            row[0]: OpenAttempt(
                *(*row[:5], AttemptState(row[5]), MessageState(row[6]), *row[7:11], words_of(row[11]), row[12])
            )
            for row in rows
        }

    async def still_sending(self, attempt_ids: Sequence[UUID], fence: int) -> set[UUID]:
        """Those that nobody has taken from the holder of ``fence`` and that no receipt has moved meanwhile."""
        rows = await self.conn.fetch(
            "select attempt_id from attempts where attempt_id = any($1::uuid[]) and state = 'sending' and fence = $2",
            list(attempt_ids),
            fence,
        )
        return {row[0] for row in rows}

    async def save_settling(self, changes: SettlingChanges) -> None:
        if changes.attempts:
            await self._save_attempts(changes)
        if changes.messages:
            await self._save_messages(changes.messages)
        if changes.bad_points:
            await self.conn.execute(
                """
                update contact_points p set state = 'bad', state_reason = k.reason, updated_at = $3
                from unnest($1::uuid[], $2::text[]) as k(point_id, reason) where p.point_id = k.point_id
                """,
                list(changes.bad_points),
                list(changes.bad_points.values()),
                self.now,
            )

    async def _save_attempts(self, changes: SettlingChanges) -> None:
        """Alike ones together: nearly all of a batch end in the same state."""
        alike: dict[tuple[AttemptState, LedgerState, ErrorClass | None], list[Settlement]] = {}
        for settlement, ledger in changes.attempts.values():
            alike.setdefault((settlement.state, ledger, settlement.error), []).append(settlement)
        for (state, ledger, error), settled in alike.items():
            await self.conn.execute(
                """
                with settled as (
                    update attempts a set state = $4, provider_id = coalesce(k.provider_id, a.provider_id),
                        code = coalesce(k.code, a.code), error = coalesce($5, a.error), outcome_at = $7
                    from unnest($1::uuid[], $2::text[], $3::text[]) as k(attempt_id, provider_id, code)
                    where a.attempt_id = k.attempt_id
                )
                update contact_ledger set state = $6 where attempt_id = any($1::uuid[]) and state <> $6
                """,
                [one.attempt_id for one in settled],
                [one.provider_id for one in settled],
                [one.code for one in settled],
                state,
                error,
                ledger,
                self.now,
            )

    async def _save_messages(self, changes: Mapping[UUID, MessageChange]) -> None:
        ended: dict[MessageState, list[UUID]] = {}  # of these nothing but the state changes
        others: dict[UUID, MessageChange] = {}
        for message_id, change in changes.items():
            if change.state in (MessageState.DONE, MessageState.IN_DOUBT):
                ended.setdefault(change.state, []).append(message_id)
            else:
                others[message_id] = change
        for state, message_ids in ended.items():
            await self.conn.execute(
                """
                update messages set state = $2, reason = null, updated_at = $3, row_version = row_version + 1
                where message_id = any($1::uuid[])
                """,
                message_ids,
                state,
                self.now,
            )
        if others:
            await self.conn.execute(
                """
                update messages m set state = k.state, reason = k.reason, channels = k.channels, updated_at = $5,
                    not_before = case when k.state in ('planned', 'deferred') then $5::timestamptz + k.wait
                                      else m.not_before end,
                    row_version = m.row_version + 1
                from unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $6::interval[])
                    as k(message_id, state, reason, channels, wait)
                where m.message_id = k.message_id
                """,
                list(others),
                [change.state for change in others.values()],
                [change.reason for change in others.values()],
                [as_json(change.channels) for change in others.values()],
                self.now,
                [change.wait for change in others.values()],
            )

    async def overdue_leases(self, limit: int) -> dict[UUID, str]:
        rows = await self.conn.fetch(
            """
            select a.attempt_id, a.customer_id from attempts a left join workers w on w.instance = a.holder
            where a.state = 'sending' and (a.lease_until < clock_timestamp() or w.dead)
            order by a.lease_until limit $1
            """,
            limit,
        )
        return {row[0]: row[1] for row in rows}

    async def doubts_to_ask(self, gateway: str, query_delay: timedelta, limit: int) -> list[Doubt]:
        """Attempts in doubt whose turn it is: asked at most every few seconds, oldest first."""
        rows = await self.conn.fetch(
            """
            select a.attempt_id, a.customer_id, a.gateway, coalesce(w.dead, false) or a.disowned,
                   clock_timestamp() > $2::interval
                       + case when coalesce(w.dead, false) or a.disowned then a.marked_real else a.lease_until end
            from attempts a left join workers w on w.instance = a.holder
            where a.state = 'in_doubt' and a.gateway = $1
              and (a.asked_at is null or a.asked_at < clock_timestamp() - interval '1 second')
              and a.marked_real + $2::interval < clock_timestamp()
            order by a.asked_at nulls first, a.marked_real limit $3
            """,
            gateway,
            query_delay,
            limit,
        )
        return [Doubt(*row) for row in rows]

    async def note_asked(self, attempt_ids: Sequence[UUID]) -> None:
        await self.conn.execute(
            "update attempts set asked_at = clock_timestamp() where attempt_id = any($1::uuid[])", list(attempt_ids)
        )

    async def release_doubts(self, settlements: Sequence[Settlement]) -> int:
        """Attempts that surely reached nobody: the contact is given back, the message is due again."""
        if not settlements:
            return 0
        rows = await self.conn.fetch(
            """
            update attempts a set state = 'released', code = k.code, outcome_at = $3
            from unnest($1::uuid[], $2::text[]) as k(attempt_id, code)
            where a.attempt_id = k.attempt_id and a.state = 'in_doubt'
            returning a.attempt_id, a.message_id
            """,
            [one.attempt_id for one in settlements],
            [one.code for one in settlements],
            self.now,
        )
        await self.conn.execute(
            "update contact_ledger set state = 'released' where attempt_id = any($1::uuid[])", [row[0] for row in rows]
        )
        await self.conn.execute(
            """
            update messages set state = 'planned', not_before = $2, updated_at = $2, row_version = row_version + 1
            where message_id = any($1::uuid[]) and state = 'in_doubt'
            """,
            [row[1] for row in rows],
            self.now,
        )
        return len(rows)

    async def attempt_owners(self, attempt_ids: Sequence[UUID]) -> dict[UUID, str]:
        rows = await self.conn.fetch(
            "select attempt_id, customer_id from attempts where attempt_id = any($1::uuid[])", list(attempt_ids)
        )
        return {row[0]: row[1] for row in rows}

    async def message_in_doubt(self, message_id: UUID) -> tuple[str, UUID | None] | None:
        row = await self.conn.fetchrow(
            """
            select m.customer_id, a.attempt_id from messages m
            left join attempts a on a.message_id = m.message_id and a.state = 'in_doubt'
            where m.message_id = $1 limit 1
            """,
            message_id,
        )
        return None if row is None else (row[0], row[1])

    async def take_known_sends(self, message_ids: Sequence[UUID]) -> set[UUID]:
        rows = await self.conn.fetch(
            """
            update messages m set state = 'done', reason = null, updated_at = $2, row_version = m.row_version + 1
            from known_sends k where k.message_id = m.message_id and m.message_id = any($1::uuid[])
              and m.state in ('planned', 'deferred')
            returning m.message_id
            """,
            list(message_ids),
            self.now,
        )
        return {row[0] for row in rows}

    async def disown(self, attempt_ids: Sequence[UUID], holder: str, fence: int) -> None:
        """The holder came too late to settle these and says that it will never submit them any more: as good as dead
        for the question whether a provider's "not found" is sure."""
        await self.conn.execute(
            "update attempts set disowned = true where attempt_id = any($1::uuid[]) and holder = $2 and fence = $3"
            " and state = 'in_doubt'",
            list(attempt_ids),
            holder,
            fence,
        )
