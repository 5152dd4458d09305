"""Does it stay as quick when the book grows? The same measures on a small book and on a large one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, cycle

from services.api.dev_issuer import DevIssuer
from shared.application.principal import Role
from tests.benchmarks import books, feed
from tests.benchmarks.importing import _pieces, send
from tests.benchmarks.load import get, post, run_load
from tests.benchmarks.outcome import Line, median
from tests.benchmarks.serve import served
from tests.benchmarks.stage import Stage, settle

SMALL = 10_000
REPORTS = 10_000


async def run(stage: Stage) -> None:
    """Reads, payments and an import of reports on known accounts, small book and large by turns."""
    large = stage.options.accounts
    small = min(SMALL, large // 5)
    books_of = {size: await books.filled(stage, f"bench_grown_{size}", size) for size in (small, large)}
    found: dict[int, dict[str, list[float]]] = {size: {} for size in books_of}
    for turn in range(stage.options.rounds):
        for size, dsn in books_of.items():
            await settle(dsn)
            for path, rate in (await _measured(stage, dsn, size, turn, min(REPORTS, small))).items():
                found[size].setdefault(path, []).append(rate)
    for path, rates in found[large].items():
        name = f"{path}: {large:,} accounts | {small:,}"
        stage.add(Line(name, median(rates), "per s", median(found[small][path]), 0.85))


async def _measured(stage: Stage, dsn: str, size: int, turn: int, reports: int) -> dict[str, float]:
    issuer = DevIssuer(stage.home, audience="arrears")
    reader, core = issuer.make_token(Role.SUPERVISOR), issuer.make_token(Role.CORE_BANKING)
    now = datetime.now(UTC)
    spread = [number * 7919 % size for number in range(reports)]

    def payments() -> Iterator[bytes]:
        for ordinal in count():
            body = feed.payment(ordinal * 7919 % size, now, turn * 10_000_000 + ordinal)
            yield post("/v1/events", body, core, "application/cloudevents+json")

    lines = [feed.report(number, now, (now - timedelta(days=6)).date(), sequence=turn + 2) for number in set(spread)]
    async with served("ours", dsn, stage.home) as (port, _):
        reads = cycle([get(f"/v1/accounts/ACC{number:08d}", reader) for number in spread])
        await run_load(port, reads, seconds=0.5)
        read = await run_load(port, reads, seconds=stage.options.seconds)
        paid = await run_load(port, payments(), seconds=stage.options.seconds)
        took = await send(stage, port, f"growth {turn}", _pieces(b"\n".join(lines) + b"\n"))
    return {"GET one account": read.per_second, "POST one payment": paid.per_second, "import": len(lines) / took}
