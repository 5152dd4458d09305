"""Read inbound events: bytes to typed facts, or the reasons why not, each naming its field.

One reader serves HTTP, imports and Kafka, so that an event means the same whichever way it came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from typing import Any

import msgspec

from shared.domain.inbound import FACT_TYPES, MAX_TEXT, Fact, Problem, problems_of

MAX_EVENT_BYTES = 64 * 1024  # CloudEvents: intermediaries must forward this much, and need not forward more


class _Envelope(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw
    subject: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """A readable event. ``fingerprint`` is the SHA-256 of what it says, whatever the order of its keys and the clock by
    which its instant was told. ``told_by`` is that clock, if it was another than UTC: the fact has the instant in UTC.
    """

    source: str
    id: str
    type: str
    fact: Fact
    fingerprint: bytes
    told_by: tzinfo | None = None

    def says(self, fingerprint: bytes | None) -> bool:
        """Is this the fingerprint of the same content? Those of earlier releases have the instant as told."""
        if fingerprint == self.fingerprint:
            return True
        return self.told_by is not None and fingerprint == _as_told(self.type, self.fact, self.told_by)


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that can not be taken, and why. ``source`` and ``id`` as far as they could be read."""

    problems: tuple[Problem, ...]
    source: str | None = None
    id: str | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_facts: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(kind) for name, kind in FACT_TYPES.items()}
_canonical = msgspec.json.Encoder(order="deterministic")
_INSTANTS = {
    "delinquency.reported.v1": "cutoff_at",
    "payment.posted.v1": "posted_at",
    "payment.reversed.v1": "reversed_at",
    "account.charged_off.v1": "charged_off_at",
}


def read_event(raw: bytes, now: datetime) -> InboundEvent | Refused:
    """One CloudEvent in structured JSON. ``now`` is the business instant that instants are held against."""
    if len(raw) > MAX_EVENT_BYTES:
        return Refused((Problem("", f"is larger than {MAX_EVENT_BYTES} bytes"),))
    try:
        envelope = _envelope.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refused((_problem(error, ""),))
    problems = list(_envelope_problems(envelope))
    if problems:
        return Refused(tuple(problems))
    return read_fact(envelope.source, envelope.id, envelope.type, bytes(envelope.data), now)


def read_fact(source: str, event_id: str, kind: str, data: bytes, now: datetime) -> InboundEvent | Refused:
    """The data of an event whose envelope was read elsewhere (a CSV line, Kafka headers)."""
    try:
        fact: Fact = _facts[kind].decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refused((_problem(error, "/data"),), source, event_id)
    if b"\\u0000" in data and _holds_nul(msgspec.json.decode(data)):
        return Refused((Problem("/data", "must not contain the character NUL"),), source, event_id)
    try:
        problems = problems_of(fact, now)
    except OverflowError:
        return Refused((Problem("/data", "holds a date that no calendar has"),), source, event_id)
    if problems:
        return Refused(tuple(problems), source, event_id)
    told_by = _to_utc(kind, fact)
    return InboundEvent(source, event_id, kind, fact, fingerprint(kind, fact), told_by)


def _to_utc(kind: str, fact: Fact) -> tzinfo | None:
    """The clock by which the fact's instant was told, unless that is UTC; from here on it is told by UTC."""
    name = _INSTANTS.get(kind)
    if name is None:
        return None
    at: datetime = getattr(fact, name)
    if at.tzinfo is UTC:
        return None
    object.__setattr__(fact, name, at.astimezone(UTC))  # nobody else has it yet; a copy costs ten times as much
    return at.tzinfo


def _as_told(kind: str, fact: Fact, told_by: tzinfo) -> bytes:
    name = _INSTANTS[kind]
    at: datetime = getattr(fact, name)
    told: Any = {name: at.astimezone(told_by)}
    return fingerprint(kind, replace(fact, **told))


def fingerprint(kind: str, fact: Fact) -> bytes:
    return sha256(kind.encode() + b"\n" + _canonical.encode(fact)).digest()


def typed_fact(kind: str, data: bytes) -> Fact:
    """A fact that was read before and kept as canonical JSON."""
    fact: Fact = _facts[kind].decode(data)
    return fact


def fact_json(fact: Fact) -> bytes:
    return _canonical.encode(fact)


def event_json(event: InboundEvent) -> bytes:
    """The event as structured CloudEvents JSON, as it is kept while it is parked."""
    return _canonical.encode(
        {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type, "data": event.fact}
    )


def _envelope_problems(envelope: _Envelope) -> list[Problem]:
    problems = []
    if envelope.specversion != "1.0":
        problems.append(Problem("/specversion", "must be 1.0"))
    for name in ("id", "source"):
        value = getattr(envelope, name)
        if not value or len(value) > MAX_TEXT or not value.isprintable():
            problems.append(Problem(f"/{name}", f"must be 1 to {MAX_TEXT} printable characters"))
    if envelope.type not in _facts:
        problems.append(Problem("/type", f"is not one of {', '.join(_facts)}"))
    return problems


def _problem(error: Exception, at: str) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        return Problem(at, "is not valid UTF-8")
    if isinstance(error, RecursionError):
        return Problem(at, "is nested too deeply")
    what, _, rest = str(error).partition(" - at `")
    path = rest.rstrip("`").removeprefix("$").replace("[", "/").replace("]", "").replace(".", "/")
    return Problem(at + path, what)


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(_holds_nul(item) for item in value)
    return False
