"""An account: what core banking last reported, and where it stands with the money that moved since.

Truth and estimate: a report is a snapshot as of ``cutoff_at``. A payment is in it iff ``posted_at <= cutoff_at``; later
payments are taken off the oldest due first; a later reversal of a payment inside the snapshot is added back to the
newest due. What follows from both is an estimate until the next snapshot, which wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple


class AccountStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    CHARGED_OFF = "charged_off"  # followed on, as recovery


@dataclass(frozen=True, slots=True)
class Due:
    """One minimum payment: what was asked and what of it is not covered, in minor units."""

    due_date: date
    minimum_due: int
    unpaid: int


@dataclass(frozen=True, slots=True)
class Balances:
    principal: int
    interest: int
    fees: int
    penalty: int

    @property
    def total(self) -> int:
        return self.principal + self.interest + self.fees + self.penalty


@dataclass(frozen=True, slots=True)
class MoneySince:
    """Money that moved after a cut-off: ``paid`` net of reversals, ``given_back`` of payments inside the snapshot.

    ``given_back_on`` is the local date of the newest such reversal: the due date of what it brings back when the
    snapshot shows no due that it could be added to."""

    paid: int = 0
    given_back: int = 0
    given_back_on: date | None = None


NOTHING_SINCE = MoneySince()


class Standing(NamedTuple):
    """Dues as they stand now (covered ones kept with ``unpaid`` 0), oldest first."""

    dues: tuple[Due, ...]
    past_due: int
    oldest_due: date | None
    estimated: bool


class Account(NamedTuple):
    """One account in one currency; dual-currency cards are two."""

    account_id: str
    currency: str
    customer_id: str
    product: str
    card_last4: str
    credit_limit: int
    sequence: int
    cutoff_at: datetime
    balances: Balances
    reported_dues: tuple[Due, ...]
    standing: Standing
    paid_since: int = 0
    status: AccountStatus = AccountStatus.OPEN
    closed_reason: str | None = None
    closed_sequence: int | None = None
    charged_off_at: datetime | None = None
    charged_off_amount: int | None = None
    bucket: str = "M0"
    bucket_since: date | None = None

    @property
    def key(self) -> tuple[str, str]:
        return (self.account_id, self.currency)

    @property
    def followed(self) -> bool:
        return self.status is not AccountStatus.CLOSED


def stand(reported: Iterable[Due], since: MoneySince) -> Standing:
    """Where the dues stand after the money that moved since the snapshot.

    The sum counts, not the order, so that payments may arrive in any order and end the same."""
    dues = tuple(reported)
    if since.given_back:
        dues = _add_back(dues, since)
    if since.paid:
        dues = _take_off(dues, since.paid)
    past_due, oldest = 0, None
    for due in dues:
        if due.unpaid:
            past_due += due.unpaid
            oldest = oldest or due.due_date
    return Standing(dues, past_due, oldest, bool(since.paid or since.given_back))


def _take_off(dues: tuple[Due, ...], rest: int) -> tuple[Due, ...]:
    left = []
    for due in dues:
        taken = min(rest, due.unpaid)
        left.append(replace(due, unpaid=due.unpaid - taken) if taken else due)
        rest -= taken
    return tuple(left)


def _add_back(dues: tuple[Due, ...], since: MoneySince) -> tuple[Due, ...]:
    if not dues:
        return () if since.given_back_on is None else (Due(since.given_back_on, since.given_back, since.given_back),)
    newest = dues[-1]
    unpaid = newest.unpaid + since.given_back
    return (*dues[:-1], replace(newest, unpaid=unpaid, minimum_due=max(newest.minimum_due, unpaid)))


def restand(account: Account, since: MoneySince) -> Account:
    """The account with its standing worked out again."""
    standing = stand(account.reported_dues, since)
    if standing == account.standing and since.paid == account.paid_since:
        return account
    return account._replace(standing=standing, paid_since=since.paid)


def covered_by(before: Standing, after: Standing) -> Mapping[date, int]:
    """What each due lost in unpaid amount between two standings: what a payment covered."""
    now = {due.due_date: due.unpaid for due in after.dues}
    return {
        due.due_date: due.unpaid - now.get(due.due_date, 0)
        for due in before.dues
        if due.unpaid > now.get(due.due_date, 0)
    }
