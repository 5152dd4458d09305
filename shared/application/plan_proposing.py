"""What a plan would be, as the books stand now: the quote it was made from, what it replaces, what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from shared.application.approvals import ApprovalStore
from shared.application.assessments import AssessmentReader, assessment_named
from shared.application.book import Agreements, Book
from shared.application.debts import worst_bucket
from shared.application.judging import PolicyShelf
from shared.application.principal import Principal
from shared.application.quoting import PlanAsked, quoted
from shared.application.refusals import Conflict, FieldError, Invalid
from shared.domain.plan_life import NewPlan


class ProposalStore(ApprovalStore, AssessmentReader, Protocol):
    """What a plan is proposed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalAsked:
    """``quote``: the fingerprint of the quote that it was made from, if the customer is to get that and no other."""

    plan_id: UUID
    asked: PlanAsked
    quote: str | None = None
    assessment_id: UUID | None = None
    replaces: UUID | None = None
    waive: tuple[str, ...] = ()


async def new_plan(
    tx: AssessmentReader, book: Book, shelf: PolicyShelf, wanted: ProposalAsked, who: Principal, zone: str
) -> NewPlan:
    """Raises Conflict for a quote that does not hold any more, Invalid for what it names and is not the customer's."""
    asked = wanted.asked
    made = quoted(book, shelf, asked, zone)
    if wanted.quote not in (None, made.fingerprint):
        raise Conflict("What was quoted is not what it would be now; quote it again.", code="quote-changed")
    plans = book.agreements.get(asked.customer_id, Agreements()).plans
    old = None if wanted.replaces is None else plans.get(wanted.replaces)
    if wanted.replaces is not None and old is None:
        raise Invalid("There is no such plan.", errors=[FieldError("/replaces", "is not a plan of this customer")])
    return NewPlan(
        plan_id=wanted.plan_id,
        quote=made,
        proposed_by=who.subject,
        roles={role.value for role in who.roles},
        bucket=worst_bucket(book, shelf, asked.customer_id, asked.accounts),
        assessment=await assessment_named(tx, wanted.assessment_id, asked.customer_id),
        replaces=None if old is None else old.plan,
        waived=wanted.waive,
    )
