"""Locks that survive nobody: advisory file locks, which the kernel drops with the process that held them.

``FileLock`` serialises a critical section between processes. ``Owners`` counts the live users of something shared: each
holds a lock on a file of its own, so an owner that was killed stops counting at once, without anybody cleaning up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_POLL_SECONDS = 0.01


class LockTimeoutError(RuntimeError):
    """Another process held the lock for longer than we were ready to wait."""


@contextlib.contextmanager
def file_lock(path: Path, *, timeout: float = 120.0) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (made when missing); wait at most ``timeout`` seconds for it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise LockTimeoutError(f"{path} has been locked by another process for {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


class Owners:
    """The live users of a directory. Every call must be made under one ``file_lock`` shared by all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: Path | None = None
        self._descriptor: int | None = None

    @property
    def joined(self) -> bool:
        return self._descriptor is not None

    def join(self) -> None:
        """Become an owner, until ``leave`` or the end of the process."""
        if self.joined:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        mine = self._folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        descriptor = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if not _try_lock(descriptor):
            os.close(descriptor)
            raise LockTimeoutError(f"{mine} is locked although it was just made")
        self._mine, self._descriptor = mine, descriptor

    def leave(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        if self._mine is not None:
            self._mine.unlink(missing_ok=True)
        self._mine = self._descriptor = None

    def others_alive(self) -> int:
        """How many other owners live; the files of the dead are removed on the way."""
        if not self._folder.is_dir():
            return 0
        return sum(_is_alive(path) for path in self._folder.iterdir() if path != self._mine)


def _is_alive(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        if not _try_lock(descriptor):
            return True
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
