"""CloudEvents 1.0 to bytes and back: structured JSON (HTTP, and read from Kafka), and Kafka's binary mode.

Pure functions. The data of an event stays JSON bytes in the envelope, so that whoever knows its type parses it once.
Refused with ``CodecError``: what is not an event, is larger than an intermediary must forward (64 KiB), or holds what
the database can not store (NUL, lone surrogates, invalid UTF-8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
import orjson

MAX_EVENT_BYTES = 64 * 1024
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON = "application/json"

_ATTRIBUTE = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_LIMITS = {"id": 255, "source": 1024, "type": 255, "subject": 255, "dataschema": 1024, "partitionkey": 255}
_HEADER = {name: f"ce_{name}" for name in (*_LIMITS, "time", "traceparent")}
_HEADERS = frozenset({"ce_specversion", "content-type", *_HEADER.values()})  # as nearly everybody spells them
_BINARY_MODE = (("ce_specversion", b"1.0"), ("content-type", JSON.encode()))
_NUL = b"\\u0000"


class CodecError(ValueError):
    """These bytes are no event we can read. ``where`` is a JSON pointer or a header name, ``problem`` a sentence."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where
        self.problem = problem


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # made three times as fast as a dataclass
    """One event. ``data`` is a JSON object as bytes; ``time`` has an offset; (``source``, ``id``) is its identity."""

    id: str
    source: str
    type: str
    data: bytes
    subject: str | None = None
    time: datetime | None = None
    dataschema: str | None = None
    partitionkey: str | None = None
    traceparent: str | None = None

    def payload(self) -> dict[str, Any]:
        """The data parsed without a schema."""
        parsed: dict[str, Any] = orjson.loads(self.data)
        return parsed


class _Wire(msgspec.Struct):
    """The structured form. Extensions we do not know are ignored."""

    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw = msgspec.Raw()
    subject: str | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    datacontenttype: str | None = None
    data_base64: str | None = None
    dataschema: str | None = None
    partitionkey: str | None = None
    traceparent: str | None = None


_wire_decoder = msgspec.json.Decoder(_Wire)
_batch_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_time_decoder = msgspec.json.Decoder(Annotated[datetime, msgspec.Meta(tz=True)])


def decode_structured(body: bytes | msgspec.Raw, *, max_bytes: int = MAX_EVENT_BYTES) -> Envelope:
    """One event from its JSON."""
    size = len(memoryview(body))
    if size > max_bytes:
        raise CodecError("", f"the event has {size} bytes, at most {max_bytes} are accepted")
    try:
        wire = _wire_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from None
    if wire.specversion != "1.0":
        raise CodecError("/specversion", "only CloudEvents 1.0 is understood")
    if wire.data_base64 is not None:
        raise CodecError("/data_base64", "binary data is not accepted, send a JSON object in data")
    return _checked(
        Envelope(
            id=wire.id,
            source=wire.source,
            type=wire.type,
            data=bytes(wire.data),
            subject=wire.subject,
            time=wire.time,
            dataschema=wire.dataschema,
            partitionkey=wire.partitionkey,
            traceparent=wire.traceparent,
        ),
        wire.datacontenttype,
    )


def decode_batch(body: bytes, *, max_events: int, max_bytes: int = MAX_EVENT_BYTES) -> list[Envelope | CodecError]:
    """Every item of a JSON batch, in order: an event, or why this one is none. Raises when the batch itself is none."""
    try:
        items = _batch_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from None
    if len(items) > max_events:
        raise CodecError("", f"the batch has {len(items)} events, at most {max_events} are accepted")
    return [_item(item, max_bytes) for item in items]


def encode_structured(event: Envelope) -> bytes:
    """The event as one JSON object."""
    document: dict[str, Any] = {"specversion": "1.0", **_attributes(event), "datacontenttype": JSON}
    document["data"] = orjson.Fragment(event.data)
    return orjson.dumps(document)


def encode_batch(events: Iterable[Envelope]) -> bytes:
    return b"[" + b",".join(encode_structured(event) for event in events) + b"]"


def encode_binary(event: Envelope) -> tuple[list[tuple[str, bytes]], bytes]:
    """Kafka headers (``ce_*``, ``content-type``) and value, by the CloudEvents Kafka binding, 3.2."""
    headers = [*_BINARY_MODE, *[(_HEADER[name], value.encode()) for name, value in _attributes(event).items()]]
    return headers, event.data


def decode_kafka(
    headers: Sequence[tuple[str, bytes | None]], value: bytes | None, *, max_bytes: int = MAX_EVENT_BYTES
) -> Envelope:
    """One event from a Kafka record, in binary or in structured mode as its ``content-type`` says."""
    if not value:
        raise CodecError("", "the record has no value")
    if len(value) > max_bytes:
        raise CodecError("", f"the event has {len(value)} bytes, at most {max_bytes} are accepted")
    texts = _header_texts(headers)
    content_type = texts.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == STRUCTURED:
        return decode_structured(value, max_bytes=max_bytes)
    if content_type.startswith("application/cloudevents"):
        raise CodecError("content-type", f"{content_type[:80]} is not accepted on Kafka")
    return _decode_binary(texts, value)


def _decode_binary(headers: dict[str, str], value: bytes) -> Envelope:
    if headers.get("ce_specversion") != "1.0":
        raise CodecError("ce_specversion", "missing, or not 1.0")
    for required in ("ce_id", "ce_source", "ce_type"):
        if required not in headers:
            raise CodecError(required, "missing")
    return _checked(
        Envelope(
            id=headers["ce_id"],
            source=headers["ce_source"],
            type=headers["ce_type"],
            data=value,
            subject=headers.get("ce_subject"),
            time=_header_time(headers.get("ce_time")),
            dataschema=headers.get("ce_dataschema"),
            partitionkey=headers.get("ce_partitionkey"),
            traceparent=headers.get("ce_traceparent"),
        ),
        headers.get("content-type"),
        prefix="ce_",
    )


def _attributes(event: Envelope) -> dict[str, str]:
    named = {"id": event.id, "source": event.source, "type": event.type}
    if event.subject is not None:
        named["subject"] = event.subject
    if event.time is not None:
        named["time"] = event.time.isoformat().replace("+00:00", "Z")
    if event.dataschema is not None:
        named["dataschema"] = event.dataschema
    if event.partitionkey is not None:
        named["partitionkey"] = event.partitionkey
    if event.traceparent is not None:
        named["traceparent"] = event.traceparent
    return named


def _checked(event: Envelope, content_type: str | None, *, prefix: str = "/") -> Envelope:
    _check_attribute(prefix + "id", event.id, _LIMITS["id"])
    _check_attribute(prefix + "source", event.source, _LIMITS["source"])
    _check_attribute(prefix + "type", event.type, _LIMITS["type"])
    for name, value in (
        ("subject", event.subject),
        ("dataschema", event.dataschema),
        ("partitionkey", event.partitionkey),
    ):
        if value is not None:
            _check_attribute(prefix + name, value, _LIMITS[name])
    if event.traceparent is not None and not _TRACEPARENT.fullmatch(event.traceparent):
        raise CodecError(prefix + "traceparent", "not a W3C trace context")
    if content_type is not None and not _is_json(content_type):
        raise CodecError(prefix + "datacontenttype", "only JSON data is accepted")
    _check_data(event.data)
    return event


def _check_attribute(where: str, value: str, limit: int) -> None:
    if not value:
        raise CodecError(where, "empty")
    if len(value) > limit:
        raise CodecError(where, f"has {len(value)} characters, at most {limit} are accepted")
    if not value.isprintable() and not _ATTRIBUTE.fullmatch(value):  # printable is quicker asked, and stricter
        raise CodecError(where, "contains control characters")


def _check_data(data: bytes) -> None:
    """An object it must look like; whether it is sound JSON is found by whoever parses it into its type."""
    if not data:
        raise CodecError("/data", "missing")
    if not data.startswith(b"{") and not data.lstrip().startswith(b"{"):
        raise CodecError("/data", "not a JSON object")
    if _NUL in data and contains_nul(_parsed(data)):
        raise CodecError("/data", "contains the NUL character")


def contains_nul(document: Any) -> bool:
    """Whether any text in parsed JSON holds U+0000, which PostgreSQL can not store."""
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if "\0" in value:
                return True
        elif isinstance(value, dict):
            pending.extend(value.keys())
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return False


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CodecError("/data", f"not valid JSON: {error.msg} at {error.pos}") from None


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == JSON or media_type.endswith("+json")


def _header_texts(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        spelt = name if name in _HEADERS else name.lower()
        if value is None or not (spelt in _HEADERS or spelt.startswith("ce_")):
            continue
        try:
            texts[spelt] = value.decode()
        except UnicodeDecodeError:
            raise CodecError(spelt[:80], "not UTF-8") from None
    return texts


def _header_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant: datetime = _time_decoder.decode(orjson.dumps(text))
    except (msgspec.DecodeError, orjson.JSONEncodeError):
        raise CodecError("ce_time", "not an RFC 3339 instant with an offset") from None
    return instant


def _item(item: msgspec.Raw, max_bytes: int) -> Envelope | CodecError:
    try:
        return decode_structured(item, max_bytes=max_bytes)
    except CodecError as error:
        return error


_PATH = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)


def _unreadable(error: Exception) -> CodecError:
    """msgspec's message, with its path (``$.time``) turned into a JSON pointer. It never quotes values."""
    if isinstance(error, RecursionError):
        return CodecError("", "nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return CodecError("", "not UTF-8")
    matched = _PATH.match(str(error))
    path = (matched["path"] or "") if matched else ""
    problem = matched["problem"] if matched else str(error)
    return CodecError(re.sub(r"[.\[]", "/", path).replace("]", ""), problem)
