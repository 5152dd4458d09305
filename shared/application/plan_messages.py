"""What is said of a repayment plan: taken up from its events, and looked at again when it is about to be sent.

A message is about a plan and a day, so that there is one of each kind for an instalment, in however many parts and on
however many accounts it was paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Protocol
from uuid import UUID

from shared.application.book import Book, PlanOnFile
from shared.application.judging import PolicyShelf, zone_of
from shared.application.pipeline import OurEvent
from shared.application.plan_judging import standing_on
from shared.application.reminding import MessageInbox, NewMessage
from shared.application.sending_desk import Desk, DueMessage, Spoken
from shared.domain.calendar import local_date
from shared.domain.contact import Purpose
from shared.domain.identity import derive_text
from shared.domain.plan import PlanState
from shared.domain.plan_reminders import covered_through, open_on

_PREFIX = "plan/"
_PURPOSES: Mapping[str, Purpose] = {
    "reminder": Purpose.DUE_REMINDER,
    "paid": Purpose.SERVICE,
    "completed": Purpose.SERVICE,
    "broken": Purpose.SERVICE,  # says what it means and asks for nothing; the case may be cured by then
}


class AgreementReader(Protocol):
    async def load_agreements(self, book: Book) -> None: ...


class PlanMessages:
    """The notifier's use cases."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def remind_of_instalment(self, tx: MessageInbox, book: Book, events: Sequence[OurEvent]) -> None:
        """``plan.instalment_due``."""
        await tx.load_agreements(book)
        await tx.add_messages(
            [
                self._message(filed, "reminder", date.fromisoformat(event.data["due_on"]))
                for event, filed in _plans(book, events)
            ]
        )

    async def thank_for_instalment(self, tx: MessageInbox, book: Book, events: Sequence[OurEvent]) -> None:
        """``plan.instalment_covered``: thank for the newest one, as the plan stands now; for all of it, when it is the
        last."""
        await tx.load_agreements(book)
        messages = []
        for event, filed in _plans(book, events):
            today = local_date(book.now, zone_of(book.customers[event.customer_id].time_zone, self._shelf.policy()))
            covered = covered_through(standing_on(book, filed.plan, today))
            if filed.plan.state is PlanState.ACTIVE and covered is not None:
                messages.append(self._message(filed, "paid", covered))
        await tx.add_messages(messages)

    async def tell_of_end(self, tx: MessageInbox, book: Book, events: Sequence[OurEvent]) -> None:
        """``plan.completed``, ``plan.broken``: as it stands now, which may be otherwise by then."""
        await tx.load_agreements(book)
        await tx.add_messages(
            [
                self._message(filed, filed.plan.state.value, filed.plan.ended_on)
                for _, filed in _plans(book, events)
                if filed.plan.state in (PlanState.COMPLETED, PlanState.BROKEN) and filed.plan.ended_on is not None
            ]
        )

    def _message(self, filed: PlanOnFile, what: str, day: date) -> NewMessage:
        said = self._shelf.repayment().plans.messages
        plan_id = filed.plan.plan_id
        return NewMessage(
            message_id=derive_text("message", _PREFIX, plan_id, what, day.isoformat()),
            customer_id=filed.plan.customer_id,
            case_id=None if filed.case_id is None else str(filed.case_id),
            follow_up_id=None,
            about=f"{_PREFIX}{plan_id}/{what}/{day.isoformat()}",
            step=f"plan-{what}",
            anchor=None,
            policy_version=self._shelf.policy().version,
            purpose=_PURPOSES[what],
            template={
                "reminder": said.reminder,
                "paid": said.paid,
                "completed": said.completed,
                "broken": said.broken,
            }[what],
            channels=said.channels,
        )


async def speak_of_plans(tx: AgreementReader, book: Book, desks: Iterable[Desk]) -> None:
    """Put on the desks what messages about plans may say now, and which of them have lost their point."""
    talking = [desk for desk in desks if any(message.about.startswith(_PREFIX) for message in desk.messages)]
    if not talking:
        return
    await tx.load_agreements(book)
    for desk in talking:
        today = local_date(book.now, desk.zone or "UTC")
        for message in desk.messages:
            if message.about.startswith(_PREFIX):
                desk.spoken[message.message_id] = _spoken(book, desk.customer_id, message, today)


def _spoken(book: Book, customer_id: str, message: DueMessage, today: date) -> Spoken:
    _, plan_id, what, said = message.about.split("/")
    day = date.fromisoformat(said)
    page = book.agreements.get(customer_id)
    filed = None if page is None else page.plans.get(UUID(plan_id))
    if filed is None:
        return Spoken(moot="plan gone")
    coverages = standing_on(book, filed.plan, today)
    lacking = open_on(coverages, day)
    state = filed.plan.state
    if state is PlanState.ACTIVE and any(each.broken_on is not None for each in coverages):
        state = PlanState.BROKEN  # since midnight; the clock has not told yet
    wanted = PlanState.ACTIVE if what in ("reminder", "paid") else PlanState(what)
    if state is not wanted and not (what == "paid" and state is PlanState.COMPLETED):
        return Spoken(moot=f"plan {state.value}")
    if what == "reminder" and day < today:
        return Spoken(moot="instalment day over")
    if what == "reminder" and not lacking:
        return Spoken(moot="instalment paid")
    if what == "paid" and lacking:
        return Spoken(moot="instalment not paid")
    if what in ("completed", "broken") and filed.plan.ended_on != day:
        return Spoken(moot="plan judged again")
    largest_first = sorted(filed.plan.debts, key=lambda each: (-each.amount, each.account_id))
    return Spoken(
        amounts=tuple(sorted(lacking.items())),
        day=day,
        account_ids=tuple(each.account_id for each in largest_first),
    )


def _plans(book: Book, events: Sequence[OurEvent]) -> Iterable[tuple[OurEvent, PlanOnFile]]:
    """Each event with its plan, if that is still the customer's."""
    for event in events:
        page = book.agreements.get(event.customer_id)
        filed = None if page is None else page.plans.get(UUID(event.data["plan_id"]))
        if filed is not None:
            yield event, filed
