"""``arrears demo``: six months of a portfolio under the manual clock, with a report at the end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated

import httpx
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.api.dev_issuer import DevIssuer
from services.demo import Driver, instants
from services.demo_report import report
from services.local import LocalSettings, Suite, running
from services.running import settle_memory
from shared.adapters.synthetic import portfolio
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.logging import configure_logging

START = date(2026, 4, 1)
MONTHS = 6


def demo(
    feed: Annotated[Path | None, typer.Option(help="Events as NDJSON, ordered by time.", exists=True)] = None,
    customers: Annotated[int, typer.Option(help="Size of the built-in portfolio.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the built-in portfolio.")] = 1,
    home: Annotated[Path, typer.Option(help="Emptied first; the database and the log stay there.")] = Path(
        ".arrears/demo"
    ),
) -> None:
    """Move the manual clock through half a year, and show what happened. Fails when a law is broken."""
    if home.exists() and not (home / "pgdata").exists() and any(home.iterdir()):
        raise typer.BadParameter(f"{home} holds something that is not a demo; it would be emptied", param_hint="--home")
    EmbeddedPostgres(home).destroy()  # its data may lie elsewhere, where the server's account can reach it
    lines = feed.read_bytes().splitlines() if feed else list(portfolio(customers, MONTHS, seed, START))
    configure_logging("demo", level="ERROR")
    settle_memory()
    raise typer.Exit(uvloop.run(_demo(home, lines)))


async def _demo(home: Path, lines: list[bytes]) -> int:
    settings = LocalSettings(
        home=home, manual_clock=True, api_port=0, sandbox_http_port=0, sandbox_smtp_port=0, sample_customers=0
    )
    console = Console()
    began = perf_counter()
    async with running(settings) as suite:
        await _drive(suite, lines, console)
        elapsed = perf_counter() - began
        async with suite.pool.acquire() as conn:
            return await report(conn, home, console, len(lines), elapsed)


async def _drive(suite: Suite, lines: Iterable[bytes], console: Console) -> None:
    token = DevIssuer(suite.settings.home, audience=suite.settings.auth_audience).make_token(Role.CORE_BANKING)
    lines = list(lines)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("events", total=len(lines))

        def show(done: int, at: datetime) -> None:
            bar.update(task, completed=done, description=f"{at:%Y-%m-%d}")

        url = f"http://127.0.0.1:{suite.port}"
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            driver = Driver(suite.pool, client, token, wake=suite.wake, progress=show)
            await driver.drive(instants(lines))
