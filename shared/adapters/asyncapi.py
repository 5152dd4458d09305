"""The AsyncAPI 3 document of our topics, made from the tables that the code runs on: nothing is written twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from shared.domain.announcement import TOPICS
from shared.domain.event_types import DEAD_LETTER, DEAD_LETTERS, EVENT_TYPES, EventType
from shared.domain.inbound import FACT_TYPES

INBOUND = "arrears.inbound"
_SCHEMAS = "#/components/schemas/"
_DESCRIPTION = """\
CloudEvents 1.0, keyed by customer: the subject of our events is the customer's id. Delivered at least once; drop what
you have seen by `source` and `id`. Within one customer in order. Amounts are integers in minor units. Unknown fields
are to be ignored; a change of meaning is a new `.vN`. None of our events holds personal data: ids and amounts.

On Kafka: binary mode, key = customer id, with the extension attribute `arrearsepoch`. When the broker's log was wiped
or our database restored, what may not have been taken is sent again under a new epoch, with the same `id`.
`arrears.inbound` takes binary and structured mode; key it by customer id. Each topic has a `-dlt` beside it that names
the events a consumer of ours gave up, without their content. Without Kafka the same events travel inside the embedded
suite.
"""
_FORMS: dict[str, dict[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "text": {"type": "string"},
    "code": {"type": "string"},
    "amount": {"type": "integer", "description": "minor units"},
    "amounts": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["currency", "amount"],
            "properties": {
                "currency": {"type": "string"},
                "amount": {"type": "integer", "description": "minor units"},
            },
        },
    },
    "count": {"type": "integer", "minimum": 0},
    "date": {"type": "string", "format": "date"},
    "instant": {"type": "string", "format": "date-time"},
    "flag": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "covered": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["due_date", "amount"],
            "properties": {
                "due_date": {"type": "string", "format": "date"},
                "amount": {"type": "integer", "description": "minor units"},
            },
        },
    },
}


def data_schema(kind: EventType) -> dict[str, Any]:
    """The JSON schema of an event's data."""
    return {
        "type": "object",
        "description": kind.says,
        "required": list(kind.fields),
        "properties": {name: _field(form) for name, form in kind.fields.items()},
    }


def document(version: str) -> dict[str, Any]:
    """The whole document for this version of the program."""
    schemas: dict[str, Any] = {name: data_schema(kind) for name, kind in EVENT_TYPES.items()}
    schemas |= _inbound_schemas()
    messages = {name: _message(name, kind.says, name) for name, kind in EVENT_TYPES.items()}
    messages |= {name: _message(name, _said(fact), fact.__name__) for name, fact in FACT_TYPES.items()}
    channels = {topic: _channel(topic, _types_of(topic)) for topic in TOPICS if _types_of(topic)}
    channels[INBOUND] = _channel(INBOUND, FACT_TYPES)
    schemas[DEAD_LETTER] = data_schema(DEAD_LETTERS)
    messages[DEAD_LETTER] = _message(DEAD_LETTER, DEAD_LETTERS.says, DEAD_LETTER)
    channels |= {f"{topic}-dlt": _channel(f"{topic}-dlt", [DEAD_LETTER]) for topic in (INBOUND, *TOPICS)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Arrears",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": {
            **{f"send {topic}": _operation("send", topic) for topic in channels if topic != INBOUND},
            f"receive {INBOUND}": _operation("receive", INBOUND),
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _field(form: str) -> dict[str, Any]:
    schema = _FORMS[form.removesuffix("?")]
    return {**schema, "type": [schema["type"], "null"]} if form.endswith("?") else schema


def _types_of(topic: str) -> list[str]:
    return [name for name, kind in EVENT_TYPES.items() if kind.topic == topic]


def _inbound_schemas() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(FACT_TYPES.values(), ref_template=_SCHEMAS + "{name}")
    for schema in components.values():
        schema.pop("description", None)  # a dataclass's signature
        for name, field in schema.get("properties", {}).items():
            if name.endswith("_at"):
                field["format"] = "date-time"
    return components


def _said(fact: type) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in fact.__name__)
    return f"From the core-banking system:{words}."


def _message(name: str, summary: str, schema: str) -> dict[str, Any]:
    return {
        "name": name,
        "summary": summary,
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string"},
                "source": {"type": "string"},
                "type": {"const": name},
                "subject": {"type": "string"},
                "time": {"type": "string", "format": "date-time"},
                "data": {"$ref": _SCHEMAS + schema},
            },
        },
    }


def _channel(topic: str, names: Iterable[str]) -> dict[str, Any]:
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(action: str, topic: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}
