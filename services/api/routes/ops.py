"""Operations: how much waits where, who is at work, and what was given up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import asyncpg
from fastapi import Path, Query

from services.api.deps import ApiDeps, Deps
from services.api.fields import Text
from services.api.paging import Page, Paging
from services.api.reading import answer_page
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.operations import (
    DeadLetterOut,
    GatewaysOut,
    LetterDecided,
    LetterDecision,
    LetterState,
    QueuesOut,
    WorkerOut,
)
from services.api.security import require
from shared.adapters.postgres import audit, dead_letters
from shared.adapters.postgres.views import operations as view
from shared.application.gateway import GatewayFacts
from shared.application.principal import Principal, Role

router = noun_router("ops")

Watcher = Annotated[Principal, require(Role.OPERATIONS, Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN)]
Operator = Annotated[Principal, require(Role.OPERATIONS)]
_OVER: dict[int | str, dict[str, Any]] = {409: {"description": "Its state does not allow it (any more)"}}
Entry = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/queues", response_model=QueuesOut, summary="What waits, and for how long")
async def list_queues(caller: Watcher, deps: Deps) -> Json:
    """Every queue, each measured on its own. Outbox, timers due, messages, attempts under way or in doubt, events
    parked and given up, imports, work for people. With Kafka, how far behind each consumer is, by partition."""
    queues = []
    for queue in await view.measure_queues(deps.pool):
        told = asdict(queue)
        told["state"] = "measured" if told.pop("known") else "unknown"
        queues.append(told)
    return Json({"queues": queues, "transport": _transport(deps)})


@router.get("/workers", response_model=Page[WorkerOut], summary="Who is at work")
async def list_workers(caller: Watcher, deps: Deps, page: Paging, service: Text | None = None) -> Json:
    """Processes of the suite with their last heartbeat, the latest started first."""
    return answer_page(page, await view.list_workers(deps.pool, service, after=page.after, limit=page.fetch))


@router.get("/gateways", response_model=GatewaysOut, summary="Which providers carry what")
async def list_gateways(caller: Watcher, deps: Deps) -> Json:
    """The facts declared of each provider, and how many attempts are under way or in doubt there."""
    try:
        counts: dict[str, dict[str, int]] | None = await view.open_attempts(deps.pool)
    except (asyncpg.PostgresError, OSError):
        counts = None
    found = [_gateway(gateway.facts, counts) for gateway in deps.gateways.values()]
    return Json({"gateways": found})


@router.get("/dead-letters", response_model=Page[DeadLetterOut], summary="Events that were given up")
async def list_dead_letters(
    caller: Watcher,
    deps: Deps,
    page: Paging,
    state: Annotated[LetterState, Query(description="parked: it will be tried again by itself")] = "dead",
    consumer: Text | None = None,
    customer_id: Text | None = None,
    type: Annotated[Text | None, Query(description="Event type")] = None,
) -> Json:
    """The newest first, without their content."""
    rows = await view.list_dead_letters(
        deps.pool,
        state=state,
        consumer=consumer,
        customer_id=customer_id,
        event_type=type,
        after=page.after,
        limit=page.fetch,
    )
    return answer_page(page, rows)


@router.post("/dead-letters/{entry}/replay", response_model=LetterDecided, summary="Try it again", responses=_OVER)
async def replay_dead_letter(entry: Entry, body: LetterDecision, caller: Operator, deps: Deps) -> Json:
    """Its consumer tries it at once, and what waits behind it after that."""
    async with deps.work() as tx:
        letter = await dead_letters.replay(tx.conn, entry)
        number = await _on_record(tx, caller, "dead_letter.replayed", letter, body.reason)
    return Json({"entry": entry, "state": "parked", "audit_entry": number})


@router.post("/dead-letters/{entry}/discard", response_model=LetterDecided, summary="Do without it", responses=_OVER)
async def discard_dead_letter(entry: Entry, body: LetterDecision, caller: Operator, deps: Deps) -> Json:
    """It is never applied; what waits behind it goes on."""
    async with deps.work() as tx:
        letter = await dead_letters.discard(tx.conn, entry, caller.subject)
        number = await _on_record(tx, caller, "dead_letter.discarded", letter, body.reason)
    return Json({"entry": entry, "state": "discarded", "audit_entry": number})


async def _on_record(tx: Any, caller: Principal, action: str, letter: dead_letters.DeadLetter, reason: str) -> int:
    detail = {**asdict(letter), "reason": reason}
    return await audit.append(tx.conn, caller.subject, action, f"dead-letter/{letter.entry}", detail, at=tx.now)


def _transport(deps: ApiDeps) -> dict[str, Any]:
    if deps.lag is None:
        return {"kind": "in_process", "state": "measured", "measured_at": None, "last_error": None, "partitions": []}
    reading = deps.lag()
    known = reading is not None and reading.error is None
    return {
        "kind": "kafka",
        "state": "measured" if known else "unknown",
        "measured_at": None if reading is None else reading.at,
        "last_error": "not measured yet" if reading is None else reading.error,
        "partitions": [
            {**asdict(each), "state": "unknown" if each.lag is None else "measured"}
            for each in (() if reading is None else reading.partitions)
        ],
    }


def _gateway(facts: GatewayFacts, counts: dict[str, dict[str, int]] | None) -> dict[str, Any]:
    mine = None if counts is None else counts.get(facts.name, {})
    return {
        "name": facts.name,
        "channel": facts.channel,
        "idempotent": facts.idempotent,
        "query_for_seconds": None if facts.query_for is None else int(facts.query_for.total_seconds()),
        "query_delay_seconds": int(facts.query_delay.total_seconds()),
        "batch_size": facts.batch_size,
        "concurrency": facts.concurrency,
        "sending": None if mine is None else mine.get("sending", 0),
        "in_doubt": None if mine is None else mine.get("in_doubt", 0),
    }
