"""Real brokers for the tests: one shared by the whole run, and ones of their own for tests that kill or wipe theirs."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from shared.runtime.local_kafka import LocalKafka, LocalKafkaError, broker_homes, fetch_software, free_port
from shared.runtime.ownership import Owners, file_lock
from tests.ground import grounds


@functools.cache
def why_no_broker() -> str | None:
    """Why no test can have a broker here, in one line; ``None`` when it can. Fetches what is not there yet."""
    try:
        fetch_software()
    except LocalKafkaError as error:
        return str(error)
    return None


@contextlib.contextmanager
def own_broker(home: Path) -> Iterator[LocalKafka]:
    """A started broker on a free port, its data in ``home``; it goes with its data when the block ends."""
    with _owned(home):
        broker = LocalKafka(home, port=free_port())
        try:
            broker.start()
            yield broker
        finally:
            broker.wipe()


@contextlib.contextmanager
def shared_broker(home: Path) -> Iterator[str]:
    """The address of the one broker of ``home``: the first process to come starts it, the last to leave removes it."""
    with _owned(home) as (owners, lock):
        with file_lock(lock):
            broker = LocalKafka(home, port=_agreed_port(home / "port"))
            bootstrap = broker.start()
        try:
            yield bootstrap
        finally:
            with file_lock(lock):
                owners.leave()
                if owners.others_alive() == 0:
                    broker.wipe()


def kill_what_killed_runs_left() -> None:
    """End the brokers of test runs that were killed. One just started may belong to a run that has not said so yet."""
    for pid, home in broker_homes().items():
        below = [str(home.relative_to(place)) for place in grounds() if home.is_relative_to(place)]
        of_tests = any(each.startswith(("pytest-of-", "arrears-tests-")) for each in below)
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if of_tests and time.time() - process.create_time() > 300 and not has_owners(home):
                process.kill()


def has_owners(home: Path) -> bool:
    """Whether a living process shares the broker of ``home``."""
    if not home.is_dir():
        return False
    with file_lock(home / "owners.lock"):
        return Owners(home / "owners").others_alive() > 0


@contextlib.contextmanager
def _owned(home: Path) -> Iterator[tuple[Owners, Path]]:
    """Count as an owner of ``home``, for as long as the block lasts and this process lives."""
    home.mkdir(parents=True, exist_ok=True)
    owners, lock = Owners(home / "owners"), home / "owners.lock"
    with file_lock(lock):
        owners.join()
    try:
        yield owners, lock
    finally:
        with file_lock(lock):
            owners.leave()


def _agreed_port(file: Path) -> int:
    if not file.exists():
        file.write_text(str(free_port()))
    return int(file.read_text())
