"""Apply one inbound fact to the book. Every odd case has one defined answer; docs/api.md holds them as a table.

The functions change the book's pages in memory; what is written, and whether, is the transaction's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from shared.application.book import (
    AccountKey,
    Book,
    CustomerPage,
    Payment,
    PaymentKey,
    Reversal,
    Snapshot,
    WaitingFact,
)
from shared.application.facts import InboundEvent, fact_json, typed_fact
from shared.application.judging import PolicyShelf, rejudge, zone_of
from shared.domain.account import NOTHING_SINCE, Account, AccountStatus, Balances, Due, covered_by, restand, stand
from shared.domain.announcement import Announcement
from shared.domain.inbound import (
    AccountChargedOff,
    AccountClosed,
    Answer,
    CustomerMerged,
    CustomerUpdated,
    DelinquencyReported,
    PaymentPosted,
    PaymentReversed,
    ReportedCustomer,
)


class Verdict(NamedTuple):
    """The answer to one event; ``reason`` explains every answer but ``accepted``."""

    answer: Answer
    reason: str | None = None


ACCEPTED = Verdict(Answer.ACCEPTED)


@dataclass(slots=True)
class Ledger:
    """The natural keys that are on record already, beside the book; loaded for the events at hand."""

    book: Book
    shelf: PolicyShelf
    owners: dict[str, str] = field(default_factory=dict)  # account id -> customer id
    merged: dict[str, str] = field(default_factory=dict)  # customer id -> the one that it was merged into
    payments: dict[PaymentKey, Payment] = field(default_factory=dict)
    reversals: dict[tuple[str, str], Reversal] = field(default_factory=dict)
    snapshots: dict[tuple[str, str, int], bytes] = field(default_factory=dict)
    waiting: list[WaitingFact] = field(default_factory=list)
    profiles: dict[str, ReportedCustomer] = field(default_factory=dict)  # to be written, by customer

    def customer_id(self, named: str) -> str:
        while named in self.merged:
            named = self.merged[named]
        return named

    def account(self, key: AccountKey) -> Account | None:
        owner = self.owners.get(key[0])
        return None if owner is None else self.book.accounts_of(self.customer_id(owner)).get(key)

    def page(self, customer_id: str) -> CustomerPage:
        return self.book.customers[customer_id]


def apply(ledger: Ledger, event: InboundEvent) -> Verdict:
    """Apply ``event``; raises nothing that the fact can cause."""
    return _HANDLERS[type(event.fact)](ledger, event, event.fact)


def _report(ledger: Ledger, event: InboundEvent, fact: DelinquencyReported) -> Verdict:
    customer_id = ledger.customer_id(fact.customer_id)
    if fact.customer is not None:
        _take_profile(ledger, customer_id, fact.customer)
    known = ledger.snapshots.get((fact.account_id, fact.currency, fact.sequence))
    if known is not None:
        if known == event.fingerprint:
            return Verdict(Answer.DUPLICATE, "this sequence of the account was reported before")
        return Verdict(Answer.CONFLICT, "this sequence of the account was reported before with other content")
    key = (fact.account_id, fact.currency)
    before = ledger.account(key)
    stale = before is not None and not _newer(before, fact.sequence)
    ledger.snapshots[(*key, fact.sequence)] = event.fingerprint
    ledger.book.changes.snapshots.append(_snapshot(event, fact, stale))
    if stale:
        return Verdict(Answer.STALE, "a newer report of the account is known; filed in its history")
    if before is not None and before.customer_id != customer_id:
        _move_account(ledger, before, customer_id)
    account = _account(fact, customer_id, before)
    ledger.owners[fact.account_id] = customer_id
    _match_waiting_payments(ledger, account)
    ledger.book.put_account(_restood(ledger, account))
    rejudge(ledger.book, customer_id, ledger.shelf, ledger.book.now, event.type)
    if before is None:
        _apply_waiting(ledger, key)
    return ACCEPTED


def _apply_waiting(ledger: Ledger, key: AccountKey) -> None:
    for waiting in [w for w in ledger.waiting if (w.account_id, w.currency) == key and not w.applied]:
        fact = typed_fact(waiting.type, waiting.data)
        apply(ledger, InboundEvent(waiting.source, waiting.id, waiting.type, fact, b""))
        _put_waiting(ledger, replace(waiting, applied=True))


def _put_waiting(ledger: Ledger, waiting: WaitingFact) -> None:
    ledger.waiting = [w for w in ledger.waiting if (w.source, w.id) != (waiting.source, waiting.id)] + [waiting]
    ledger.book.changes.waiting[(waiting.source, waiting.id)] = waiting


def _wait_for_account(ledger: Ledger, event: InboundEvent, fact: AccountChargedOff | AccountClosed) -> Verdict:
    _put_waiting(
        ledger,
        WaitingFact(event.source, event.id, fact.account_id, fact.currency, event.type, fact_json(fact)),
    )
    return Verdict(Answer.UNMATCHED, "no such account and currency was ever reported; kept until it is")


def _newer(account: Account, sequence: int) -> bool:
    return sequence > account.sequence and (account.closed_sequence is None or sequence > account.closed_sequence)


def _snapshot(event: InboundEvent, fact: DelinquencyReported, stale: bool) -> Snapshot:
    body: dict[str, Any] = {
        "balances": {name: getattr(fact.balances, name) for name in ("principal", "interest", "fees", "penalty")},
        "credit_limit": fact.credit_limit,
        "dues": [[due.due_date.isoformat(), due.minimum_due, due.unpaid] for due in fact.dues],
    }
    return Snapshot(fact.account_id, fact.currency, fact.sequence, fact.cutoff_at, stale, event.fingerprint, body)


def _account(fact: DelinquencyReported, customer_id: str, before: Account | None) -> Account:
    dues = tuple(Due(due.due_date, due.minimum_due, due.unpaid) for due in fact.dues)
    balances = Balances(fact.balances.principal, fact.balances.interest, fact.balances.fees, fact.balances.penalty)
    status = AccountStatus.OPEN
    if before is not None and before.status is AccountStatus.CHARGED_OFF:
        status = AccountStatus.CHARGED_OFF
    return Account(
        account_id=fact.account_id,
        currency=fact.currency,
        customer_id=customer_id,
        product=fact.product,
        card_last4=fact.card_last4,
        credit_limit=fact.credit_limit,
        sequence=fact.sequence,
        cutoff_at=fact.cutoff_at,
        balances=balances,
        reported_dues=dues,
        standing=stand(dues, NOTHING_SINCE),
        status=status,
        charged_off_at=before.charged_off_at if before else None,
        charged_off_amount=before.charged_off_amount if before else None,
        bucket=before.bucket if before else "M0",
        bucket_since=before.bucket_since if before else None,
    )


def _match_waiting_payments(ledger: Ledger, account: Account) -> None:
    for payment in ledger.book.movements_of(account.key).payments:
        if not payment.matched:
            matched = replace(payment, matched=True, customer_id=account.customer_id)
            _put_payment(ledger, matched)


def _put_payment(ledger: Ledger, payment: Payment) -> None:
    ledger.payments[payment.key] = payment
    ledger.book.changes.payments[payment.key] = payment
    movements = ledger.book.movements_of((payment.account_id, payment.currency))
    movements.payments = [p for p in movements.payments if p.key != payment.key] + [payment]


def _restood(ledger: Ledger, account: Account) -> Account:
    page = ledger.page(account.customer_id)
    zone = zone_of(page.time_zone, ledger.shelf.policy())
    return restand(account, ledger.book.movements_of(account.key).since(account.cutoff_at, zone))


def _posted(ledger: Ledger, event: InboundEvent, fact: PaymentPosted) -> Verdict:
    known = ledger.payments.get((event.source, fact.payment_id))
    if known is not None:
        if known.fingerprint == event.fingerprint:
            return Verdict(Answer.DUPLICATE, "this payment was posted before")
        return Verdict(Answer.CONFLICT, "this payment was posted before with other content")
    key = (fact.account_id, fact.currency)
    account = ledger.account(key)
    payment = Payment(
        source=event.source,
        payment_id=fact.payment_id,
        account_id=fact.account_id,
        currency=fact.currency,
        customer_id=None if account is None else account.customer_id,
        amount=fact.amount,
        value_date=fact.value_date,
        posted_at=fact.posted_at,
        channel=fact.channel,
        matched=account is not None,
        fingerprint=event.fingerprint,
    )
    _put_payment(ledger, payment)
    for reversal in [r for r in ledger.reversals.values() if not r.applied and _reverses(r, payment)]:
        _apply_reversal(ledger, reversal)
    if account is None:
        return Verdict(Answer.UNMATCHED, "no such account and currency was ever reported; kept until it is")
    _after_money(ledger, account, event.type, _received(ledger.payments[payment.key]))
    return ACCEPTED


def _reverses(reversal: Reversal, payment: Payment) -> bool:
    return (reversal.source, reversal.payment_id) == payment.key


def _received(payment: Payment) -> tuple[str, dict[str, Any]]:
    return "payment.received", {
        "payment_id": payment.payment_id,
        "source": payment.source,
        "account_id": payment.account_id,
        "currency": payment.currency,
        "amount": payment.amount,
        "value_date": payment.value_date.isoformat(),
    }


def _after_money(ledger: Ledger, account: Account, reason: str, news: tuple[str, dict[str, Any]]) -> None:
    """Work out the account again, judge the customer, and tell what the money covered."""
    page = ledger.page(account.customer_id)
    after = _restood(ledger, account)
    if after is not account:
        ledger.book.put_account(after)
    rejudge(ledger.book, account.customer_id, ledger.shelf, ledger.book.now, reason)
    covered = covered_by(account.standing, after.standing)
    case_id = None if page.case is None else page.case.case_id
    kind, data = news
    data = {
        **data,
        "customer_id": account.customer_id,
        "case_id": None if case_id is None else str(case_id),
        "covered": [{"due_date": day.isoformat(), "amount": amount} for day, amount in covered.items()],
        "still_past_due": after.standing.past_due,
        "case_state": None if page.case is None else page.case.state.value,
    }
    changes = ledger.book.changes
    changes.announce([Announcement("arrears.payment", f"arrears.{kind}.v1", account.customer_id, data)])
    changes.record(account.customer_id, case_id, kind, data, "core-banking")


def _reversed(ledger: Ledger, event: InboundEvent, fact: PaymentReversed) -> Verdict:
    known = ledger.reversals.get((event.source, fact.reversal_id))
    if known is not None:
        if known.fingerprint == event.fingerprint:
            return Verdict(Answer.DUPLICATE, "this reversal was reported before")
        return Verdict(Answer.CONFLICT, "this reversal was reported before with other content")
    payment = ledger.payments.get((event.source, fact.payment_id))
    problem = None if payment is None else _misfit(payment, fact)
    if problem is not None:
        return Verdict(Answer.REJECTED, problem)
    reversal = Reversal(
        source=event.source,
        reversal_id=fact.reversal_id,
        payment_id=fact.payment_id,
        account_id=fact.account_id,
        currency=fact.currency,
        amount=fact.amount,
        reason=fact.reason,
        reversed_at=fact.reversed_at,
        applied=False,
        fingerprint=event.fingerprint,
    )
    _put_reversal(ledger, reversal)
    if payment is None:
        return Verdict(Answer.UNMATCHED, "the payment was never posted; kept until it is")
    _apply_reversal(ledger, reversal)
    account = ledger.account((fact.account_id, fact.currency))
    if account is None:
        return Verdict(Answer.UNMATCHED, "the payment's account was never reported; kept until it is")
    data = {
        "reversal_id": fact.reversal_id,
        "payment_id": fact.payment_id,
        "source": event.source,
        "account_id": fact.account_id,
        "currency": fact.currency,
        "amount": fact.amount,
        "reason": fact.reason,
    }
    _after_money(ledger, account, event.type, ("payment.reversed", data))
    return ACCEPTED


def _misfit(payment: Payment, fact: PaymentReversed) -> str | None:
    if (payment.account_id, payment.currency) != (fact.account_id, fact.currency):
        return "the payment was posted to another account or in another currency"
    if payment.reversed_amount + fact.amount > payment.amount:
        return "more would be reversed than was paid"
    return None


def _put_reversal(ledger: Ledger, reversal: Reversal) -> None:
    key = (reversal.source, reversal.reversal_id)
    ledger.reversals[key] = reversal
    ledger.book.changes.reversals[key] = reversal


def _apply_reversal(ledger: Ledger, reversal: Reversal) -> None:
    """Take a payment back. One that came first and turns out to fit no payment stays unapplied, for a person to see."""
    payment = ledger.payments[(reversal.source, reversal.payment_id)]
    same = (payment.account_id, payment.currency) == (reversal.account_id, reversal.currency)
    if not same or payment.reversed_amount + reversal.amount > payment.amount:
        return
    newest = max(filter(None, (payment.last_reversed_at, reversal.reversed_at)))
    _put_payment(
        ledger,
        replace(payment, reversed_amount=payment.reversed_amount + reversal.amount, last_reversed_at=newest),
    )
    _put_reversal(ledger, replace(reversal, applied=True))
    movements = ledger.book.movements_of((payment.account_id, payment.currency))
    movements.reversals.append((reversal.reversed_at, payment.posted_at, reversal.amount))


def _updated(ledger: Ledger, event: InboundEvent, fact: CustomerUpdated) -> Verdict:
    customer_id = ledger.customer_id(fact.customer_id)
    if not _take_profile(ledger, customer_id, fact.customer):
        return Verdict(Answer.STALE, "a newer version of the customer is known")
    rejudge(ledger.book, customer_id, ledger.shelf, ledger.book.now, event.type)
    return ACCEPTED


def _take_profile(ledger: Ledger, customer_id: str, profile: ReportedCustomer) -> bool:
    page = ledger.page(customer_id)
    if profile.version <= page.core_version:
        return False
    page.core_version = profile.version
    page.language = profile.language
    page.time_zone = profile.time_zone
    page.jurisdiction = profile.jurisdiction
    page.segment = profile.segment
    ledger.profiles[customer_id] = profile
    ledger.book.changes.customers[customer_id] = page
    return True


def _charged_off(ledger: Ledger, event: InboundEvent, fact: AccountChargedOff) -> Verdict:
    account = ledger.account((fact.account_id, fact.currency))
    if account is None:
        return _wait_for_account(ledger, event, fact)
    if account.status is AccountStatus.CLOSED:
        return Verdict(Answer.STALE, "the account is closed")
    if account.status is AccountStatus.CHARGED_OFF:
        same = (account.charged_off_at, account.charged_off_amount) == (fact.charged_off_at, fact.amount)
        return (
            Verdict(Answer.DUPLICATE, "the account was charged off before")
            if same
            else Verdict(Answer.CONFLICT, "the account was charged off before, at another time or amount")
        )
    changed = replace(
        account,
        status=AccountStatus.CHARGED_OFF,
        charged_off_at=fact.charged_off_at,
        charged_off_amount=fact.amount,
    )
    _after_status(ledger, changed, event.type, "account.charged_off", {"amount": fact.amount})
    return ACCEPTED


def _closed(ledger: Ledger, event: InboundEvent, fact: AccountClosed) -> Verdict:
    account = ledger.account((fact.account_id, fact.currency))
    if account is None:
        return _wait_for_account(ledger, event, fact)
    if account.closed_sequence == fact.sequence:
        same = account.closed_reason == fact.reason
        return (
            Verdict(Answer.DUPLICATE, "the account was closed before")
            if same
            else Verdict(Answer.CONFLICT, "the account was closed before for another reason")
        )
    if not _newer(account, fact.sequence):
        return Verdict(Answer.STALE, "a newer report of the account is known")
    changed = replace(account, status=AccountStatus.CLOSED, closed_reason=fact.reason, closed_sequence=fact.sequence)
    _after_status(ledger, changed, event.type, "account.closed", {"reason": fact.reason})
    return ACCEPTED


def _after_status(ledger: Ledger, account: Account, reason: str, kind: str, data: dict[str, Any]) -> None:
    ledger.book.put_account(account)
    rejudge(ledger.book, account.customer_id, ledger.shelf, ledger.book.now, reason)
    case = ledger.page(account.customer_id).case
    case_id = None if case is None else case.case_id
    body = {"account_id": account.account_id, "currency": account.currency, "customer_id": account.customer_id, **data}
    changes = ledger.book.changes
    changes.announce([Announcement("arrears.account", f"arrears.{kind}.v1", account.customer_id, body)])
    changes.record(account.customer_id, case_id, kind, body, "core-banking")


def _merged(ledger: Ledger, event: InboundEvent, fact: CustomerMerged) -> Verdict:
    origin, target = fact.from_customer_id, ledger.customer_id(fact.into_customer_id)
    if target == origin:
        return Verdict(Answer.CONFLICT, "the customer to merge into was itself merged into this one")
    if origin in ledger.merged:
        if ledger.customer_id(origin) == target:
            return Verdict(Answer.DUPLICATE, "the customer was merged before")
        return Verdict(Answer.CONFLICT, "the customer was merged into another one before")
    source = ledger.page(origin)
    source.merged_into = target
    ledger.merged[origin] = target
    changes = ledger.book.changes
    changes.customers[origin] = source
    changes.merges.append((origin, target))
    for account in list(ledger.book.accounts_of(origin).values()):
        _move_account(ledger, account, target)
    data = {"from_customer_id": origin, "into_customer_id": target}
    for customer_id in (origin, target):
        rejudge(ledger.book, customer_id, ledger.shelf, ledger.book.now, event.type)
        case = ledger.page(customer_id).case
        changes.record(customer_id, None if case is None else case.case_id, "customer.merged", data, "core-banking")
        changes.announce([Announcement("arrears.case", "arrears.customer.merged.v1", customer_id, data)])
    return ACCEPTED


def _move_account(ledger: Ledger, account: Account, customer_id: str) -> None:
    moved = replace(account, customer_id=customer_id)
    ledger.book.accounts_of(account.customer_id).pop(account.key, None)
    ledger.book.changes.set_timer(account.customer_id, "bucket_roll", f"{account.account_id}/{account.currency}", None)
    ledger.book.put_account(moved)
    ledger.owners[account.account_id] = customer_id


_HANDLERS: dict[type, Callable[[Ledger, InboundEvent, Any], Verdict]] = {
    DelinquencyReported: _report,
    PaymentPosted: _posted,
    PaymentReversed: _reversed,
    CustomerUpdated: _updated,
    AccountChargedOff: _charged_off,
    AccountClosed: _closed,
    CustomerMerged: _merged,
}
