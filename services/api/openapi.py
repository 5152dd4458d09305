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
from services.api.idempotency import requires_key
from services.api.limits import MAX_IDEMPOTENCY_KEY
from services.api.routing import api_routes, guard_of

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
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY, "pattern": "^[A-Za-z0-9._:-]+$"},
}
_IF_MATCH_HEADER = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what the edit is based on",
    "schema": {"type": "string", "examples": ['"7"'], "pattern": '^("[A-Za-z0-9-]+"|\\*)$'},
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
    parameters = operation.setdefault("parameters", [])
    parameters += [_KEY_HEADER] * creates + [_IF_MATCH_HEADER] * edits
    if guard is not None:
        operation["x-roles"] = sorted(guard.roles)
    if not parameters:
        del operation["parameters"]
    expected = {503: True}
    expected |= dict.fromkeys((401, 403), guard is not None)
    # A creation may name a thing that is not there; an act on a thing may come in a state that does not allow it.
    acts = bool(route.param_convertors) and "POST" in (route.methods or ())
    expected |= {404: bool(route.param_convertors) or creates, 409: creates or edits or acts, 412: edits, 428: edits}
    expected |= dict.fromkeys((400, 422), bool(parameters) or "requestBody" in operation)
    expected |= dict.fromkeys((413, 415), "requestBody" in operation)
    responses = operation["responses"]
    for status, applies in expected.items():
        if applies and (str(status) not in responses or status == 422):
            responses[str(status)] = _problem(status)


def _problem(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": _DESCRIPTIONS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return response


def _calls(dependant: Dependant) -> Iterator[object]:
    for child in dependant.dependencies:
        yield child.call
        yield from _calls(child)
