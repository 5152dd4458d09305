"""Promises to pay: who said when they would pay how much, and whether they did.

A promise is judged from payments, by the day they count for. It is kept once enough came in, within the tolerances that
were agreed when it was made; after its last day what came in decides between partially kept and broken. The past can
change: a back-dated payment or a reversal judges it again, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from shared.domain.announcement import Announcement
from shared.domain.document import Section
from shared.domain.ladder import currency_amounts
from shared.domain.outcome import Outcome, Refused
from shared.domain.payment import AccountKey, Payment, in_order


class PromiseState(StrEnum):
    OPEN = "open"
    KEPT = "kept"
    PARTIALLY_KEPT = "partially_kept"
    BROKEN = "broken"
    CANCELLED = "cancelled"


class Promiser(StrEnum):
    """Who promised."""

    DEBTOR = "debtor"
    GUARANTOR = "guarantor"
    REPRESENTATIVE = "representative"  # with authority: attorney, guardian, estate
    THIRD_PARTY = "third_party"  # pays for the debtor of their own will


class PromiseRefused(Refused):
    """The promise is not taken."""


@dataclass(frozen=True, slots=True)
class PromisePolicy:
    """``tolerance_days`` after the due date and ``tolerance_amount`` short of the sum still keep a promise. ``latest``
    is the furthest due date in days, ``least_share_bps`` the least part of what is past due, ``open_at_once`` how many
    an account may have open; after ``broken`` of them in ``broken_days`` no new one is taken."""

    tolerance_days: int
    tolerance_amount: Mapping[str, int]
    latest: int
    least_share_bps: int
    open_at_once: int
    broken: int
    broken_days: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class Promise:
    """``amount`` in minor units of ``currency``, to be paid by ``due_on`` on one account. ``made_at``: a payment posted
    up to then was known, and does not count. The tolerances are those of the day it was made, so that a new policy
    does not judge old promises. ``paid`` is what counted for it when it was last judged, ``kept_on`` the day on which
    enough was there."""

    promise_id: UUID
    customer_id: str
    account_id: str
    currency: str
    amount: int
    due_on: date
    made_at: datetime
    made_on: date
    channel: str
    promised_by: Promiser
    recorded_by: str
    tolerance_days: int
    tolerance_amount: int
    policy_version: int
    state: PromiseState = PromiseState.OPEN
    paid: int = 0
    kept_on: date | None = None
    judged_on: date | None = None
    reason: str = "made"

    @property
    def account(self) -> AccountKey:
        return (self.account_id, self.currency)

    @property
    def last_day(self) -> date:
        return self.due_on + timedelta(days=self.tolerance_days)

    @property
    def enough(self) -> int:
        return max(1, self.amount - self.tolerance_amount)

    @property
    def due_for_judgement(self) -> date:
        """The day on whose beginning the calendar alone decides: the timer's date."""
        return self.last_day + timedelta(days=1)

    def open_on(self, day: date) -> bool:
        return self.state is PromiseState.OPEN and day <= self.last_day

    def counts(self, payment: Payment) -> bool:
        """Could this payment be what was promised?"""
        return (
            payment.account == self.account
            and payment.posted_at > self.made_at
            and self.made_on <= payment.value_date <= self.last_day
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPromise:
    promise_id: UUID
    customer_id: str
    account_id: str
    currency: str
    amount: int
    due_on: date
    made_at: datetime
    channel: str
    promised_by: Promiser
    recorded_by: str


_FOR_NOBODY = frozenset({"not-positive", "too-much"})  # there is nobody with the right to put these aside


def objections(
    new: NewPromise, earlier: Iterable[Promise], past_due: int, owed: int, policy: PromisePolicy, today: date
) -> Mapping[str, str]:
    """What stands against taking the promise, by code; empty when nothing does. ``past_due`` is the account's, in
    minor units, and ``owed`` all that is; ``earlier`` are the customer's promises so far, as they are judged today."""
    account = [each for each in earlier if each.account == (new.account_id, new.currency)]
    since = today - timedelta(days=policy.broken_days)
    broken = sum(each.state is PromiseState.BROKEN and each.due_on > since for each in account)
    least = -(-past_due * policy.least_share_bps // 10_000)
    most = max(owed, past_due)  # the bank's dues and its balances need not agree
    latest = today + timedelta(days=policy.latest)
    against = {
        "not-positive": "a promise is of a positive amount" if new.amount < 1 else "",
        "too-early": f"{new.due_on} is past" if new.due_on < today else "",
        "too-late": f"a promise reaches to {latest} at most" if new.due_on > latest else "",
        "too-little": f"at least {least} of the {past_due} past due" if new.amount < least else "",
        "too-much": f"{most} is owed on the account" if new.amount > most else "",
        "open-already": f"{policy.open_at_once} may be open on an account at once"
        if sum(each.open_on(today) for each in account) >= policy.open_at_once
        else "",
        "broken-before": f"{broken} were broken in {policy.broken_days} days" if broken >= policy.broken else "",
    }
    return {code: words for code, words in against.items() if words}


def make(
    new: NewPromise,
    earlier: Sequence[Promise],
    past_due: int,
    owed: int,
    policy: PromisePolicy,
    today: date,
    *,
    waived: Collection[str] = (),
) -> Outcome[Promise]:
    """Take a promise. ``waived`` are codes that somebody with the right to has put aside (``broken-before``, say).
    Raises PromiseRefused with the first code that stands against it."""
    for code, words in objections(new, earlier, past_due, owed, policy, today).items():
        if code not in waived or code in _FOR_NOBODY:
            raise PromiseRefused(code, words)
    promise = Promise(
        promise_id=new.promise_id,
        customer_id=new.customer_id,
        account_id=new.account_id,
        currency=new.currency,
        amount=new.amount,
        due_on=new.due_on,
        made_at=new.made_at,
        made_on=today,
        channel=new.channel,
        promised_by=new.promised_by,
        recorded_by=new.recorded_by,
        tolerance_days=policy.tolerance_days,
        tolerance_amount=policy.tolerance_amount.get(new.currency, 0),
        policy_version=policy.version,
    )
    return Outcome(promise, (_news("made", promise),))


def judge(
    promises: Iterable[Promise], payments: Iterable[Payment], on: date, reason: str
) -> Outcome[tuple[Promise, ...]]:
    """All promises of a customer as of ``on``, from all payments known; ``reason`` is what made us look (a timer's
    kind, an event's type). A payment counts once: for the promise due first of those that it fits.

    The answer depends on payments and date alone, so judging late, twice or in another order changes nothing."""
    before = tuple(promises)
    live = sorted(
        (each for each in before if each.state is not PromiseState.CANCELLED),
        key=lambda each: (each.due_on, each.made_at, each.promise_id),
    )
    paid = {each.promise_id: 0 for each in live}
    kept_on: dict[UUID, date] = {}
    for payment in in_order(payments):
        left = payment.net if payment.value_date <= on else 0
        for each in live:
            if left and each.counts(payment):
                part = min(left, each.amount - paid[each.promise_id])
                paid[each.promise_id] += part
                left -= part
                if paid[each.promise_id] >= each.enough:
                    kept_on.setdefault(each.promise_id, payment.value_date)
    after = tuple(
        _judged(each, paid[each.promise_id], kept_on.get(each.promise_id), on, reason)
        if each.promise_id in paid
        else each
        for each in before
    )
    news = [
        _news(_WORDS[now.state], now, previous=was.state)
        for was, now in zip(before, after, strict=True)
        if was.state is not now.state
    ]
    return Outcome(after, tuple(news))


def _judged(promise: Promise, paid: int, kept_on: date | None, on: date, reason: str) -> Promise:
    state = PromiseState.OPEN
    if kept_on is not None:
        state = PromiseState.KEPT
    elif on > promise.last_day:
        state = PromiseState.PARTIALLY_KEPT if paid else PromiseState.BROKEN
    if (state, paid, kept_on) == (promise.state, promise.paid, promise.kept_on):
        return promise
    return replace(promise, state=state, paid=paid, kept_on=kept_on, judged_on=on, reason=reason)


def cancel(promise: Promise, on: date, reason: str) -> Outcome[Promise]:
    """Somebody calls an open promise off: a mistake, a new agreement, an objection. Raises PromiseRefused."""
    if promise.state is not PromiseState.OPEN:
        raise PromiseRefused("not-open", f"a promise that is {promise.state} can not be cancelled")
    after = replace(promise, state=PromiseState.CANCELLED, judged_on=on, reason=reason)
    return Outcome(after, (_news("cancelled", after, previous=promise.state),))


def waits_until(promises: Iterable[Promise], overdue: Iterable[AccountKey], on: date) -> date | None:
    """The last day on which follow-ups wait: every overdue account has an open promise, and the first of them to end
    ends it. None when an account has none, for a customer gets one message about all of them."""
    last: dict[AccountKey, date] = {}
    for each in promises:
        if each.open_on(on):
            last[each.account] = max(each.last_day, last.get(each.account, each.last_day))
    accounts = set(overdue)
    return min(last[account] for account in accounts) if accounts and accounts <= set(last) else None


_WORDS: Mapping[PromiseState, str] = MappingProxyType(
    {
        PromiseState.OPEN: "reopened",
        PromiseState.KEPT: "kept",
        PromiseState.PARTIALLY_KEPT: "partially_kept",
        PromiseState.BROKEN: "broken",
    }
)


def _news(word: str, promise: Promise, previous: PromiseState | None = None) -> Announcement:
    data: dict[str, Any] = {
        "promise_id": str(promise.promise_id),
        "customer_id": promise.customer_id,
        "account_id": promise.account_id,
        "currency": promise.currency,
        "amount": promise.amount,
        "due_on": promise.due_on.isoformat(),
        "paid": promise.paid,
        "state": promise.state.value,
        "previous": None if previous is None else previous.value,
        "reason": promise.reason,
        "policy_version": promise.policy_version,
    }
    return Announcement("arrears.promise", f"arrears.promise.{word}.v1", promise.customer_id, data)


def read_promise_policy(section: Section, version: int) -> PromisePolicy:
    """Raises DocumentError naming the place."""
    policy = PromisePolicy(
        tolerance_days=section.whole("tolerance_days", high=30),
        tolerance_amount=currency_amounts(section, "tolerance_amount"),
        latest=section.whole("latest", low=1, high=366),
        least_share_bps=section.whole("least_share_bps", high=10_000),
        open_at_once=section.whole("open_at_once", low=1, high=100),
        broken=section.whole("broken", low=1, high=1000),
        broken_days=section.whole("broken_days", low=1, high=3660),
        version=version,
    )
    section.finish()
    return policy
