"""A suite at work, for tests that call every operation: real customers behind on real cards, reminders out, calls to
make, a message in doubt, an import with a refused line, events that were given up. It runs in a thread of its own, so
that tests may speak plain blocking HTTP to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from services.api.dev_issuer import DevIssuer
from services.demo import Driver, Instant
from services.embedded import LocalSettings
from services.suite import Suite
from services.together import running
from shared.adapters.postgres.migrate import SCHEMA
from shared.adapters.postgres.shelf import seed_documents
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.conftest import Database, copy_of_template
from tests.feeds import CHINA, payment, report

CUSTOMERS = 8
REPORTED = datetime(2026, 6, 25, 2, tzinfo=CHINA).astimezone(UTC)
DUE = date(2026, 6, 20)
NOW = datetime(2026, 7, 6, 4, tzinfo=UTC)  # noon in Shanghai; three reminders and a call are behind everybody
DOUBTS = 3
REFUSED_LINE = b'{"specversion": "1.0"}\n'
EVERYBODY = tuple(Role)


class Office:
    """``client`` speaks to the API without a token; ``token`` makes one; ``sql`` looks and plants as the owner."""

    def __init__(self, suite: Suite, issuer: DevIssuer, database: Database, loop: asyncio.AbstractEventLoop) -> None:
        self.url = f"http://127.0.0.1:{suite.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self._issuer = issuer
        self._database = database
        self._loop = loop

    def token(self, *roles: Role, subject: str = "li.na") -> str:
        return self._issuer.make_token(*roles, subject=subject)

    def call(self, method: str, path: str, *roles: Role, subject: str = "li.na", **request: Any) -> httpx.Response:
        """A call under ``roles``, with a fresh Idempotency-Key, which routes that need none pass over."""
        headers = {"authorization": f"Bearer {self.token(*roles, subject=subject)}", "idempotency-key": str(uuid4())}
        request["headers"] = headers | request.get("headers", {})
        return self.client.request(method, path, **request)

    def read(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", path, *EVERYBODY, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tag(self, path: str) -> str:
        """The ETag of what is to be edited."""
        return self.call("GET", path, *EVERYBODY).headers["etag"]

    def sql(self, statement: str, *args: Any) -> list[dict[str, Any]]:
        return asyncio.run_coroutine_threadsafe(self._run(statement, *args), self._loop).result(20)

    async def _run(self, statement: str, *args: Any) -> list[dict[str, Any]]:
        owner = await asyncpg.connect(self._database.owner_dsn, server_settings={"search_path": SCHEMA})
        try:
            return [dict(row) for row in await owner.fetch(statement, *args)]
        finally:
            await owner.close()


@contextlib.contextmanager
def open_office(postgres: EmbeddedPostgres, home: Path) -> Iterator[Office]:
    """The office, open; it is shut when the block is left."""
    opened, shut = threading.Event(), threading.Event()
    found: list[Office] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(_keep_open(postgres, home, found, opened, shut))
        except BaseException as error:  # noqa: BLE001 - told to the test, whose thread is another
            failed.append(error)
        finally:
            opened.set()

    thread = threading.Thread(target=work, name="office")
    thread.start()
    opened.wait()
    try:
        if failed:
            raise failed[0]
        yield found[0]
    finally:
        shut.set()
        thread.join(30)
        if found:
            found[0].client.close()
    if failed:
        raise failed[0]


async def _keep_open(
    postgres: EmbeddedPostgres, home: Path, found: list[Office], opened: threading.Event, shut: threading.Event
) -> None:
    async with copy_of_template(postgres) as database:
        await seed_documents(database.owner_dsn)
        settings = LocalSettings(
            home=home, database_url=database.owner_dsn, manual_clock=True,
            api_port=0, sandbox_http_port=0, sandbox_smtp_port=0,
        )  # fmt: skip
        async with running(settings) as suite:
            issuer = DevIssuer(home, audience="arrears")
            await _work(suite, issuer, database.owner_dsn)
            found.append(Office(suite, issuer, database, asyncio.get_running_loop()))
            opened.set()
            while not shut.is_set():
                await asyncio.sleep(0.05)


async def _work(suite: Suite, issuer: DevIssuer, owner_dsn: str) -> None:
    """Everybody falls behind and is reminded; the first mails that are taken are never answered for."""
    reports = tuple(report(number, REPORTED, [(DUE, 100_000 + number)], 1) for number in range(CUSTOMERS))
    token = issuer.make_token(Role.CORE_BANKING)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{suite.port}", timeout=30) as client:
        knobs = {"email": {"never_answer_next": DOUBTS, "never_answer_mode": "close"}}
        (await client.patch(f"{suite.sandbox_url}/knobs", json=knobs)).raise_for_status()
        driver = Driver(suite.pool, client, token, wake=suite.wake)
        paid = payment(1, NOW - timedelta(days=1), 1000)
        await driver.drive(
            [Instant(REPORTED, (*reports, REFUSED_LINE)), Instant(NOW - timedelta(days=1), (paid,))], NOW
        )
        client.headers["authorization"] = f"Bearer {token}"
        await _give_up_events(client, owner_dsn)


async def _give_up_events(client: httpx.AsyncClient, owner_dsn: str) -> None:
    """Four events that can not be applied, and are not tried any more."""
    owner = await asyncpg.connect(owner_dsn, server_settings={"search_path": SCHEMA})
    try:
        await owner.execute(
            "alter table accounts add constraint not_taken check (account_id not like 'A90%') not valid"
        )
        for number in range(901, 905):
            content = report(number, NOW - timedelta(hours=1), [(DUE, 100_000)], 1)
            kind = {"content-type": "application/cloudevents+json"}
            answer = await client.post("/v1/events", content=content, headers=kind)
            assert answer.status_code == 202, answer.text
        await owner.execute("update parked set state = 'dead' where state = 'parked'")
        await owner.execute("alter table accounts drop constraint not_taken")
    finally:
        await owner.close()
