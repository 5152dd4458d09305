"""A payment for a day two years ago, on an account with 700 entries: taken, judged again, and the statement told
anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

import httpx
import orjson

from services.api.dev_issuer import DevIssuer
from shared.application.facts import InboundEvent, read_event
from shared.application.intake import ingest
from shared.application.principal import Role
from tests.benchmarks import feed
from tests.benchmarks.outcome import Line, percentile
from tests.benchmarks.serve import served
from tests.benchmarks.stage import Stage, settle

ENTRIES, REPORTS = 700, 24
PEER_MS = 161.0
"""What Fineract published (FINERACT-2234) for reading a loan with as many transactions, on a quicker machine. Reading
is less than what is done here, the work is another, so it is a rough mark and no limit of ours."""


async def run(stage: Stage) -> None:
    """Each turn posts one more back-dated payment over HTTP and reads the statement that has it inside, entry by
    entry."""
    dsn, now = await stage.database("bench_backdated"), datetime.now(UTC)
    async with stage.suite(dsn, manual=False) as suite:
        events = [event for line in _history(now) if isinstance(event := read_event(line, now), InboundEvent)]
        verdicts = await ingest(suite.deps.work, suite.deps.shelf, events)
    if len(verdicts) != ENTRIES or any(verdict.answer != "accepted" for verdict in verdicts):
        raise RuntimeError("the account could not be filled")
    await settle(dsn)
    posts, reads = await _measured(stage, dsn, now)
    both = [post + read for post, read in zip(posts, reads, strict=True)]
    stage.add(Line(f"back-dated payment on {ENTRIES} entries: taken and judged, p50", percentile(posts, 0.5), "ms"))
    stage.add(Line(f"statement of {ENTRIES} entries, replayed, p50", percentile(reads, 0.5), "ms"))
    note = "the limit is what a peer published for reading such a loan on its own machine: a rough mark"
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        line = f"back-dated payment on {ENTRIES} entries and its statement, {name}"
        stage.add(Line(line, percentile(both, share), "ms", PEER_MS, 1.0, smaller=True, note=note))


def _history(now: datetime) -> Iterator[bytes]:
    """Two years: a report a month, and a payment a day or so between."""
    begin, each = now - timedelta(days=ENTRIES + 10), ENTRIES // REPORTS
    for day in range(ENTRIES):
        at = begin + timedelta(days=day)
        if day % each == 0 and day // each < REPORTS:
            yield feed.report(0, at, at.date() - timedelta(days=5), sequence=day // each + 1)
        else:
            yield feed.payment(0, at, day)


async def _measured(stage: Stage, dsn: str, now: datetime) -> tuple[list[float], list[float]]:
    issuer = DevIssuer(stage.home, audience="arrears")
    core = {"authorization": f"Bearer {issuer.make_token(Role.CORE_BANKING)}"}
    reader = {"authorization": f"Bearer {issuer.make_token(Role.SUPERVISOR)}"}
    core["content-type"] = "application/cloudevents+json"
    posts, reads = [], []
    async with served("ours", dsn, stage.home) as (port, _), httpx.AsyncClient(timeout=30) as client:
        where = f"http://127.0.0.1:{port}/v1"
        for turn in range(10 + 30 * stage.options.rounds):
            body = _back_dated(now, ENTRIES + turn)
            began = perf_counter()
            posted = await client.post(f"{where}/events", content=body, headers=core)
            between = perf_counter()
            read = await client.get(f"{where}/accounts/ACC00000000/statement", headers=reader)
            ended = perf_counter()
            (told,) = read.raise_for_status().json()["currencies"]
            if posted.status_code != 200 or len(told["entries"]) != ENTRIES + turn + 1:
                raise RuntimeError("the payment is not in the statement")
            if turn >= 10:  # the first ones find nothing prepared
                posts.append((between - began) * 1e3)
                reads.append((ended - between) * 1e3)
    return posts, reads


def _back_dated(now: datetime, ordinal: int) -> bytes:
    event = orjson.loads(feed.payment(0, now, ordinal))
    event["data"]["value_date"] = (now - timedelta(days=ENTRIES)).date().isoformat()
    return orjson.dumps(event)
