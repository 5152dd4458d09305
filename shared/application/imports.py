"""Take a file of events in while it streams: in flat memory, a commit a chunk, a way back after a dropped connection.

Facts first, progress right after them in a transaction of its own: a chunk may be committed in several pieces (what can
not be applied is parked customer by customer), and taking a line twice changes nothing, so progress that is a chunk or
two behind after a crash costs as many chunks of duplicates and loses nothing. The other order could count lines that
were never taken. Progress is written only from the place where it was read; a second receiver of the same import stops
there. Two chunks are in flight, in the order of the file (``turns``), while a third is being read.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from shared.application.facts import MAX_EVENT_BYTES, InboundEvent, Refused, read_event
from shared.application.import_csv import BadHeader, CsvReader
from shared.application.import_lines import Line, LineCutter
from shared.application.intake import ingest_in_turn
from shared.application.judging import PolicyShelf
from shared.application.ports import Transaction
from shared.application.refusals import Conflict, FieldError, Invalid, NotFound
from shared.application.turns import Lookahead, Turn
from shared.domain.inbound import Answer, Problem

CHUNK_LINES = 2_000
IN_FLIGHT = 2  # chunks
SLICE_BYTES = 64 * 1024  # what is parsed at a time, so that others are served in between
_BOM = b"\xef\xbb\xbf"
_TOO_LONG = Refused((Problem("", f"is larger than {MAX_EVENT_BYTES} bytes"),))

Rejection = tuple[int, str, str]
"""(line, field, reason)"""


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What a file is announced as. ``event_type`` and ``source`` belong to CSV; events in NDJSON carry their own."""

    name: str
    format: str
    event_type: str | None
    source: str
    sha256: str | None
    lines: int | None


@dataclass(frozen=True, slots=True)
class Claim:
    """An import that is ours to receive, and how far it has come: whole lines and their bytes."""

    import_id: UUID
    order: ImportOrder
    lines_done: int
    bytes_done: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Progress:
    lines_before: int
    lines_done: int
    bytes_done: int
    counts: Mapping[str, int]


class ImportStore(Protocol):
    async def add_import(self, import_id: UUID, order: ImportOrder, actor: str) -> None: ...

    async def claim_import(self, import_id: UUID) -> Claim | None:
        """The import, if it may be received now; None when somebody else receives it, or it has ended, or is none."""

    async def import_state(self, import_id: UUID) -> str | None: ...

    async def advance_import(self, import_id: UUID, progress: Progress, rejections: Sequence[Rejection]) -> bool:
        """False when the import is no longer where ``progress`` starts: somebody else has it."""

    async def end_import(self, import_id: UUID, lines_done: int, state: str, reason: str | None) -> None: ...


class ImportTransaction(Transaction, ImportStore, Protocol):
    """A transaction that knows of imports."""


class ImportWork(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[ImportTransaction]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where imports are taken: the unit of work, the policies, and how many chunks may go ahead of their turn."""

    work: ImportWork
    shelf: PolicyShelf
    lookahead: Lookahead


@dataclass(slots=True)
class Chunk:
    """Lines that were read and not yet taken."""

    numbers: list[int] = field(default_factory=list)
    events: list[InboundEvent] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    lines_done: int = 0
    bytes_done: int = 0

    def __len__(self) -> int:
        return len(self.events) + len(self.rejections)


Reader = Callable[[bytes, datetime], InboundEvent | Refused]


class Receiver:
    """Receives the content of one claimed import. While chunks are committed, the next one is read, and no more."""

    def __init__(self, place: Place, claim: Claim, now: datetime, from_byte: int) -> None:
        self._place = place
        self._claim = claim
        self._now = now
        self._from_byte = from_byte
        self._cutter = LineCutter()
        self._line = claim.lines_done if from_byte else 0
        self._done = claim.lines_done
        self._counts = Counter(claim.counts)
        self._chunk = Chunk()
        self._handed = self._done
        self._flying: deque[asyncio.Task[None]] = deque()
        self._turn: Turn | None = None
        self._digest = sha256() if claim.order.sha256 else None
        self._read: Reader | None = read_event if claim.order.format == "ndjson" else None

    async def receive(self, content: AsyncIterator[bytes]) -> None:
        """Take the whole content. Raises what the stream raises, after what came before is taken."""
        try:
            try:
                async for data in content:
                    for start in range(0, len(data), SLICE_BYTES):
                        await self._take(data[start : start + SLICE_BYTES])
            finally:
                await self._hand_over()
                await self._landed()
        except BaseException:
            for flying in self._flying:
                flying.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)  # undone, before anybody sends it again
            raise

    async def finish(self) -> str | None:
        """Judge the last line and the whole; the reason why the content is not complete, or None."""
        rest, number = self._cutter.rest, self._line + 1
        if self._line < self._claim.lines_done and not self._is_the_last_one_again(number):
            return f"the content ended after {self._line} lines, {self._claim.lines_done} of it were taken before"
        if (rest is None or rest.strip()) and number > self._claim.lines_done:
            cut_off = self._cut_off(rest, number)
            if cut_off is not None:
                return cut_off
            self._read_line(number, rest)
            self._line = number
            self._note_place(self._cutter.consumed + self._cutter.rest_bytes)
            await self._hand_over()
            await self._landed()
        announced = self._claim.order.lines
        if announced is not None and self._done < announced:
            return f"the content ended after {self._done} of {announced} lines"
        return None

    def mismatch(self) -> str | None:
        """Why the content is not the one that was announced, or None."""
        announced = self._claim.order.lines
        if announced is not None and self._done > announced:
            return f"{announced} lines were announced, {self._done} came; all of them were taken"
        if self._digest is not None and self._digest.hexdigest() != self._claim.order.sha256:
            return "the SHA-256 of the content is not the announced one; its readable lines were taken"
        return None

    @property
    def lines_done(self) -> int:
        return self._done

    async def _take(self, data: bytes) -> None:
        if self._digest is not None:
            self._digest.update(data)
        lines = self._cutter.feed(data)
        skipped = min(len(lines), max(0, self._claim.lines_done - self._line))
        if skipped and self._read is None and self._line == 0:
            self._read_header(lines[0])
        self._line += skipped
        for line in lines[skipped:]:
            self._line += 1
            self._read_line(self._line, line)
        if self._line > self._claim.lines_done:
            self._note_place(self._cutter.consumed)
        if len(self._chunk) >= CHUNK_LINES:
            await self._hand_over()

    def _note_place(self, consumed: int) -> None:
        self._chunk.lines_done = self._line
        self._chunk.bytes_done = self._from_byte + consumed

    def _read_line(self, number: int, line: Line) -> None:
        if number == 1 and line is not None:
            line = line.removeprefix(_BOM)
        if self._read is None:
            self._read_header(line)
            return
        if line is not None and not line.strip():
            return
        read = _TOO_LONG if line is None else self._read(line, self._now)
        if isinstance(read, InboundEvent):
            self._chunk.numbers.append(number)
            self._chunk.events.append(read)
        else:
            self._chunk.rejections.append((number, *_told(read.problems)))

    def _read_header(self, line: Line) -> None:
        order = self._claim.order
        try:
            reader = CsvReader(order.event_type or "", order.source, line or b"")
        except BadHeader as error:
            errors = [FieldError(f"/{problem.field}", problem.reason, "csv-column") for problem in error.problems]
            raise Invalid(f"The header row does not fit: {error}.", code="csv-columns", errors=errors) from None
        except ValueError:
            raise Invalid("The header row is not CSV in UTF-8.", code="csv-columns") from None
        self._read = reader.read

    def _is_the_last_one_again(self, number: int) -> bool:
        """Was a last line without a line break sent again, after it was taken?"""
        read = self._cutter.consumed + self._cutter.rest_bytes
        return number == self._claim.lines_done and read >= self._claim.bytes_done

    def _cut_off(self, rest: Line, number: int) -> str | None:
        """Was the last line, which has no line break, cut? The reason, or None when it may stand."""
        order = self._claim.order
        if order.lines == number or (self._digest is not None and self._digest.hexdigest() == order.sha256):
            return None
        if order.format == "csv" or self._read is None:
            return f"line {number} has no line break, so that it may be cut off: end it with one, or announce the lines"
        if rest is None or isinstance(self._read(rest, self._now), Refused):
            return f"line {number} is cut off"
        return None

    async def _hand_over(self) -> None:
        """Let the chunk be committed, in its turn."""
        await self._landed(IN_FLIGHT - 1)
        chunk, self._chunk = self._chunk, Chunk()
        if chunk.lines_done > self._handed:
            self._handed = chunk.lines_done
            self._turn = Turn(self._turn, self._place.lookahead)
            before = self._flying[-1] if self._flying else None
            self._flying.append(asyncio.create_task(self._commit(chunk, self._turn, before)))

    async def _landed(self, still_flying: int = 0) -> None:
        while len(self._flying) > still_flying:
            await self._flying[0]
            self._flying.popleft()

    async def _commit(self, chunk: Chunk, turn: Turn, before: asyncio.Task[None] | None) -> None:
        verdicts = await ingest_in_turn(self._place.work, self._place.shelf, chunk.events, turn)
        if before is not None:
            await asyncio.shield(before)  # its progress comes first
        rejections = chunk.rejections
        for number, verdict in zip(chunk.numbers, verdicts, strict=True):
            if verdict.answer is Answer.REJECTED:
                rejections.append((number, "", verdict.reason or ""))
            else:
                self._counts[verdict.answer.value] += 1
        self._counts[Answer.REJECTED.value] += len(rejections)
        counts = {answer: count for answer, count in self._counts.items() if count}
        progress = Progress(self._done, chunk.lines_done, chunk.bytes_done, counts)
        async with self._place.work() as tx:
            if not await tx.advance_import(self._claim.import_id, progress, rejections):
                raise _taken_over()
            self._now = tx.now
        self._done = chunk.lines_done


async def receive_content(place: Place, import_id: UUID, content: AsyncIterator[bytes], from_byte: int = 0) -> None:
    """Receive an import's content, from its start or from ``bytes_done`` on. Returns when the import is done.

    Refuses an import that is unknown, at an end, or being received; content that is cut off or not what was announced;
    a CSV header that does not fit. What was readable before that point is taken.
    """
    work = place.work
    receiver = await _claim(place, import_id, from_byte)
    try:
        await receiver.receive(content)
        cut = await receiver.finish()
    except Exception as error:
        reason = error.detail if isinstance(error, Invalid) else f"the connection was lost ({type(error).__name__})"
        await _end(work, import_id, receiver.lines_done, "interrupted", reason)
        raise
    if cut is not None:
        await _end(work, import_id, receiver.lines_done, "interrupted", cut)
        raise Invalid(f"The upload is not complete: {cut}. Send it again.", code="upload-truncated")
    mismatch = receiver.mismatch()
    await _end(work, import_id, receiver.lines_done, "failed" if mismatch else "done", mismatch)
    if mismatch is not None:
        raise Invalid(f"Not what was announced: {mismatch}.", code="upload-mismatch")


async def _claim(place: Place, import_id: UUID, from_byte: int) -> Receiver:
    async with place.work() as tx:
        claim = await tx.claim_import(import_id)
        if claim is None:
            raise _not_receivable(await tx.import_state(import_id))
        # A digest is of the whole, and the header is the first line: both need the content from its start.
        from_start = claim.order.format == "csv" or claim.order.sha256 is not None
        if from_byte and (from_byte != claim.bytes_done or from_start):
            start = 0 if from_start else claim.bytes_done
            raise Conflict(f"This import resumes at byte {start}, or from its start.", code="wrong-offset")
        return Receiver(place, claim, tx.now, from_byte)


def _not_receivable(state: str | None) -> Conflict | NotFound:
    if state is None:
        return NotFound("There is no such import.")
    if state == "receiving":
        return Conflict("The content of this import is being received.", code="import-running", retry_after=30)
    return Conflict(f"This import is {state}; make a new one.", code=f"import-{state}")


def _taken_over() -> Conflict:
    return Conflict("Another request took this import over.", code="import-running")


async def _end(work: ImportWork, import_id: UUID, lines_done: int, state: str, reason: str | None) -> None:
    async with work() as tx:
        await tx.end_import(import_id, lines_done, state, reason)


def _told(problems: Sequence[Problem]) -> tuple[str, str]:
    """One rejection from all problems of a line: the first field, and all reasons."""
    first, *others = problems
    more = "".join(f"; {problem.field} {problem.reason}" for problem in others[:9])
    return first.field, (first.reason + more)[:1000]
