"""THE error table of SMTP: what a refusal means, by point of the dialogue and enhanced status code (RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from shared.application.gateway import ErrorClass, Outcome, OutcomeKind


class Point(StrEnum):
    """Where in the dialogue a reply came."""

    SESSION = "session"  # greeting, EHLO, STARTTLS, AUTH, MAIL
    RECIPIENT = "recipient"
    CONTENT = "content"  # DATA and the end of the mail


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply: code, text of all its lines, and the enhanced code when it gave one."""

    code: int
    text: str

    @property
    def enhanced(self) -> str | None:
        found = _ENHANCED.match(self.text)
        return found[1] if found else None


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")

# The longest prefix of the enhanced code wins.
PERMANENT_BY_ENHANCED: dict[str, ErrorClass] = {
    "5.1": ErrorClass.ADDRESS,
    "5.1.7": ErrorClass.ROUTE,  # bad sender address
    "5.1.8": ErrorClass.ROUTE,
    "5.2": ErrorClass.ADDRESS,
    "5.2.3": ErrorClass.CONTENT,  # too long for this mailbox
    "5.3": ErrorClass.ROUTE,
    "5.3.4": ErrorClass.CONTENT,  # too big for the system
    "5.4": ErrorClass.ADDRESS,  # no such host, no route to it
    "5.5": ErrorClass.ROUTE,
    "5.6": ErrorClass.CONTENT,
    "5.7": ErrorClass.ROUTE,
}

PERMANENT_BY_POINT: dict[Point, ErrorClass] = {
    Point.SESSION: ErrorClass.ROUTE,
    Point.RECIPIENT: ErrorClass.ADDRESS,
    Point.CONTENT: ErrorClass.CONTENT,
}

# At the end of the mail a refusal by policy (5.7.1) is about what was written, before it about who writes.
CONTENT_POLICY = "5.7.1"

THROTTLED_CODES = frozenset({421, 450, 452})
THROTTLED_ENHANCED = ("4.2.2", "4.3.2", "4.4.5", "4.5.3", "4.7")


def outcome_of(reply: Reply, point: Point) -> Outcome:
    """What a reply that is not a yes means: 4xx and 5xx both say that the mail was not taken."""
    code = f"{reply.code} {reply.enhanced}" if reply.enhanced else str(reply.code)
    if 400 <= reply.code < 500:
        throttled = reply.code in THROTTLED_CODES or (reply.enhanced or "").startswith(THROTTLED_ENHANCED)
        return Outcome(OutcomeKind.NOT_SENT, ErrorClass.THROTTLED if throttled else ErrorClass.TRANSIENT, code=code)
    if reply.code < 400:
        # A yes where none was due: the dialogue is out of step. The caller knows whether the mail had been written.
        return Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, code=code)
    return Outcome(OutcomeKind.REJECTED, _permanent(reply.enhanced, point), code=code)


def _permanent(enhanced: str | None, point: Point) -> ErrorClass:
    if enhanced is None:
        return PERMANENT_BY_POINT[point]
    if enhanced == CONTENT_POLICY and point is Point.CONTENT:
        return ErrorClass.CONTENT
    subject = enhanced.rpartition(".")[0]
    return PERMANENT_BY_ENHANCED.get(enhanced) or PERMANENT_BY_ENHANCED.get(subject) or PERMANENT_BY_POINT[point]
