"""Promises to pay: taken from a customer, called off by a person, judged by the clock when their last day is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol
from uuid import UUID

from shared.application.agreements import (
    ACTOR_CLOCK,
    BY_CLOCK,
    catch_up_agreements,
    note_wait,
    put_promise,
    tell_promises,
    weigh,
)
from shared.application.book import Agreements, Book, PromiseOnFile
from shared.application.clockwork import DueTimer
from shared.application.debts import owed_now
from shared.application.editing import EditStore, Expected, case_of, open_customer, open_for_edit
from shared.application.judging import PolicyShelf, open_pages, zone_of
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid
from shared.domain.calendar import local_date
from shared.domain.outcome import Outcome
from shared.domain.promise import NewPromise, Promise, PromisePolicy, Promiser, PromiseRefused, cancel, make

_POINTERS = {
    "too-early": "/due_on",
    "too-late": "/due_on",
    "too-little": "/amount",
    "too-much": "/amount",
    "not-positive": "/amount",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseAsked:
    """``amount`` in minor units; ``waive``: codes of objections that the caller puts aside."""

    promise_id: UUID
    customer_id: str
    account_id: str
    currency: str
    amount: int
    due_on: date
    channel: str
    promised_by: Promiser
    waive: tuple[str, ...] = ()


class PromiseStore(EditStore, Protocol):
    async def load_accounts(self, book: Book) -> None: ...

    async def load_agreements(self, book: Book) -> None: ...

    async def load_told(self, book: Book) -> None: ...

    async def find_promise(self, promise_id: UUID, who: Principal) -> PromiseOnFile | None: ...


class PromiseDesk:
    """What people do with promises."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def take(self, tx: PromiseStore, asked: PromiseAsked, who: Principal) -> None:
        """Put a promise on record; follow-ups wait for it once every overdue account has one."""
        if asked.waive and not who.has(Role.SUPERVISOR):
            raise Forbidden("What stands against a promise is put aside by a supervisor.")
        book, page = await open_customer(tx, asked.customer_id, who)
        await _load(tx, book)
        await tx.load_told(book)
        zone = zone_of(page.time_zone, self._shelf.policy())
        account = book.accounts_of(asked.customer_id).get((asked.account_id, asked.currency))
        if account is None:
            reason = "is not an account of this customer in this currency"
            raise Invalid("There is no such account.", errors=[FieldError("/account_id", reason)])
        if not account.followed or not account.standing.past_due:
            raise Conflict("Nothing is past due on this account.", code="nothing-past-due")
        agreements = book.agreements.setdefault(asked.customer_id, Agreements())
        catch_up_agreements(book, asked.customer_id, zone)
        today = local_date(tx.now, zone)
        earlier = [filed.promise for filed in agreements.promises.values()]
        new = NewPromise(
            promise_id=asked.promise_id,
            customer_id=asked.customer_id,
            account_id=asked.account_id,
            currency=asked.currency,
            amount=asked.amount,
            due_on=asked.due_on,
            made_at=tx.now,
            channel=asked.channel,
            promised_by=asked.promised_by,
            recorded_by=who.subject,
        )
        owed = owed_now(book, self._shelf, asked.customer_id, account.key, zone).amount
        policy = self._shelf.repayment().promises
        outcome = _made(new, earlier, account.standing.past_due, owed, policy, today, asked.waive)
        put_promise(book, PromiseOnFile(outcome.state, case_of(book, asked.customer_id)), zone)
        tell_promises(book, asked.customer_id, outcome.announcements, who.subject)
        note_wait(book, asked.customer_id, zone, tx.now)
        await tx.save(book.changes)

    async def cancel(self, tx: PromiseStore, promise_id: UUID, reason: str, who: Principal, expected: Expected) -> None:
        """Call an open promise off; follow-ups go on."""
        book, filed = await open_for_edit(tx, tx.find_promise, promise_id, who, expected)
        await _load(tx, book)
        customer_id = filed.customer_id
        zone = zone_of(book.customers[customer_id].time_zone, self._shelf.policy())
        catch_up_agreements(book, customer_id, zone)
        standing = book.agreements[customer_id].promises[promise_id]
        try:
            outcome = cancel(standing.promise, local_date(tx.now, zone), reason)
        except PromiseRefused as refused:
            raise Conflict(f"Not possible: {refused}.", code="promise-state") from None
        put_promise(book, replace(standing, promise=outcome.state), zone)
        tell_promises(book, customer_id, outcome.announcements, who.subject)
        note_wait(book, customer_id, zone, tx.now)
        await tx.save(book.changes)


class PromiseClock:
    """The last day of a promise is over."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def tick(self, tx: PromiseStore, book: Book, timers: Sequence[DueTimer]) -> None:
        await _load(tx, book)
        for customer_id in {timer.scope: None for timer in timers}:
            zone = zone_of(book.customers[customer_id].time_zone, self._shelf.policy())
            weigh(book, customer_id, zone, tx.now, BY_CLOCK, ACTOR_CLOCK)
        await tx.save(book.changes)


async def _load(tx: PromiseStore, book: Book) -> None:
    await open_pages(tx, book)


def _made(
    new: NewPromise,
    earlier: Sequence[Promise],
    past_due: int,
    owed: int,
    policy: PromisePolicy,
    today: date,
    waived: Collection[str],
) -> Outcome[Promise]:
    try:
        return make(new, earlier, past_due, owed, policy, today, waived=waived)
    except PromiseRefused as refused:
        errors = [FieldError(_POINTERS.get(refused.code, "/account_id"), str(refused), refused.code)]
        raise Invalid(f"Not taken: {refused}.", code="promise-refused", errors=errors) from None
