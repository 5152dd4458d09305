"""Answers in JSON, encoded once and quickly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.responses import Response


class Json(Response):
    """A JSON answer from a pydantic model, from plain data, or from JSON bytes (as PostgreSQL makes them).

    Return it from a route whose decorator names the ``response_model``: the model documents the answer, and FastAPI
    does not validate it a second time.
    """

    media_type = "application/json"

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, None, background)

    def render(self, content: Any) -> bytes:
        return encode(content)


def encode(content: Any) -> bytes:
    """``content`` as JSON bytes; bytes and text are JSON already."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, BaseModel):
        return content.__pydantic_serializer__.to_json(content)
    return orjson.dumps(content, default=_plain)


def created(content: Any, *, location: str, etag: str | None = None) -> Json:
    """201, with where to find it."""
    headers = {"location": location} if etag is None else {"location": location, "etag": etag}
    return Json(content, 201, headers=headers)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return orjson.Fragment(value.__pydantic_serializer__.to_json(value))
    if isinstance(value, UUID):  # the driver's own subclass, which orjson does not take for one
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
