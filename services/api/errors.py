"""Every no, in one shape: RFC 9457 problems, from THE table below.

Nothing of what was sent is repeated in a problem (it may be personal); an unforeseen failure tells its trace id only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.api.trace import trace_id
from shared.application import refusals

PROBLEM_BASE = "https://arrears.dev/problems/"
MEDIA_TYPE = "application/problem+json"
_MAX_ERRORS = 50
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProblemType:
    status: int
    slug: str
    title: str


@dataclass(frozen=True, slots=True)
class Told:
    """A failure of the database that has an outward meaning; its own text is never shown."""

    type: ProblemType
    detail: str
    retry_after: int | None = None


_UNAVAILABLE = ProblemType(503, "unavailable", "Temporarily unavailable")
_BUSY = Told(_UNAVAILABLE, "The database is busy; nothing was changed. Try again.", retry_after=1)
_DOWN = Told(_UNAVAILABLE, "The database can not be reached; whether a change was made is not known.", retry_after=2)
_NOT_STORABLE = Told(ProblemType(422, "not-storable", "Not storable"), "A value can not be stored as it is.")

REFUSALS: dict[type[refusals.Refusal], ProblemType] = {
    refusals.Invalid: ProblemType(422, "invalid", "Not acceptable by rule"),
    refusals.NotFound: ProblemType(404, "not-found", "Not found"),
    refusals.Forbidden: ProblemType(403, "forbidden", "Not permitted"),
    refusals.Conflict: ProblemType(409, "conflict", "Not possible in this state"),
    refusals.PreconditionFailed: ProblemType(412, "precondition-failed", "Changed in the meantime"),
    refusals.PreconditionRequired: ProblemType(428, "precondition-required", "Version required"),
    refusals.TooMany: ProblemType(429, "too-many-requests", "Too many requests"),
    refusals.Unavailable: _UNAVAILABLE,
    refusals.Refusal: ProblemType(422, "refused", "Refused"),
}

STATUSES: dict[int, ProblemType] = {
    400: ProblemType(400, "malformed-request", "Malformed request"),
    401: ProblemType(401, "unauthenticated", "Authentication required"),
    403: ProblemType(403, "forbidden", "Not permitted"),
    404: ProblemType(404, "not-found", "Not found"),
    405: ProblemType(405, "method-not-allowed", "Method not allowed"),
    406: ProblemType(406, "not-acceptable", "No such representation"),
    413: ProblemType(413, "too-large", "Too large"),
    415: ProblemType(415, "unsupported-media-type", "Unsupported media type"),
    422: ProblemType(422, "validation", "Not in the expected form"),
    500: ProblemType(500, "internal", "Internal error"),
}

DATABASE: dict[type[Exception], Told] = {
    asyncpg.DataError: _NOT_STORABLE,
    asyncpg.SerializationError: _BUSY,
    asyncpg.DeadlockDetectedError: _BUSY,
    asyncpg.LockNotAvailableError: _BUSY,
    asyncpg.InvalidCachedStatementError: _BUSY,  # the schema was changed under a running process; once a statement
    asyncpg.QueryCanceledError: _BUSY,
    asyncpg.TooManyConnectionsError: _BUSY,
    asyncpg.CannotConnectNowError: _DOWN,
    asyncpg.AdminShutdownError: _DOWN,
    asyncpg.CrashShutdownError: _DOWN,
    asyncpg.PostgresConnectionError: _DOWN,
    ConnectionError: _DOWN,
}


class BadRequest(HTTPException):
    """A request that is wrong in form, with a problem type of its own."""

    def __init__(self, slug: str, detail: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.slug = slug


class Problem(Response):
    """A problem document as an answer."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        *,
        instance: str,
        slug: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        document: dict[str, Any] = {
            "type": PROBLEM_BASE + (slug or kind.slug),
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "instance": instance.encode(errors="replace").decode()[:200],
            "trace_id": trace_id(),
        }
        if errors:
            document["errors"] = errors
        super().__init__(orjson.dumps(document), kind.status, headers)


def install(app: FastAPI) -> None:
    """Answer every refusal and failure of the tables by a problem."""
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(refusals.Refusal, _on_refusal)
    for failure in DATABASE:
        app.add_exception_handler(failure, _on_database)


def internal(path: str) -> Problem:
    """The answer to a failure that nobody foresaw."""
    return Problem(STATUSES[500], "Something went wrong on our side; quote the trace id.", instance=path)


def problem_type(refusal: refusals.Refusal) -> ProblemType:
    return next(REFUSALS[kind] for kind in type(refusal).__mro__ if kind in REFUSALS)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, refusals.Refusal)  # noqa: S101 - registered for nothing else
    headers = {"retry-after": str(error.retry_after)} if error.retry_after is not None else None
    return Problem(
        problem_type(error),
        error.detail,
        slug=error.slug,
        instance=request.url.path,
        errors=[
            {"in": _place(e.pointer), "pointer": e.pointer, "reason": e.reason, "code": e.code} for e in error.errors
        ],
        headers=headers,
    )


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    kind = STATUSES.get(error.status_code) or ProblemType(error.status_code, "refused", "Refused")
    slug = error.slug if isinstance(error, BadRequest) else None
    return Problem(kind, str(error.detail), slug=slug, instance=request.url.path, headers=error.headers)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        reason = found[0].get("ctx", {}).get("error", "not valid JSON")
        detail = f"The body is not valid JSON: {reason} (at {found[0]['loc'][-1]})."
        return Problem(STATUSES[400], detail, slug="malformed-json", instance=request.url.path)
    return Problem(
        STATUSES[422],
        f"{len(found)} field(s) are not in the expected form.",
        instance=request.url.path,
        errors=[_field_error(each) for each in found[:_MAX_ERRORS]],
    )


async def _on_database(request: Request, error: Exception) -> Response:
    told = next(DATABASE[kind] for kind in type(error).__mro__ if kind in DATABASE)
    _log.warning("database refused", kind=type(error).__name__, status=told.type.status)
    headers = {"retry-after": str(told.retry_after)} if told.retry_after is not None else None
    return Problem(told.type, told.detail, instance=request.url.path, headers=headers)


def _place(pointer: str) -> str:
    """A pointer leads into the body; a bare name is a parameter's."""
    return "body" if pointer.startswith("/") or not pointer else "query"


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    """pydantic's error without the input that caused it."""
    place, *path = error["loc"]
    pointer = "".join(f"/{_escaped(step)}" for step in path) if place == "body" else ".".join(map(_escaped, path))
    return {
        "in": str(place),
        "pointer": pointer,
        "reason": str(error["msg"]).removeprefix("Value error, "),
        "code": str(error["type"]),
    }


def _escaped(step: object) -> str:
    text = str(step).encode(errors="replace").decode()[:100]
    return text.replace("~", "~0").replace("/", "~1")
