"""Work for people: take an item, give it back, complete it with its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book
from shared.application.contact_attempts import AttemptStore, AttemptTold, record_attempt
from shared.application.editing import Expected, open_for_edit
from shared.application.limitation import Limitations
from shared.application.permit_facts import Contact
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid
from shared.domain.announcement import Announcement
from shared.domain.contact_facts import Channel, Collector, Purpose, Target
from shared.domain.contact_outcome import ContactOutcome
from shared.domain.identity import derive

_REACHED = frozenset({"answered", "promise_to_pay", "paid", "refused", "dispute_raised", "hardship_raised"})
_NOT_REACHED = frozenset({"no_response", "unreachable", "wrong_person"})
OUTCOMES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "call": _REACHED | _NOT_REACHED | {"callback_requested"},
        "visit": _REACHED | _NOT_REACHED | {"moved_away"},
        "letter": frozenset({"sent", "returned"}),
        "legal": frozenset({"pursued", "not_pursued", "referred"}),
    }
)
"""How work of each kind may end."""
CHANNELS: Mapping[str, str] = MappingProxyType(
    {"call": Channel.PHONE.value, "visit": Channel.VISIT.value, "letter": Channel.LETTER.value}
)
CONTACTS: Mapping[str, ContactOutcome] = MappingProxyType(
    {
        **dict.fromkeys(_REACHED | {"callback_requested"}, ContactOutcome.RIGHT_PARTY),
        **dict.fromkeys(("no_response", "unreachable", "moved_away"), ContactOutcome.NO_ANSWER),
        "wrong_person": ContactOutcome.OTHER_PERSON,
        "sent": ContactOutcome.SENT,
        "returned": ContactOutcome.RETURNED,
    }
)
"""What the outcome of a call, visit or letter says about the contact that was made."""


@dataclass(frozen=True, slots=True)
class WorkOnFile:
    item_id: UUID
    follow_up_id: UUID
    case_id: UUID
    customer_id: str
    kind: str
    state: str
    assignee: str | None
    row_version: int


@dataclass(frozen=True, slots=True)
class Done:
    """How the work ended. ``at``: when the contact was made, if not now."""

    outcome: str
    note: str | None = None
    at: datetime | None = None


class WorkStore(AttemptStore, Protocol):
    async def find_work(self, item_id: UUID, who: Principal) -> WorkOnFile | None: ...

    async def held(self, customer_id: str) -> bool:
        """Does a hold on the person, or on every account they are followed for, stop their ladder now?"""

    async def move_work(self, item_id: UUID, state: str, assignee: str | None) -> None: ...

    async def end_work(self, item: WorkOnFile, outcome: str, note: str | None) -> None:
        """The item is done, and so is the follow-up that it came from."""

    async def told_since_taken(self, item_id: UUID, channel: str) -> bool:
        """Was a contact with the customer by this channel told of since the item was taken?"""

    async def permit_since_taken(self, item_id: UUID, channel: str) -> UUID | None:
        """The newest permit that whoever took the item asked for since, where nobody told what came of it."""


async def take(tx: WorkStore, item_id: UUID, who: Principal, expected: Expected, limitations: Limitations) -> None:
    """The caller will do it. No customer who is to be left in peace is called on, no barred claim goes to law."""
    book, item = await open_for_edit(tx, tx.find_work, item_id, who, expected)
    if item.state != "open":
        raise Conflict(f"The item is {item.state}.", code="work-not-open")
    if await tx.held(item.customer_id):
        raise Conflict("A hold keeps this customer from being followed up.", code="customer-held")
    if item.kind == "legal":
        await limitations.refuse_barred(tx, item.customer_id)
    await tx.move_work(item_id, "taken", who.subject)
    await _tell(tx, book, item, "taken", {}, who)


async def release(tx: WorkStore, item_id: UUID, who: Principal, expected: Expected) -> None:
    book, item = await _mine(tx, item_id, who, expected)
    await tx.move_work(item_id, "open", None)
    await _tell(tx, book, item, "released", {}, who)


async def complete(tx: WorkStore, item_id: UUID, done: Done, who: Principal, expected: Expected) -> None:
    book, item = await _mine(tx, item_id, who, expected)
    if done.outcome not in OUTCOMES[item.kind]:
        possible = ", ".join(sorted(OUTCOMES[item.kind]))
        raise Invalid(f"A {item.kind} does not end so.", errors=[FieldError("/outcome", f"is not one of {possible}")])
    await tx.end_work(item, done.outcome, done.note)
    await _tell(tx, book, item, "completed", {"outcome": done.outcome}, who)
    channel = CHANNELS.get(item.kind)
    if channel is not None and not await tx.told_since_taken(item_id, channel):
        await record_attempt(tx, await _made(tx, item, channel, done), who)


async def _made(tx: WorkStore, item: WorkOnFile, channel: str, done: Done) -> AttemptTold:
    """The contact that the work was: by its permit, where one is open, or one that nobody had asked for. It counts
    against every cap that it might belong to, for more is not known of it."""
    contact = Contact(
        customer_id=item.customer_id,
        point_id=None,
        channel=channel,
        purpose=Purpose.DUNNING.value,
        target=Target.DEBTOR.value,
        person_id=None,
        account_ids=(),
        announcement=False,
        party=Collector.BANK.value,
        party_name=None,
    )
    return AttemptTold(
        attempt_id=derive("work-contact", item.item_id),
        permit_id=await tx.permit_since_taken(item.item_id, channel),
        contact=contact,
        outbound=True,
        outcome=CONTACTS[done.outcome],
        effective_talk=None,
        talk_seconds=None,
        recording=None,
        at=done.at,
    )


async def _mine(tx: WorkStore, item_id: UUID, who: Principal, expected: Expected) -> tuple[Book, WorkOnFile]:
    """A taken item of the caller's; a supervisor may act for whoever took it."""
    book, item = await open_for_edit(tx, tx.find_work, item_id, who, expected)
    if item.state != "taken":
        raise Conflict(f"The item is {item.state}; take it first.", code="work-not-taken")
    if item.assignee != who.subject and not who.has(Role.SUPERVISOR):
        raise Forbidden("Somebody else has taken it.")
    return book, item


async def _tell(tx: WorkStore, book: Book, item: WorkOnFile, what: str, data: dict[str, Any], who: Principal) -> None:
    told = {"item_id": str(item.item_id), "kind": item.kind, **data}
    announced = {**told, "follow_up_id": str(item.follow_up_id), "case_id": str(item.case_id)}
    kind = f"arrears.case.work_{what}.v1"
    book.changes.announce([Announcement("arrears.case", kind, item.customer_id, announced)])
    book.changes.record(item.customer_id, item.case_id, f"work.{what}", told, who.subject)
    await tx.save(book.changes)
