"""What the clock of limitation is worked out from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.limitation import APPROVAL, OBSTACLE, ClaimOnFile, EntryOnFile, NewEntry
from shared.application.principal import Principal
from shared.domain.limitation import Interruption, InterruptionKind, Suspension

LEFT_BY_HOLDER = ("contract", "left_with_bank")
"""Sources of numbers and addresses that the holder left with the issuer (interpretation 2021 no. 10, art. 3)."""
DEDUCTIONS = ("autodebit", "direct_debit", "deduction", "set_off")
"""Channels of payments that the bank took itself, by agreement."""
IN_WRITING = ("sms", "email", "letter", "app")
"""Channels on which a promise is its own proof; what was said is proved by its recording, which people enter."""

_CLAIMS = """
    select a.account_id, a.customer_id, c.time_zone, c.jurisdiction, min(a.oldest_due)
    from accounts a join customers c on c.customer_id = a.customer_id
    where a.account_id = any($1::text[]) and a.past_due > 0 and a.oldest_due is not null
    group by a.account_id, a.customer_id, c.time_zone, c.jurisdiction
"""
# (account, kind, at, proof, arrived, to a point that the holder left)
_EVENTS = """
    with owed as (select distinct account_id, customer_id from accounts where account_id = any($1::text[]))
    select o.account_id, 'demand', t.marked_at, 'message ' || t.attempt_id, true,
        coalesce(p.source = any($2::text[]), false)
    from owed o join messages m on m.customer_id = o.customer_id and m.purpose = 'dunning'
    join attempts t on t.message_id = m.message_id and t.state = 'delivered'
    left join contact_points p on p.point_id = t.point_id
    union all
    select p.account_id, case when p.channel = any($3::text[]) then 'deduction' else 'part_payment' end, p.posted_at,
        'payment ' || p.payment_id, null, null
    from payments p where p.account_id = any($1::text[]) and p.reversed_amount < p.amount
    union all
    select p.account_id, 'agreement', p.made_at,
        case when p.channel = any($4::text[]) then 'promise ' || p.promise_id end, null, null
    from promises p where p.account_id = any($1::text[]) and p.state <> 'cancelled'
    union all
    select o.account_id, 'agreement', e.at, 'plan ' || p.plan_id, null, null
    from owed o join plans p on p.customer_id = o.customer_id
    join lateral (
        select min(e.at) as at from case_events e
        where e.customer_id = o.customer_id and e.kind = 'plan.activated' and e.data ->> 'plan_id' = p.plan_id::text
    ) e on e.at is not null
    where p.document -> 'debts' @> jsonb_build_array(jsonb_build_object('account_id', o.account_id))
    union all
    select e.account_id, e.kind, e.at, e.proof, e.arrived, e.to_point_left
    from limitation_entries e
    where e.account_id = any($1::text[]) and e.withdrawn_at is null and e.at is not null
"""
_ENTERED = """
    select account_id, kind, proof, first, ends from limitation_entries
    where account_id = any($1::text[]) and withdrawn_at is null and at is null
"""


class LimitationTables(Session):
    async def owner_seen(self, account_id: str, who: Principal) -> str | None:
        where = Where().add("a.account_id = {}", account_id).sees_customer("a.customer_id", scope_of(who))
        owner: str | None = await self.conn.fetchval(
            f"select a.customer_id from accounts a {where} limit 1",  # noqa: S608 - built of constants
            *where.args,
        )
        return owner

    async def overdue_accounts(self, customer_id: str) -> list[str]:
        rows = await self.conn.fetch(
            "select distinct account_id from accounts where customer_id = $1 and past_due > 0 order by 1", customer_id
        )
        return [row[0] for row in rows]

    async def claims(self, account_ids: Sequence[str]) -> dict[str, ClaimOnFile]:
        owed = {row[0]: row for row in await self.conn.fetch(_CLAIMS, list(account_ids))}
        if not owed:
            return {}
        events: dict[str, list[Interruption]] = {}
        for account_id, kind, at, proof, arrived, left in await self.conn.fetch(
            _EVENTS, list(owed), list(LEFT_BY_HOLDER), list(DEDUCTIONS), list(IN_WRITING)
        ):
            events.setdefault(account_id, []).append(Interruption(InterruptionKind(kind), at, proof, arrived, left))
        entered = await self.conn.fetch(_ENTERED, list(owed))
        return {key: self._claim(row, events.get(key, []), entered) for key, row in owed.items()}

    def _claim(self, row: Any, events: Sequence[Interruption], entered: Sequence[Any]) -> ClaimOnFile:
        account_id, customer_id, time_zone, jurisdiction, due_on = row
        mine = [entry for entry in entered if entry[0] == account_id]
        return ClaimOnFile(
            account_id,
            customer_id,
            time_zone,
            jurisdiction,
            due_on,
            tuple(sorted(events, key=lambda each: (each.at, each.kind, each.proof or ""))),
            tuple(Suspension(proof, first, ends) for _, kind, proof, first, ends in mine if kind == OBSTACLE),
            tuple(ends for _, kind, _, _, ends in mine if kind == APPROVAL),
        )

    async def add_entry(self, new: NewEntry, by: str) -> None:
        await self.conn.execute(
            """
            insert into limitation_entries (entry_id, account_id, kind, at, first, ends, proof, arrived, to_point_left,
                recorded_at, recorded_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """,
            new.entry_id,
            new.account_id,
            new.kind,
            new.at,
            new.first,
            new.ends,
            new.proof,
            new.arrived,
            new.to_point_left,
            self.now,
            by,
        )

    async def find_entry(self, entry_id: UUID, who: Principal) -> EntryOnFile | None:
        where = Where().add("e.entry_id = {}", entry_id).sees_customer("a.customer_id", scope_of(who))
        row = await self.conn.fetchrow(
            f"""
            select e.entry_id, e.account_id, a.customer_id, e.kind, e.withdrawn_at, e.row_version
            from limitation_entries e join accounts a on a.account_id = e.account_id {where} limit 1
            """,  # noqa: S608 - built of constants
            *where.args,
        )
        return None if row is None else EntryOnFile(*row)

    async def withdraw_entry(self, entry_id: UUID, by: str, reason: str) -> None:
        await self.conn.execute(
            "update limitation_entries set withdrawn_at = $2, withdrawn_by = $3, withdrawn_reason = $4,"
            " row_version = row_version + 1 where entry_id = $1",
            entry_id,
            self.now,
            by,
            reason,
        )

    async def note_alerts(self, alerts: Sequence[tuple[str, date, date | None]]) -> list[tuple[str, date]]:
        rows = await self.conn.fetch(
            """
            insert into limitation_alerts (account_id, alert_on, ends_on, told_at)
            select *, $4 from unnest($1::text[], $2::date[], $3::date[])
            on conflict do nothing returning account_id, alert_on
            """,
            [each[0] for each in alerts],
            [each[1] for each in alerts],
            [each[2] for each in alerts],
            self.now,
        )
        return sorted((row[0], row[1]) for row in rows)
