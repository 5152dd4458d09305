"""The gateway port: how a message leaves the house, and what we may believe about the answer.

An adapter lives in ``shared/adapters/gateways/<provider>/``. It never retries: one call is one try, because whether a
second try is allowed is decided in the application (law: no blind second message).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol


class ErrorClass(StrEnum):
    """Why a provider did not take a message, in terms of what we do next."""

    ADDRESS = "address"  # this contact point can not be reached: mark it, fall to the next channel
    CONTENT = "content"  # the text, template or signature is refused: stop the route, tell operations
    ROUTE = "route"  # authentication, balance, configuration: stop the route, keep the messages
    THROTTLED = "throttled"  # later, by the provider's own rule
    TRANSIENT = "transient"  # surely not sent: may be tried again with back-off


class OutcomeKind(StrEnum):
    ACCEPTED = "accepted"  # the provider said it has the message
    REJECTED = "rejected"  # the provider said it will not send it
    NOT_SENT = "not_sent"  # it surely never had the message (connect failure, guard closed, throttled)
    IN_DOUBT = "in_doubt"  # written, answer unknown


class ReceiptStatus(StrEnum):
    """Rank rises in this order; a receipt moves an attempt only upwards."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"


class Submission(NamedTuple):
    """One attempt to hand one message over.

    ``reference`` is the attempt id (36 ASCII characters), echoed by the provider in receipts and queries;
    ``message_group`` is the message id, stable over attempts (the Message-ID of an e-mail is made of it).
    """

    reference: str
    message_group: str
    to: str
    body: str
    subject: str | None
    valid_until: datetime


class Outcome(NamedTuple):
    """What one submission came to. ``retry_after`` in seconds, when the provider said so."""

    kind: OutcomeKind
    error: ErrorClass | None = None
    provider_id: str | None = None
    code: str | None = None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery report, pushed to ``/v1/callbacks/{gateway}`` or found by query."""

    reference: str
    status: ReceiptStatus
    at: datetime
    provider_id: str | None = None
    code: str | None = None
    error: ErrorClass | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A text that somebody sent to our number. ``sender`` is their number as the provider writes it."""

    sender: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Callback:
    """What a provider pushed: delivery reports, and what people answered."""

    receipts: list[Receipt]
    replies: list[Reply]


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What is true of a provider; the sender decides by these, never by the provider's name.

    ``query_for`` is how long after submission the provider answers a query by our reference (None: it can not be
    asked); ``query_delay`` is how long it may take until a submission shows up there.
    """

    name: str
    channel: str
    idempotent: bool
    query_for: timedelta | None
    query_delay: timedelta
    batch_size: int
    concurrency: int

    @property
    def at_once(self) -> int:
        """How many submissions can be on the wire at the same time."""
        return self.batch_size * self.concurrency


class CallbackRefused(Exception):
    """A callback whose signature, age or form is wrong; the message says which (never the content)."""


class Gateway(Protocol):
    @property
    def facts(self) -> GatewayFacts: ...

    async def submit(self, batch: Sequence[Submission], still_allowed: Callable[[], bool]) -> list[Outcome]:
        """Hand over at most ``facts.batch_size`` submissions; one outcome each, in order. Never raises for the
        provider's doing. ``still_allowed`` is asked right before the bytes are written; when it says no, the outcome
        is ``not_sent``."""

    async def query(self, references: Sequence[str]) -> dict[str, Receipt | None]:
        """Ask by our references; None means the provider does not know it. A reference that could not be asked
        (provider down) is absent from the answer. Providers that can not be asked return an empty dict."""

    def callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        """Read a callback. Raises CallbackRefused when the signature does not hold or the form is wrong."""

    async def aclose(self) -> None: ...
