"""What contact rules ask of a person besides the profile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.circumstances import PERMISSION, PLACE, POINT_PLACE, CircumstanceOnFile, NewCircumstance
from shared.application.principal import Principal
from shared.application.sending_desk import Desk, RulesInForce
from shared.domain.contact_facts import PlaceRefusal


class CircumstanceTables(Session):
    async def add_circumstance(self, new: NewCircumstance, starts_at: datetime, by: str) -> None:
        await self.conn.execute(
            """
            insert into contact_circumstances (circumstance_id, customer_id, kind, value, point_id, given_by, proof,
                starts_at, ends_at, recorded_at, recorded_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """,
            new.circumstance_id,
            new.customer_id,
            new.kind,
            new.value,
            new.point_id,
            new.given_by,
            new.proof,
            starts_at,
            new.ends_at,
            self.now,
            by,
        )

    async def find_circumstance(self, circumstance_id: UUID, who: Principal) -> CircumstanceOnFile | None:
        where = Where().add("n.circumstance_id = {}", circumstance_id).sees_customer("n.customer_id", scope_of(who))
        row = await self.conn.fetchrow(
            "select n.circumstance_id, n.customer_id, n.kind, n.withdrawn_at, n.row_version"  # noqa: S608 - built
            f" from contact_circumstances n {where}",
            *where.args,
        )
        return None if row is None else CircumstanceOnFile(*row)

    async def withdraw_circumstance(self, circumstance_id: UUID, by: str) -> None:
        await self.conn.execute(
            "update contact_circumstances set withdrawn_at = $2, withdrawn_by = $3, row_version = row_version + 1"
            " where circumstance_id = $1",
            circumstance_id,
            self.now,
            by,
        )

    async def load_circumstances(self, desks: Mapping[str, Desk], rules: RulesInForce) -> None:
        """Put on the desks what is in force now. Of two that say otherwise of a point, the one noted last counts."""
        for desk in desks.values():
            known = rules(desk.jurisdiction) if desk.jurisdiction else None
            if known is not None:
                desk.asks_permission = known.asks_permission
        rows = await self.conn.fetch(
            """
            select customer_id, kind, value, point_id, ends_at from contact_circumstances
            where customer_id = any((select string_to_array($1, chr(10)))::text[]) and withdrawn_at is null
              and starts_at <= $2
              and (ends_at is null or ends_at > $2)
            order by recorded_at, circumstance_id
            """,
            as_lines(desks),
            self.now,
        )
        for customer_id, kind, value, point_id, ends_at in rows:
            desk = desks[customer_id]
            if kind == PLACE:
                desk.places = (desk.places or frozenset()) | {value}
            elif kind == POINT_PLACE:
                desk.point_places[str(point_id)] = value
            elif kind == PERMISSION:
                desk.permissions |= {value}
            else:
                desk.refused_places = (*desk.refused_places, PlaceRefusal(value, ends_at))
