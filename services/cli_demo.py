"""``arrears demo``: six months of a portfolio under the manual clock, with a report at the end."""

from __future__ import annotations

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
from services.demo import Driver, FeedUnreadable, instants
from services.demo_home import OWN, HomeRefused, prepare_home
from services.demo_report import report
from services.embedded import LocalSettings
from services.running import settle_memory
from services.stage import Stage, staged
from shared.adapters.synthetic import portfolio
from shared.application.principal import Role
from shared.runtime.logging import configure_logging

START = date(2026, 4, 1)
MONTHS = 6


def demo(
    feed: Annotated[Path | None, typer.Option(help="Events as NDJSON, ordered by time.", exists=True)] = None,
    customers: Annotated[int, typer.Option(help="Size of the built-in portfolio.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the built-in portfolio.")] = 1,
    home: Annotated[Path, typer.Option(help="Emptied first; the database and the log stay there.")] = OWN,
) -> None:
    """Move the manual clock through half a year, and show what happened. Fails when a law is broken."""
    lines = feed.read_bytes().splitlines() if feed else list(portfolio(customers, MONTHS, seed, START))
    if feed:
        _read(lines)
    _empty(home)
    configure_logging("demo", level="ERROR")
    settle_memory()
    raise typer.Exit(uvloop.run(_demo(home, lines)))


def _empty(home: Path) -> None:
    try:
        prepare_home(home)
    except HomeRefused as error:
        raise typer.BadParameter(str(error), param_hint="--home") from None


def _read(lines: list[bytes]) -> None:
    try:
        for _ in instants(lines):
            pass
    except FeedUnreadable as error:
        raise typer.BadParameter(str(error), param_hint="--feed") from None


async def _demo(home: Path, lines: list[bytes]) -> int:
    settings = LocalSettings(
        home=home, manual_clock=True, api_port=0, metrics_port=0, sandbox_http_port=0, sandbox_smtp_port=0,
        sample_customers=0, log_level="ERROR",
    )  # fmt: skip
    console = Console()
    began = perf_counter()
    async with staged(settings) as stage:
        await _drive(settings, stage, lines, console)
        elapsed = perf_counter() - began
        async with stage.pool.acquire() as conn:
            return await report(conn, home, console, len(lines), elapsed)


async def _drive(settings: LocalSettings, stage: Stage, lines: list[bytes], console: Console) -> None:
    token = DevIssuer(settings.home, audience=settings.auth_audience).make_token(Role.CORE_BANKING)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("events", total=len(lines))

        def show(done: int, at: datetime) -> None:
            bar.update(task, completed=done, description=f"{at:%Y-%m-%d}")

        async with httpx.AsyncClient(base_url=stage.url, timeout=120) as client:
            driver = Driver(stage.pool, client, token, wake=stage.wake, progress=show, behind=stage.behind)
            await driver.drive(instants(lines))
