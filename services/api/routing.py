"""Routes by noun: a router for each, found by the path's second step, with guard and JSON checked before FastAPI.

FastAPI tries routes one after the other, so that the last of hundreds would answer at half the speed of the first; and
``include_router`` makes every request pay for every router. Here the noun picks its own few routes at once, and a route
without a body calls its endpoint itself (``direct.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api import direct
from services.api.errors import BadRequest
from services.api.security import Guard
from shared.adapters.codec import contains_nul

_ENCODED_SLASH = re.compile(b"%2f", re.IGNORECASE)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRequest(Request):
    """Reads JSON strictly: UTF-8, no lone surrogates, no NaN, no NUL, nesting within reason."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            body = await self.body()
            document = orjson.loads(body)
            if b"\\u0000" in body and contains_nul(document):
                # FastAPI turns this kind of error into a validation error, errors.py that into "malformed-json".
                raise json.JSONDecodeError("contains the NUL character", "", 0)
            self._json = document
        return self._json


class StrictRoute(APIRoute):
    """A route whose guard runs before its body is read, and whose body is strict JSON."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        # What a provider adds to the address of its callbacks is the provider's affair.
        known = None if self.path.startswith("/v1/callbacks/") else _query_names(self.dependant)
        self._check_query = partial(_check_query, known)
        call = direct.call_of(self.dependant) if self.body_field is None else None
        if call is not None and direct.makes_its_answer(endpoint):
            self.app = _answering(call, guard_of(self.dependant), self._check_query)

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        guard = guard_of(self.dependant)
        has_body = self.body_field is not None

        async def handle(request: Request) -> Response:
            if guard is not None:
                await guard.admit(request.scope)
            self._check_query(request)
            if not has_body:
                return await handler(request)
            _check_media_type(request)
            return await handler(StrictRequest(request.scope, request.receive))

        return handle


def _answering(call: direct.Call, guard: Guard | None, check_query: Callable[[Request], None]) -> ASGIApp:
    """The same as FastAPI makes of an endpoint, without what ours do not need."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        known = {} if guard is None else {guard: await guard.admit(scope)}
        request = Request(scope, receive, send)
        check_query(request)
        response = await call.answer(request, known)
        await response(scope, receive, send)

    return app


def noun_router(noun: str) -> APIRouter:
    """The router of everything under ``/v1/<noun>``."""
    return APIRouter(prefix=f"/v1/{noun}", tags=[noun], route_class=StrictRoute)


class NounDispatch:
    """Sends ``/v1/<noun>/...`` to the routes of that noun; everything else to ``rest``."""

    def __init__(self, routes: Iterable[BaseRoute], rest: ASGIApp) -> None:
        by_noun: dict[str, list[BaseRoute]] = {}
        for route in routes:
            noun = _noun(getattr(route, "path", ""))
            if noun is not None:
                by_noun.setdefault(noun, []).append(route)
        self._rest = rest
        self._by_noun = {noun: (found, Router(found, redirect_slashes=False)) for noun, found in by_noun.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._by_noun.get(_noun(scope["path"]) or "") if scope["type"] == "http" else None
        if found is None:
            await self._rest(scope, receive, send)
            return
        routes, router = found
        asked = _kept_whole(scope)
        for route in routes:
            match, inner = route.matches(asked)
            if match is Match.FULL:
                scope.update(inner)
                if asked is not scope:
                    scope["path_params"] = {name: _with_slashes(value) for name, value in inner["path_params"].items()}
                await route.handle(scope, receive, send)
                return
        await router(scope, receive, send)  # says what is wrong: 404, 405


def install(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Put every route of ``routers`` into ``app``; clashing operation ids are refused."""
    for router in routers:
        app.router.routes.extend(router.routes)
    seen: dict[str, str] = {}
    for route in api_routes(app):
        operation = operation_id(route)
        if seen.setdefault(operation, route.path) != route.path:
            raise ValueError(f"operation {operation} is both {seen[operation]} and {route.path}")
        route.operation_id = operation
    app.router.middleware_stack = NounDispatch(app.router.routes, app.router.middleware_stack)


def api_routes(app: FastAPI) -> Iterator[APIRoute]:
    return (route for route in app.router.routes if isinstance(route, APIRoute))


def operation_id(route: APIRoute) -> str:
    """The endpoint's name in camel case: what a generated client calls it."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def guard_of(dependant: Dependant) -> Guard | None:
    """The guard among a route's dependencies."""
    for child in dependant.dependencies:
        if isinstance(child.call, Guard):
            return child.call
        found = guard_of(child)
        if found is not None:
            return found
    return None


def _noun(path: str) -> str | None:
    steps = path.split("/", 3)
    return steps[2] if len(steps) > 2 and steps[1] == "v1" and steps[2] else None


def _kept_whole(scope: Scope) -> Scope:
    """With an encoded slash as a NUL, which no path holds: an id of the bank's may have one, and is one step all the
    same."""
    steps = _ENCODED_SLASH.split(scope.get("raw_path") or b"")
    if len(steps) == 1:
        return scope
    return {**scope, "path": "\0".join(unquote(step.decode("latin-1")) for step in steps)}


def _with_slashes(value: Any) -> Any:
    return value.replace("\0", "/") if isinstance(value, str) else value


def _query_names(dependant: Dependant) -> frozenset[str]:
    own = frozenset(each.alias for each in dependant.query_params)
    return own.union(*map(_query_names, dependant.dependencies))


def _check_query(known: frozenset[str] | None, request: Request) -> None:
    """A filter that is misspelt must not list everything."""
    if known is None or not request.scope["query_string"]:
        return
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "msg": "Not known here"} for name in unknown]
        )


def _check_media_type(request: Request) -> None:
    given = request.headers.get("content-type")
    if given is None:
        return
    media_type = given.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise BadRequest("unsupported-media-type", "Send the body as application/json.", status=415)
