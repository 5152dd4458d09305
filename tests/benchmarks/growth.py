"""Does it stay as quick when the book grows? The same measures on a small book and on a large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, cycle

from services.api.dev_issuer import DevIssuer
from shared.application.principal import Role
from tests.benchmarks import books, feed
from tests.benchmarks.importing import _pieces, send
from tests.benchmarks.load import get, post, run_load
from tests.benchmarks.outcome import Line, middle_line
from tests.benchmarks.serve import served
from tests.benchmarks.stage import Stage, settle

SMALL = 10_000
REPORTS = 10_000
TURNS = 2  # a round


async def run(stage: Stage) -> None:
    """Reads, payments and an import of reports on known accounts, small book and large by turns.

    What is asked about is a seventh, and a machine that others use changes by more from minute to minute: each turn
    measures both books one after the other, and the turn with the middle ratio counts."""
    large = stage.options.accounts
    small = min(SMALL, large // 5)
    books_of = {size: await books.filled(stage, f"bench_grown_{size}", size) for size in (small, large)}
    turns: dict[str, list[Line]] = {}
    for turn in range(TURNS * stage.options.rounds):
        rates = {}
        for size, dsn in books_of.items():
            await settle(dsn)
            rates[size] = await _measured(stage, dsn, size, turn, min(REPORTS, small))
        for path, rate in rates[large].items():
            line = Line(f"{path}: {large:,} accounts | {small:,}", rate, "per s", rates[small][path], 0.85)
            turns.setdefault(path, []).append(line)
    for lines in turns.values():
        ratios = ", ".join(f"{line.ratio:.2f}" for line in lines)
        stage.add(replace(middle_line(lines), note=f"ratios by turns: {ratios}"))


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
