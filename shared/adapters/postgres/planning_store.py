"""Case files for the planner, and what it decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson

from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.rows import Rows
from shared.adapters.postgres.session import Session
from shared.application.book import Book
from shared.application.planning import FOLLOW_UP, CaseFile, FollowUp, PlanningChanges
from shared.domain.case import Case, CaseStanding, CaseState
from shared.domain.follow_up import FollowUpState, OnRecord, Stop
from shared.domain.hold import STOPPING, Hold, HoldKind
from shared.domain.waiting import Wait, stops, stops_by_accounts

_FOLLOW_UPS = Rows(
    "arrears.follow_ups",
    {
        "follow_up_id": "uuid",
        "case_id": "uuid",
        "customer_id": "text",
        "policy_version": "int",
        "step": "text",
        "anchor": "date",
        "kind": "text",
        "due_at": "timestamptz",
        "state": "text",
        "reason": "text",
        "decided_at": "timestamptz",
    },
)
_WORK_ITEMS = Rows(
    "arrears.work_items",
    {
        "item_id": "uuid",
        "follow_up_id": "uuid",
        "case_id": "uuid",
        "customer_id": "text",
        "kind": "text",
        "step": "text",
        "bucket": "text",
        "past_due": "jsonb",
        "priority": "int",
        "due_on": "date",
        "state": "text",
        "team": "text",
        "created_at": "timestamptz",
        "amount": "bigint",
    },
    "on conflict (item_id) do nothing",
)
_CASE = """c.case_id, c.customer_id, c.ordinal, c.state, c.bucket, c.policy_version, c.opened_at, c.reopened_at,
    c.reopenings, c.ended_at, c.end_reason"""
_STATES = {state.value: state for state in FollowUpState}


class PlanningTables(Session):
    async def load_case_files(self, book: Book) -> dict[str, CaseFile]:
        ids = [page.customer_id for page in book.customers.values() if page.cases_opened]
        if not ids:
            return {}
        cases = await self.conn.fetch(
            f"""
            select {_CASE} from customers u join cases c on c.customer_id = u.customer_id and c.ordinal = u.cases_opened
            where u.customer_id = any((select string_to_array($1, chr(10)))::text[])
            """,  # noqa: S608 - constants only
            as_lines(ids),
        )
        files = {row[1]: _file(row) for row in cases}
        await self._fill(files.values())
        await self._load_holds(files)
        await self._load_waiting(files)
        return files

    async def load_left_behind(self, book: Book) -> list[CaseFile]:
        ids = [page.customer_id for page in book.customers.values() if page.cases_opened > 1]
        if not ids:
            return []
        cases = await self.conn.fetch(
            f"""
            select {_CASE} from customers u join cases c on c.customer_id = u.customer_id and c.ordinal < u.cases_opened
            where u.customer_id = any((select string_to_array($1, chr(10)))::text[])
              and (exists (select from follow_ups f where f.case_id = c.case_id and f.state in ('planned', 'deferred'))
                or exists (select from work_items w where w.case_id = c.case_id and w.state in ('open', 'taken'))
                or exists (select from timers t where t.scope = c.customer_id and t.kind = $2
                             and t.subject = c.case_id::text))
            """,  # noqa: S608 - constants only
            as_lines(ids),
            FOLLOW_UP,
        )
        files = [_file(row) for row in cases]
        await self._fill(files)
        return files

    async def _fill(self, files: Iterable[CaseFile]) -> None:
        by_case = {file.case.case_id: file for file in files}
        if by_case:
            await self._load_standings(by_case)
            await self._load_record(by_case)

    async def _load_standings(self, by_case: dict[UUID, CaseFile]) -> None:
        rows = await self.conn.fetch(
            "select case_id, at, anchor, past_due::text, segment, zone, held from case_standings"
            " where case_id = any((select string_to_array($1, chr(10)))::uuid[]) order by case_id, seq",
            as_lines(map(str, by_case)),
        )
        for row in rows:
            by_case[row[0]].standings.append(_standing(row))

    async def _load_record(self, by_case: dict[UUID, CaseFile]) -> None:
        rows = await self.conn.fetch(
            "select case_id, step, anchor, state, deferred_until, follow_up_id, due_at from follow_ups"
            " where case_id = any((select string_to_array($1, chr(10)))::uuid[])",
            as_lines(map(str, by_case)),
        )
        for row in rows:
            by_case[row[0]].record[(row[1], row[2])] = OnRecord(_STATES[row[3]], row[4], row[5], row[6])

    async def _load_holds(self, files: dict[str, CaseFile]) -> None:
        """Holds on the person stop their ladder, from when they came to them; those on accounts do where nothing else
        is overdue."""
        rows = await self.conn.fetch(
            """
            select hold_id::text, customer_id, account_id, kind, reason,
                   case when account_id is null then coalesce(moved_at, placed_at) else placed_at end, ends_at,
                   released_at, noted
            from holds
            where customer_id = any((select string_to_array($1, chr(10)))::text[]) and kind = any($2::text[])
            """,
            as_lines(files),
            STOPPING,
        )
        for row in rows:
            hold = Hold(*(*row[:3], HoldKind(row[3]), *row[4:]))
            file = files[hold.customer_id]
            if hold.account_id is None:
                file.stops.append(Stop(hold.placed_at, hold.over_at, hold.kind.value, hold.hold_id))
            else:
                file.holds.append(hold)
        for file in files.values():
            if file.holds:
                file.stops += stops_by_accounts(file.standings, file.holds)

    async def _load_waiting(self, files: dict[str, CaseFile]) -> None:
        rows = await self.conn.fetch(
            "select customer_id, at, until from ladder_waits"
            " where customer_id = any((select string_to_array($1, chr(10)))::text[])"
            " order by customer_id, seq",
            as_lines(files),
        )
        waits: dict[str, list[Wait]] = {}
        for row in rows:
            waits.setdefault(row[0], []).append(Wait(row[1], row[2]))
        for customer_id, known in waits.items():
            files[customer_id].stops.extend(stops(known))

    async def save_planning(self, changes: PlanningChanges) -> None:
        if changes.withdrawn:
            await self.conn.execute(
                "delete from follow_ups where follow_up_id = any($1::uuid[]) and state = 'planned'", changes.withdrawn
            )
        await self._move(changes.moved)
        await _FOLLOW_UPS.write(
            self.conn,
            (
                (
                    f.follow_up_id,
                    f.case_id,
                    f.customer_id,
                    f.policy_version,
                    f.step,
                    f.anchor,
                    f.kind,
                    f.due_at,
                    f.state,
                    f.reason,
                    self.now,
                )
                for f in changes.new
            ),
        )
        await self._save_work(changes)

    async def _move(self, moved: Sequence[FollowUp]) -> None:
        """Most become what the others of the batch become, at the time they had: their ids go as one text."""
        alike: dict[tuple[FollowUpState, str | None], list[FollowUp]] = {}
        for follow_up in moved:
            alike.setdefault((follow_up.state, follow_up.reason), []).append(follow_up)
        for (state, reason), those in alike.items():
            await self.conn.execute(
                """
                update follow_ups f set state = $3, reason = $4, decided_at = $5, row_version = f.row_version + 1,
                    due_at = k.due_at
                from unnest(string_to_array($1, chr(10))::uuid[], $2::timestamptz[]) as k(id, due_at)
                where f.follow_up_id = k.id and f.state in ('planned', 'deferred')
                """,
                as_lines(map(str, (f.follow_up_id for f in those))),
                [f.due_at for f in those],
                state,
                reason,
                self.now,
            )

    async def _save_work(self, changes: PlanningChanges) -> None:
        teams: dict[UUID, Any] = {}
        if changes.work_items:
            rows = await self.conn.fetch(
                "select case_id, team from cases where case_id = any($1::uuid[])",
                [item.follow_up.case_id for item in changes.work_items],
            )
            teams = dict(rows)
        await _WORK_ITEMS.write(
            self.conn,
            (
                (
                    w.item_id,
                    w.follow_up.follow_up_id,
                    w.follow_up.case_id,
                    w.follow_up.customer_id,
                    w.follow_up.kind,
                    w.follow_up.step,
                    w.bucket,
                    dict(w.past_due),
                    w.priority,
                    w.due_on,
                    "open",
                    teams.get(w.follow_up.case_id),
                    self.now,
                    max(w.past_due.values(), default=0),
                )
                for w in changes.work_items
            ),
        )
        if changes.ended_cases:
            await self.conn.execute(
                "update work_items set state = 'cancelled', outcome = 'case ended', ended_at = $2,"
                " row_version = row_version + 1 where case_id = any($1::uuid[]) and state in ('open', 'taken')",
                changes.ended_cases,
                self.now,
            )

    async def note_outcomes(self, outcomes: Sequence[tuple[UUID, str, str | None]]) -> None:
        if outcomes:
            await self.conn.execute(
                """
                update follow_ups f set state = k.state, reason = k.reason, row_version = f.row_version + 1
                from unnest($1::uuid[], $2::text[], $3::text[]) as k(id, state, reason)
                where f.follow_up_id = k.id and f.state in ('issued', 'failed')
                """,
                *map(list, zip(*outcomes, strict=True)),
            )


def _file(row: Any) -> CaseFile:
    return CaseFile(Case(row[0], row[1], row[2], CaseState(row[3]), *row[4:]))


def _standing(row: Any) -> CaseStanding:
    return CaseStanding(row[1], row[2], orjson.loads(row[3]), row[4], row[5], tuple(row[6] or ()))
