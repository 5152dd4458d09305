"""A payment as agreements see it: how much of it stayed, the day it counts for, and when it was posted.

A payment that was taken back never came: what counts is ``net``. Its ``value_date`` says for which day it counts, so a
late posting may mend the past; its ``posted_at`` says whether the debt an agreement began with has it inside already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

AccountKey = tuple[str, str]
"""(account id, currency)"""


@dataclass(frozen=True, slots=True)
class Payment:
    """Amounts in minor units of ``currency``; (``source``, ``payment_id``) is its natural key.

    Raises ValueError for an amount that is none, or when more was taken back than was paid.
    """

    source: str
    payment_id: str
    account_id: str
    currency: str
    amount: int
    value_date: date
    posted_at: datetime
    reversed_amount: int = 0

    def __post_init__(self) -> None:
        if type(self.amount) is not int or self.amount < 1:
            raise ValueError("a payment is a positive whole number of minor units")
        if not 0 <= self.reversed_amount <= self.amount:
            raise ValueError("what was taken back of a payment is between nothing and all of it")
        if self.posted_at.tzinfo is None:
            raise ValueError("an instant carries its offset; this one has none")

    @property
    def net(self) -> int:
        return self.amount - self.reversed_amount

    @property
    def account(self) -> AccountKey:
        return (self.account_id, self.currency)


class Received(NamedTuple):
    """Money that counts for an agreement, by the day it counts for."""

    on: date
    amount: int


def in_order(payments: Iterable[Payment]) -> list[Payment]:
    """By the day they count for; what of one day was posted first comes first. The order of arrival does not matter."""
    return sorted(payments, key=lambda each: (each.value_date, each.posted_at, each.source, each.payment_id))


def received(
    payments: Iterable[Payment], accounts: Iterable[AccountKey], after: datetime, until: date
) -> tuple[Received, ...]:
    """What came in on ``accounts`` for an agreement that was reckoned at ``after``, up to the end of ``until``.

    A payment posted up to that instant lowered the debt that the agreement began with, so it does not count again; one
    posted later counts whatever its value date, for no money may be lost.
    """
    members = frozenset(accounts)
    return tuple(
        Received(each.value_date, each.net)
        for each in in_order(payments)
        if each.net and each.account in members and each.posted_at > after and each.value_date <= until
    )


def total(parts: Sequence[Received]) -> int:
    return sum(part.amount for part in parts)
