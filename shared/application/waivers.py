"""Waivers: a part of one account's charges is let off, within limits or by a second person (``approvals``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from shared.application.agreements import put_waiver
from shared.application.approvals import About, ApprovalStore, ask_second_person, drop_request
from shared.application.book import AccountKey, WaiverOnFile
from shared.application.debts import owed_now, worst_bucket
from shared.application.editing import Expected, case_of, open_for_edit
from shared.application.judging import PolicyShelf
from shared.application.plan_judging import tell
from shared.application.principal import Principal
from shared.application.quoting import not_planned, not_settled, open_agreements
from shared.application.refusals import Conflict, FieldError, Invalid
from shared.domain import waiver
from shared.domain.calendar import local_date
from shared.domain.outcome import Refused
from shared.domain.waiver import Waiver, WaiverState

T = TypeVar("T")
_POINTERS = {"component": "/component", "amount": "/amount", "over-every-limit": "/amount"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverAsked:
    """``amount`` minor units of one ``component``; ``cause`` is a code."""

    waiver_id: UUID
    customer_id: str
    account: AccountKey
    component: str
    amount: int
    cause: str


class WaiverStore(ApprovalStore, Protocol):
    async def find_waiver(self, waiver_id: UUID, who: Principal) -> WaiverOnFile | None: ...


class WaiverDesk:
    """What people do with waivers."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def propose(self, tx: WaiverStore, asked: WaiverAsked, who: Principal) -> None:
        """Granted at once within the proposer's own limit; else a second person is asked. An account of which
        something was agreed is left as it was agreed."""
        book, agreements, zone = await open_agreements(tx, self._shelf, asked.customer_id, who)
        not_settled(agreements, [asked.account], live=True)
        not_planned(agreements, [asked.account])
        policy, today = self._shelf.repayment(), local_date(tx.now, zone)
        debt = owed_now(book, self._shelf, asked.customer_id, asked.account, zone)
        new = Waiver(
            waiver_id=asked.waiver_id,
            customer_id=asked.customer_id,
            debt=debt,
            component=asked.component,
            amount=asked.amount,
            cause=asked.cause,
            proposed_by=who.subject,
            proposed_on=today,
        )
        roles = {role.value for role in who.roles}
        bucket = worst_bucket(book, self._shelf, asked.customer_id, [asked.account])
        earlier = [filed.waiver for filed in agreements.waivers.values()]
        outcome = _allowed(lambda: waiver.propose(new, roles, policy.waivers, tx.now, bucket, earlier))
        filed = WaiverOnFile(outcome.state, case_of(book, asked.customer_id))
        put_waiver(book, filed)
        tell(book, asked.customer_id, filed.case_id, outcome.announcements, who.subject)
        if outcome.state.state is WaiverState.PROPOSED:
            until = tx.now + timedelta(days=policy.approval_days)
            await ask_second_person(tx, book, _about(filed), outcome.state, who, until)
        await tx.save(book.changes)

    async def withdraw(self, tx: WaiverStore, waiver_id: UUID, reason: str, who: Principal, expected: Expected) -> None:
        """Take it back before it is granted."""
        book, found = await open_for_edit(tx, tx.find_waiver, waiver_id, who, expected)
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        filed = book.agreements[found.customer_id].waivers[waiver_id]
        outcome = _allowed(lambda: waiver.withdraw(filed.waiver, reason))
        tell(book, filed.customer_id, filed.case_id, outcome.announcements, who.subject)
        put_waiver(book, replace(filed, waiver=outcome.state))
        await drop_request(tx, book, _about(filed), "waiver_withdrawn")
        await tx.save(book.changes)


def _about(filed: WaiverOnFile) -> About:
    return About("waiver", filed.waiver.waiver_id, filed.case_id)


def _allowed(decide: Callable[[], T]) -> T:
    """What the domain decides; what it refuses is told by its code."""
    try:
        return decide()
    except Refused as refused:
        if refused.code == "wrong-state":
            raise Conflict(f"Not possible: {refused}.", code="waiver-state") from None
        errors = [FieldError(_POINTERS.get(refused.code, ""), str(refused), refused.code)]
        raise Invalid(f"No such waiver: {refused}.", code="waiver-refused", errors=errors) from None
