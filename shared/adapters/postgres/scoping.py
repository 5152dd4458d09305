"""Whose cases a caller may see, as the conditions of our statements take it."""

from __future__ import annotations

from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import EVERYTHING, Scope, Where
from shared.application.principal import Principal


def scope_of(who: Principal) -> Scope:
    return EVERYTHING if who.sees_everybody else Scope(who.subject, tuple(sorted(who.teams)))


class ScopeTables(Session):
    async def sees_customer(self, customer_id: str, who: Principal) -> bool:
        where = Where().add("u.customer_id = {}", customer_id).sees_customer("u.customer_id", scope_of(who))
        found = await self.conn.fetchval(f"select true from customers u {where}", *where.args)  # noqa: S608 - built
        return bool(found)

    async def has_account(self, customer_id: str, account_id: str) -> bool:
        found = await self.conn.fetchval(
            "select true from accounts where account_id = $1 and customer_id = $2 limit 1", account_id, customer_id
        )
        return bool(found)
