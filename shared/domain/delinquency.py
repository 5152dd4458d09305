"""Days past due and buckets. Both are computed from due dates when asked; a timer marks the day a bucket changes.

The due date is day 0 and a part payment does not reset the count. Within the days of grace nothing is past due; after
them the count starts at the due date, not at the end of the grace (so it jumps from 0 to grace + 1). An amount up to
the policy's tolerance counts as covered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from shared.domain.account import Account, Standing
from shared.domain.policy import Policy

CURRENT = "M0"


def days_past_due(oldest_due: date | None, on: date, grace_days: int) -> int:
    if oldest_due is None:
        return 0
    days = (on - oldest_due).days
    return days if days > grace_days else 0


def counted_oldest_due(account: Account, policy: Policy) -> date | None:
    """The oldest uncovered due, or None when what is missing is within the amount tolerance."""
    return uncovered_since(account.standing, account.currency, policy)


def uncovered_since(standing: Standing, currency: str, policy: Policy) -> date | None:
    """The same of a standing that no account has (yet, or any more)."""
    if standing.past_due <= policy.grace.amount.get(currency, 0):
        return None
    return standing.oldest_due


def bucket_on(account: Account, policy: Policy, on: date) -> str:
    return policy.bucket_of(days_past_due(counted_oldest_due(account, policy), on, policy.grace.days))


def next_roll(account: Account, policy: Policy, on: date) -> date | None:
    """The first date after ``on`` on which the account's bucket changes by the calendar alone."""
    oldest = counted_oldest_due(account, policy)
    if oldest is None:
        return None
    days = (on - oldest).days
    if days <= policy.grace.days:
        return oldest + timedelta(days=policy.grace.days + 1)
    following = policy.next_bucket(days)
    return None if following is None else oldest + timedelta(days=following[1])


@dataclass(frozen=True, slots=True)
class BucketEntry:
    """One line of an account's bucket history."""

    account_id: str
    currency: str
    bucket: str
    previous: str
    entered_on: date


def bucket_entries(account: Account, policy: Policy, on: date) -> list[BucketEntry]:
    """The buckets entered since the last judgement, oldest first; a late run gives the same lines as a punctual one."""
    target = bucket_on(account, policy, on)
    if target == account.bucket:
        return []
    oldest = counted_oldest_due(account, policy)
    if oldest is None or target == CURRENT:
        return [BucketEntry(account.account_id, account.currency, target, account.bucket, on)]
    starts = policy.bucket_starts

    def entered(name: str) -> date:
        return oldest + timedelta(days=max(starts[name], policy.grace.days + 1))

    path = [target]
    if account.bucket in starts:
        since = account.bucket_since
        passed = [name for name, day in starts.items() if starts[account.bucket] < day <= starts[target]]
        path = [name for name in passed if since is not None and entered(name) > since] or [target]
    entries, previous = [], account.bucket
    for name in path:
        entries.append(BucketEntry(account.account_id, account.currency, name, previous, min(entered(name), on)))
        previous = name
    return entries
