"""What a settlement would be of, as the books stand now; and how the domain's refusals are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar
from uuid import UUID

from shared.application.book import AccountKey, Agreements, Book
from shared.application.debts import debts_now, not_disputed, worst_bucket
from shared.application.judging import PolicyShelf
from shared.application.principal import Principal
from shared.application.quoting import in_plans
from shared.application.refusals import Conflict, FieldError, Invalid
from shared.domain import settlement_life
from shared.domain.outcome import Refused
from shared.domain.plan_dates import DateRule

T = TypeVar("T")
_POINTERS = {
    "first-too-early": "/first_on",
    "first-too-late": "/first_on",
    "no-discount": "/pays",
    "offer-too-short": "/valid_until",
    "offer-too-long": "/valid_until",
    "too-long": "/instalments",
    "sum": "/amounts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementAsked:
    """``pays`` minor units instead of what is owed, or ``discount`` less than it: one of the two. ``dates`` makes the
    rule of the days, because days that make no sense are refused while they are made."""

    settlement_id: UUID
    customer_id: str
    accounts: tuple[AccountKey, ...]
    dates: Callable[[], DateRule]
    pays: int | None = None
    discount: int | None = None
    instalments: int = 1
    amounts: tuple[int, ...] = ()
    valid_until: date | None = None
    waive: tuple[str, ...] = ()


def new_settlement(
    book: Book, shelf: PolicyShelf, asked: SettlementAsked, who: Principal, zone: str
) -> Callable[[], settlement_life.NewSettlement]:
    """Made when called, for days that make no sense are refused then. A disputed part is decided before: left out of
    the settlement it would be asked for after a debt that was "settled", inside it nobody would ever decide it."""
    not_disputed(book, shelf, asked.customer_id, asked.accounts, zone)
    debts = debts_now(book, shelf, asked.customer_id, asked.accounts, zone)
    owed = sum(debt.amount for debt in debts)
    accounts = book.accounts_of(asked.customer_id)
    standing = [(key[0], accounts[key].standing.oldest_due) for key in asked.accounts]
    return lambda: settlement_life.NewSettlement(
        settlement_id=asked.settlement_id,
        customer_id=asked.customer_id,
        debts=tuple(debts),
        pays=owed - (asked.discount or 0) if asked.pays is None else asked.pays,
        dates=asked.dates(),
        reckoned_at=book.now,
        proposed_by=who.subject,
        roles={role.value for role in who.roles},
        instalments=asked.instalments,
        amounts=asked.amounts,
        bucket=worst_bucket(book, shelf, asked.customer_id, asked.accounts),
        oldest_due={account_id: day for account_id, day in standing if day is not None},
        taken=in_plans(book.agreements.get(asked.customer_id, Agreements())),
        valid_until=asked.valid_until,
        waived=asked.waive,
    )


def allowed(decide: Callable[[], T]) -> T:
    """What the domain decides; what it refuses is told by its code."""
    try:
        return decide()
    except Refused as refused:
        if refused.code == "wrong-state":
            raise Conflict(f"Not possible: {refused}.", code="settlement-state") from None
        errors = [FieldError(_POINTERS.get(refused.code, ""), str(refused), refused.code)]
        raise Invalid(f"No such settlement: {refused}.", code="settlement-refused", errors=errors) from None
