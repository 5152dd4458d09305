"""Permits and attempts of people and diallers, and their places in the ledger of contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.contact_attempts import AttemptMade
from shared.application.contact_permits import PermitOnFile
from shared.application.permit_facts import Contact, PointOnFile
from shared.application.principal import Principal
from shared.domain.contact_outcome import MEANS
from shared.domain.hold import Hold, HoldKind
from shared.domain.message import LedgerState

_PERMIT = """p.permit_id, p.customer_id, p.point_id, p.channel, p.purpose, p.target, p.person_id, p.account_ids,
    p.announcement, p.party, p.party_name, p.state, p.asked_by, p.expires_at, p.row_version"""


class ContactTables(Session):
    async def contact_point(self, customer_id: str, point_id: UUID) -> PointOnFile | None:
        row = await self.conn.fetchrow(
            "select point_id, kind, source, state from contact_points where point_id = $1 and customer_id = $2",
            point_id,
            customer_id,
        )
        return None if row is None else PointOnFile(*row)

    async def account_holds(self, account_ids: Sequence[str]) -> list[Hold]:
        """Holds in force on these accounts."""
        rows = await self.conn.fetch(
            """
            select hold_id, customer_id, account_id, kind, reason, placed_at, ends_at, released_at from holds
            where account_id = any($1::text[]) and released_at is null and (ends_at is null or ends_at > $2)
            order by hold_id
            """,
            list(account_ids),
            self.now,
        )
        return [Hold(str(row[0]), row[1], row[2], HoldKind(row[3]), *row[4:]) for row in rows]

    async def has_accounts(self, customer_id: str, account_ids: Sequence[str]) -> bool:
        found: int = await self.conn.fetchval(
            "select count(distinct account_id) from accounts where account_id = any($1::text[]) and customer_id = $2",
            list(account_ids),
            customer_id,
        )
        return found == len(set(account_ids))

    async def add_permit(
        self,
        permit_id: UUID,
        contact: Contact,
        state: str,
        decision: Mapping[str, Any],
        *,
        case_id: UUID | None,
        asked_by: str,
        expires_at: datetime | None,
    ) -> None:
        await self.conn.execute(
            """
            insert into contact_permits (permit_id, customer_id, point_id, channel, purpose, target, person_id,
                account_ids, announcement, party, party_name, case_id, state, decision, asked_by, asked_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            """,
            permit_id,
            *_columns(contact),
            case_id,
            state,
            decision,
            asked_by,
            self.now,
            expires_at,
        )

    async def reserve_contact(
        self, contact_id: UUID, contact: Contact, on: date, at: datetime, *, state: LedgerState, made_by: str
    ) -> None:
        await self.conn.execute(
            """
            insert into contact_ledger (attempt_id, customer_id, channel, purpose, local_date, at, state, made_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            contact_id,
            contact.customer_id,
            contact.channel,
            contact.purpose,
            on,
            at,
            state.value,
            made_by,
        )

    async def count_contact(self, contact_id: UUID, state: LedgerState) -> bool:
        done: str = await self.conn.execute(
            "update contact_ledger set state = $2 where attempt_id = $1", contact_id, state.value
        )
        return done != "UPDATE 0"

    async def find_permit(self, permit_id: UUID, who: Principal) -> PermitOnFile | None:
        where = Where().add("p.permit_id = {}", permit_id).sees_customer("p.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"select {_PERMIT} from contact_permits p {where}", *where.args)  # noqa: S608 - built
        return None if row is None else _read(row)

    async def permits_by_id(self, permit_ids: Sequence[UUID]) -> dict[UUID, PermitOnFile]:
        rows = await self.conn.fetch(
            f"select {_PERMIT} from contact_permits p where p.permit_id = any($1::uuid[])"  # noqa: S608 - constants
            " order by p.expires_at, p.permit_id",
            list(permit_ids),
        )
        return {row[0]: _read(row) for row in rows}

    async def close_permit(
        self, permit_id: UUID, state: str, *, by: str, reason: str | None, ledger: LedgerState | None
    ) -> None:
        await self.conn.execute(
            """
            update contact_permits set state = $2, closed_at = $3, closed_by = $4, close_reason = $5,
                row_version = row_version + 1
            where permit_id = $1
            """,
            permit_id,
            state,
            self.now,
            by,
            reason,
        )
        if ledger is not None:
            await self.count_contact(permit_id, ledger)

    async def add_attempt(self, attempt: AttemptMade) -> None:
        means = MEANS[attempt.outcome]
        await self.conn.execute(
            """
            insert into contact_attempts (attempt_id, customer_id, point_id, channel, purpose, target, person_id,
                account_ids, announcement, party, party_name, contact_id, permit_id, case_id, outbound, outcome,
                answered_by, connected, effective_talk, talk_seconds, recording, permitted, at, recorded_at,
                recorded_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                $23, $24, $25)
            """,
            attempt.attempt_id,
            *_columns(attempt.contact),
            attempt.contact_id,
            attempt.permit_id,
            attempt.case_id,
            attempt.outbound,
            attempt.outcome.value,
            means.answered_by,
            means.connected,
            attempt.effective_talk,
            attempt.talk_seconds,
            attempt.recording,
            attempt.permitted,
            attempt.at,
            self.now,
            attempt.recorded_by,
        )

    async def mark_point_bad(self, point_id: UUID, reason: str) -> None:
        await self.conn.execute(
            "update contact_points set state = 'bad', state_reason = $2, updated_at = $3"
            " where point_id = $1 and state = 'active'",
            point_id,
            reason,
            self.now,
        )


def _columns(contact: Contact) -> tuple[Any, ...]:
    return (
        contact.customer_id,
        contact.point_id,
        contact.channel,
        contact.purpose,
        contact.target,
        contact.person_id,
        sorted(contact.account_ids),
        contact.announcement,
        contact.party,
        contact.party_name,
    )


def _read(row: Any) -> PermitOnFile:
    permit_id, customer_id, point_id, channel, purpose, target, person_id, accounts, announcement, *rest = row
    party, party_name, state, asked_by, expires_at, row_version = rest
    contact = Contact(
        customer_id=customer_id,
        point_id=point_id,
        channel=channel,
        purpose=purpose,
        target=target,
        person_id=person_id,
        account_ids=tuple(accounts),
        announcement=announcement,
        party=party,
        party_name=party_name,
    )
    return PermitOnFile(
        permit_id=permit_id,
        contact=contact,
        state=state,
        asked_by=asked_by,
        expires_at=expires_at,
        row_version=row_version,
    )
