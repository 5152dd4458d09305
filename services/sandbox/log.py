"""The durable log: one JSON line per message taken, on disk before the provider answers.

Group commit: while one group is being written and synced by a thread, the next gathers; each waits for one sync.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


class LogDamaged(RuntimeError):
    """The log is unreadable before its last line, which no crash of ours explains; it is left untouched."""


class LogInUse(RuntimeError):
    """Another sandbox holds this log."""


class DurableLog:
    """An append-only file of lines. Each byte offset it hands out belongs to a line that survives a SIGKILL."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LogInUse(f"{path} is in use by another sandbox") from error
        self.path = path
        self._sync_directory()
        self.size = self._repair()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._gathering: list[bytes] = []
        self._gathering_size = 0
        self._gathered: asyncio.Future[int] | None = None
        self._writer: asyncio.Task[None] | None = None

    def _sync_directory(self) -> None:
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _repair(self) -> int:
        """Cut off a last line without its end: it was never answered for."""
        size = os.fstat(self._file).st_size
        end = size
        while end > 0:
            start = max(0, end - 65_536)
            newline = os.pread(self._file, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != size:
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return end

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(end offset, line without its end) of everything in the log, oldest first."""
        end = 0
        with self.path.open("rb") as file:
            for line in file:
                end += len(line)
                yield end, line[:-1]

    def read(self, start: int, end: int) -> bytes:
        """The bytes between two line ends."""
        return os.pread(self._file, end - start, start)

    async def append(self, block: bytes) -> int:
        """Write a block of whole lines; returns the offset of its first byte once it is on disk.

        Raises OSError when it could not be written; then no byte of it stays.
        """
        loop = asyncio.get_running_loop()
        if self._gathered is None:
            self._gathered = loop.create_future()
        ahead = self._gathering_size
        self._gathering.append(block)
        self._gathering_size += len(block)
        group = self._gathered
        if self._writer is None or self._writer.done():
            self._writer = loop.create_task(self._write_groups())
        # Shielded: a client that goes away must not take the whole group's answer with it.
        return await asyncio.shield(group) + ahead

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while (group := self._gathered) is not None:
            blocks, self._gathering, self._gathering_size, self._gathered = self._gathering, [], 0, None
            start = self.size
            try:
                self.size = await loop.run_in_executor(self._thread, self._write, b"".join(blocks), start)
            except OSError as error:
                group.set_exception(error)
                group.exception()
            else:
                group.set_result(start)

    def _write(self, data: bytes, start: int) -> int:
        try:
            rest, at = memoryview(data), start
            while rest:
                written = os.pwrite(self._file, rest, at)
                rest, at = rest[written:], at + written
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, start)
            raise
        return at

    async def aclose(self) -> None:
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        self._thread.shutdown()
        os.close(self._file)
