"""How reads answer: a document with its ETag, a page of JSON rows, and whose rows the caller may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any

import orjson
from fastapi import Path
from pydantic import AfterValidator, AwareDatetime
from starlette.requests import Request
from starlette.responses import Response

from services.api.etags import etag, not_modified
from services.api.limits import _no_nul as no_nul
from services.api.paging import PageRequest
from services.api.responses import Json, encode
from shared.adapters.postgres.views.clauses import EVERYTHING, Scope
from shared.application.principal import Principal, Role

_SEES_ALL = (Role.SUPERVISOR, Role.COMPLIANCE, Role.OPERATIONS, Role.AUDITOR)
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _believable(instant: datetime) -> datetime:
    if not _EARLIEST < instant < _LATEST:
        raise ValueError("is not a believable instant")
    return instant


CoreId = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(no_nul)]
"""An id that the core-banking system gave, in a path; as there, any printable text."""

CoreIdFilter = Annotated[str, AfterValidator(no_nul)]

Instant = Annotated[AwareDatetime, AfterValidator(_believable)]
"""An instant with its offset, near enough to our time that the database can hold it in any zone."""


def scope_of(caller: Principal) -> Scope:
    """A collector sees their own, their teams' and unassigned cases; every other reader sees all."""
    return EVERYTHING if caller.has(*_SEES_ALL) else Scope(caller.subject, tuple(sorted(caller.teams)))


def document(request: Request, content: Any, *, version: int | None = None) -> Response:
    """``content`` with an ETag, or 304 when the caller has it already.

    ``version`` is the row's, where nothing but that row is shown and edits use it; else the content is the version."""
    body = encode(content)
    tag = f'"{blake2b(body, digest_size=9).hexdigest()}"' if version is None else etag(version)
    return not_modified(request, tag) or Json(body, headers={"etag": tag})


def answer_page(page: PageRequest, rows: Sequence[Any], item: Callable[[Any], Any] | None = None) -> Json:
    """A page of ``(doc, *keys)`` rows as the views make them."""
    return page.answer(rows, key=lambda row: tuple(row)[1:], item=item or _as_it_is)


def _as_it_is(row: Any) -> Any:
    return orjson.Fragment(row["doc"])
