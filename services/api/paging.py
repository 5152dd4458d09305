"""Pages by cursor: where the last page ended, signed, so that nobody can make the database look elsewhere.

A route asks for one row more than the page holds, and the page tells whether there is a next one.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

import orjson
from fastapi import Depends, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from services.api.errors import BadRequest
from services.api.limits import DEFAULT_PAGE, MAX_CURSOR, MAX_PAGE
from services.api.responses import Json, encode

_TAG_BYTES = 16
Item = TypeVar("Item")
Value = str | int | bool | datetime | date | UUID | None


class Page(BaseModel, Generic[Item]):
    """What every list answers. Use it as response model: ``Page[CaseOut]``."""

    items: list[Item]
    next: str | None = Field(default=None, description="Cursor of the next page; absent on the last")


class CursorSigner:
    """Signs and reads cursors; ``key`` is derived for nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, scope: str, values: Sequence[Value]) -> str:
        payload = orjson.dumps([_tagged(value) for value in values])
        return base64.urlsafe_b64encode(self._tag(scope, payload) + payload).rstrip(b"=").decode()

    def read(self, scope: str, cursor: str) -> tuple[Value, ...]:
        """The values signed for ``scope``, or a 400: a cursor is good for the list and filters it came from."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not payload or not hmac.compare_digest(tag, self._tag(scope, payload)):
            raise BadRequest("bad-cursor", "The cursor is not one of ours, or belongs to another list or filter.")
        return tuple(_untagged(kind, text) for kind, text in orjson.loads(payload))

    def _tag(self, scope: str, payload: bytes) -> bytes:
        return hmac.digest(self._key, scope.encode(errors="replace") + b"\0" + payload, "sha256")[:_TAG_BYTES]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for. ``after`` holds the sort key and id of the last row seen; None on the first page."""

    request: Request
    signer: CursorSigner
    limit: int
    after: tuple[Value, ...] | None

    @property
    def fetch(self) -> int:
        """How many rows to ask the database for."""
        return self.limit + 1

    def answer(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        key: Callable[[Mapping[str, Any]], Sequence[Value]],
        item: Callable[[Mapping[str, Any]], Any] = dict,
    ) -> Json:
        """The page of ``rows`` (at most ``fetch`` of them), each through ``item``; ``key`` as the query sorts."""
        shown = rows[: self.limit]
        last = None if len(rows) <= self.limit else key(shown[-1])
        return self.answer_docs([encode(item(row)).decode() for row in shown], last)

    def answer_docs(self, docs: Sequence[str], last: Sequence[Value] | None) -> Json:
        """The page of rows that are JSON already; ``last`` are the sort keys of the last one when others follow."""
        items = ",".join(docs)
        if last is None:
            return Json(f'{{"items":[{items}],"next":null}}')
        cursor = self.signer.sign(_scope(self.request), last)
        kept = [pair for pair in _query(self.request) if pair[0] != "cursor"]
        link = f'<{_address(self.request)}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'
        return Json(f'{{"items":[{items}],"next":"{cursor}"}}', headers={"link": link})


async def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Rows a page")] = DEFAULT_PAGE,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR, description="From the page before")] = None,
) -> PageRequest:
    signer: CursorSigner = request.app.state.deps.cursors
    after = None if cursor is None else signer.read(_scope(request), cursor)
    return PageRequest(request, signer, limit, after)


Paging = Annotated[PageRequest, Depends(_page_request)]


def is_paged(call: object) -> bool:
    return call is _page_request


def _address(request: Request) -> str:
    """The path as it was sent: an encoded slash in an id is to stay one."""
    raw: bytes | None = request.scope.get("raw_path")
    return quote(request.scope["path"]) if raw is None else quote(raw, safe="/%")


def _scope(request: Request) -> str:
    """Path and filters, without what may change from page to page."""
    filters = sorted(pair for pair in _query(request) if pair[0] not in {"cursor", "limit"})
    return f"{request.scope['path']}?{urlencode(filters, errors='replace')}"


def _query(request: Request) -> list[tuple[str, str]]:
    return request.query_params.multi_items()


def _tagged(value: Value) -> tuple[str, str | int | bool | None]:
    match value:
        case bool() | int() | str() | None:
            return ("", value)
        case datetime():
            return ("t", value.isoformat())
        case date():
            return ("d", value.isoformat())
        case UUID():
            return ("u", str(value))


def _untagged(kind: str, value: Any) -> Value:
    match kind:
        case "t":
            return datetime.fromisoformat(value)
        case "d":
            return date.fromisoformat(value)
        case "u":
            return UUID(value)
    plain: Value = value
    return plain
