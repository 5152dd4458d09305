"""Six months in a minute: feed the events of an instant, wait until all is quiet, move the manual clock to the next
instant at which something is due, again. Works on a running suite, through its HTTP door, so that it can be killed and
resumed: what was fed before is a duplicate, and the clock stands where it stood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from time import monotonic
from typing import Any

import httpx
import orjson

from shared.adapters.clock import move_manual_clock, read_manual_clock

BEFORE = timedelta(seconds=1)  # the facts of an instant are in before what falls due at it
AFTERMATH = timedelta(days=5)
LONGEST_WAIT = 120.0  # seconds for one instant to become quiet

# What still has to happen before the clock may move. Doubts that can be asked about are waited for, others are not.
_BUSY = """
select (select count(*) from outbox where sent_at is null and $2)
     + (select count(*) from timers where due_at <= $1 and $2)
     + (select count(*) from messages where waits_until <= $1)
     + (select count(*) from attempts where state = 'sending' or (state = 'in_doubt' and gateway = any($3::text[])))
     + (select count(*) from parked where state = 'parked')
"""
_NEWEST = "select coalesce(max(seq), 0) from outbox"
_NEXT = """
select least((select min(due_at) from timers where due_at > $1),
             (select min(waits_until) from messages where waits_until > $1))
"""


@dataclass(frozen=True, slots=True)
class Instant:
    """The events of one instant, as the lines they came as."""

    at: datetime
    lines: tuple[bytes, ...]


class NotQuiet(Exception):
    """The suite did not become quiet; the message says what was left."""


class FeedUnreadable(RuntimeError):
    """A line of the feed is not an event; the message says which."""


def instants(lines: Iterable[bytes]) -> Iterator[Instant]:
    """Group a feed, ordered by its events' time, into instants."""
    timed = ((_time_of(line, number), line) for number, line in enumerate(lines, 1) if line.strip())
    for at, group in groupby(timed, key=lambda pair: pair[0]):
        yield Instant(at, tuple(line for _, line in group))


def _time_of(line: bytes, number: int) -> datetime:
    try:
        return datetime.fromisoformat(orjson.loads(line)["time"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        raise FeedUnreadable(f"line {number} of the feed is no event as JSON with a `time`") from None


class Driver:
    """The one driver of the manual clock. ``progress(done, at)`` hears of each instant that was fed.

    ``awake`` says whether the scheduler runs at an instant, ``hold`` puts it to sleep and wakes it: for showing that a
    late run ends like a punctual one. ``behind`` says how many events lie unprocessed outside of the database."""

    def __init__(
        self,
        pool: Any,
        client: httpx.AsyncClient,
        token: str,
        *,
        askable: Iterable[str] = ("http_sms",),
        wake: Callable[[], None] = lambda: None,
        progress: Callable[[int, datetime], None] = lambda _done, _at: None,
        awake: Callable[[datetime], bool] = lambda _at: True,
        hold: Callable[[bool], None] = lambda _asleep: None,
        behind: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._pool = pool
        self._client = client
        self._headers = {"authorization": f"Bearer {token}"}
        self._askable = list(askable)
        self._wake = wake
        self._progress = progress
        self._awake = awake
        self._hold = hold
        self._behind = behind

    async def drive(self, feed: Iterable[Instant], until: datetime | None = None) -> datetime:
        """Feed everything and run the clock ``until`` then (default: a few days after the last event)."""
        done, last = 0, None
        for instant in feed:
            await self._run_to(instant.at - BEFORE)
            await self._feed(instant)
            await self.quiet()
            done += len(instant.lines)
            last = instant.at
            self._progress(done, instant.at)
        end = until or (last or await self._now()) + AFTERMATH
        await self._run_to(end)
        return end

    async def _run_to(self, to: datetime) -> None:
        """Move to every instant up to ``to`` at which something falls due, then to ``to`` itself."""
        now = await self._now(to)
        if now >= to:
            return
        await self.quiet()
        while True:
            async with self._pool.acquire() as conn:
                following = await conn.fetchval(_NEXT, now)
            if following is None or following > to:
                break
            now = following
            await self._move(now)
            await self.quiet()
        await self._move(to)
        await self.quiet()

    async def _now(self, start: datetime | None = None) -> datetime:
        async with self._pool.acquire() as conn:
            now = await read_manual_clock(conn)
        if now is None and start is not None:
            await self._move(start)
            now = start
        if now is None:
            raise ValueError("the manual clock was never set, and nothing was fed")
        return now

    async def _move(self, to: datetime) -> None:
        self._hold(not self._awake(to))
        async with self._pool.acquire() as conn:
            await move_manual_clock(conn, to)
        self._wake()

    async def _feed(self, instant: Instant) -> None:
        name = f"{instant.at:%Y-%m-%dT%H:%M:%SZ}-{len(instant.lines)}"
        created = await self._client.post(
            "/v1/imports",
            json={"name": name, "format": "ndjson", "lines": len(instant.lines)},
            headers={**self._headers, "idempotency-key": f"demo-{name}"},
        )
        created.raise_for_status()
        sent = await self._client.put(
            f"{created.headers['location']}/content",
            content=b"\n".join(line.rstrip(b"\n") for line in instant.lines) + b"\n",
            headers={**self._headers, "content-type": "application/x-ndjson"},
        )
        sent.raise_for_status()

    async def quiet(self) -> None:
        """Wait until nothing that is due now is left to do."""
        began, pause = monotonic(), 0.001
        while True:
            now = await self._now()
            left = await self._left(now)
            if not left:
                return
            if monotonic() - began > LONGEST_WAIT:
                raise NotQuiet(f"{left} things are still to be done at {now.isoformat()}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.02)

    async def _left(self, now: datetime) -> int:
        """How much is left. With events outside of the database the two can not be read at one instant: nothing is left
        when neither held anything, in turn, while nothing was announced."""
        before, left = await self._busy(now)
        if left or self._behind is None:
            return left
        outside = await self._behind()
        after, left = await self._busy(now)
        return left + outside + (after != before)

    async def _busy(self, now: datetime) -> tuple[int, int]:
        async with self._pool.acquire() as conn:
            newest: int = await conn.fetchval(_NEWEST)
            left: int = await conn.fetchval(_BUSY, now, self._awake(now), self._askable)
        return newest, left
