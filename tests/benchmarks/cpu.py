"""Processor time of processes and their children: what a wall clock on shared cores does not say."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from statistics import median

import psutil

Spent = dict[str, list[dict[str, float]]]
"""What was done to its rounds: milliseconds a thousand events, by name of process."""


class Meter:
    """Counts from its making. ``who`` names process ids, this one first, which then does not pay for the counting."""

    def __init__(self, who: Mapping[str, int]) -> None:
        self._who = {name: psutil.Process(pid) for name, pid in who.items()}
        self._before = {name: self._seconds(process) for name, process in reversed(self._who.items())}

    def per_thousand(self, events: int) -> dict[str, float]:
        """Milliseconds a thousand events, by name."""
        now = {name: self._seconds(process) for name, process in self._who.items()}
        return {name: (seconds - self._before[name]) * 1e6 / events for name, seconds in now.items()}

    def _seconds(self, process: psutil.Process) -> float:
        """Its own, and those of its children that are not named themselves, ended ones included; of this process alone
        its own, because to look for children costs more than what is measured."""
        if process.pid == os.getpid():
            return time.process_time()
        try:
            times, children = process.cpu_times(), process.children()
        except psutil.NoSuchProcess:
            return 0.0
        own: float = times.user + times.system + times.children_user + times.children_system
        return own + sum(self._seconds(child) for child in children if child not in self._who.values())


def told(spent: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """A note for a line: the middle of the rounds, each process by itself."""
    each = "; ".join(
        f"{what} " + ", ".join(f"{name} {median(one[name] for one in rounds):.0f}" for name in rounds[0])
        for what, rounds in spent.items()
    )
    return f"processor ms per 1,000: {each}"
