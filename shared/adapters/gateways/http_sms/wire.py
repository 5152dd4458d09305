"""The provider's JSON: what we write and how strictly we read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from shared.adapters.gateways.http_sms.errors import BY_CODE, of_item
from shared.application.gateway import (
    Callback,
    ErrorClass,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Reply,
    Submission,
)

Text = Annotated[str, msgspec.Meta(max_length=128)]


class _Answer(msgspec.Struct, frozen=True):
    reference: Text
    status: Text
    provider_id: Text | None = None
    code: Text | None = None


class _Answers(msgspec.Struct, frozen=True):
    messages: list[_Answer]


class _Report(msgspec.Struct, frozen=True):
    reference: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    status: ReceiptStatus
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    provider_id: Text | None = None
    code: Text | None = None


class _Reply(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    sender: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    text: Annotated[str, msgspec.Meta(max_length=2_000)]
    at: Annotated[datetime, msgspec.Meta(tz=True)]


class _Reports(msgspec.Struct, frozen=True):
    """Delivery reports, texts that people sent to our number, or both."""

    receipts: Annotated[list[_Report], msgspec.Meta(max_length=5_000)] | msgspec.UnsetType = msgspec.UNSET
    replies: Annotated[list[_Reply], msgspec.Meta(max_length=5_000)] | msgspec.UnsetType = msgspec.UNSET


class _Found(msgspec.Struct, frozen=True):
    messages: list[_Report]
    unknown: list[str]


class _Refusal(msgspec.Struct, frozen=True):
    code: Text | None = None


_read_answers = msgspec.json.Decoder(_Answers).decode
_read_reports = msgspec.json.Decoder(_Reports).decode
_read_found = msgspec.json.Decoder(_Found).decode
_read_refusal = msgspec.json.Decoder(_Refusal).decode

_IN_DOUBT = Outcome(OutcomeKind.IN_DOUBT, code="no_answer_for_item")


class WireError(ValueError):
    """The other side's JSON is not what was agreed."""


def write_messages(batch: Sequence[Submission]) -> bytes:
    """Raises WireError when a text can not be written as UTF-8."""
    messages = [
        {
            "reference": item.reference,
            "to": item.to,
            "text": item.body,
            "valid_until": item.valid_until,
            "group": item.message_group,
        }
        for item in batch
    ]
    try:
        return msgspec.json.encode({"messages": messages})
    except UnicodeError as error:
        raise WireError("a text holds a lone surrogate") from error


def read_answers(body: bytes, batch: Sequence[Submission]) -> list[Outcome]:
    """One outcome for each submission, in order. Raises WireError when the body is no answer at all."""
    try:
        answers = {answer.reference: answer for answer in _read_answers(body).messages}
    except msgspec.DecodeError as error:
        raise WireError("the answer is not what was agreed") from error
    return [_outcome(answers.get(item.reference)) for item in batch]


def _outcome(answer: _Answer | None) -> Outcome:
    if answer is None:
        return _IN_DOUBT
    if answer.status == "accepted":
        return Outcome(OutcomeKind.ACCEPTED, provider_id=answer.provider_id, code=answer.code)
    if answer.status == "rejected":
        kind, error = of_item(answer.code)
        return Outcome(kind, error, answer.provider_id, answer.code)
    return Outcome(OutcomeKind.IN_DOUBT, None, answer.provider_id, "unknown_status")


def read_code(body: bytes) -> str | None:
    """The code in the body of a refusal, None when there is none to be read."""
    try:
        return _read_refusal(body).code
    except msgspec.DecodeError:
        return None


def write_query(references: Sequence[str]) -> bytes:
    return msgspec.json.encode({"references": references})


def read_found(body: bytes, asked: Sequence[str]) -> Mapping[str, Receipt | None]:
    """What the provider knows of those asked; one it does not mention is absent. Raises WireError."""
    try:
        found = _read_found(body)
    except msgspec.DecodeError as error:
        raise WireError("the answer is not what was agreed") from error
    wanted = set(asked)
    known: dict[str, Receipt | None] = {reference: None for reference in found.unknown if reference in wanted}
    known.update({report.reference: _receipt(report) for report in found.messages if report.reference in wanted})
    return known


def read_callback(body: bytes) -> Callback:
    """Raises WireError when anything in it is wrong: a batch is taken whole or not at all."""
    try:
        found = _read_reports(body)
    except msgspec.DecodeError as error:
        raise WireError("the receipts are not what was agreed") from error
    if found.receipts is msgspec.UNSET and found.replies is msgspec.UNSET:
        raise WireError("there are neither receipts nor replies in it")
    receipts = [] if found.receipts is msgspec.UNSET else [_receipt(report) for report in found.receipts]
    told = [] if found.replies is msgspec.UNSET else found.replies
    replies = [Reply(each.sender, each.text, each.at) for each in told]
    return Callback(receipts, replies)


def _receipt(report: _Report) -> Receipt:
    error: ErrorClass | None = None
    if report.status in (ReceiptStatus.REJECTED, ReceiptStatus.UNDELIVERED) and report.code in BY_CODE:
        error = BY_CODE[report.code][1]
    return Receipt(report.reference, report.status, report.at, report.provider_id, report.code, error)
