"""After a restore: what a provider already has is not submitted again, under whichever try's reference it has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.application.gateway import (
    ErrorClass,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Submission,
)
from shared.application.recovering import ASKED_AT_ONCE, TRIES_ASKED, ask_then_submit
from shared.domain.message import attempt_id

NOW = datetime(2026, 6, 30, 4, 0, tzinfo=UTC)
MESSAGE = uuid4()


class Provider:
    """Knows some references; ``silent`` ones it can not be asked about."""

    def __init__(self, known: Mapping[str, ReceiptStatus] | None = None, silent: Sequence[str] = ()) -> None:
        self.known = dict(known or {})
        self.silent = set(silent)
        self.asked: list[list[str]] = []
        self.submitted: list[str] = []

    async def query(self, references: Sequence[str]) -> dict[str, Receipt | None]:
        self.asked.append(list(references))
        return {each: self._receipt(each) for each in references if each not in self.silent}

    def _receipt(self, reference: str) -> Receipt | None:
        status = self.known.get(reference)
        return None if status is None else Receipt(reference, status, NOW, provider_id=f"p-{reference}")

    async def submit(self, batch: Sequence[Submission], still_allowed: Callable[[], bool]) -> list[Outcome]:
        self.submitted += [each.reference for each in batch]
        return [Outcome(OutcomeKind.ACCEPTED, provider_id="new") for _ in batch]


def reference(number: int, message: UUID = MESSAGE) -> str:
    return str(attempt_id(message, number))


def submission(number: int = 1, message: UUID = MESSAGE) -> Submission:
    return Submission(reference(number, message), str(message), "+8613800000001", "text", None, NOW)


async def ask(provider: Any, *batch: Submission) -> list[Outcome]:
    return await ask_then_submit(provider, batch, lambda: True)


async def test_what_the_provider_never_had_is_submitted() -> None:
    provider = Provider()
    (outcome,) = await ask(provider, submission())
    assert (outcome.kind, outcome.provider_id) == (OutcomeKind.ACCEPTED, "new")
    assert provider.submitted == [reference(1)]


@pytest.mark.parametrize("status", [ReceiptStatus.ACCEPTED, ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED])
@pytest.mark.parametrize(("coming", "had"), [(1, 1), (1, 3), (12, 12), (12, 12 + TRIES_ASKED - 1)])
async def test_what_the_provider_has_is_not_submitted_again(coming: int, had: int, status: ReceiptStatus) -> None:
    """Also when a throttled message had come to many tries."""
    provider = Provider({reference(had): status})
    (outcome,) = await ask(provider, submission(coming))
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert outcome.provider_id == f"p-{reference(had)}"
    assert provider.submitted == []


async def test_what_the_provider_refused_may_be_tried_again() -> None:
    provider = Provider({reference(1): ReceiptStatus.REJECTED})
    await ask(provider, submission(1))
    assert provider.submitted == [reference(1)]


async def test_where_the_provider_can_not_be_asked_nothing_is_submitted() -> None:
    provider = Provider(silent=[reference(4)])
    (outcome,) = await ask(provider, submission(1))
    assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT)
    assert provider.submitted == []


async def test_an_answer_that_it_has_it_outweighs_one_that_did_not_come() -> None:
    provider = Provider({reference(2): ReceiptStatus.ACCEPTED}, silent=[reference(1)])
    (outcome,) = await ask(provider, submission(1))
    assert outcome.kind is OutcomeKind.ACCEPTED


async def test_a_batch_is_answered_in_its_order_and_asked_in_parts() -> None:
    messages = [uuid4() for _ in range(60)]
    had = {reference(1, message): ReceiptStatus.ACCEPTED for message in messages[::2]}
    provider = Provider(had)
    outcomes = await ask(provider, *(submission(1, message) for message in messages))
    assert [outcome.provider_id == "new" for outcome in outcomes] == [False, True] * 30
    assert provider.submitted == [reference(1, message) for message in messages[1::2]]
    assert [len(part) for part in provider.asked] == [
        ASKED_AT_ONCE,
        ASKED_AT_ONCE,
        60 * TRIES_ASKED - 2 * ASKED_AT_ONCE,
    ]


async def test_when_all_is_had_the_provider_is_left_alone() -> None:
    class Unwilling(Provider):
        async def submit(self, batch: Sequence[Submission], still_allowed: Callable[[], bool]) -> list[Outcome]:
            raise AssertionError("nothing is left to submit")

    assert len(await ask(Unwilling({reference(1): ReceiptStatus.ACCEPTED}), submission(1))) == 1
