"""The OpenAPI document is complete enough to generate a client from, and to know what to expect without asking us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from tests.services.api.operations import DOCUMENT, Operation, operations

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
ALL = pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)
# What tells a type of a value; one of them is enough.
TYPED = ("type", "$ref", "anyOf", "oneOf", "allOf", "const", "enum")
# What is of no fixed shape: another's document, or one that is shown as it is on record.
FREE = {
    "AuditOut.detail",
    "DecisionOut.facts",
    "HistoryEntry.reported",
    "MessageOut.decision",
    "OverlayIn.add",
    "OverlayIn.add_texts",
    "OverlayOut.add",
    "OverlayOut.add_texts",
    "OverlayOut.changes",
    "PolicyOut.document",
    "RuleChange.parameters",
    "RuleOut.parameters",
    "RuleOut.when",
    "TimelineLine.data",
    "receiveEvents.data",
    "takeDeliveryReports",
}


@ALL
def test_an_operation_says_what_it_is(operation: Operation) -> None:
    about = operation.about
    for word in ("summary", "description", "operationId"):
        assert about.get(word), word
    assert len(about["summary"]) <= 60
    assert not about["summary"].endswith(".")
    assert len(about["tags"]) == 1
    assert about["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}


@ALL
def test_an_operation_says_who_may_call_it(operation: Operation) -> None:
    if operation.roles:
        assert operation.about["security"] == [{"bearer": []}]
        assert {"401", "403"} <= set(operation.about["responses"])


@ALL
def test_every_refusal_is_a_documented_problem(operation: Operation) -> None:
    responses = operation.about["responses"]
    expected = set()
    if operation.about.get("parameters") or "requestBody" in operation.about:
        expected |= {"400", "422"}
    if "{" in operation.path:
        expected.add("404")
    if operation.method != "GET" and "requestBody" in operation.about:
        expected |= {"413", "415"}
    assert expected <= set(responses)
    for status, response in responses.items():
        assert response["description"], status
        if int(status) >= 400 and (operation.id, status) != ("checkReady", "503"):
            schema = response["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, status


@ALL
def test_what_is_read_can_be_changed_on_its_etag(operation: Operation) -> None:
    """Whoever needs an If-Match must be told where ETags come from."""
    for name in [each["name"] for each in operation.about.get("parameters", ())]:
        if name == "If-Match":
            assert "ETag" in operation.about["responses"]["200"]["headers"]
            assert {"409", "412", "428"} <= set(operation.about["responses"])
        if name == "Idempotency-Key":
            assert "Location" in operation.about["responses"]["201"]["headers"]
        if name == "cursor":
            assert "Link" in operation.about["responses"]["200"]["headers"]
        if name == "If-None-Match":
            assert "304" in operation.about["responses"]


def test_the_noun_of_every_edit_shows_its_etag() -> None:
    reads = {
        operation.path for operation in operations()
        if operation.method == "GET" and "ETag" in operation.about["responses"]["200"].get("headers", {})
    }  # fmt: skip
    for operation in operations():
        if any(each["name"] == "If-Match" for each in operation.about.get("parameters", ())):
            assert operation.path in reads or operation.path.rsplit("/", 1)[0] in reads, operation.id


@ALL
def test_bodies_and_answers_have_an_example(operation: Operation) -> None:
    for where, schema in _contents(operation):
        if schema.get("format") != "binary":
            assert _has_example(schema), where


@ALL
def test_bodies_answers_and_parameters_are_typed(operation: Operation) -> None:
    for where, schema in _contents(operation):
        _check_typed(schema, where)
    for parameter in operation.about.get("parameters", ()):
        _check_typed(parameter["schema"], f"{operation.id}.{parameter['name']}")


@ALL
def test_a_body_takes_no_field_that_it_does_not_know(operation: Operation) -> None:
    """But for what providers and the core-banking system send: their messages may grow."""
    if operation.path.startswith(("/v1/events", "/v1/callbacks/")):
        return
    for content in operation.about.get("requestBody", {}).get("content", {}).values():
        growing = [name for name in _models_in(content["schema"]) if "additionalProperties" not in SCHEMAS[name]]
        assert growing == []


def _models_in(schema: Any) -> set[str]:
    """The names of the objects with fields that a schema leads to."""
    found: set[str] = set()
    pending = [schema]
    while pending:
        for name in re.findall(r"#/components/schemas/([A-Za-z0-9_]+)", str(pending.pop())):
            if name not in found and "properties" in SCHEMAS[name]:
                found.add(name)
                pending.append(SCHEMAS[name])
    return found


def test_every_field_of_every_schema_is_typed() -> None:
    for name, schema in SCHEMAS.items():
        _check_typed(schema, name)


def test_every_schema_is_used() -> None:
    text = str(DOCUMENT)
    assert [name for name in SCHEMAS if f"#/components/schemas/{name}'" not in text] == []


def _contents(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of the body and of what is answered when it goes well."""
    for kind, content in operation.about.get("requestBody", {}).get("content", {}).items():
        yield f"{operation.id} {kind}".removesuffix(" application/json"), content["schema"] | _example_of(content)
    for status, response in operation.about["responses"].items():
        if status < "300":
            assert response.get("content"), (operation.id, status)
            for content in response["content"].values():
                yield f"{operation.id} {status}", content["schema"] | _example_of(content)


def _example_of(content: dict[str, Any]) -> dict[str, Any]:
    return {name: content[name] for name in ("example", "examples") if name in content}


def _has_example(schema: dict[str, Any]) -> bool:
    """Itself, or what it is made of."""
    if "$ref" in schema and "example" not in schema:
        return _has_example(SCHEMAS[schema["$ref"].rsplit("/", 1)[1]])
    if "example" in schema or "examples" in schema:
        return True
    parts = schema.get("anyOf") or schema.get("oneOf") or []
    if parts:
        return all(_has_example(part) for part in parts)
    if schema.get("type") == "array":
        return _has_example(schema["items"])
    return "items" in schema.get("properties", {}) and _has_example(schema["properties"]["items"])


def _check_typed(schema: dict[str, Any], where: str) -> None:
    assert any(word in schema for word in TYPED), f"{where}: no type"
    for word in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(word, ()):
            _check_typed(part, where)
    if schema.get("type") == "array":
        assert "items" in schema, where
        _check_typed(schema["items"], where)
    if schema.get("type") == "object":
        _check_object(schema, where)


def _check_object(schema: dict[str, Any], where: str) -> None:
    for name, part in schema.get("properties", {}).items():
        _check_typed(part, f"{where.split(' ')[0]}.{name}")
    if "properties" in schema:
        return
    more = schema.get("additionalProperties")
    if isinstance(more, dict) and more:
        _check_typed(more, where)
    else:
        assert where in FREE, f"{where}: an object of no known shape"


def test_every_example_is_what_its_schema_says() -> None:
    for name, schema in SCHEMAS.items():
        whole = {**schema, "components": DOCUMENT["components"]}
        examples = [*schema.get("examples", ()), *([schema["example"]] if "example" in schema else [])]
        reader = jsonschema_rs.validator_for(whole, validate_formats=True)
        for example in examples:
            assert not [str(error) for error in reader.iter_errors(example)], name
            assert not example.keys() - schema["properties"].keys(), name
