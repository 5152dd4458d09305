"""A route that calls its endpoint itself answers as FastAPI would have."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, Query, Request, Response
from fastapi.dependencies.utils import get_dependant
from fastapi.routing import request_response
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api import direct
from services.api.app import ROUTERS
from services.api.responses import Json
from services.api.routing import StrictRoute, install


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


async def _half(request: Request, whole: Annotated[int, Query(ge=0, le=100)] = 10) -> int:
    request.state.asked = getattr(request.state, "asked", 0) + 1
    return whole // 2


async def _quarter(half: Annotated[int, Depends(_half)]) -> int:
    return half // 2


async def read_list(names: Annotated[list[str], Query()] = []) -> Json:  # noqa: B006 - a default that FastAPI copies
    return Json(names)


async def read_plain(
    number: int,
    request: Request,
    half: Annotated[int, Depends(_half)],
    quarter: Annotated[int, Depends(_quarter)],
    size: Annotated[int, Query(gt=0)],
    colour: Colour | None = None,
    *,
    short: bool = False,
) -> Json:
    told = {"number": number, "half": half, "quarter": quarter, "size": size, "colour": colour}
    return Json({**told, "short": short, "asked": request.state.asked})


def _client(route_class: type[Any]) -> httpx.AsyncClient:
    router = APIRouter(route_class=route_class)
    router.get("/v1/things/{number}")(read_plain)
    app = FastAPI()
    install(app, [router])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


class _AsFastApiDoes(StrictRoute):
    """The route with FastAPI's own application put back."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = request_response(self.get_route_handler())


_values = st.sampled_from(["", "0", "1", "7", "100", "101", "-1", "red", "blue", "true", "x", "1.5", "é", " 5"])
_queries = st.lists(st.tuples(st.sampled_from(["whole", "size", "colour", "short", "other"]), _values), max_size=6)


@settings(max_examples=150)
@given(number=st.sampled_from(["1", "x", "-3", "1.0"]), query=_queries)
def test_whatever_is_asked_the_answer_is_the_one_of_fastapi(number: str, query: list[tuple[str, str]]) -> None:
    async def ask(route_class: type[Any]) -> tuple[int, Any]:
        async with _client(route_class) as client:
            answer = await client.get(f"/v1/things/{number}", params=query)
            return answer.status_code, answer.json()

    assert asyncio.run(ask(StrictRoute)) == asyncio.run(ask(_AsFastApiDoes))


async def test_a_dependency_that_two_ask_for_runs_once() -> None:
    async with _client(StrictRoute) as client:
        answer = await client.get("/v1/things/3?size=1&whole=40")
    assert answer.json() == {
        "number": 3,
        "half": 20,
        "quarter": 10,
        "size": 1,
        "colour": None,
        "short": False,
        "asked": 1,
    }


def _header(token: Annotated[str, Header()]) -> Response:
    return Response(token)


async def _header_too(token: Annotated[str, Header()]) -> Response:
    return Response(token)


async def _fills(response: Response) -> Response:
    return response


async def _later(tasks: BackgroundTasks) -> Response:
    return Response(background=tasks)


def _blocking(request: Request) -> Response:
    return Response()


@pytest.mark.parametrize("endpoint", [_header, _header_too, _fills, _later, _blocking, read_list])
def test_what_needs_more_is_left_to_fastapi(endpoint: Any) -> None:
    assert direct.call_of(get_dependant(path="/", call=endpoint)) is None


async def _plain_data() -> dict[str, int]:
    return {}


def test_an_endpoint_whose_answer_fastapi_has_to_make_is_left_to_it() -> None:
    assert not direct.makes_its_answer(_plain_data)
    assert direct.makes_its_answer(read_plain)


def test_every_read_of_the_api_is_direct() -> None:
    reads = [route for router in ROUTERS for route in router.routes if route.methods == {"GET"}]
    slow = [route.path for route in reads if route.path.startswith("/v1/") and direct.call_of(route.dependant) is None]
    assert slow == []
