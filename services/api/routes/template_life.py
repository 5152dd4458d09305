"""The life of a text: drafted by one person, reviewed, approved by another, retired."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.idempotency import Idempotent
from services.api.limits import Identifier
from services.api.reading import policy_of
from services.api.responses import Json, created
from services.api.routes.template_findings import shown_text, today
from services.api.routing import noun_router
from services.api.schemas import policies as schema
from services.api.security import require
from shared.adapters.postgres import audit
from shared.application import template_life as life
from shared.application.principal import Principal, Role
from shared.domain.templates import Template, placeholders

router = noun_router("templates")
Author = Annotated[Principal, require(Role.COMPLIANCE, Role.SUPERVISOR)]
Approver = Annotated[Principal, require(Role.COMPLIANCE)]
Version = Annotated[int, Path(ge=1, lt=2**31)]
_TEXT = "/{key}/{language}/{channel}/{version}"


@router.post("", response_model=schema.TextOut, status_code=201, summary="Draft a text")
async def draft_text(body: schema.TextIn, caller: Author, deps: Deps, once: Idempotent) -> Response:
    """A new version, with what the rules of its places object to. Nothing is sent by it before a second person
    approved it."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        await deps.shelf.attend(tx)
        used = tuple(sorted(placeholders(body.body) | placeholders(body.subject or "")))
        text = Template(body.key, 0, body.language, body.channel, body.purpose, body.subject, body.body, used)
        version = await life.draft(tx, text, body.jurisdictions, deps.shelf, caller)
        key = life.TextKey(body.key, body.language, body.channel, version)
        content, row_version = await shown_text(tx.conn, key, deps)
        where = f"/v1/templates/{key.key}/{key.language}/{key.channel}/{key.version}"
        answer = created(content, location=where, etag=etag(row_version))
        await once.keep(tx.conn, answer)
        await _note(tx, caller, "drafted", key, None)
        return answer


@router.post(_TEXT + "/submit", response_model=schema.TextOut, summary="Put a draft to review")
async def submit_text(
    key: Identifier, language: schema.Language, channel: schema.Channel, version: Version, caller: Author, deps: Deps,
    expected: ExpectedVersion,
) -> Response:  # fmt: skip
    """From then on it is not changed; another draft is another version."""
    text = life.TextKey(key, language, channel, version)
    async with deps.work() as tx:
        await life.submit(tx, text, caller, expected)
        return await _answered(tx, text, deps, caller, "submitted", None)


@router.post(_TEXT + "/approve", response_model=schema.TextOut, summary="Approve a text")
async def approve_text(
    key: Identifier, language: schema.Language, channel: schema.Channel, version: Version, body: schema.TextReason,
    caller: Approver, deps: Deps, expected: ExpectedVersion,
) -> Response:  # fmt: skip
    """Sent from now on in the place of the version before, which is retired. Not by who wrote it, and not while the
    rules object: ``errors`` says with which rule and where."""
    text = life.TextKey(key, language, channel, version)
    await policy_of(deps)  # on hand from here on
    async with deps.work() as tx:
        await deps.shelf.attend(tx)
        await life.approve(tx, text, body.reason, deps.shelf, caller, expected, await today(deps))
        return await _answered(tx, text, deps, caller, "approved", body.reason)


@router.post(_TEXT + "/retire", response_model=schema.TextOut, summary="Retire a text")
async def retire_text(
    key: Identifier, language: schema.Language, channel: schema.Channel, version: Version, body: schema.TextReason,
    caller: Author, deps: Deps, expected: ExpectedVersion,
) -> Response:  # fmt: skip
    """It is not sent any more. A draft or what is in review is turned down so."""
    text = life.TextKey(key, language, channel, version)
    async with deps.work() as tx:
        await life.retire(tx, text, body.reason, caller, expected)
        return await _answered(tx, text, deps, caller, "retired", body.reason)


async def _answered(
    tx: Any, key: life.TextKey, deps: ApiDeps, caller: Principal, word: str, reason: str | None
) -> Response:
    content, row_version = await shown_text(tx.conn, key, deps)
    await _note(tx, caller, word, key, reason)
    return Json(content, headers={"etag": etag(row_version)})


async def _note(tx: Any, caller: Principal, word: str, key: life.TextKey, reason: str | None) -> None:
    subject = f"template/{key.key}/{key.language}/{key.channel}/{key.version}"
    await audit.append(tx.conn, caller.subject, f"template.{word}", subject, {"reason": reason}, at=tx.now)
