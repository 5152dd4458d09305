"""What the sandbox has taken, by number, by reference and by recipient: an index in memory over the durable log."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from services.sandbox.log import DurableLog, LogDamaged

Channel = Literal["sms", "email"]


class Taken(msgspec.Struct, frozen=True):
    """A message as it came in. ``sender`` is the envelope sender of a mail."""

    channel: Channel
    to: str
    text: str
    reference: str | None = None
    group: str | None = None
    subject: str | None = None
    sender: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """A line of the log.

    ``at`` is real time (epoch seconds), ``business_at`` the sender's own time when it said so (RFC 3339); ``copy`` is
    1 for the first message under a reference, 2 for the second; ``sha256`` is over the text in UTF-8 with LF line ends
    and none at its end, so that it is the same on both channels.
    """

    seq: int
    at: float
    time: str
    business_at: str | None
    channel: Channel
    to: str
    reference: str | None
    group: str | None
    subject: str | None
    sender: str | None
    text: str
    sha256: str
    provider_id: str
    copy: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def text_hash(text: str) -> str:
    """SHA-256 (hex) as in the log."""
    return hashlib.sha256(text.replace("\r\n", "\n").rstrip("\n").encode("utf-8")).hexdigest()


class Ledger:
    """Numbers messages, writes them, and finds them again. ``keep`` returns when they are on disk, not before."""

    def __init__(self, path: Path) -> None:
        self._log = DurableLog(path)
        self._seqs = array("Q")
        self._starts = array("Q")
        self._copies: Counter[str] = Counter()
        self._by_reference: dict[str, list[int]] = {}
        self._by_recipient: dict[str, list[int]] = {}
        self.totals: Counter[str] = Counter()
        self._next = 1
        self._load()

    def _load(self) -> None:
        start = 0
        for number, (end, line) in enumerate(self._log.lines(), 1):
            try:
                entry = _decode(line)
            except msgspec.DecodeError as error:
                raise LogDamaged(f"{self._log.path}, line {number}: {error}") from error
            if entry.reference is not None:
                self._copies[entry.reference] += 1
            self._index(entry, start)
            self._next = entry.seq + 1
            start = end

    def _index(self, entry: Entry, start: int) -> None:
        place = len(self._seqs)
        self._seqs.append(entry.seq)
        self._starts.append(start)
        if entry.reference is not None:
            self._by_reference.setdefault(entry.reference, []).append(place)
        # Taken out and put in again: the dictionary's order is by the latest message.
        places = self._by_recipient.pop(entry.to, None) or []
        places.append(place)
        self._by_recipient[entry.to] = places
        self.totals[entry.channel] += 1
        if entry.copy > 1:
            self.totals["second_copies"] += 1

    async def keep(self, messages: Sequence[Taken], at: float, business_at: str | None) -> list[Entry]:
        """Log messages taken at ``at`` (epoch seconds). Raises OSError when the disk refuses; then none was taken."""
        time = datetime.fromtimestamp(at, UTC).isoformat()
        entries = [self._entry(message, at, time, business_at) for message in messages]
        lines = [_encode(entry) + b"\n" for entry in entries]
        try:
            start = await self._log.append(b"".join(lines))
        except OSError:
            self._copies.subtract(entry.reference for entry in entries if entry.reference is not None)
            raise
        for entry, line in zip(entries, lines, strict=True):
            self._index(entry, start)
            start += len(line)
        return entries

    def _entry(self, message: Taken, at: float, time: str, business_at: str | None) -> Entry:
        seq, copy = self._next, 1
        self._next += 1
        if message.reference is not None:
            copy = self._copies[message.reference] + 1
            self._copies[message.reference] = copy
        return Entry(
            seq=seq,
            at=at,
            time=time,
            business_at=business_at,
            channel=message.channel,
            to=message.to,
            reference=message.reference,
            group=message.group,
            subject=message.subject,
            sender=message.sender,
            text=message.text,
            sha256=text_hash(message.text),
            provider_id=f"{message.channel}-{seq:09d}",
            copy=copy,
        )

    def __len__(self) -> int:
        return len(self._seqs)

    @property
    def path(self) -> Path:
        return self._log.path

    @property
    def recipients(self) -> int:
        return len(self._by_recipient)

    def _end(self, place: int) -> int:
        """Where the entry at ``place`` ends: where the next starts, else where the last group of lines ends."""
        if place + 1 < len(self._starts):
            return self._starts[place + 1]
        line = self._log.read(self._starts[place], self._log.size)
        return self._starts[place] + line.index(b"\n") + 1

    def _at(self, place: int) -> Entry:
        return _decode(self._log.read(self._starts[place], self._end(place)))

    def page(self, after: int, limit: int) -> tuple[bytes, int, bool]:
        """(a JSON array of the entries numbered above ``after``, the last number in it, are there more)."""
        first = bisect_right(self._seqs, after)
        last = min(first + limit, len(self._seqs))
        if first == last:
            return b"[]", after, False
        lines = self._log.read(self._starts[first], self._end(last - 1))
        return b"[" + lines[:-1].replace(b"\n", b",") + b"]", self._seqs[last - 1], last < len(self._seqs)

    def by_reference(self, reference: str) -> list[Entry]:
        """The messages under a reference, first one first."""
        return [self._at(place) for place in self._by_reference.get(reference, ())]

    def by_recipient(self, to: str, limit: int) -> list[Entry]:
        """The latest messages to one recipient, oldest first."""
        return [self._at(place) for place in self._by_recipient.get(to, [])[-limit:]]

    def count_for(self, to: str) -> int:
        return len(self._by_recipient.get(to, ()))

    def latest_recipients(self, wanted: str, limit: int) -> list[str]:
        """Recipients that contain ``wanted`` or have a message under that reference, the latest written to first."""
        found: list[str] = []
        owners = {entry.to for entry in self.by_reference(wanted)} if wanted else set()
        for to in reversed(self._by_recipient):
            if wanted in to or to in owners:
                found.append(to)
                if len(found) == limit:
                    break
        return found

    async def aclose(self) -> None:
        await self._log.aclose()
