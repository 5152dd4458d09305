"""Take up what the house wants a customer to be told: an event becomes a logical message, once.

The notifier's use cases. Whether the message may go, by which channel and with which text is decided when it is marked
for sending, not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, Protocol

from shared.application.book import Book
from shared.application.judging import PolicyShelf, zone_of
from shared.application.pipeline import OurEvent
from shared.domain.calendar import local_date
from shared.domain.contact import Purpose
from shared.domain.identity import derive_text


class NewMessage(NamedTuple):
    """A message to be; ``about`` is the natural key of what it speaks of, unique per case and purpose. Ids are UUIDs as
    text, as events carry them."""

    message_id: str
    customer_id: str
    case_id: str | None
    follow_up_id: str | None
    about: str
    step: str
    anchor: date | None
    policy_version: int
    purpose: str
    template: str
    channels: tuple[str, ...]


class MessageInbox(Protocol):
    async def load_agreements(self, book: Book) -> None: ...

    async def add_messages(self, messages: Sequence[NewMessage]) -> None:
        """Enter messages as planned, due now; one that is there already stays as it is."""


class Reminding:
    def __init__(self, shelf: PolicyShelf) -> None:
        self.shelf = shelf

    async def take_up_reminders(self, tx: MessageInbox, book: Book, events: Sequence[OurEvent]) -> None:
        """``reminder.due``: the planner found a message step due."""
        await tx.add_messages([_reminder(event) for event in events])

    async def thank_for_cure(self, tx: MessageInbox, book: Book, events: Sequence[OurEvent]) -> None:
        """``case.cured``: thank where the policy says so, when it was a payment that cured the case. A payment for a
        plan is thanked for as that."""
        await tx.load_agreements(book)
        messages = []
        for event in events:
            thanks = self.shelf.policy().thanks
            if thanks.on_cure is None or event.data.get("reason") != "payment.posted.v1":
                continue
            if self._paid_for_a_plan(book, event):
                continue
            case_id = event.data["case_id"]
            about = f"cure/{event.data['reopenings']}"
            messages.append(
                NewMessage(
                    message_id=derive_text("message", case_id, about),
                    customer_id=event.customer_id,
                    case_id=case_id,
                    follow_up_id=None,
                    about=about,
                    step="thanks",
                    anchor=None,
                    policy_version=self.shelf.policy().version,
                    purpose=Purpose.SERVICE,
                    template=thanks.on_cure,
                    channels=thanks.channels,
                )
            )
        await tx.add_messages(messages)

    def _paid_for_a_plan(self, book: Book, event: OurEvent) -> bool:
        page = book.agreements.get(event.customer_id)
        if page is None:
            return False
        zone = zone_of(book.customers[event.customer_id].time_zone, self.shelf.policy())
        day = local_date(event.at, zone)
        plans = [filed.plan for filed in page.plans.values() if filed.plan.active_from is not None]
        return any(plan.ended_on is None or plan.ended_on >= day for plan in plans)

    async def acknowledge_complaint(self, tx: MessageInbox, book: Book, events: Sequence[OurEvent]) -> None:
        """``complaint.acknowledged``: tell the customer that we have it and until when we answer."""
        messages = []
        for event in events:
            complaint_id = event.data["complaint_id"]
            case_id = event.data.get("case_id")
            messages.append(
                NewMessage(
                    message_id=derive_text("message", "complaint", complaint_id),
                    customer_id=event.customer_id,
                    case_id=case_id or None,
                    follow_up_id=None,
                    about=f"complaint/{complaint_id}",
                    step="complaint-acknowledgement",
                    anchor=None,
                    policy_version=self.shelf.policy().version,
                    purpose=Purpose.ANSWER,
                    template=COMPLAINT_ACKNOWLEDGEMENT,
                    channels=("sms", "email"),
                )
            )
        await tx.add_messages(messages)


COMPLAINT_ACKNOWLEDGEMENT = "complaint-received"


def _reminder(event: OurEvent) -> NewMessage:
    data = event.data
    return NewMessage(
        message_id=data["message_id"],
        customer_id=event.customer_id,
        case_id=data["case_id"],
        follow_up_id=data["follow_up_id"],
        about=f"{data['step']}/{data['anchor']}",
        step=data["step"],
        anchor=date.fromisoformat(data["anchor"]),
        policy_version=data["policy_version"],
        purpose=data["purpose"],
        template=data["template"],
        channels=tuple(data["channels"]),
    )
