"""What people do with cases and their coming follow-ups."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.casework import CaseOnFile
from shared.application.deferring import FollowUpOnFile
from shared.application.principal import Principal
from shared.domain.follow_up import FollowUpState


class CaseworkTables(Session):
    async def find_case(self, case_id: UUID, who: Principal) -> CaseOnFile | None:
        where = Where().add("c.case_id = {}", case_id).sees_case("c", scope_of(who))
        row = await self.conn.fetchrow(
            f"select c.case_id, c.customer_id, c.owner, c.team, c.row_version from cases c {where}",  # noqa: S608
            *where.args,
        )
        return None if row is None else CaseOnFile(*row)

    async def add_note(self, note_id: UUID, case: CaseOnFile, text: str, author: str) -> None:
        await self.conn.execute(
            "insert into notes (note_id, case_id, customer_id, text_enc, author, written_at)"
            " values ($1, $2, $3, $4, $5, $6)",
            note_id,
            case.case_id,
            case.customer_id,
            self.cipher.encrypt("notes", "text", str(note_id), text),
            author,
            self.now,
        )

    async def assign_case(self, case_id: UUID, owner: str | None, team: str | None) -> None:
        await self.conn.execute(
            "update cases set owner = $2, team = $3, updated_at = $4, row_version = row_version + 1 where case_id = $1",
            case_id,
            owner,
            team,
            self.now,
        )
        await self.conn.execute(
            "update work_items set team = $2, row_version = row_version + 1"
            " where case_id = $1 and state in ('open', 'taken') and team is distinct from $2",
            case_id,
            team,
        )

    async def find_follow_up(self, follow_up_id: UUID, who: Principal) -> FollowUpOnFile | None:
        where = Where().add("f.follow_up_id = {}", follow_up_id).sees_case("c", scope_of(who))
        row = await self.conn.fetchrow(
            f"""
            select f.follow_up_id, f.case_id, f.customer_id, f.step, f.due_at, f.state, f.row_version
            from follow_ups f join cases c on c.case_id = f.case_id {where}
            """,  # noqa: S608 - built of constants
            *where.args,
        )
        return None if row is None else FollowUpOnFile(*(*row[:5], FollowUpState(row[5]), row[6]))

    async def decide_follow_up(
        self, follow_up_id: UUID, state: FollowUpState, until: datetime | None, reason: str, actor: str
    ) -> None:
        await self.conn.execute(
            """
            update follow_ups set state = $2, deferred_until = coalesce($3, deferred_until), reason = $4, actor = $5,
                decided_at = $6, row_version = row_version + 1
            where follow_up_id = $1
            """,
            follow_up_id,
            state.value,
            until,
            reason,
            actor,
            self.now,
        )
