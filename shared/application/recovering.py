"""Send after the database was restored to an earlier state: it does not know what was sent since then.

For a while every provider that can be asked is asked before anything is submitted, and messages of which the event log
says that they were sent are taken for sent. What neither knows, a mail in the moment between its submission and its
event, can not be known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import dropwhile, islice
from typing import Any, Protocol
from uuid import UUID

import structlog

from shared.application.book import Book
from shared.application.gateway import ErrorClass, Gateway, Outcome, OutcomeKind, Receipt, ReceiptStatus, Submission
from shared.application.sending_desk import Desk
from shared.application.settling import announce_end
from shared.domain.message import attempt_id

TRIES_ASKED = 8  # of a message, from the coming one on: what came of those before, the database knows
MOST_TRIES = 10_000  # a throttled message may come to many
ASKED_AT_ONCE = 200
log = structlog.get_logger(__name__)


class RecoveryStore(Protocol):
    async def take_known_sends(self, message_ids: Sequence[UUID]) -> set[UUID]:
        """Write those that are known to be sent down as done; which they are."""


async def leave_out_known(tx: RecoveryStore, book: Book, desks: Sequence[Desk]) -> None:
    """Take messages that were sent before the restore off the desks, as sent."""
    known = await tx.take_known_sends([message.message_id for desk in desks for message in desk.messages])
    if not known:
        return
    log.warning("recovering.known_sends", count=len(known))
    for desk in desks:
        for message in desk.messages:
            if message.message_id in known:
                announce_end(book.changes, desk.customer_id, message, "sent", reason="known from the event log")
        desk.messages = [message for message in desk.messages if message.message_id not in known]


async def ask_then_submit(
    gateway: Gateway, batch: Sequence[Submission], still_allowed: Callable[[], bool]
) -> list[Outcome]:
    """Submit only what the provider says it does not have, under the reference of this try or of one that may have
    followed it before the restore; the rest is as it says."""
    asked = {submission.reference: _references(submission) for submission in batch}
    answers = await _ask(gateway, [reference for references in asked.values() for reference in references])
    known = {own: _known(references, answers) for own, references in asked.items()}
    free = [submission for submission in batch if known[submission.reference] is None]
    submitted = await gateway.submit(free, still_allowed) if free else []
    outcomes = dict(zip((submission.reference for submission in free), submitted, strict=True))
    return [known[submission.reference] or outcomes[submission.reference] for submission in batch]


def _references(submission: Submission) -> list[str]:
    """Ids of attempts follow from the message and the number of the try."""
    message = UUID(submission.message_group)
    tries = (str(attempt_id(message, number)) for number in range(1, MOST_TRIES))
    coming = dropwhile(lambda reference: reference != submission.reference, tries)
    return list(islice(coming, TRIES_ASKED)) or [submission.reference]


async def _ask(gateway: Gateway, references: Sequence[str]) -> dict[str, Receipt | None]:
    answers: dict[str, Receipt | None] = {}
    for start in range(0, len(references), ASKED_AT_ONCE):
        answers |= await gateway.query(references[start : start + ASKED_AT_ONCE])
    return answers


def _known(references: Sequence[str], answers: Mapping[str, Receipt | None]) -> Outcome | None:
    """The outcome without submitting, or None when the provider has none of the references."""
    for reference in references:
        receipt: Any = answers.get(reference)
        if receipt is not None and receipt.status is not ReceiptStatus.REJECTED:
            return Outcome(OutcomeKind.ACCEPTED, provider_id=receipt.provider_id, code="the provider had it")
    if any(reference not in answers for reference in references):
        return Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, code="the provider could not be asked")
    return None
