"""Texts as they stand, with what the rules object to; and the approved ones that a rule objects to by now."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.fields import Day
from services.api.limits import Identifier
from services.api.reading import READ, Reader, document, policy_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas import policies as schema
from shared.adapters.postgres.views import policies as view
from shared.application import template_life as life
from shared.application.refusals import NotFound
from shared.domain.calendar import local_date
from shared.domain.templates import Template

router = noun_router("templates")
flagged = noun_router("template-findings")
Version = Annotated[int, Path(ge=1, lt=2**31)]


@router.get(
    "/{key}/{language}/{channel}/{version}",
    response_model=schema.TextOut,
    summary="One version of a text",
    responses=READ,
)
async def get_text(
    key: Identifier, language: schema.Language, channel: schema.Channel, version: Version, caller: Reader, deps: Deps,
    request: Request,
) -> Response:  # fmt: skip
    """The text, who wrote, approved and retired it, and what the rules object to today."""
    await policy_of(deps)  # on hand from here on
    content, row_version = await shown_text(deps.pool, life.TextKey(key, language, channel, version), deps)
    return document(request, content, version=row_version)


@flagged.get("", response_model=schema.FlaggedTexts, summary="Approved texts that break a rule")
async def list_template_findings(
    caller: Reader, deps: Deps, on: Annotated[Day | None, Query(description="By the rules of this date")] = None
) -> Json:
    """Read with the eyes of the rules as they are on a date, today or to come: who changes a rule finds here which
    texts will not be sent from its date on."""
    await policy_of(deps)  # on hand from here on
    async with deps.work() as tx:
        await deps.shelf.attend(tx)
        texts = await view.approved_texts(tx.conn)
    day = on or await today(deps)
    found = [(text, list(life.objections(text, places, deps.shelf, day))) for text, places in texts]
    shown = [
        {
            "key": text.key,
            "language": text.language,
            "channel": text.channel,
            "version": text.version,
            "findings": findings,
        }
        for text, findings in found
        if findings
    ]
    return Json({"on": day, "read": len(texts), "texts": shown})


async def today(deps: ApiDeps) -> date:
    return local_date(await deps.work.now(), (await policy_of(deps)).default_zone)


async def shown_text(conn: Any, key: life.TextKey, deps: ApiDeps) -> tuple[dict[str, Any], int]:
    found = await view.get_text(conn, key.key, key.language, key.channel, key.version)
    if found is None:
        raise NotFound("There is no such text: template, language, channel or version.")
    text = orjson.loads(found[0])
    names = ("key", "version", "language", "channel", "purpose", "subject", "body")
    template = Template(**{name: text[name] for name in names}, variables=tuple(text["variables"]))
    objections = life.objections(template, text["jurisdictions"], deps.shelf, await today(deps))
    return {"text": text, "findings": list(objections)}, found[1]
