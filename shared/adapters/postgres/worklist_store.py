"""Work items, as the people who do them move them."""

from __future__ import annotations

from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.principal import Principal
from shared.application.worklists import WorkOnFile
from shared.domain.hold import EFFECTS, HoldKind

_STOPPING = [kind.value for kind in HoldKind if EFFECTS[kind].stops_ladder]


class WorklistTables(Session):
    async def find_work(self, item_id: UUID, who: Principal) -> WorkOnFile | None:
        where = Where().add("w.item_id = {}", item_id).sees_case("c", scope_of(who))
        row = await self.conn.fetchrow(
            f"""
            select w.item_id, w.follow_up_id, w.case_id, w.customer_id, w.kind, w.state, w.assignee, w.row_version
            from work_items w join cases c on c.case_id = w.case_id {where}
            """,  # noqa: S608 - built of constants
            *where.args,
        )
        return None if row is None else WorkOnFile(*row)

    async def held(self, customer_id: str) -> bool:
        found = await self.conn.fetchval(
            """
            with stops as (
                select account_id from holds
                where customer_id = $1 and kind = any($2::text[]) and released_at is null
                  and (ends_at is null or ends_at > $3)
            )
            select exists (select from stops where account_id is null)
                or exists (select from stops) and not exists (
                    select from accounts a
                    where a.customer_id = $1 and a.bucket <> 'M0' and a.status <> 'closed'
                      and not exists (select from stops where stops.account_id = a.account_id))
            """,
            customer_id,
            _STOPPING,
            self.now,
        )
        return bool(found)

    async def move_work(self, item_id: UUID, state: str, assignee: str | None) -> None:
        await self.conn.execute(
            """
            update work_items set state = $2, assignee = $3, taken_at = case when $2 = 'taken' then $4::timestamptz end,
                row_version = row_version + 1
            where item_id = $1
            """,
            item_id,
            state,
            assignee,
            self.now,
        )

    async def end_work(self, item: WorkOnFile, outcome: str, note: str | None) -> None:
        await self.conn.execute(
            """
            update work_items set state = 'done', outcome = $2, note_enc = $3, ended_at = $4,
                row_version = row_version + 1
            where item_id = $1
            """,
            item.item_id,
            outcome,
            None if note is None else self.cipher.encrypt("work_items", "note", str(item.item_id), note),
            self.now,
        )
        await self.conn.execute(
            "update follow_ups set state = 'done', reason = $2, decided_at = $3, row_version = row_version + 1"
            " where follow_up_id = $1 and state = 'issued'",
            item.follow_up_id,
            outcome,
            self.now,
        )

    async def told_since_taken(self, item_id: UUID, channel: str) -> bool:
        told: bool = await self.conn.fetchval(
            """
            select exists (
                select from work_items w join contact_attempts a
                    on a.customer_id = w.customer_id and a.channel = $2 and a.outbound and a.recorded_at >= w.taken_at
                where w.item_id = $1)
            """,
            item_id,
            channel,
        )
        return told

    async def permit_since_taken(self, item_id: UUID, channel: str) -> UUID | None:
        found: UUID | None = await self.conn.fetchval(
            """
            select p.permit_id
            from work_items w join contact_permits p
                on p.customer_id = w.customer_id and p.channel = $2 and p.asked_by = w.assignee
                and p.asked_at >= w.taken_at and p.state in ('granted', 'lapsed')
            where w.item_id = $1 order by p.asked_at desc, p.permit_id limit 1
            """,
            item_id,
            channel,
        )
        return found
