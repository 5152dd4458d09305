"""What surrounds every request: trace, size limit, security headers, access log, and the answer to the unforeseen.

One pure ASGI layer: each layer of the other kind costs more than the whole request.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.errors import STATUSES, BadRequest, Problem, internal
from services.api.limits import body_limit
from services.api.trace import enter_trace

Observe = Callable[[str, str, int, float], None]
"""Called with method, route template, status and seconds, once a request."""

_SLOW_SECONDS = 1.0
_CLIENT_LEFT = 499
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_OVERRIDABLE = frozenset({b"cache-control", b"content-security-policy"})
_log = structlog.get_logger("arrears.access")


class Frame:
    """The outermost layer. ``log_reads`` also logs reads that went well; writes, refusals and slow ones always are."""

    def __init__(self, app: ASGIApp, *, observe: Observe | None = None, log_reads: bool = False) -> None:
        self._app = app
        self._observe = observe
        self._log_reads = log_reads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length, parent = _read_headers(scope)
        answer = _Answer(send, enter_trace(parent))
        began = time.perf_counter()
        try:
            await self._run(scope, receive, answer, length)
        except ClientDisconnect:
            answer.status = answer.status or _CLIENT_LEFT
        except Exception:
            _log.exception("request failed", method=scope["method"], route=route_of(scope))
            if answer.status:  # too late to say so: cut the connection
                raise
            await internal(scope["path"])(scope, receive, answer.send)
        finally:
            self._record(scope, answer.status or _CLIENT_LEFT, time.perf_counter() - began)

    async def _run(self, scope: Scope, receive: Receive, answer: _Answer, length: bytes | None) -> None:
        refused = _refused(scope, length)
        if refused is not None:
            await refused(scope, receive, answer.send)
            return
        limit = body_limit(scope["path"])
        if length is None and limit is not None and scope["method"] not in _READS:
            receive = _counted(receive, limit)
        await self._app(scope, receive, answer.send)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        if self._observe is not None:
            self._observe(method, route_of(scope), status, seconds)
        if self._log_reads or method not in _READS or status >= 400 or seconds > _SLOW_SECONDS:
            principal = scope.get("arrears.principal")
            _log.info(
                "request",
                method=method,
                route=route_of(scope),
                status=status,
                ms=round(seconds * 1000, 2),
                subject=principal.subject if principal else None,
            )


class _Answer:
    """Sends on, with our headers, and remembers the status once it was sent."""

    def __init__(self, send: Send, trace: str) -> None:
        self._send = send
        self._trace = trace.encode()
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message["headers"])
            given = _OVERRIDABLE.intersection(name for name, _ in headers)
            headers += [pair for pair in _HEADERS if pair[0] not in given] if given else _HEADERS
            headers.append((b"trace-id", self._trace))
            message["headers"] = headers
        await self._send(message)


def route_of(scope: Scope) -> str:
    """The route's template: a path as sent could carry what must not be logged."""
    return getattr(scope.get("route"), "path_format", None) or "unrouted"


def _read_headers(scope: Scope) -> tuple[bytes | None, bytes | None]:
    length = parent = None
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"traceparent":
            parent = value
    return length, parent


def _refused(scope: Scope, length: bytes | None) -> Problem | None:
    path = scope["path"]
    if "\0" in path or b"%00" in scope.get("query_string", b""):
        return Problem(STATUSES[400], "The URL contains the NUL character.", instance=path.replace("\0", ""))
    if length is not None and length.isdigit():
        limit = body_limit(path)
        if limit is not None and int(length) > limit:
            return Problem(STATUSES[413], f"At most {limit} bytes are accepted here.", instance=path)
    return None


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BadRequest("too-large", f"At most {limit} bytes are accepted here.", status=413)
        return message

    return counted
