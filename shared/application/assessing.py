"""What a household can pay, worked out on the debts of this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from shared.application.book import AccountKey, Agreements, Book
from shared.application.debts import debts_now
from shared.application.editing import case_of
from shared.application.judging import PolicyShelf
from shared.application.refusals import FieldError, Invalid
from shared.domain import plan, settlement
from shared.domain.affordability import Affordability, affordable
from shared.domain.affordability_words import LANGUAGES, explain
from shared.domain.assessment import Assessment
from shared.domain.calendar import local_date
from shared.domain.household import Guide, Statement, budget_of, unknown_kinds
from shared.domain.outcome import Refused
from shared.domain.plan_terms import Debt


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentAsked:
    assessment_id: UUID
    customer_id: str
    accounts: tuple[AccountKey, ...]
    household: Statement


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A plan or settlement (``subject``) of the customer that is under way: the assessment does not deduct it."""

    subject: str
    subject_id: UUID
    accounts: tuple[AccountKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentMade:
    """All that is kept of one. ``words`` by language, as they were told."""

    assessment: Assessment
    case_id: UUID | None
    household: Statement
    found: Affordability
    words: Mapping[str, tuple[str, ...]]
    debts: tuple[Debt, ...]
    under_way: tuple[UnderWay, ...]
    guide: Guide
    policy_version: int
    reckoned_at: datetime
    assessed_on: date
    assessed_by: str


def guide_for(shelf: PolicyShelf, asked: AssessmentAsked) -> Guide:
    """The guide of the debts' currency. Raises Invalid for several currencies, one without a guide, and for kinds that
    the guide does not know."""
    currency = asked.accounts[0][1]
    others = [number for number, account in enumerate(asked.accounts) if account[1] != currency]
    if others:
        words = "is in another currency: it needs an assessment of its own"
        errors = [FieldError(f"/accounts/{number}/currency", words, "other-currency") for number in others]
        raise Invalid("An assessment is about debts in one currency.", errors=errors)
    guide = shelf.guide(currency)
    if guide is None:
        error = FieldError("/accounts/0/currency", "there are no guide figures in this currency", "no-guide")
        raise Invalid("There is no guide to living in this currency.", errors=[error])
    unknown = ["/household/" + "/".join(map(str, place)) for place in unknown_kinds(asked.household, guide)]
    if unknown:
        errors = [FieldError(place, "is not a kind that the guide knows", "unknown-kind") for place in unknown]
        raise Invalid("The guide does not know such a kind.", errors=errors)
    return guide


def worked_out(
    book: Book, shelf: PolicyShelf, asked: AssessmentAsked, guide: Guide, assessed_by: str, zone: str
) -> AssessmentMade:
    """Raises Invalid where there is nothing to assess."""
    today = local_date(book.now, zone)
    debts = debts_now(book, shelf, asked.customer_id, asked.accounts, zone)
    policy, calendar = shelf.repayment().plans, shelf.calendar(shelf.policy())
    budget = budget_of(asked.household, guide)
    try:
        found = affordable(asked.customer_id, debts, budget, policy, calendar, book.now, today)
    except Refused as refused:
        errors = [FieldError("/accounts", str(refused), refused.code)]
        raise Invalid(f"Not assessed: {refused}.", code="assessment-refused", errors=errors) from None
    return AssessmentMade(
        assessment=Assessment(
            assessment_id=asked.assessment_id,
            customer_id=asked.customer_id,
            accounts=frozenset(asked.accounts),
            available=budget.available,
            valid_until=today + timedelta(days=policy.assessment_days),
        ),
        case_id=case_of(book, asked.customer_id),
        household=asked.household,
        found=found,
        words={language: explain(found, language) for language in LANGUAGES},
        debts=tuple(debts),
        under_way=_under_way(book.agreements.get(asked.customer_id, Agreements())),
        guide=guide,
        policy_version=policy.version,
        reckoned_at=book.now,
        assessed_on=today,
        assessed_by=assessed_by,
    )


def _under_way(agreements: Agreements) -> tuple[UnderWay, ...]:
    plans = [filed.plan for filed in agreements.plans.values()]
    settlements = [filed.settlement for filed in agreements.settlements.values()]
    return (
        *(UnderWay("plan", each.plan_id, tuple(sorted(each.accounts))) for each in plans if each.state in plan.LIVE),
        *(
            UnderWay("settlement", each.settlement_id, tuple(sorted(each.accounts)))
            for each in settlements
            if each.state in settlement.LIVE
        ),
    )
