"""Events keep their meaning over every wire, and what is no event is refused by name."""

from datetime import UTC, datetime

import orjson
import pytest
from msgspec.structs import replace

from shared.adapters.codec import (
    CodecError,
    Envelope,
    decode_batch,
    decode_kafka,
    decode_structured,
    encode_batch,
    encode_binary,
    encode_structured,
)

EVENT = Envelope(
    id="e-1",
    source="/core",
    type="payment.posted.v1",
    subject="账户-1",
    time=datetime(2026, 3, 1, 8, 0, 0, 123000, tzinfo=UTC),
    data='{"payment_id":"p1","amount":1200,"名":"值"}'.encode(),
    partitionkey="C1",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
BARE = Envelope(id="1", source="s", type="t", data=b"{}")


def wire(**changes):
    document = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"a": 1}} | changes
    return orjson.dumps({name: value for name, value in document.items() if value is not ...})


@pytest.mark.parametrize("event", [EVENT, BARE])
def test_an_event_survives_structured_mode(event):
    assert decode_structured(encode_structured(event)) == event


@pytest.mark.parametrize("event", [EVENT, BARE])
def test_an_event_survives_kafka_in_either_mode(event):
    headers, value = encode_binary(event)
    assert decode_kafka(headers, value) == event
    structured = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    assert decode_kafka(structured, encode_structured(event)) == event


def test_unknown_extensions_are_ignored():
    assert decode_structured(wire(comcompanyext=[1, {"x": 2}])).data == b'{"a":1}'


def test_a_time_in_another_zone_is_the_same_instant():
    read = decode_structured(wire(time="2026-03-01T16:00:00+08:00"))
    assert read.time == datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"nonsense", ""),
        (b'{"id": "\xff"}', ""),
        (b"[" * 100_000, ""),
        (b'{"specversion":"1.0","x":' + b"[" * 60_000, ""),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":' + b"[" * 60_000, ""),
        (wire(specversion="0.3"), "/specversion"),
        (wire(id=7), "/id"),
        (wire(id=""), "/id"),
        (wire(id="a\0b"), "/id"),
        (wire(source="x" * 1025), "/source"),
        (wire(subject="line\nline"), "/subject"),
        (b'{"specversion":"1.0","id":"\\ud800","source":"s","type":"t","data":{}}', "/id"),
        (wire(time="yesterday"), "/time"),
        (wire(time="2026-03-01T08:00:00"), "/time"),
        (wire(time=1700000000), "/time"),
        (wire(data=...), "/data"),
        (wire(data=None), "/data"),
        (wire(data=[1]), "/data"),
        (wire(data={"a": {"b": ["x\0"]}}), "/data"),
        (wire(data_base64="AAAA"), "/data_base64"),
        (wire(datacontenttype="text/xml"), "/datacontenttype"),
        (wire(traceparent="00-x"), "/traceparent"),
        (wire(data={"a": "x" * 65536}), ""),
    ],
)
def test_what_is_no_event_is_refused_with_its_place(body, where):
    with pytest.raises(CodecError) as refused:
        decode_structured(body)
    assert refused.value.where in {where, ""}
    assert refused.value.problem


def test_an_escaped_backslash_before_u0000_is_no_nul():
    assert decode_structured(wire(data={"path": "C:\\u0000"})).payload() == {"path": "C:\\u0000"}


def test_a_batch_is_answered_item_by_item():
    first, second, third = decode_batch(b"[" + wire() + b"," + wire(id=1) + b"," + wire(id="3") + b"]", max_events=3)
    assert isinstance(first, Envelope)
    assert isinstance(second, CodecError)
    assert second.where == "/id"
    assert isinstance(third, Envelope)
    assert decode_batch(encode_batch([EVENT, BARE]), max_events=2) == [EVENT, BARE]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1", b"[1,2,3]", b"\xff"])
def test_what_is_no_batch_is_refused_whole(body):
    with pytest.raises(CodecError):
        decode_batch(body, max_events=2)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (("ce_specversion", b"0.3"), "ce_specversion"),
        (("ce_id", b"\xff"), "ce_id"),
        (("ce_id", b""), "ce_id"),
        (("ce_type", None), "ce_type"),
        (("ce_time", b"noon"), "ce_time"),
        (("content-type", b"application/cloudevents-batch+json"), "content-type"),
        (("content-type", b"application/avro"), "ce_datacontenttype"),
    ],
)
def test_bad_headers_are_named(change, where):
    headers, value = encode_binary(EVENT)
    with pytest.raises(CodecError) as refused:
        decode_kafka([(name, v) for name, v in headers if name != change[0]] + [change], value)
    assert refused.value.where == where


def test_a_tombstone_is_no_event():
    with pytest.raises(CodecError, match="no value"):
        decode_kafka(encode_binary(EVENT)[0], None)


def test_a_refusal_does_not_quote_what_was_sent():
    with pytest.raises(CodecError) as refused:
        decode_structured(wire(id={"phone": "13800000000"}))
    assert "13800000000" not in str(refused.value)


def test_events_too_large_are_refused_in_both_modes():
    large = replace(BARE, data=orjson.dumps({"x": "y" * 70_000}))
    with pytest.raises(CodecError, match="65536"):
        decode_structured(encode_structured(large))
    with pytest.raises(CodecError, match="65536"):
        decode_kafka(*encode_binary(large))
