"""Real brokers for the tests: one shared by the whole run, and ones of their own for tests that kill or wipe theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from shared.runtime.local_kafka import LocalKafka, free_port
from shared.runtime.ownership import Owners, file_lock


@contextlib.contextmanager
def own_broker(home: Path) -> Iterator[LocalKafka]:
    """A started broker on a free port, its data in ``home``; it goes with its data when the block ends."""
    broker = LocalKafka(home, port=free_port())
    broker.start()
    try:
        yield broker
    finally:
        broker.wipe()


@contextlib.contextmanager
def shared_broker(home: Path) -> Iterator[str]:
    """The address of the one broker of ``home``: the first process to come starts it, the last to leave stops it."""
    home.mkdir(parents=True, exist_ok=True)
    owners = Owners(home / "owners")
    with file_lock(home / "owners.lock"):
        broker = LocalKafka(home, port=_agreed_port(home / "port"))
        bootstrap = broker.start()
        owners.join()
    try:
        yield bootstrap
    finally:
        with file_lock(home / "owners.lock"):
            owners.leave()
            if owners.others_alive() == 0:
                broker.wipe()


def _agreed_port(file: Path) -> int:
    if not file.exists():
        file.write_text(str(free_port()))
    return int(file.read_text())
