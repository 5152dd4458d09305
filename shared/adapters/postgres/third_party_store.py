"""People beside the debtor."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.principal import Principal
from shared.application.third_parties import NewThirdParty, ThirdPartyOnFile

_COLUMNS = """t.person_id, t.customer_id, t.relation, t.kind, t.source, t.evidence, t.guarantee_until, t.within_estate,
    t.refused_at, t.row_version"""


class ThirdPartyTables(Session):
    async def add_third_party(self, new: NewThirdParty, by: str) -> None:
        """Who is entered again under a number or address that refused is refused from the start."""
        living_in = await self.conn.fetchval(
            "select jurisdiction from customers where customer_id = $1", new.customer_id
        )
        key, value = str(new.person_id), self.normalise(new.kind, new.value, living_in)
        name = None if new.name is None else self.cipher.encrypt("third_parties", "name", key, new.name)
        await self.conn.execute(
            """
            insert into third_parties (person_id, customer_id, relation, name_enc, kind, source, value_enc, value_bidx,
                evidence, guarantee_until, within_estate, recorded_at, recorded_by, refused_at, refusal_source)
            select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, known.refused_at, known.refusal_source
            from (values (1)) one left join lateral (
                select refused_at, refusal_source from third_parties
                where customer_id = $2 and value_bidx = $8 and refused_at is not null order by refused_at limit 1
            ) known on true
            """,
            new.person_id,
            new.customer_id,
            new.relation,
            name,
            new.kind,
            new.source,
            self.cipher.encrypt("third_parties", "value", key, value),
            self.cipher.blind(new.kind, value),
            new.evidence,
            new.guarantee_until,
            new.within_estate,
            self.now,
            by,
        )

    async def find_third_party(self, person_id: UUID, who: Principal) -> ThirdPartyOnFile | None:
        where = Where().add("t.person_id = {}", person_id).sees_customer("t.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"select {_COLUMNS} from third_parties t {where}", *where.args)  # noqa: S608 - built
        return None if row is None else ThirdPartyOnFile(*row)

    async def third_party(self, customer_id: str, person_id: UUID) -> ThirdPartyOnFile | None:
        row = await self.conn.fetchrow(
            f"select {_COLUMNS} from third_parties t where t.person_id = $1 and t.customer_id = $2",  # noqa: S608 - built
            person_id,
            customer_id,
        )
        return None if row is None else ThirdPartyOnFile(*row)

    async def refuse_third_party(self, person_id: UUID, source: str) -> None:
        await self.conn.execute(
            """
            update third_parties t set refused_at = $2, refusal_source = $3, row_version = t.row_version + 1
            from third_parties said
            where said.person_id = $1 and t.customer_id = said.customer_id and t.value_bidx = said.value_bidx
              and t.refused_at is null
            """,
            person_id,
            self.now,
            source,
        )

    async def own_numbers_out_of_use(self, customer_id: str) -> datetime | None:
        """Since when none of the debtor's own numbers is in use, as calls found out; None while one may be."""
        since: datetime | None = await self.conn.fetchval(
            """
            select max(a.at) from contact_attempts a
            where a.customer_id = $1 and a.target = 'debtor' and a.outcome = 'invalid_number'
              and not exists (
                  select from contact_points p
                  where p.customer_id = $1 and p.kind in ('mobile', 'phone') and p.state = 'active')
            """,
            customer_id,
        )
        return since
