"""What the contact rules cost the sender: the same messages by the rules that ship, and by a rule set without rules.

Both take the same way through the same code; only the benchmark has a rule set that says nothing.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from services.suite import Suite
from shared.domain.contact import RuleSet
from shared.domain.contact_checks import MandatoryFacts
from tests.benchmarks import pipeline
from tests.benchmarks.cost import Meter
from tests.benchmarks.outcome import Line, Rate, middle
from tests.benchmarks.stage import Stage, connect, settle

PLANNED, CALLED = "bench_planned", "bench_called"
CALLS = 20  # of each customer in the month before
TARGET = 0.8  # of the throughput without rules
_CALLED = """
    with made as (
        select gen_random_uuid() as id, customer_id, $1::timestamptz - n * interval '33 hours' as at, n
        from (select distinct customer_id from messages) c cross join generate_series(1, $2::int) n
    ), counted as (
        insert into contact_ledger (attempt_id, customer_id, channel, purpose, local_date, at, state, made_by)
        select id, customer_id, 'phone', 'dunning', (at at time zone 'Asia/Shanghai')::date, at, 'committed', 'attempt'
        from made
    )
    insert into contact_attempts (attempt_id, contact_id, customer_id, channel, purpose, target, account_ids,
                                  announcement, party, outbound, outcome, answered_by, connected, talk_seconds,
                                  permitted, at, recorded_at, recorded_by)
    select id, id, customer_id, 'phone', 'dunning', 'debtor', '[]', false, 'bank', true, 'no_answer', 'nobody', true, 0,
           true, at, at, 'bench'
    from made
"""


async def run(stage: Stage) -> None:
    """By turns on copies of one book with its messages due: the rules that ship, none. Then once more with customers
    who have been called, of whom no two are alike to the gate."""
    count = max(2_000, stage.options.accounts // 5)
    async with pipeline.planned(stage, PLANNED, count) as (suite, connection):
        await pipeline.take_up(suite, connection)
        await settle(stage.server.dsn(PLANNED))
    connection = await connect(await stage.database(CALLED, like=PLANNED))
    await connection.execute(_CALLED, pipeline.NOON, CALLS)
    await connection.close()
    await settle(stage.server.dsn(CALLED))
    await _compared(stage, "all alike", PLANNED, count)
    await _compared(stage, f"each called {CALLS} times", CALLED, count)
    await stage.drop(PLANNED)
    await stage.drop(CALLED)


async def _compared(stage: Stage, who: str, book: str, count: int) -> None:
    shipped, none = [], []
    for _ in range(max(2, stage.options.rounds)):
        shipped.append(await _sent(stage, book, count, ruled=True))
        none.append(await _sent(stage, book, count, ruled=False))
    ours, bare = middle(shipped), middle(none)
    note = f"processor, ours + database: {ours.cost} | {bare.cost}"
    if ours.cost and bare.cost:
        note += f", ratio {bare.cost.all / ours.cost.all:.2f}"
    line = f"messages sent by the rules that ship | by none; {who}"
    stage.add(Line(line, ours.per_second, "messages/s", bare.per_second, TARGET, note=note))


async def _sent(stage: Stage, book: str, count: int, *, ruled: bool) -> Rate:
    """All messages of a fresh copy: marked, handed over, recorded."""
    dsn = await stage.database("bench_sent", like=book)
    await settle(dsn)
    async with stage.suite(dsn) as suite:
        if not ruled:
            _leave_out_rules(suite)
        meter, began = Meter(dsn), perf_counter()
        await suite.sender.send_all()
        took = perf_counter() - began
        cost = meter.cost(count)
        done: Any = await suite.pool.fetchval("select count(*) from messages where state = 'done'")
    if done != count:
        raise RuntimeError(f"{done} of {count} messages were sent")
    await stage.drop("bench_sent")
    return Rate(count / took, cost=cost)


def _leave_out_rules(suite: Suite) -> None:
    known = suite.deps.shelf._rules
    known["CN"] = without_rules(known["CN"])


def without_rules(shipped: RuleSet) -> RuleSet:
    """Of the same jurisdiction, and asks for nothing."""
    return RuleSet(
        jurisdiction=shipped.jurisdiction,
        name="none",
        version=1,
        hash="0" * 64,
        rules=(),
        mandatory=shipped.mandatory,
        required=MandatoryFacts(shipped.jurisdiction, ()),
        pending_id=shipped.pending_id,
    )
