"""The OpenAPI 3.1 document: FastAPI's, with what our frame adds to every route written in.

Problems instead of FastAPI's validation errors, the roles a route admits (``x-roles``), the headers that idempotent
creation and guarded edits ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from services.api.errors import MEDIA_TYPE, PROBLEM_BASE
from services.api.etags import requires_if_match
from services.api.examples import EXAMPLES
from services.api.idempotency import requires_key
from services.api.limits import MAX_IDEMPOTENCY_KEY
from services.api.paging import is_paged
from services.api.routing import api_routes, guard_of

TAGS = {
    "accounts": "Card accounts, as reported and as later payments leave them",
    "cases": "Cases: whose, how bad, what happened, what comes next and why",
    "customers": "Customers, masked, and how they may be contacted",
    "payments": "Payments and what was taken back of them",
    "follow-ups": "Steps of the ladder: planned, put off, called off",
    "messages": "What was, is and will be said to whom",
    "templates": "The texts of messages",
    "template-findings": "Approved texts that a rule objects to by now",
    "policies": "The rules that ladders and buckets follow",
    "ops": "Queues, workers, providers, and events that were given up",
    "audit": "Who saw or decided what, and why",
    "events": "Facts from the core-banking system",
    "imports": "Files of such facts",
    "callbacks": "Delivery reports from providers",
    "complaints": "Complaints and their clocks",
    "holds": "Who is to be left in peace",
    "promises": "What was promised to be paid, and whether it was",
    "contact-permits": "May this person be contacted now, and if not, why",
    "contact-rules": "What may be said to whom and when: the rules in force, and the bank's own over them",
    "contact-attempts": "Contacts that people and diallers made",
    "contact-hours": "Hours that people agreed to or asked for",
    "contact-circumstances": "Where people live, what they agreed to, and where they are not to be contacted",
    "limitation-entries": "What interrupts or suspends the time in which claims can be brought",
    "third-parties": "Who stands beside the debtor",
    "plans": "Repayment plans: quoted, agreed, kept or not",
    "assessments": "What a household can pay, and which plans fit",
    "affordability-guides": "What a household can be asked to live on",
    "settlements": "Less is taken than is owed, and the rest given up once it is paid",
    "waivers": "Charges that are let off",
    "approvals": "What waits for a second person",
    "worklists": "What people have to do",
    "health": "Whether this process lives and can work",
}
_DESCRIPTIONS = {
    400: "The request is malformed",
    401: "No valid access token",
    403: "None of the caller's roles permits this",
    404: "There is no such thing, or not for this caller",
    409: "Not possible in this state, or still running under this Idempotency-Key",
    412: "It was changed since it was read",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "A field is not in the expected form, or a rule forbids it",
    428: "If-Match is missing",
    503: "A part is missing for now; Retry-After says when to ask again",
}
_TEXT = {"type": "string"}
_PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail", "instance", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": [PROBLEM_BASE + "not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "Path of the request"},
        "trace_id": {"type": "string", "description": "Quote it when you ask us"},
        "errors": {
            "type": "array",
            "description": "What is wrong where, when that can be said",
            "items": {
                "type": "object",
                "required": ["in", "pointer", "reason", "code"],
                "properties": {
                    "in": {"type": "string", "enum": ["body", "query", "path", "header", "cookie"]},
                    "pointer": {"type": "string", "description": "JSON pointer into the body, or a parameter's name"},
                    "reason": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "One value for one intended effect: the same key and body get the same answer, for seven days",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
_IF_MATCH_HEADER = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what the edit is based on",
    "schema": {"type": "string", "examples": ['"7"'], "pattern": '^("[A-Za-z0-9-]+"|\\*)$'},
}
_IF_NONE_MATCH_HEADER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what the caller has: 304 while it is still that",
    "schema": {"type": "string", "examples": ['"7"']},
}
_HEADERS = {
    "ETag": {"description": "Its version; what If-Match and If-None-Match take", "schema": _TEXT},
    "Link": {"description": "Where the next page is (``rel=next``), unless this is the last", "schema": _TEXT},
    "Location": {"description": "Where to find it from now on", "schema": _TEXT},
}


def install(app: FastAPI) -> None:
    """Let ``app.openapi()`` and ``/openapi.json`` answer the completed document, made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        license_info=app.license_info,
        tags=app.openapi_tags,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for name in EXAMPLES.keys() & schemas.keys():
        schemas[name]["examples"] = [EXAMPLES[name]]  # and not what FastAPI makes of examples: it drops every null
    for route in api_routes(app):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route)
    return document


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    calls = list(_calls(route.dependant))
    creates, edits = any(map(requires_key, calls)), any(map(requires_if_match, calls))
    guard = guard_of(route.dependant)
    responses = operation["responses"]
    reads = "304" in responses
    parameters = operation.setdefault("parameters", [])
    parameters += [_KEY_HEADER] * creates + [_IF_MATCH_HEADER] * edits + [_IF_NONE_MATCH_HEADER] * reads
    if guard is not None:
        operation["x-roles"] = sorted(guard.roles)
    if not parameters:
        del operation["parameters"]
    expected = {503: True}
    expected |= dict.fromkeys((401, 403), guard is not None)
    expected |= {404: bool(route.param_convertors), 409: creates or edits, 412: edits, 428: edits}
    expected |= dict.fromkeys((400, 422), bool(parameters) or "requestBody" in operation)
    expected |= dict.fromkeys((413, 415), "requestBody" in operation)
    for status, applies in expected.items():
        if applies and (str(status) not in responses or status == 422):
            responses[str(status)] = _problem(status)
    for status, response in responses.items():
        if status >= "400" and "content" not in response:
            response["content"] = _PROBLEM_CONTENT
    names = ["Location"] * creates + ["ETag"] * (edits or reads) + ["Link"] * any(map(is_paged, calls))
    if names:
        responses["201" if creates else "200"]["headers"] = {name: _HEADERS[name] for name in names}


def _problem(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": _DESCRIPTIONS[status],
        "content": _PROBLEM_CONTENT,
    }
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return response


def _calls(dependant: Dependant) -> Iterator[object]:
    for child in dependant.dependencies:
        yield child.call
        yield from _calls(child)
