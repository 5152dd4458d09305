"""Does it stay as quick when the book grows? The same measures on a small book and on a large one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, cycle

from services.api.dev_issuer import DevIssuer
from shared.application.principal import Role
from tests.benchmarks import books, feed
from tests.benchmarks.cost import Meter
from tests.benchmarks.importing import _pieces, send
from tests.benchmarks.load import get, post, run_load
from tests.benchmarks.outcome import Line, Rate, middle, middle_line
from tests.benchmarks.requests import costs, loaded
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
    turns: dict[str, list[tuple[Rate, Rate]]] = {}
    for turn in range(TURNS * stage.options.rounds):
        rates = {}
        for size, dsn in books_of.items():
            await settle(dsn)
            rates[size] = await _measured(stage, dsn, size, turn, min(REPORTS, small))
        for path, rate in rates[large].items():
            turns.setdefault(path, []).append((rate, rates[small][path]))
    for path, pairs in turns.items():
        stage.add(_line(f"{path}: {large:,} accounts | {small:,}", pairs))


def _line(path: str, pairs: Sequence[tuple[Rate, Rate]]) -> Line:
    """The turn with the middle ratio. The processor time is each side's least: a busy machine only adds to it."""
    lines = [Line(path, grown.per_second, "per s", small.per_second, 0.85) for grown, small in pairs]
    ratios = ", ".join(f"{line.ratio:.2f}" for line in lines)
    grown, small = (middle(side) for side in zip(*pairs, strict=True))
    return replace(middle_line(lines), note=f"ratios by turns: {ratios}; {costs(grown, small)}")


async def _measured(stage: Stage, dsn: str, size: int, turn: int, reports: int) -> dict[str, Rate]:
    issuer = DevIssuer(stage.home, audience="arrears")
    reader, core = issuer.make_token(Role.SUPERVISOR), issuer.make_token(Role.CORE_BANKING)
    now = datetime.now(UTC)
    spread = [number * 7919 % size for number in range(reports)]

    def payments() -> Iterator[bytes]:
        for ordinal in count():
            body = feed.payment(ordinal * 7919 % size, now, turn * 10_000_000 + ordinal)
            yield post("/v1/events", body, core, "application/cloudevents+json")

    lines = [feed.report(number, now, (now - timedelta(days=6)).date(), sequence=turn + 2) for number in set(spread)]
    async with served("ours", dsn, stage.home) as server:
        reads = cycle([get(f"/v1/accounts/ACC{number:08d}", reader) for number in spread])
        await run_load(server[0], reads, seconds=0.5)
        read = await loaded(server, dsn, reads, stage.options.seconds)
        paid = await loaded(server, dsn, payments(), stage.options.seconds)
        meter = Meter(dsn, server[1])
        took = await send(stage, server[0], f"growth {turn}", _pieces(b"\n".join(lines) + b"\n"))
        imported = Rate(len(lines) / took, cost=meter.cost(len(lines)))
    return {"GET one account": read, "POST one payment": paid, "import": imported}
