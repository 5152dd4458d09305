"""Logs: one JSON object a line on standard error, and no personal data in any of them.

Values under the keys in ``CONFIDENTIAL`` are dropped however deep they lie; of an exception its kind, its place and a
scrubbed first line are kept, because drivers put row values into what they raise. Records of other libraries go the
same way as ours.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

CONFIDENTIAL = frozenset(
    [
        *(
            "address",
            "contact",
            "contact_point",
            "contact_points",
            "email",
            "mobile",
            "phone",
            "recipient",
            "to",
            "value",
        ),
        *("body", "content", "payload", "subject", "text"),
        *("card", "card_number", "customer_name", "id_number", "name"),
        *("authorization", "cookie", "headers", "password", "secret", "token"),
    ]
)
REMOVED = "[removed]"

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_LONG_NUMBER = re.compile(r"\+?\d[\d -]{5,}\d")
_MESSAGE_LIMIT = 200
_FRAME_LIMIT = 12
_REPEATS_ITSELF = "aiokafka"  # a hundred lines a second while no broker answers


def configure_logging(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the logs of this process, ours and the libraries', to ``stream`` (standard error) as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _with_service(service),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        describe_exception,
        redact,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=_plain),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[*shared, _scrub_event], processors=last)
    )
    handler.addFilter(Seldom(_REPEATS_ITSELF))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).handlers.clear()
        logging.getLogger(noisy).propagate = True


class Seldom(logging.Filter):
    """Lets the same message (before its arguments are filled in) of a library through once in ``every`` seconds."""

    def __init__(self, library: str, *, every: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._library = library
        self._every = every
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._library):
            return True
        if len(self._said) > 1_000:  # a library that fills in its arguments itself
            self._said.clear()
        key, now = (record.name, str(record.msg)), self._clock()
        if now - self._said.get(key, float("-inf")) < self._every:
            return False
        self._said[key] = now
        return True


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop the value of every confidential key, at any depth."""
    return {key: REMOVED if key.lower() in CONFIDENTIAL else _redacted(value) for key, value in event.items()}


def describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by what may be told of it: the kinds, the scrubbed first lines, and where it happened."""
    found = event.pop("exc_info", None)
    error = _exception(found)
    if error is not None:
        event["error"] = _described(error)
    return event


def scrub(message: str) -> str:
    """The first line of ``message``, without e-mail addresses and long numbers, cut to 200 characters."""
    first = message.strip().splitlines()[0] if message.strip() else ""
    return _LONG_NUMBER.sub(REMOVED, _EMAIL.sub(REMOVED, first))[:_MESSAGE_LIMIT]


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: REMOVED if str(key).lower() in CONFIDENTIAL else _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(each) for each in value]
    return scrub(str(value)) if isinstance(value, BaseException) else value


def _plain(value: object) -> str:
    """For what JSON has no form for: small values as text, of anything else its kind only, for its text may tell."""
    return (
        str(value) if isinstance(value, date | timedelta | UUID | Path | Decimal) else f"<{type(value).__qualname__}>"
    )


def _described(error: BaseException) -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < _FRAME_LIMIT:
        frames = traceback.extract_tb(current.__traceback__)[-_FRAME_LIMIT:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append({"kind": type(current).__qualname__, "says": scrub(str(current)), "at": places})
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _exception(found: object) -> BaseException | None:
    if isinstance(found, BaseException):
        return found
    if isinstance(found, tuple):
        return found[1] if isinstance(found[1], BaseException) else None
    return sys.exc_info()[1] if found else None


def _scrub_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["event"] = scrub(str(event.get("event", "")))
    return event


def _with_service(service: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {"service": service, **event}

    return add
