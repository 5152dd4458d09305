"""How reads answer: a document with its ETag, a page of JSON rows, and whose rows the caller may see."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Annotated, Any

import orjson
from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import ApiDeps
from services.api.etags import etag, not_modified
from services.api.paging import PageRequest
from services.api.responses import Json, encode
from services.api.security import require
from shared.adapters.postgres.views.clauses import EVERYTHING, Scope
from shared.application.judging import UnknownVersion
from shared.application.principal import Principal, Role
from shared.application.refusals import Unavailable
from shared.domain.policy import Policy

_SEES_ALL = (Role.SUPERVISOR, Role.COMPLIANCE, Role.OPERATIONS, Role.AUDITOR)
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RFC_3339 = re.compile(_DAY.pattern + "[Tt ]")
# Nine digits in a row, however they are spaced, or an @: somebody's number or address.
_PERSONAL = re.compile(r"@|(?:\d[ \-.]?){8}\d")

READ: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has it already (``If-None-Match``)"}}
"""For the decorator of a route that answers by ``document``."""

CaseReader = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE, Role.AUDITOR)]
Reader = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE, Role.AUDITOR, Role.OPERATIONS)]
Unmasker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


def _believable(instant: datetime) -> datetime:
    if not _EARLIEST < instant < _LATEST:
        raise ValueError("is not a believable instant")
    return instant


def _written_out(value: object) -> object:
    if not isinstance(value, str) or not _RFC_3339.match(value):  # a bare number would be taken for a Unix time
        raise ValueError("write it out, as in 2026-07-06T10:00:00+08:00")
    return value


def _day_written_out(value: object) -> object:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("write it out, as in 2026-07-06")
    return value


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains the NUL character")
    return text


def _impersonal(text: str) -> str:
    if _PERSONAL.search(text):
        raise ValueError("leave numbers and addresses of people out: the reason is kept for good")
    return text


CoreId = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(_no_nul)]
"""An id that the core-banking system gave, in a path; as there, any printable text."""

Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_nul)]
"""What a list can be filtered by: an id or a code."""

Instant = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_believable)]
"""An instant with its offset, near enough to our time that the database can hold it in any zone."""

Day = Annotated[date, BeforeValidator(_day_written_out)]
"""A date without a time, in a query."""

Reason = Annotated[str, Field(min_length=3, max_length=500), AfterValidator(_no_nul), AfterValidator(_impersonal)]
"""Why somebody did something that is audited; holds nothing personal, because the audit trail is never erased."""


def scope_of(caller: Principal) -> Scope:
    """A collector sees their own, their teams' and unassigned cases; every other reader sees all."""
    return EVERYTHING if caller.has(*_SEES_ALL) else Scope(caller.subject, tuple(sorted(caller.teams)))


async def policy_of(deps: ApiDeps, version: int | None = None) -> Policy:
    """A version of the policy, the active one by default; read again once when it is not on hand."""
    try:
        return deps.shelf.policy(version)
    except UnknownVersion:
        await deps.shelf.renew()
    try:
        return deps.shelf.policy(version)
    except UnknownVersion:
        raise Unavailable("No policy is in force yet.", retry_after=30) from None


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
