"""Edits say which version they are based on: strong ETags made of row versions, ``If-Match`` required."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from services.api.errors import BadRequest
from shared.application.refusals import PreconditionFailed, PreconditionRequired

_TAG = re.compile(r'(W/)?"([^"\x00-\x20\x7f]*)"')


def etag(version: int, variant: str = "") -> str:
    """The ETag of a row's version. ``variant`` tells representations of one URL apart (``unmasked``)."""
    return f'"{version}{"-" + variant if variant else ""}"'


class IfMatch:
    """The caller's precondition. Ask it inside the transaction, after the row was locked."""

    def __init__(self, tags: frozenset[str] | None) -> None:
        self._tags = tags

    def check(self, version: int, variant: str = "") -> None:
        """Raises ``PreconditionFailed`` unless the caller has seen ``version``."""
        if self._tags is not None and etag(version, variant) not in self._tags:
            raise PreconditionFailed("It was changed since you read it; read it again.")


async def _if_match(request: Request) -> IfMatch:
    given = ",".join(request.headers.getlist("if-match"))
    if not given.strip():
        raise PreconditionRequired("Send the ETag of what you read as If-Match.")
    return IfMatch(None if given.strip() == "*" else _tags(given))


ExpectedVersion = Annotated[IfMatch, Depends(_if_match)]


def not_modified(request: Request, tag: str) -> Response | None:
    """304 when the caller has this version already (``If-None-Match``), else None."""
    given = request.headers.get("if-none-match")
    if given is None or (given.strip() != "*" and tag.removeprefix("W/") not in given):
        return None
    return Response(status_code=304, headers={"etag": tag})


def requires_if_match(call: object) -> bool:
    return call is _if_match


def _tags(given: str) -> frozenset[str]:
    """The strong tags in the header; a weak one never matches."""
    rest = _TAG.sub("", given)
    if rest.replace(",", "").strip():
        raise BadRequest("malformed-if-match", 'If-Match takes ETags as they were given, as in "7".')
    return frozenset(f'"{text}"' for weak, text in _TAG.findall(given) if not weak)
