"""What an approval can be about, as it stands under its customer's lock: what it holds, and what a yes or a no makes
of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from shared.application.agreements import put_waiver
from shared.application.book import AccountKey, Agreements, Book, PlanOnFile, SettlementOnFile, WaiverOnFile
from shared.application.debts import owed_now
from shared.application.judging import PolicyShelf, zone_of
from shared.application.plan_judging import put_plan, tell
from shared.application.settlement_judging import put_settlement
from shared.domain import settlement_life, waiver
from shared.domain.approval import Approval
from shared.domain.calendar import local_date
from shared.domain.outcome import Outcome
from shared.domain.plan import LIVE as PLANNED
from shared.domain.plan import Plan, PlanState
from shared.domain.plan_life import approve, cancel, lapses_on
from shared.domain.settlement import LIVE as SETTLING
from shared.domain.settlement import Settlement, SettlementState
from shared.domain.waiver import Waiver, WaiverState


class Subject(Protocol):
    """``content`` is the hash of what lies before who decides; ``waits``: for a decision, still."""

    @property
    def case_id(self) -> UUID | None: ...
    @property
    def content(self) -> str: ...
    @property
    def waits(self) -> bool: ...

    def grant(self, by: str) -> None:
        """Raises Refused when it can not be granted any more."""

    def call_off(self, reason: str, actor: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a subject is dealt with: the customer's book, and the policy."""

    book: Book
    shelf: PolicyShelf
    customer_id: str

    @property
    def zone(self) -> str:
        return zone_of(self.book.customers[self.customer_id].time_zone, self.shelf.policy())


class PlanSubject:
    """A plan over its proposer's limit."""

    def __init__(self, desk: Desk, subject_id: UUID) -> None:
        self._desk = desk
        self._filed: PlanOnFile = desk.book.agreements[desk.customer_id].plans[subject_id]
        self.case_id = self._filed.case_id
        self.content = self._filed.plan.fingerprint
        self.waits = self._filed.plan.state is PlanState.PROPOSED

    def grant(self, by: str) -> None:
        self._follow(approve(self._filed.plan, by), by)

    def call_off(self, reason: str, actor: str) -> None:
        today = local_date(self._desk.book.now, self._desk.zone)
        self._follow(cancel(self._filed.plan, today, reason), actor)

    def _follow(self, outcome: Outcome[Plan], actor: str) -> None:
        desk, filed = self._desk, self._filed
        tell(desk.book, desk.customer_id, filed.case_id, outcome.announcements, actor)
        lapses = lapses_on(outcome.state, desk.shelf.repayment().plans)
        put_plan(desk.book, replace(filed, plan=outcome.state), desk.zone, actor, lapses_on=lapses)


class SettlementSubject:
    """A settlement over its proposer's limit; the customer hears of it once it is granted."""

    def __init__(self, desk: Desk, subject_id: UUID) -> None:
        self._desk = desk
        self._filed: SettlementOnFile = desk.book.agreements[desk.customer_id].settlements[subject_id]
        self.case_id = self._filed.case_id
        self.content = self._filed.settlement.fingerprint
        self.waits = self._filed.settlement.state is SettlementState.PROPOSED

    def grant(self, by: str) -> None:
        self._follow(settlement_life.offer(self._filed.settlement, by), by)

    def call_off(self, reason: str, actor: str) -> None:
        today = local_date(self._desk.book.now, self._desk.zone)
        self._follow(settlement_life.withdraw(self._filed.settlement, today, reason), actor)

    def _follow(self, outcome: Outcome[Settlement], actor: str) -> None:
        desk, filed = self._desk, self._filed
        tell(desk.book, desk.customer_id, filed.case_id, outcome.announcements, actor)
        put_settlement(desk.book, replace(filed, settlement=outcome.state), desk.zone, actor)


class WaiverSubject:
    """A waiver over its proposer's limit."""

    def __init__(self, desk: Desk, subject_id: UUID) -> None:
        self._desk = desk
        self._filed: WaiverOnFile = desk.book.agreements[desk.customer_id].waivers[subject_id]
        self.case_id = self._filed.case_id
        self.content = self._filed.waiver.fingerprint
        self.waits = self._filed.waiver.state is WaiverState.PROPOSED

    def grant(self, by: str) -> None:
        desk, account = self._desk, self._filed.waiver.debt.account
        if account in _agreed_on(desk.book.agreements[desk.customer_id]):
            raise waiver.WaiverRefused("agreed-since", "a plan or settlement of the account was made meanwhile")
        owed = owed_now(desk.book, desk.shelf, desk.customer_id, account, desk.zone)
        self._follow(waiver.grant(self._filed.waiver, by, desk.book.now, owed), by)

    def call_off(self, reason: str, actor: str) -> None:
        self._follow(waiver.withdraw(self._filed.waiver, reason), actor)

    def _follow(self, outcome: Outcome[Waiver], actor: str) -> None:
        desk, filed = self._desk, self._filed
        tell(desk.book, desk.customer_id, filed.case_id, outcome.announcements, actor)
        put_waiver(desk.book, replace(filed, waiver=outcome.state))


def _agreed_on(page: Agreements) -> set[AccountKey]:
    """The accounts that are left as it was agreed: what is let off now would be paid all the same."""
    plans = [filed.plan for filed in page.plans.values() if filed.plan.state in PLANNED]
    settlements = [
        filed.settlement
        for filed in page.settlements.values()
        if filed.settlement.state in SETTLING or (filed.settlement.state is SettlementState.FULFILLED and filed.holding)
    ]
    accounts = [*(each.accounts for each in plans), *(each.accounts for each in settlements)]
    return {account for each in accounts for account in each}


class _Kind(Protocol):
    def __call__(self, desk: Desk, subject_id: UUID) -> Subject: ...


SUBJECTS: Mapping[str, _Kind] = {
    "plan": PlanSubject,
    "settlement": SettlementSubject,
    "waiver": WaiverSubject,
}
"""THE table: the nouns that an approval may name."""


def subject_of(book: Book, shelf: PolicyShelf, approval: Approval) -> Subject:
    desk = Desk(book, shelf, approval.customer_id or "")
    return SUBJECTS[approval.subject](desk, UUID(approval.subject_id))
