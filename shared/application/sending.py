"""Send what is due: mark under the customer's lock, hand over outside of it, write down what came of it.

The order is the promise. In one transaction the message is checked to be not moot and allowed, the contact is reserved
and the attempt is marked *sending* with a lease; only then the bytes go out, within the send window or not at all; the
outcome is accepted only from the holder of the lease. A crash between leaves *sending*, whose lease runs out into *in
doubt*.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import structlog

from shared.application.book import Book
from shared.application.gateway import ErrorClass, Gateway, Outcome, OutcomeKind, Submission
from shared.application.judging import PolicyShelf
from shared.application.plan_messages import AgreementReader, speak_of_plans
from shared.application.recovering import ask_then_submit, leave_out_known
from shared.application.sending_desk import (
    Desk,
    Drop,
    DueMessage,
    Go,
    RulesInForce,
    Rulings,
    Text,
    Wait,
    Wording,
    WordingError,
    choose,
    reserve,
)
from shared.application.settling import OpenAttempt, Settlement, announce_end, settle
from shared.domain.calendar import local_date
from shared.domain.contact import RuleSet
from shared.domain.message import AttemptState, MessageState, attempt_id

SEND_WINDOW = 5.0  # seconds from the mark to the write, on the monotonic clock
LEASE = timedelta(seconds=60)  # longer than the send window and any gateway's time-outs together
NOTHING: Mapping[str, int] = MappingProxyType({})
log = structlog.get_logger(__name__)


class RuleShelf(PolicyShelf, Protocol):
    async def attend(self, tx: Any) -> None:
        """Look, once a transaction, whether other rules or texts were released, and have them on hand."""

    def rules(self, jurisdiction: str) -> RuleSet | None: ...


class Marked(NamedTuple):
    """An attempt that is marked: hand it over before ``closes_at`` (business time) and within the send window."""

    attempt_id: UUID
    message: DueMessage
    customer_id: str
    channel: str
    point_id: UUID
    to: str
    text: Text
    closes_at: datetime


@dataclass(slots=True)
class SendingChanges:
    """What marking writes: per message its new state, and the attempts with their reservations."""

    sending: list[tuple[Marked, date, dict[str, Any]]] = field(default_factory=list)
    waiting: list[tuple[DueMessage, Wait, dict[str, Any]]] = field(default_factory=list)
    dropped: list[tuple[DueMessage, Drop, dict[str, Any] | None]] = field(default_factory=list)
    marked: Counter[str] = field(default_factory=Counter)  # by channel


@dataclass(eq=False, slots=True)
class Batch:
    """What is marked in one transaction. ``closed``: channels that take nothing now. ``in_hand``: by channel, what this
    process has marked before and not written down yet, as it is now. ``goes_on``: where the last one ended, or from the
    first that is due. ``customers``: whom it has claimed."""

    closed: Sequence[str]
    in_hand: Mapping[str, int]
    goes_on: bool
    customers: Collection[str] = ()
    changes: SendingChanges = field(default_factory=SendingChanges)


class Place(NamedTuple):
    """In the order of what is due: since when, and whose."""

    since: datetime
    customer_id: str


class SendingStore(AgreementReader, Protocol):
    @property
    def now(self) -> datetime: ...

    async def claim_due_messages(
        self, book: Book, limit: int, closed: Sequence[str], without: Collection[str] = (), after: Place | None = None
    ) -> Place | None: ...

    async def load_desks(self, book: Book, rules: RulesInForce) -> list[Desk]: ...

    async def save_sending(
        self, changes: SendingChanges, *, holder: str, fence: int, lease: timedelta, gateways: Mapping[str, str]
    ) -> None: ...

    async def postpone_messages(self, customer_ids: Sequence[str], reason: str) -> None: ...


class Sender:
    """One sending process. ``holder`` and ``fence`` name it on the leases it takes. Several batches may be marked at
    the same time, no customer in two of them."""

    def __init__(
        self,
        work: Any,
        shelf: RuleShelf,
        wording: Wording,
        gateways: Mapping[str, Gateway],
        *,
        holder: str,
        fence: int,
        monotonic: Callable[[], float],
        business_now: Callable[[], datetime],
        lease: timedelta = LEASE,
        ask_first: Callable[[], bool] = lambda: False,
    ) -> None:
        self._work = work
        self._shelf = shelf
        self._wording = wording
        self._gateways = gateways
        self._names = {channel: gateway.facts.name for channel, gateway in gateways.items()}
        self._holder = holder
        self._fence = fence
        self._monotonic = monotonic
        self._business_now = business_now
        self._lease = lease
        self._ask_first = ask_first
        self._claiming = asyncio.Lock()
        self._marking: list[Batch] = []
        # Up to where was looked: whoever was seen to before would have to be passed again in the index, as dead
        # entries. None whenever somebody's message was left where it was: then the first of all are looked at again.
        self._place: Place | None = None

    async def mark(
        self, limit: int, closed: Sequence[str] = (), in_hand: Mapping[str, int] = NOTHING
    ) -> tuple[list[Marked], float]:
        """Mark at most ``limit`` customers' due messages; the attempts to hand over, and when the window began.

        ``in_hand`` counts by channel what this process has marked and not written down yet, and is kept up to date."""
        goes_on = not closed
        while True:
            began, batch = self._monotonic(), Batch(closed, in_hand, goes_on)
            try:
                return await self._mark_together(limit, batch), began
            except Exception as error:
                log.exception("sending.mark_failed", limit=limit)
                if limit == 1:
                    await self._postpone(batch.customers, error)
                    return [], began
            goes_on = False
            limit //= 2  # one customer's trouble must not stop the others' messages: leave the second half for later

    async def _postpone(self, customers: Collection[str], error: Exception) -> None:
        """A customer can not be handled: let the others pass, and let people see why."""
        async with self._work() as tx:
            await tx.hold_customers(customers)
            await tx.postpone_messages(list(customers), type(error).__name__)

    async def _mark_together(self, limit: int, batch: Batch) -> list[Marked]:
        self._marking.append(batch)
        try:
            async with self._work() as tx:
                book = Book(tx.now)
                async with self._claiming:
                    claimed = [customer for each in self._marking for customer in each.customers]
                    after = self._place if batch.goes_on else None
                    self._place = await tx.claim_due_messages(book, limit, batch.closed, claimed, after)
                    batch.customers = list(book.customers)
                if batch.customers:
                    await self._mark_claimed(tx, book, batch)
        finally:
            self._marking.remove(batch)
        return [marked for marked, *_ in batch.changes.sending]

    async def _mark_claimed(self, tx: Any, book: Book, batch: Batch) -> None:
        await self._shelf.attend(tx)
        rulings = Rulings(book.now)
        desks = await tx.load_desks(book, self._shelf.rules)
        await leave_out_known(tx, book, desks)  # however long ago the restore: some wait long for their turn
        await speak_of_plans(tx, book, desks)
        for desk in desks:
            for message in desk.messages:
                self._decide(book, desk, message, rulings, batch)
        await tx.save_sending(
            batch.changes, holder=self._holder, fence=self._fence, lease=self._lease, gateways=self._names
        )
        await tx.save(book.changes)

    def _decide(self, book: Book, desk: Desk, message: DueMessage, rulings: Rulings, batch: Batch) -> None:
        rules = self._shelf.rules(desk.jurisdiction) if desk.jurisdiction else None
        verdict = choose(message, desk, rules, rulings)
        if isinstance(verdict, Go):
            if verdict.channel in batch.closed or self._enough(verdict.channel, batch):
                self._place = None
                return
            failure = self._compose(book, desk, message, verdict, batch.changes)
            if failure is None:
                return
            verdict = failure
        if isinstance(verdict, Wait):
            batch.changes.waiting.append((message, verdict, verdict.ruling.note(None)))
            data = {"message_id": str(message.message_id), "until": verdict.until.isoformat(), "reason": verdict.reason}
            book.changes.record(desk.customer_id, message.case_id, "message.deferred", data, "contact rules")
        elif isinstance(verdict, Drop):
            seen = None if verdict.ruling is None else verdict.ruling.note(None)
            batch.changes.dropped.append((message, verdict, seen))
            word = "failed" if verdict.reason.startswith("wording") else "suppressed"
            announce_end(book.changes, desk.customer_id, message, word, reason=verdict.reason)

    def _enough(self, channel: str, batch: Batch) -> bool:
        """A gateway that can not be asked gets no more marks than can be on the wire at once: a crash leaves every mark
        in doubt, and there nobody but a person resolves one."""
        facts = self._gateways[channel].facts
        if facts.query_for is not None:
            return False
        marking = sum(each.changes.marked[channel] for each in self._marking)
        return marking + batch.in_hand.get(channel, 0) >= facts.at_once

    def _compose(self, book: Book, desk: Desk, message: DueMessage, go: Go, changes: SendingChanges) -> Drop | None:
        today = local_date(book.now, desk.zone or "UTC")
        try:
            text = self._wording.compose(message.template, go.channel, desk, today, desk.spoken.get(message.message_id))
        except WordingError as error:
            return Drop(f"wording: {error}")
        marked = Marked(
            attempt_id=attempt_id(message.message_id, message.tries + 1),
            message=message,
            customer_id=desk.customer_id,
            channel=go.channel,
            point_id=go.reach.point_id,
            to=go.reach.opened(),
            text=text,
            closes_at=go.ruling.closes_at(),
        )
        changes.sending.append((marked, today, go.ruling.note(go.channel)))
        changes.marked[go.channel] += 1
        reserve(desk, message, go.channel, go.reach, book.now)
        return None

    async def hand_over(self, marked: Sequence[Marked], began: float) -> list[tuple[Marked, Outcome]]:
        """Submit attempts of one channel, at most a gateway's batch of them. Never holds a lock or a connection."""
        gateway = self._gateways[marked[0].channel]
        earliest_close = min(one.closes_at for one in marked)

        def still_allowed() -> bool:
            return self._monotonic() - began < SEND_WINDOW and self._business_now() < earliest_close

        batch = [
            Submission(
                reference=str(one.attempt_id),
                message_group=str(one.message.message_id),
                to=one.to,
                body=one.text.body,
                subject=one.text.subject,
                valid_until=one.closes_at,
            )
            for one in marked
        ]
        if self._ask_first() and gateway.facts.query_for is not None:
            outcomes = await ask_then_submit(gateway, batch, still_allowed)
        else:
            outcomes = await gateway.submit(batch, still_allowed)
        return list(zip(marked, outcomes, strict=True))

    async def record(self, results: Sequence[tuple[Marked, Outcome]]) -> None:
        """Write down what came of the attempts, each only if its lease is still ours."""
        taken = any(outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED) for _, outcome in results)
        settlements = [_settlement(one, outcome, others_taken=taken) for one, outcome in results]
        async with self._work() as tx:
            book = Book(tx.now)
            await tx.hold_customers(one.customer_id for one, _ in results)
            still = await tx.still_sending([one.attempt_id for one in settlements], self._fence)
            attempts = {one.attempt_id: _open(one) for one, _ in results if one.attempt_id in still}
            moved = {one.attempt_id for one in await settle(tx, book, settlements, attempts)}
            late = [one.attempt_id for one in settlements if one.attempt_id not in moved]
            if late:
                log.warning("sending.came_too_late", attempts=len(late))
                await tx.disown(late, self._holder, self._fence)
            await tx.save(book.changes)


_STATES = {
    OutcomeKind.ACCEPTED: AttemptState.ACCEPTED,
    OutcomeKind.REJECTED: AttemptState.REJECTED,
    OutcomeKind.NOT_SENT: AttemptState.RELEASED,
    OutcomeKind.IN_DOUBT: AttemptState.IN_DOUBT,
}


def _open(marked: Marked) -> OpenAttempt:
    """As marking left it: while it is *sending* under our fence, nothing else moves it or its message."""
    message = marked.message
    return OpenAttempt(
        attempt_id=marked.attempt_id,
        message_id=message.message_id,
        customer_id=marked.customer_id,
        channel=marked.channel,
        point_id=marked.point_id,
        state=AttemptState.SENDING,
        message_state=MessageState.SUBMITTING,
        case_id=message.case_id,
        follow_up_id=message.follow_up_id,
        step=message.step,
        purpose=message.purpose,
        channels=message.channels,
        tries=message.tries + 1,
    )


def _settlement(marked: Marked, outcome: Outcome, *, others_taken: bool) -> Settlement:
    return Settlement(
        attempt_id=marked.attempt_id,
        state=_STATES[outcome.kind],
        provider_id=outcome.provider_id,
        code=outcome.code,
        error=outcome.error,
        this_message_only=others_taken
        and outcome.retry_after is None  # with it, the provider speaks of its own load
        and outcome.error in (ErrorClass.THROTTLED, ErrorClass.TRANSIENT),
    )
