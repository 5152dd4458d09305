"""Take inbound events in: once, in order per customer, all that can be applied in one transaction.

A batch is an optimisation of the single event: one that fails is tried again customer by customer, and a customer whose
event still fails is parked, alone; everyone else goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.application.agreements import catch_up_agreements
from shared.application.applying import apply
from shared.application.book import Book
from shared.application.clockwork import catch_up_all
from shared.application.facts import InboundEvent, Refused, event_json, read_event
from shared.application.judging import PolicyShelf, UnknownVersion, zone_of
from shared.application.ledger import Ledger, Verdict
from shared.application.ports import BEHIND, InboxLine, Transaction, UnitOfWork
from shared.application.transport import Fenced
from shared.application.turns import OutOfTurn, Touched, Turn
from shared.domain.inbound import (
    AccountChargedOff,
    AccountClosed,
    Answer,
    CustomerMerged,
    CustomerUpdated,
    DelinquencyReported,
    PaymentPosted,
    PaymentReversed,
)

CONSUMER = "intake"
FIRST_RETRY = timedelta(seconds=5)
NOW = timedelta()
# deadlock, serialisation, another made the same row a moment ago: took the same event, wrote of the same new customer
PASSING = frozenset({"40P01", "40001", "23505"})
TRIES = 4
_WAITED_FOR = (DelinquencyReported, AccountChargedOff, AccountClosed)
BREATH = 64  # events decided in a row before others are served
log = structlog.get_logger(__name__)


class OwnersMoved(Exception):
    """An account changed hands between our look and our lock; the unit is tried again."""


class UnreadableError(ValueError):
    """A parked event can not be read any more."""


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An inbound event as it is parked."""

    event: InboundEvent

    @property
    def source(self) -> str:
        return self.event.source

    @property
    def id(self) -> str:
        return self.event.id

    @property
    def type(self) -> str:
        return self.event.type

    @property
    def envelope(self) -> bytes:
        return event_json(self.event)


async def ingest_in_turn(
    work: UnitOfWork, shelf: PolicyShelf, events: Sequence[InboundEvent], turn: Turn
) -> list[Verdict]:
    """``ingest`` of one batch of a file while the batch before it may still be in flight; the order holds."""
    async with turn:
        await turn.start()
        if events:
            try:
                verdicts = await _ingest_together(work, shelf, events, turn)
            except OutOfTurn:
                pass
            except Exception as error:  # noqa: BLE001 - whatever it is, the other way finds out
                log.info("intake.not_at_once", events=len(events), error=type(error).__name__)
            else:
                turn.committed()
                return verdicts
        turn.spoil()
        await turn.comes()
        return await ingest(work, shelf, events)


async def ingest(work: UnitOfWork, shelf: PolicyShelf, events: Sequence[InboundEvent]) -> list[Verdict]:
    """Apply ``events`` in their order; one verdict each. What is answered other than ``parked`` is committed.

    What fails together is halved until the one that fails is found, and that one is parked.
    """
    if not events:
        return []
    try:
        return await _ingest_patiently(work, shelf, events)
    except Fenced:
        raise
    except Exception as error:
        if len(events) == 1:
            log.exception("intake.event_failed", event_id=events[0].id, type=events[0].type)
            return [await _park(work, events[0], error)]
        log.warning("intake.batch_failed", events=len(events), error=type(error).__name__)
    half = len(events) // 2
    return [*await ingest(work, shelf, events[:half]), *await ingest(work, shelf, events[half:])]


async def ingest_at_once(
    work: UnitOfWork, shelf: PolicyShelf, events: Sequence[InboundEvent], patience_ms: int
) -> list[Verdict]:
    """Apply ``events`` in one transaction at the first try, or raise. None of them waits for a row for longer than
    ``patience_ms``."""
    return await _ingest_together(work, shelf, events, patience_ms=patience_ms)


async def _ingest_patiently(work: UnitOfWork, shelf: PolicyShelf, events: Sequence[InboundEvent]) -> list[Verdict]:
    """Again after what looking again may put right: others were at the same customers, or the policy is new.

    More than once, because an event may meet others at each of its keys: its customer, its account, its own id."""
    for _ in range(TRIES - 1):
        try:
            return await _ingest_together(work, shelf, events)
        except UnknownVersion:
            await shelf.renew()
        except OwnersMoved:
            pass
        except Exception as error:
            if getattr(error, "sqlstate", None) not in PASSING:
                raise
    return await _ingest_together(work, shelf, events)


async def _park(work: UnitOfWork, event: InboundEvent, error: Exception) -> Verdict:
    """Keep an event that can not be applied now; whatever follows for its customer queues behind it."""
    async with work() as tx:
        named, accounts = _named([event])
        owners = await tx.owners(accounts)
        customer_id = next(iter(named), None) or next(iter(owners.values()), None)
        customer_id = customer_id or f"account:{next(iter(accounts))}"
        await tx.park(
            CONSUMER,
            customer_id,
            KeptEvent(event),
            tries=1,
            retry_in=FIRST_RETRY,
            error=type(error).__name__,  # its text may repeat what is personal
        )
    return Verdict(Answer.PARKED, "could not be applied now; it is kept and tried again")


def _named(events: Sequence[InboundEvent]) -> tuple[list[str], list[str]]:
    """The customers and the accounts that the events name."""
    customers: dict[str, None] = {}
    accounts: dict[str, None] = {}
    for event in events:
        match event.fact:
            case DelinquencyReported() as fact:
                customers[fact.customer_id] = None
                accounts[fact.account_id] = None
            case CustomerUpdated() as fact:
                customers[fact.customer_id] = None
            case CustomerMerged() as fact:
                customers[fact.from_customer_id] = None
                customers[fact.into_customer_id] = None
            case fact:
                accounts[fact.account_id] = None
    return list(customers), list(accounts)


async def _ingest_together(
    work: UnitOfWork,
    shelf: PolicyShelf,
    events: Sequence[InboundEvent],
    turn: Turn | None = None,
    patience_ms: int | None = None,
) -> list[Verdict]:
    async with work() as tx:
        if patience_ms is not None:
            await tx.wait_for_locks(patience_ms)
        verdicts: list[Verdict | None] = [None] * len(events)
        fresh = await _drop_seen(tx, events, verdicts)
        if fresh:
            await _apply_fresh(tx, shelf, events, fresh, verdicts, turn=turn)
        elif turn is not None:
            turn.holds()
        if turn is not None:
            await turn.may_commit()
    return [verdict for verdict in verdicts if verdict is not None]


async def _drop_seen(tx: Transaction, events: Sequence[InboundEvent], verdicts: list[Verdict | None]) -> list[int]:
    """Answer what is on record already; what is committed never goes away, so no lock is needed for that."""
    seen = await tx.seen(CONSUMER, [(event.source, event.id) for event in events])
    fresh = []
    for index, event in enumerate(events):
        line = seen.get((event.source, event.id))
        if line is None:
            fresh.append(index)
        else:
            verdicts[index] = _again(line.fingerprint, event, line.answer)
    return fresh


def _again(fingerprint: bytes | None, event: InboundEvent, answer: str) -> Verdict:
    if answer == Answer.PARKED:
        return Verdict(Answer.PARKED, "could not be applied yet; it is kept and tried again")
    if not event.says(fingerprint):
        return Verdict(Answer.CONFLICT, "an event with this source and id but other content was taken before")
    if answer == Answer.REJECTED:
        return Verdict(Answer.REJECTED, "was rejected before")
    return Verdict(Answer.DUPLICATE, f"taken before and answered {answer}")


async def _apply_fresh(
    tx: Transaction,
    shelf: PolicyShelf,
    events: Sequence[InboundEvent],
    fresh: list[int],
    verdicts: list[Verdict | None],
    *,
    replaying: bool = False,
    turn: Turn | None = None,
) -> None:
    ledger = await _open_ledger(tx, shelf, [events[index] for index in fresh], turn)
    # Whoever took one of them since we looked makes the inbox refuse it, and then all is tried again.
    blocked = set() if replaying else await tx.blocked(CONSUMER, ledger.book.customers)
    taken: dict[tuple[str, str], tuple[bytes, Verdict]] = {}
    lines: list[InboxLine] = []
    for done, index in enumerate(fresh, 1):
        if not done % BREATH:
            await asyncio.sleep(0)
        event = events[index]
        key = (event.source, event.id)
        if key in taken:
            verdicts[index] = _again(taken[key][0], event, taken[key][1].answer)
            continue
        waits_for = next((who for who in _concerned(ledger, event) if who in blocked), None)
        if waits_for is not None:
            verdict = await _queue_up(tx, waits_for, event)
        else:
            verdict = apply(ledger, event)
            owner = _customer_of(ledger, event)
            lines.append((*key, event.fingerprint, verdict.answer, verdict.reason, owner))
        taken[key] = (event.fingerprint, verdict)
        verdicts[index] = verdict
    await tx.add_to_inbox(CONSUMER, lines)
    await tx.save(ledger.book.changes, ledger.profiles)


async def _queue_up(tx: Transaction, owner: str, event: InboundEvent) -> Verdict:
    if not await tx.seen(CONSUMER, [(event.source, event.id)]):  # else another has parked it since we looked
        await tx.park(CONSUMER, owner, KeptEvent(event), tries=0, retry_in=NOW, error=BEHIND)
    return Verdict(Answer.PARKED, "an earlier event of this customer is parked; this one queues behind it")


async def replay(tx: Transaction, shelf: PolicyShelf, envelope: bytes) -> None:
    """Apply one parked event inside the caller's transaction. Raises when it still can not be applied."""
    event = read_event(envelope, tx.now)
    if isinstance(event, Refused):
        raise UnreadableError("; ".join(f"{problem.field} {problem.reason}" for problem in event.problems))
    await _apply_fresh(tx, shelf, [event], [0], [None], replaying=True)


def _customer_of(ledger: Ledger, event: InboundEvent) -> str | None:
    match event.fact:
        case DelinquencyReported() | CustomerUpdated() as fact:
            return ledger.customer_id(fact.customer_id)
        case CustomerMerged() as fact:
            return ledger.customer_id(fact.into_customer_id)
        case fact:
            owner = ledger.owners.get(fact.account_id)
            return None if owner is None else ledger.customer_id(owner)


def _concerned(ledger: Ledger, event: InboundEvent) -> list[str]:
    """Whose facts it must not overtake: its customer's, and those of who gives up an account or their name to them."""
    concerned = [_customer_of(ledger, event)]
    match event.fact:
        case CustomerMerged() as fact:
            concerned.append(fact.from_customer_id)
        case DelinquencyReported() as fact if fact.account_id in ledger.owners:
            concerned.append(ledger.customer_id(ledger.owners[fact.account_id]))
        case _:
            pass
    return [who for who in concerned if who is not None]


async def _open_ledger(
    tx: Transaction, shelf: PolicyShelf, events: Sequence[InboundEvent], turn: Turn | None
) -> Ledger:
    """Lock the customers that the events touch, in the order of ids, then read their pages.

    Who is not there yet has no row to lock: of two who write of them at once, the second meets the first one's row when
    it saves, and decides again."""
    named, account_ids = _named(events)
    owners, merged = await tx.owners_and_mergers(account_ids, named)
    book = Book(tx.now)
    customers = {*named, *owners.values(), *merged, *merged.values()}
    if turn is not None:
        turn.enter(Touched(customers, set(account_ids), _keys(events)))
    await tx.lock_customers(book, customers, create=True)
    unreported = [account_id for account_id in account_ids if account_id not in owners]
    await tx.lock_unreported(unreported)
    if unreported:
        owners |= await tx.owners(unreported)
    if turn is not None:
        turn.holds()
    if any(page.merged_into is not None and key not in merged for key, page in book.customers.items()):
        raise OwnersMoved
    await tx.load_cases(book)
    await tx.load_accounts(book)
    held = book.owners()
    if not owners.keys() <= held.keys():
        raise OwnersMoved
    ledger = Ledger(book, shelf, {account_id: held[account_id] for account_id in owners}, merged)
    await tx.load_movements(book, account_ids, _cut_offs(events))
    await tx.load_agreements(book)
    # The clock comes first, however late its own tick is.
    catch_up_all(book, shelf, await tx.due_rolls(book.known_customers()))
    _weigh_overdue(book, shelf)
    await _load_keys(tx, ledger, events)
    expected = [event.fact.account_id for event in events if isinstance(event.fact, _WAITED_FOR)]
    if expected:
        ledger.waiting = await tx.waiting_facts(expected)
    return ledger


def _cut_offs(events: Sequence[InboundEvent]) -> dict[tuple[str, str], datetime]:
    """The earliest that is reported of each account: a newer report may have an earlier one than the last."""
    found: dict[tuple[str, str], datetime] = {}
    for event in events:
        if isinstance(fact := event.fact, DelinquencyReported):
            key = (fact.account_id, fact.currency)
            found[key] = min(fact.cutoff_at, found.get(key, fact.cutoff_at))
    return found


def _keys(events: Sequence[InboundEvent]) -> set[tuple[str, str]]:
    """The keys by which events are told from one another: their own, and those of payments and reversals."""
    keys = {(event.source, event.id) for event in events}
    for event in events:
        match event.fact:
            case PaymentPosted() as fact:
                keys.add((event.source, f"payment {fact.payment_id}"))
            case PaymentReversed() as fact:
                keys.add((event.source, f"payment {fact.payment_id}"))
                keys.add((event.source, f"reversal {fact.reversal_id}"))
            case _:
                pass
    return keys


def _weigh_overdue(book: Book, shelf: PolicyShelf) -> None:
    """Agreements whose day is over are judged before anything new counts for them, however late their own tick is."""
    for customer_id in book.agreements:
        catch_up_agreements(book, customer_id, zone_of(book.customers[customer_id].time_zone, shelf.policy()))


async def _load_keys(tx: Transaction, ledger: Ledger, events: Sequence[InboundEvent]) -> None:
    payments, reversals, posted, snapshots = [], [], [], []
    for event in events:
        match event.fact:
            case DelinquencyReported() as fact:
                snapshots.append((fact.account_id, fact.currency, fact.sequence))
            case PaymentPosted() as fact:
                payments.append((event.source, fact.payment_id))
                posted.append((event.source, fact.payment_id))
            case PaymentReversed() as fact:
                payments.append((event.source, fact.payment_id))
                reversals.append((event.source, fact.reversal_id))
            case _:
                pass
    if payments:
        ledger.payments = await tx.payments(payments)
        ledger.add_reversals(await tx.reversals(reversals, posted))
    if snapshots:
        ledger.snapshots = await tx.snapshots(snapshots)
