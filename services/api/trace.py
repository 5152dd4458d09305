"""The trace a request belongs to (W3C Trace Context), so that problem, log line and event can be put together."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar

import structlog

_PARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_current: ContextVar[tuple[str, str]] = ContextVar("arrears_trace", default=("0" * 32, "00"))


def enter_trace(header: bytes | None) -> str:
    """Take over the caller's trace, or begin one. Returns the trace id (32 hexadecimal digits).

    Servers run each request in a context of its own, so nothing needs to be undone.
    """
    matched = _PARENT.fullmatch(header) if header else None
    trace_id, flags = (matched[1].decode(), matched[2].decode()) if matched else (os.urandom(16).hex(), "01")
    _current.set((trace_id, flags))
    structlog.contextvars.bind_contextvars(trace_id=trace_id)
    return trace_id


def trace_id() -> str:
    return _current.get()[0]


def traceparent() -> str:
    """A ``traceparent`` for what this request causes: same trace, a span of its own."""
    current, flags = _current.get()
    return f"00-{current}-{os.urandom(8).hex()}-{flags}"
