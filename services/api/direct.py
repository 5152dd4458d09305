"""From a request to the arguments of its endpoint, worked out once a route and not at every request.

FastAPI finds out anew each time what each parameter of a route is, which costs more than the keyed read behind it. Most
of our routes need little of it: guards and other coroutines that take the request, and parameters of path and query.
For these the arguments are put together here; a value that was sent is validated by FastAPI's own field. A route that
needs more (a body, headers, cookies, lists, a response to fill) is left to FastAPI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from inspect import iscoroutinefunction
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime
from starlette.requests import Request
from starlette.responses import Response

_SINGLE = (str, int, date, AwareDatetime, UUID, Enum, type(None))  # a bool is an int, a datetime a date
_UNCHANGING = (type(None), str, int, bool, Enum)


class _Parameters:
    """Parameters of one place, of one value each."""

    def __init__(self, fields: Sequence[Any]) -> None:
        self._fields = [(each.alias, (each.field_info.in_.value, each.alias), each) for each in fields]
        self._required = [each for each in fields if each.field_info.is_required()]
        self._defaults = {each.name: each.default for each in fields if not each.field_info.is_required()}

    def read(self, sent: Mapping[str, Any], values: dict[str, Any], errors: list[Any]) -> None:
        values.update(self._defaults)
        if not sent:
            errors += request_params_to_args(self._required, sent)[1]
            return
        for alias, place, field in self._fields:
            value = sent.get(alias)
            if value is not None:
                values[field.name], wrong = field.validate(value, values, loc=place)
            elif field in self._required:
                _, wrong = request_params_to_args([field], sent)
            else:
                continue
            errors += wrong


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A coroutine function with what its arguments come from."""

    function: Callable[..., Awaitable[Any]]
    request_as: str | None
    needs: tuple[tuple[str | None, Call], ...]
    path: _Parameters
    query: _Parameters

    async def arguments(self, request: Request, known: dict[Any, Any], errors: list[Any]) -> dict[str, Any]:
        """``known`` are results by function: each is asked once a request. What is wrong goes to ``errors``."""
        values: dict[str, Any] = {}
        for name, need in self.needs:
            if need.function not in known:
                before = len(errors)
                arguments = await need.arguments(request, known, errors)
                if len(errors) > before:
                    continue
                known[need.function] = await need.function(**arguments)
            if name is not None:
                values[name] = known[need.function]
        self.path.read(request.path_params, values, errors)
        self.query.read(request.query_params if request.scope["query_string"] else {}, values, errors)
        if self.request_as is not None:
            values[self.request_as] = request
        return values

    async def answer(self, request: Request, known: dict[Any, Any]) -> Response:
        """Of an endpoint: what it answers. Raises RequestValidationError as FastAPI does."""
        errors: list[Any] = []
        values = await self.arguments(request, known, errors)
        if errors:
            raise RequestValidationError(errors)
        response: Response = await self.function(**values)
        return response


def call_of(dependant: Dependant) -> Call | None:
    """How to call it, or None where that is left to FastAPI."""
    needs = [(each.name, call_of(each)) for each in dependant.dependencies]
    known = tuple((name, need) for name, need in needs if need is not None)
    if dependant.call is None or len(known) < len(needs) or not _is_plain(dependant):
        return None
    return Call(
        function=dependant.call,
        request_as=dependant.request_param_name,
        needs=known,
        path=_Parameters(dependant.path_params),
        query=_Parameters(dependant.query_params),
    )


def makes_its_answer(endpoint: Callable[..., Any]) -> bool:
    """Does it return a Response, that FastAPI has nothing to do with?"""
    try:
        returned = get_type_hints(endpoint).get("return")
    except NameError:  # annotated with what is known only where it was defined
        return False
    return isinstance(returned, type) and issubclass(returned, Response)


def _is_plain(dependant: Dependant) -> bool:
    call = dependant.call
    coroutine = iscoroutinefunction(call) or (callable(call) and iscoroutinefunction(type(call).__call__))
    needs_more = (
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
        dependant.concurrency,
        not dependant.use_cache,
    )
    fields = (*dependant.path_params, *dependant.query_params)
    return coroutine and not any(needs_more) and all(map(_is_simple, fields))


def _is_simple(field: Any) -> bool:
    info = field.field_info
    if info.validation_alias not in (None, field.alias) or not _is_one_value(info.annotation):
        return False
    return info.is_required() or (isinstance(field.default, _UNCHANGING) and not info.validate_default)


def _is_one_value(annotation: Any) -> bool:
    """Text, a number, a date, a word of a list, or None: not a list, nor a model with fields of its own."""
    if get_origin(annotation) is Annotated:
        return _is_one_value(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return all(map(_is_one_value, get_args(annotation)))
    if get_origin(annotation) is Literal:
        return True
    return isinstance(annotation, type) and issubclass(annotation, _SINGLE)
