"""Run the benchmarks and print ours, limit, ratio and target: ``python -m tests.benchmarks [--only NAME]``."""

from __future__ import annotations

import argparse
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

import structlog
import uvloop

from services.running import settle_memory
from tests.benchmarks import (
    backdated,
    celery,
    gate,
    growth,
    importing,
    kafka,
    latency,
    outcome,
    own_sql,
    pipeline,
    requests,
    without_rules,
)
from tests.benchmarks.stage import Options, Stage, said, staged

BENCHMARKS: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    "import": importing.run,
    "reads": requests.reads,
    "payments": requests.payments,
    "worklist": requests.worklist,
    "pipeline": pipeline.run,
    "own-sql": own_sql.run,
    "celery": celery.run,
    "gate": gate.run,
    "rules": without_rules.run,
    "latency": latency.run,
    "backdated": backdated.run,
    "kafka": kafka.run,
    "growth": growth.run,
}


async def main(options: Options, only: list[str]) -> None:
    async with staged(options) as stage:
        for name, run in BENCHMARKS.items():
            if only and name not in only:
                continue
            said(f"{name} ...")
            began = perf_counter()
            try:
                await run(stage)
            except Exception:  # noqa: BLE001 - the others are still worth measuring
                said(f"  could not be measured:\n{traceback.format_exc()}")
            said(f"  took {perf_counter() - began:.0f} s")
        outcome.show(stage.lines)
        outcome.write(stage.lines, {"accounts": options.accounts, "rounds": options.rounds, "full": options.full})


def _options() -> tuple[Options, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and rough: does everything run?")
    parser.add_argument("--full", action="store_true", help="a million lines and accounts; takes an hour")
    parser.add_argument("--only", action="append", choices=list(BENCHMARKS), default=[], metavar="NAME")
    parser.add_argument("--accounts", type=int, help="size of the book (100,000)")
    given = parser.parse_args()
    accounts = given.accounts or (5_000 if given.quick else 1_000_000 if given.full else 100_000)
    return Options(accounts, 1.0 if given.quick else 4.0, 1 if given.quick else 3, given.full), given.only


structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
if __name__ == "__main__":
    settle_memory()
    uvloop.run(main(*_options()))
