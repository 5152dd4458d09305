"""Events from the core-banking system: single or in a batch, each with an answer of its own."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import Request

from services.api.deps import ApiDeps, Deps
from services.api.errors import BadRequest
from services.api.limits import MIB
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.events import BatchAnswer, EventAnswer, RecordedAnswer
from services.api.security import require
from shared.adapters.postgres.views import events as view
from shared.application.facts import MAX_EVENT_BYTES, InboundEvent, Refused, read_event
from shared.application.intake import ingest
from shared.application.ledger import Verdict
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Invalid, NotFound
from shared.domain.inbound import Answer, Problem

router = noun_router("events")
Sender = Annotated[Principal, require(Role.CORE_BANKING)]
Asker = Annotated[Principal, require(Role.CORE_BANKING, Role.OPERATIONS)]

MAX_EVENTS = 1_000
MAX_BATCH_BYTES = 8 * MIB
MAX_DIGITS = 100
SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_batch = msgspec.json.Decoder(list[msgspec.Raw])
_EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": f"A CloudEvent 1.0 of at most {MAX_EVENT_BYTES} bytes",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 200},
        "source": {"type": "string", "minLength": 1, "maxLength": 200},
        "type": {"type": "string", "examples": ["payment.posted.v1"]},
        "subject": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
    },
    "example": {
        "specversion": "1.0",
        "id": "PMT-1",
        "source": "/banks/demo/core",
        "type": "payment.posted.v1",
        "data": {
            "payment_id": "PMT-1",
            "account_id": "ACC000001",
            "amount": 100000,
            "currency": "CNY",
            "value_date": "2026-04-15",
            "posted_at": "2026-04-15T10:00:00+08:00",
            "channel": "transfer",
        },
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            SINGLE: {"schema": _EVENT_SCHEMA},
            BATCH: {"schema": {"type": "array", "maxItems": MAX_EVENTS, "items": _EVENT_SCHEMA}},
        },
    }
}
Read = InboundEvent | Refused


@router.post(
    "",
    response_model=EventAnswer | BatchAnswer,
    summary="Send events",
    openapi_extra=_BODY,
    responses={
        202: {"model": EventAnswer, "description": "A single event is kept and will be applied later (parked)"},
        409: {"description": "A single event, or its payment or report, was taken before with other content"},
    },
)
async def receive_events(request: Request, caller: Sender, deps: Deps) -> Json:
    """Take one event, or a batch in its order, each answered on its own.

    A batch is always answered 200 with its items. A single event is answered 200 (accepted, duplicate, stale,
    unmatched), 202 (parked), 409 (conflict) or 422 (rejected). Whatever the answer, it is committed; an event that is
    sent again is a duplicate.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (SINGLE, BATCH, "application/json"):
        raise BadRequest("unsupported-media-type", f"Send {SINGLE} or {BATCH}.", status=415)
    body = await request.body()
    if media_type == BATCH or (media_type != SINGLE and _begins(body, b"[")):
        return await _take_batch(deps, body)
    return await _take_single(deps, body)


async def _take_batch(deps: ApiDeps, body: bytes) -> Json:
    if len(body) > MAX_BATCH_BYTES:
        raise BadRequest("too-large", f"A batch may have {MAX_BATCH_BYTES} bytes.", status=413)
    items = _split(body)
    if len(items) > MAX_EVENTS:
        raise Invalid(f"A batch may hold {MAX_EVENTS} events; use an import for more.", code="too-many-events")
    read, verdicts = await _take(deps, items)
    return Json({"items": [_item(index, *pair) for index, pair in enumerate(zip(read, verdicts, strict=True))]})


def _split(body: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _batch.decode(body)]
    except msgspec.ValidationError:
        raise BadRequest("malformed-batch", f"A batch is a JSON array of events.{_rather_single(body)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _split_leniently(body, error)


def _split_leniently(body: bytes, error: Exception) -> list[bytes]:
    """A lone surrogate or a NaN in one event must not refuse the others: that one is refused when it is read."""
    try:
        items = json.loads(body, parse_int=_number)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        raise BadRequest("malformed-json", f"The body is not valid JSON: {_why(error)}") from None
    return [json.dumps(item).encode() for item in items]


def _number(digits: str) -> float:
    """Python reads no integer of thousands of digits, and would refuse the whole batch for one."""
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


async def _take_single(deps: ApiDeps, body: bytes) -> Json:
    if len(body) > MAX_EVENT_BYTES:
        raise BadRequest("too-large", f"An event may have {MAX_EVENT_BYTES} bytes.{_rather_batch(body)}", status=413)
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("malformed-json", f"The body is not valid JSON: {_why(error)}{_rather_batch(body)}") from None
    read = read_event(body, await deps.work.now())
    if isinstance(read, Refused):
        errors = [FieldError(problem.field, problem.reason) for problem in read.problems]
        raise Invalid(f"The event can not be taken.{_rather_batch(body)}", code="event-rejected", errors=errors)
    verdict = await deps.intake.commits.take(read)
    if verdict.answer is Answer.REJECTED:
        raise Invalid(f"The event can not be taken: {verdict.reason}.", code="event-rejected")
    if verdict.answer is Answer.CONFLICT:
        raise Conflict(f"{verdict.reason}.".capitalize(), code="event-conflict")
    return Json(_item(0, read, verdict), 202 if verdict.answer is Answer.PARKED else 200)


async def _take(deps: ApiDeps, items: list[bytes]) -> tuple[list[Read], list[Verdict]]:
    now = await deps.work.now()
    read = [read_event(item, now) for item in items]
    taken = iter(await ingest(deps.work, deps.shelf, [each for each in read if isinstance(each, InboundEvent)]))
    return read, [next(taken) if isinstance(each, InboundEvent) else _REFUSED for each in read]


_REFUSED = Verdict(Answer.REJECTED, "the event can not be taken")


def _item(index: int, read: Read, verdict: Verdict) -> dict[str, Any]:
    problems: tuple[Problem, ...] = read.problems if isinstance(read, Refused) else ()
    return {
        "index": index,
        "id": read.id,
        "source": read.source,
        "answer": verdict.answer.value,
        "reason": verdict.reason,
        "problems": [{"field": problem.field, "reason": problem.reason} for problem in problems],
    }


def _begins(body: bytes, mark: bytes) -> bool:
    return body.lstrip()[:1] == mark


def _rather_batch(body: bytes) -> str:
    """For who has sent an array as one event."""
    return f" Send an array of events as {BATCH}." if _begins(body, b"[") else ""


def _rather_single(body: bytes) -> str:
    """For who has sent one event as a batch."""
    return f" Send a single event as {SINGLE}." if _begins(body, b"{") else ""


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8."
    return "it is nested too deeply." if isinstance(error, RecursionError) else f"{error}."


@router.get("/{source:path}/{event_id}", response_model=RecordedAnswer, summary="Read the answer to an event")
async def get_event_answer(
    source: str,
    event_id: str,
    request: Request,
    caller: Asker,
    deps: Deps,
) -> Json:
    """The answer on record for an event; 404 when none was ever taken. Send ``source`` percent-encoded."""
    source, event_id = _as_sent(request, source, event_id)
    if not (source.isprintable() and event_id.isprintable()):
        raise NotFound("No such event was ever taken.")
    async with deps.pool.acquire() as conn:
        doc = await view.get_answer(conn, source, event_id)
    if doc is None:
        raise NotFound("No such event was ever taken.")
    return Json(doc)


def _as_sent(request: Request, source: str, event_id: str) -> tuple[str, str]:
    """Both parts by the one slash that was sent unencoded, because either may hold an encoded one."""
    raw: bytes = request.scope.get("raw_path", b"").partition(b"?")[0]
    parts = raw.removeprefix(b"/v1/events/").split(b"/")
    if len(parts) != 2:
        return source, event_id
    return unquote_to_bytes(parts[0]).decode(errors="replace"), unquote_to_bytes(parts[1]).decode(errors="replace")
