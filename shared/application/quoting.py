"""What a plan begins with: the customer's agreements so far, what is owed at this moment, and the quote made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.application.agreements import catch_up_agreements
from shared.application.approvals import ApprovalStore
from shared.application.book import AccountKey, Agreements, Book
from shared.application.debts import debts_now
from shared.application.editing import open_customer
from shared.application.judging import PolicyShelf, zone_of
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Invalid
from shared.domain import plan
from shared.domain.account import AccountStatus
from shared.domain.calendar import local_date
from shared.domain.outcome import Refused
from shared.domain.plan_quote import Quote, quote
from shared.domain.plan_terms import Terms
from shared.domain.settlement import LIVE, SettlementState

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAsked:
    """``terms`` makes them, because terms that make no sense are refused while they are made."""

    customer_id: str
    accounts: tuple[AccountKey, ...]
    terms: Callable[[], Terms]


def quoted(book: Book, shelf: PolicyShelf, asked: PlanAsked, zone: str) -> Quote:
    """The plan on the debts of this moment. Raises Invalid with the code of what stands against it."""
    today = local_date(book.now, zone)
    debts = debts_now(book, shelf, asked.customer_id, asked.accounts, zone)
    policy, calendar = shelf.repayment().plans, shelf.calendar(shelf.policy())
    return allowed(lambda: quote(asked.customer_id, debts, asked.terms(), policy, calendar, book.now, today))


async def quote_plan(tx: ApprovalStore, shelf: PolicyShelf, asked: PlanAsked, who: Principal) -> Quote:
    """What it would look like today; nothing is kept of it."""
    book, _, zone = await open_agreements(tx, shelf, asked.customer_id, who)
    return quoted(book, shelf, asked, zone)


async def open_agreements(
    tx: ApprovalStore, shelf: PolicyShelf, customer_id: str, who: Principal
) -> tuple[Book, Agreements, str]:
    """A customer of the caller's scope with what they agreed to, judged up to today; and their zone."""
    book, page = await open_customer(tx, customer_id, who)
    zone = zone_of(page.time_zone, shelf.policy())
    await tx.load_accounts(book)
    await tx.load_agreements(book)
    await tx.load_told(book)
    agreements = book.agreements.setdefault(customer_id, Agreements())
    catch_up_agreements(book, customer_id, zone)
    return book, agreements, zone


def not_settled(agreements: Agreements, accounts: Sequence[AccountKey], *, live: bool) -> None:
    """Nothing new is agreed on an account that was settled, until the bank's books show it; ``live``: nor while
    a settlement is under way. Raises Invalid."""
    for filed in agreements.settlements.values():
        settlement = filed.settlement
        taken = [number for number, key in enumerate(accounts) if key in settlement.accounts]
        done = settlement.state is SettlementState.FULFILLED and filed.holding
        if taken and (done or (live and settlement.state in LIVE)):
            code = "account-settled" if done else "account-in-settlement"
            words = "was settled" if done else "is in a settlement under way"
            errors = [FieldError(f"/accounts/{number}", words, code) for number in taken]
            raise Invalid("There is a settlement of one of the accounts.", errors=errors)


def not_planned(agreements: Agreements, accounts: Sequence[AccountKey]) -> None:
    """Raises Invalid for an account in a plan under way."""
    planned = in_plans(agreements)
    errors = [
        FieldError(f"/accounts/{number}", "is in a plan under way", "account-in-plan")
        for number, key in enumerate(accounts)
        if key in planned
    ]
    if errors:
        raise Invalid("There is a plan for one of the accounts.", errors=errors)


def still_open(book: Book, customer_id: str, accounts: Iterable[AccountKey], code: str) -> None:
    """Raises Conflict when the bank has closed one since it was offered: what was owed on it is not owed any more."""
    known = book.accounts_of(customer_id)
    if any(key in known and known[key].status is AccountStatus.CLOSED for key in accounts):
        raise Conflict("Not possible: the bank has closed one of the accounts.", code=code)


def in_plans(agreements: Agreements) -> set[AccountKey]:
    """Accounts in a plan under way."""
    under_way = (filed.plan for filed in agreements.plans.values() if filed.plan.state in plan.LIVE)
    return {account for each in under_way for account in each.accounts}


def allowed(decide: Callable[[], T]) -> T:
    """What the domain decides; what it refuses is told by its code."""
    try:
        return decide()
    except Refused as refused:
        if refused.code == "wrong-state":
            raise Conflict(f"Not possible: {refused}.", code="plan-state") from None
        errors = [FieldError("", str(refused), refused.code)]
        raise Invalid(f"No such plan: {refused}.", code="plan-refused", errors=errors) from None
