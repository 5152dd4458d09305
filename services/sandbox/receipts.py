"""Delivery reports: what became of a message, and their way to the callback URL: late, twice, out of order if asked."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
import msgspec

from services.sandbox.knobs import Knobs, Panel
from services.sandbox.ledger import Entry
from shared.adapters.gateways.http_sms.signature import signed_headers
from shared.runtime.authorities import authorities

BATCH = 200
WAITING_LIMIT = 500_000
_TICK_SECONDS = 0.05


class Report(msgspec.Struct, frozen=True):
    reference: str
    provider_id: str
    status: str
    code: str | None
    at: str


def report_on(entry: Entry, knobs: Knobs, now: float) -> Report:
    """How the message stands at ``now`` (epoch seconds): accepted, and after the receipt delay delivered or not."""
    if now < entry.at + knobs.receipts.delay_ms / 1000:
        return _report(entry, "accepted", None, now)
    return _final(entry, knobs, now)


def _final(entry: Entry, knobs: Knobs, now: float) -> Report:
    for suffix, code in knobs.sms.undeliverable.items():
        if entry.to.endswith(suffix):
            return _report(entry, "undelivered", code, now)
    return _report(entry, "delivered", None, now)


def _report(entry: Entry, status: str, code: str | None, now: float) -> Report:
    """``at`` is in the sender's own time where it gave one, so that reports fit its calendar."""
    if entry.business_at is not None:
        at = datetime.fromisoformat(entry.business_at) + timedelta(seconds=max(0.0, now - entry.at))
    else:
        at = datetime.fromtimestamp(now, UTC)
    return Report(entry.reference or "", entry.provider_id, status, code, at.isoformat())


class ReceiptPusher:
    """Pushes reports in signed batches; each is tried again at the knob's intervals, then given up.

    Reports wait in memory: those not pushed when the sandbox dies are lost, as a provider's may be; a query finds them.
    """

    def __init__(self, panel: Panel, key_id: str, secret: str) -> None:
        self._panel = panel
        self._key_id = key_id
        self._secret = secret
        self._waiting: list[tuple[float, int, Entry, bool]] = []
        self._number = 0
        self._task: asyncio.Task[None] | None = None
        self._pushing: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self.counts: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=5.0, verify=authorities(), trust_env=False, limits=httpx.Limits(max_connections=4)
        )
        self._task = asyncio.create_task(self._run())

    def expect(self, entries: Iterable[Entry]) -> None:
        """Have the reports of these messages pushed when they are due, if there is somebody to push to."""
        knobs = self._panel.knobs.receipts
        if knobs.callback_url is None or self._task is None:
            return
        now = time.monotonic()
        for entry in entries:
            if entry.reference is None:
                continue
            due = now + self._delay(entry.reference)
            if knobs.accepted_too:
                # Reordered, the first report takes its way after the last.
                self._put(due + 0.2 if knobs.reorder else now, entry, False)
            self._put(due, entry, True)
            if self._panel.chance(knobs.twice, "twice", entry.reference):
                self._put(due + 0.1, entry, True)

    def _delay(self, reference: str) -> float:
        knobs = self._panel.knobs.receipts
        delay = float(knobs.delay_ms)
        if self._panel.chance(knobs.late, "late", reference):
            delay += knobs.late_ms
        if knobs.reorder:
            delay *= 0.5 + self._panel.share("reorder", reference)
        return delay / 1000

    def _put(self, due: float, entry: Entry, final: bool) -> None:
        if len(self._waiting) >= WAITING_LIMIT:
            self.counts["given_up"] += 1
            return
        self._number += 1
        heapq.heappush(self._waiting, (due, self._number, entry, final))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            while batch := self._due_batch():
                # A bounded number of pushes in flight: the heap is the queue.
                while len(self._pushing) >= 4:
                    await asyncio.wait(self._pushing, return_when=asyncio.FIRST_COMPLETED)
                task = asyncio.create_task(self._push(batch))
                self._pushing.add(task)
                task.add_done_callback(self._pushing.discard)

    def _due_batch(self) -> list[Report]:
        monotonic, now, knobs = time.monotonic(), time.time(), self._panel.knobs
        batch: list[Report] = []
        while self._waiting and len(batch) < BATCH and self._waiting[0][0] <= monotonic:
            _, _, entry, final = heapq.heappop(self._waiting)
            batch.append(_final(entry, knobs, now) if final else _report(entry, "accepted", None, now))
        return batch

    async def push_reply(self, sender: str, text: str) -> bool:
        """Hand on what somebody answered; False when nobody took it."""
        at = datetime.fromtimestamp(time.time(), UTC).isoformat()
        taken = await self._push_once(msgspec.json.encode({"replies": [{"from": sender, "text": text, "at": at}]}))
        self.counts["replies"] += taken
        return taken

    async def _push(self, batch: list[Report]) -> None:
        body = msgspec.json.encode({"receipts": batch})
        for pause in [0.0, *self._panel.knobs.receipts.retry_seconds]:
            await asyncio.sleep(pause)
            if await self._push_once(body):
                self.counts["pushed"] += len(batch)
                return
            self.counts["failed_pushes"] += 1
        self.counts["given_up"] += len(batch)

    async def _push_once(self, body: bytes) -> bool:
        url = self._panel.knobs.receipts.callback_url
        if url is None or self._client is None:
            return False
        headers = signed_headers(self._secret, self._key_id, body, time.time())
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.is_success

    async def aclose(self) -> None:
        tasks = [task for task in (self._task, *self._pushing) if task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._client is not None:
            await self._client.aclose()
