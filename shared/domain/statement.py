"""What is owed on one account, by component and by due, and what brings it current today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from shared.domain.account import Account, Balances, Due
from shared.domain.delinquency import counted_oldest_due, days_past_due
from shared.domain.money import allocate_in_order
from shared.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Statement:
    """Amounts in minor units of ``currency``. ``to_bring_current`` covers every due whose date has come."""

    account_id: str
    currency: str
    as_of: datetime
    cutoff_at: datetime
    estimated: bool
    reported: Balances
    owed: Balances
    credit: int
    dues: tuple[Due, ...]
    past_due: int
    to_bring_current: int
    oldest_due: date | None
    days_past_due: int
    bucket: str


def statement_of(account: Account, policy: Policy, as_of: datetime, today: date) -> Statement:
    oldest = counted_oldest_due(account, policy)
    days = days_past_due(oldest, today, policy.grace.days)
    owed, credit = _owed(account, policy, days)
    return Statement(
        account_id=account.account_id,
        currency=account.currency,
        as_of=as_of,
        cutoff_at=account.cutoff_at,
        estimated=account.standing.estimated,
        reported=account.balances,
        owed=owed,
        credit=credit,
        dues=account.standing.dues,
        past_due=account.standing.past_due,
        to_bring_current=sum(due.unpaid for due in account.standing.dues if due.due_date <= today),
        oldest_due=account.standing.oldest_due,
        days_past_due=days,
        bucket=policy.bucket_of(days) if account.followed else "M0",
    )


def _owed(account: Account, policy: Policy, days: int) -> tuple[Balances, int]:
    """Reported balances less what was paid since, in the order that the policy gives for these days past due."""
    parts = [(name, getattr(account.balances, name)) for name in policy.allocation_order(days)]
    taken, rest = allocate_in_order(account.paid_since, parts)
    left = {name: amount - taken[name] for name, amount in parts}
    return Balances(**left), rest
