"""A small API on the real frame: guarded reads, an idempotent creation, a guarded edit, a paged list."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx
from fastapi import Request, Response
from pydantic import BaseModel

from services.api.app import create_app
from services.api.deps import Deps, make_deps
from services.api.dev_issuer import DevIssuer
from services.api.etags import ExpectedVersion, etag, not_modified
from services.api.idempotency import Idempotent
from services.api.limits import Currency, Identifier, Int64, MinorUnits, QueryInt, ShortText
from services.api.paging import Page, Paging
from services.api.responses import Json, created
from services.api.routes import health
from services.api.routing import noun_router
from services.api.security import require
from services.api.settings import ApiSettings
from shared.adapters.postgres.pool import Pool
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Invalid, NotFound

Reader = Annotated[Principal, require(Role.COLLECTOR, Role.AUDITOR)]
Writer = Annotated[Principal, require(Role.COLLECTOR)]

widgets = noun_router("widgets")
gadgets = noun_router("gadgets")


class Gate:
    """Where slow requests wait, what they have to write written and not committed."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def pass_by(self) -> None:
        self.reached.set()
        await self.open.wait()


class WidgetIn(BaseModel):
    name: ShortText
    amount: MinorUnits
    currency: Currency = "CNY"
    rank: Int64 = 0


class Widget(BaseModel):
    id: str
    name: str
    amount: int


@widgets.get("", response_model=Page[Widget])
async def list_widgets(caller: Reader, page: Paging, name: ShortText | None = None) -> Json:
    start = 0 if page.after is None else int(page.after[0]) + 1
    rows = [{"n": n, "id": f"w{n}", "name": name or "x", "amount": n} for n in range(start, 5)][: page.fetch]
    return page.answer(
        rows, key=lambda row: (row["n"],), item=lambda row: {k: row[k] for k in ("id", "name", "amount")}
    )


@widgets.post("", response_model=Widget, status_code=201)
async def create_widget(body: WidgetIn, caller: Writer, deps: Deps, once: Idempotent, request: Request) -> Response:
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        if body.name == "refused":
            raise Conflict("No.", code="widget-refused")
        number = await tx.conn.fetchval("insert into widgets (name) values ($1) returning id", body.name)
        if body.name == "slow":
            await request.app.state.gate.pass_by()
        answer = created(Widget(id=str(number), name=body.name, amount=body.amount), location=f"/v1/widgets/{number}")
        return await once.keep(tx.conn, answer)


@widgets.get("/{widget_id}", response_model=Widget)
async def get_widget(widget_id: Identifier, caller: Reader, request: Request) -> Response:
    if widget_id == "none":
        raise NotFound("There is no such widget.")
    tag = etag(7)
    return not_modified(request, tag) or Json(
        {"id": widget_id, "name": caller.subject, "amount": 1}, headers={"etag": tag}
    )


@widgets.put("/{widget_id}", response_model=Widget)
async def replace_widget(widget_id: Identifier, body: WidgetIn, caller: Writer, expected: ExpectedVersion) -> Json:
    expected.check(7)
    if body.name == "odd":
        raise Invalid("Odd.", errors=[FieldError("/name", "is odd")])
    return Json({"id": widget_id, "name": body.name, "amount": body.amount}, headers={"etag": etag(8)})


@gadgets.get("/numbers/{number}", response_model=Widget)
async def get_number(number: QueryInt, caller: Reader) -> Json:
    return Json({"id": str(number), "name": "n", "amount": 0})


@gadgets.get("/broken")
async def get_broken(caller: Reader) -> Json:
    raise RuntimeError("secret 13812345678")


@gadgets.get("/unstorable")
async def get_unstorable(caller: Reader, deps: Deps) -> Json:
    return Json(await deps.pool.fetchval("select $1::bigint", 2**70))


def make_app(home: Path, pool=None, **settings):
    """The application and the issuer of its tokens."""
    deps = make_deps(ApiSettings(environment="development", home=home, **settings), pool or Pool(None, 1))
    app = create_app(deps, routers=(health.router, widgets, gadgets))
    app.state.gate = Gate()
    return app, DevIssuer(home, audience="arrears")


@asynccontextmanager
async def client_of(app, token: str | None = None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client
