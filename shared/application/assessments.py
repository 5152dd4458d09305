"""What a household can pay: assessed from what it states, kept as it was found, and named by the plans made of it.

Nothing of an assessment changes afterwards; whoever knows better makes a new one.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from shared.application.approvals import ApprovalStore
from shared.application.assessing import AssessmentAsked, AssessmentMade, guide_for, worked_out
from shared.application.book import Book
from shared.application.judging import PolicyShelf
from shared.application.plan_judging import tell
from shared.application.principal import Principal
from shared.application.quoting import not_settled, open_agreements
from shared.application.refusals import FieldError, Invalid
from shared.domain.announcement import Announcement
from shared.domain.assessment import Assessment


class AssessmentStore(ApprovalStore, Protocol):
    async def add_assessment(self, made: AssessmentMade) -> None: ...


class AssessmentReader(Protocol):
    async def find_assessment(self, assessment_id: UUID, customer_id: str) -> Assessment | None: ...


class AssessmentDesk:
    """What people do with assessments."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def assess(self, tx: AssessmentStore, asked: AssessmentAsked, who: Principal) -> None:
        """Work out what is affordable, and keep it."""
        guide = guide_for(self._shelf, asked)
        book, agreements, zone = await open_agreements(tx, self._shelf, asked.customer_id, who)
        not_settled(agreements, asked.accounts, live=False)
        made = worked_out(book, self._shelf, asked, guide, who.subject, zone)
        await tx.add_assessment(made)
        _tell(book, made)
        await tx.save(book.changes)


async def assessment_named(tx: AssessmentReader, assessment_id: UUID | None, customer_id: str) -> Assessment | None:
    """The assessment that a plan names. Raises Invalid for one that is not of this customer."""
    if assessment_id is None:
        return None
    found = await tx.find_assessment(assessment_id, customer_id)
    if found is None:
        error = FieldError("/assessment_id", "is not an assessment of this customer", "no-such-assessment")
        raise Invalid("There is no such assessment.", errors=[error])
    return found


def _tell(book: Book, made: AssessmentMade) -> None:
    """Ids, the debts, the route and how long it holds: no figure of the household."""
    about = made.assessment
    data = {
        "assessment_id": str(about.assessment_id),
        "customer_id": about.customer_id,
        "accounts": sorted(account_id for account_id, _ in about.accounts),
        "currency": made.guide.currency,
        "owed": made.found.owed,
        "route": made.found.route.value,
        "valid_until": about.valid_until.isoformat(),
        "policy_version": made.policy_version,
    }
    news = Announcement("arrears.plan", "arrears.assessment.made.v1", about.customer_id, data)
    tell(book, about.customer_id, made.case_id, [news], made.assessed_by)
