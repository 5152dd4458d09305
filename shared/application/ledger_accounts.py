"""Reports of accounts and customers into the ledger: snapshots, profiles, charge-offs, closings, mergers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.application.agreements import follow_clock, move_agreements
from shared.application.book import AccountKey, CustomerPage, Snapshot, WaitingFact
from shared.application.facts import InboundEvent, fact_json, typed_fact
from shared.application.judging import rejudge, zone_of
from shared.application.ledger import ACCEPTED, Ledger, Verdict, money_since, put_payment
from shared.domain.account import Account, AccountStatus, MoneySince, stand
from shared.domain.announcement import Announcement
from shared.domain.case import CaseState, case_news
from shared.domain.inbound import (
    AccountChargedOff,
    AccountClosed,
    Answer,
    CustomerMerged,
    CustomerUpdated,
    DelinquencyReported,
    Fact,
    ReportedCustomer,
)


def reported(ledger: Ledger, event: InboundEvent, fact: DelinquencyReported) -> Verdict:
    """A report of the account, and perhaps of the customer: who they are may be news where a stale report is none."""
    customer_id = ledger.customer_id(fact.customer_id)
    known = ledger.snapshots.get((fact.account_id, fact.currency, fact.sequence))
    if known is not None:
        if event.says(known):
            return Verdict(Answer.DUPLICATE, "this sequence of the account was reported before")
        return Verdict(Answer.CONFLICT, "this sequence of the account was reported before with other content")
    is_news = fact.customer is not None and _take_profile(ledger, customer_id, fact.customer)
    key = (fact.account_id, fact.currency)
    before = ledger.account(key)
    stale = before is not None and fact.sequence <= before.sequence
    ledger.snapshots[(*key, fact.sequence)] = event.fingerprint
    ledger.book.changes.snapshots.append(_snapshot(event, fact, stale))
    if stale:
        if is_news:  # the customer has a version of their own, which may be the newest
            rejudge(ledger.book, customer_id, ledger.shelf, ledger.book.now, event.type)
        return Verdict(Answer.STALE, "a newer report of the account is known; filed in its history")
    left = _change_hands(ledger, fact.account_id, customer_id)
    if before is None:
        ledger.book.changes.new_accounts.add(key)
    ledger.owners[fact.account_id] = customer_id
    _match_waiting_payments(ledger, key, customer_id)
    since = money_since(ledger, key, fact.cutoff_at)
    ledger.book.put_account(_account(fact, customer_id, before, since))
    for concerned in (*left, customer_id):
        rejudge(ledger.book, concerned, ledger.shelf, ledger.book.now, event.type)
    if before is None:
        _apply_waiting(ledger, key)
    return ACCEPTED


def _change_hands(ledger: Ledger, account_id: str, customer_id: str) -> list[str]:
    """Move an account, in all its currencies, to ``customer_id``; who had it before."""
    owner = ledger.owners.get(account_id)
    if owner is None or (owner := ledger.customer_id(owner)) == customer_id:
        return []
    for account in list(ledger.book.accounts_of(owner).values()):
        if account.account_id == account_id:
            _move_account(ledger, account, customer_id)
    ledger.book.changes.handed_on.append((account_id, owner, customer_id))
    return [owner]


def _apply_waiting(ledger: Ledger, key: AccountKey) -> None:
    for waiting in [w for w in ledger.waiting if (w.account_id, w.currency) == key and not w.applied]:
        fact = typed_fact(waiting.type, waiting.data)
        event = InboundEvent(waiting.source, waiting.id, waiting.type, fact, b"")
        match fact:
            case AccountChargedOff():
                charged_off(ledger, event, fact)
            case AccountClosed():
                closed(ledger, event, fact)
            case _:
                raise TypeError(f"{waiting.type} does not wait for an account")
        _put_waiting(ledger, replace(waiting, applied=True))


def _put_waiting(ledger: Ledger, waiting: WaitingFact) -> None:
    ledger.waiting = [w for w in ledger.waiting if (w.source, w.id) != (waiting.source, waiting.id)] + [waiting]
    ledger.book.changes.waiting[(waiting.source, waiting.id)] = waiting


def _wait_for_account(ledger: Ledger, event: InboundEvent, fact: AccountChargedOff | AccountClosed) -> Verdict:
    for waiting in ledger.waiting:
        known = typed_fact(waiting.type, waiting.data)
        if _is_about_the_same(known, fact):
            if known == fact:
                return Verdict(Answer.DUPLICATE, "this was said before, and waits for the account")
            return Verdict(Answer.CONFLICT, "this was said before with other content, and waits for the account")
    _put_waiting(
        ledger,
        WaitingFact(event.source, event.id, fact.account_id, fact.currency, event.type, fact_json(fact)),
    )
    return Verdict(Answer.UNMATCHED, "no such account and currency was ever reported; kept until it is")


def _is_about_the_same(known: Fact, fact: AccountChargedOff | AccountClosed) -> bool:
    """An account is charged off once, and closed once by a sequence."""
    match known, fact:
        case AccountChargedOff(), AccountChargedOff():
            return (known.account_id, known.currency) == (fact.account_id, fact.currency)
        case AccountClosed(), AccountClosed():
            return (known.account_id, known.currency, known.sequence) == (
                fact.account_id,
                fact.currency,
                fact.sequence,
            )
    return False


def _snapshot(event: InboundEvent, fact: DelinquencyReported, stale: bool) -> Snapshot:
    owed = fact.balances
    body: dict[str, Any] = {
        "balances": {
            "principal": owed.principal,
            "interest": owed.interest,
            "fees": owed.fees,
            "penalty": owed.penalty,
        },
        "credit_limit": fact.credit_limit,
        "dues": [[due.due_date.isoformat(), due.minimum_due, due.unpaid] for due in fact.dues],
    }
    return Snapshot(fact.account_id, fact.currency, fact.sequence, fact.cutoff_at, stale, event.fingerprint, body)


def _account(fact: DelinquencyReported, customer_id: str, before: Account | None, since: MoneySince) -> Account:
    status = AccountStatus.OPEN
    if before is not None and before.charged_off_at is not None:
        status = AccountStatus.CHARGED_OFF
    # A report from before the closing may come after it: it is the newest there is, and the account stays closed.
    ended = before is not None and before.closed_sequence is not None and fact.sequence <= before.closed_sequence
    if ended:
        status = AccountStatus.CLOSED
    return Account(
        account_id=fact.account_id,
        currency=fact.currency,
        customer_id=customer_id,
        product=fact.product,
        card_last4=fact.card_last4,
        credit_limit=fact.credit_limit,
        sequence=fact.sequence,
        cutoff_at=fact.cutoff_at,
        balances=fact.balances,
        reported_dues=fact.dues,
        standing=stand(fact.dues, since),
        paid_since=since.paid,
        status=status,
        closed_reason=before.closed_reason if before and ended else None,
        closed_sequence=before.closed_sequence if before and ended else None,
        charged_off_at=before.charged_off_at if before else None,
        charged_off_amount=before.charged_off_amount if before else None,
        bucket=before.bucket if before else "M0",
        bucket_since=before.bucket_since if before else None,
    )


def _match_waiting_payments(ledger: Ledger, key: AccountKey, customer_id: str) -> None:
    movements = ledger.book.movements.get(key)
    for payment in [] if movements is None else list(movements.payments.values()):
        if not payment.matched:
            put_payment(ledger, payment._replace(matched=True, customer_id=customer_id))


def customer_updated(ledger: Ledger, event: InboundEvent, fact: CustomerUpdated) -> Verdict:
    customer_id = ledger.customer_id(fact.customer_id)
    if not _take_profile(ledger, customer_id, fact.customer):
        return Verdict(Answer.STALE, "a newer version of the customer is known")
    rejudge(ledger.book, customer_id, ledger.shelf, ledger.book.now, event.type)
    return ACCEPTED


def _take_profile(ledger: Ledger, customer_id: str, profile: ReportedCustomer) -> bool:
    page = ledger.page(customer_id)
    if profile.version <= page.core_version:
        return False
    moved = page.time_zone != profile.time_zone
    page.core_version = profile.version
    page.language = profile.language.replace("_", "-")
    page.time_zone = profile.time_zone
    page.jurisdiction = profile.jurisdiction
    page.segment = profile.segment
    ledger.profiles[customer_id] = profile
    ledger.book.changes.customers[customer_id] = page
    if moved:
        _follow_clock(ledger, page)
    return True


def _follow_clock(ledger: Ledger, page: CustomerPage) -> None:
    """The customer lives by another clock: their timers follow, and so does the next step of their case. A standing
    that knows its clock is replaced by the next judgement, which tells of it."""
    if page.customer_id in ledger.book.agreements:
        zone = zone_of(page.time_zone, ledger.shelf.policy())
        follow_clock(ledger.book, page.customer_id, zone, ledger.shelf.repayment())
    case, standing = page.case, page.last_standing
    if case is not None and case.state is CaseState.OPEN and standing is not None and standing.zone is None:
        anchor = None if standing.anchor is None else standing.anchor.isoformat()
        ledger.book.changes.announce([case_news("updated", case, {"anchor": anchor})])


def charged_off(ledger: Ledger, event: InboundEvent, fact: AccountChargedOff) -> Verdict:
    account = ledger.account((fact.account_id, fact.currency))
    if account is None:
        return _wait_for_account(ledger, event, fact)
    if account.charged_off_at is not None:
        same = (account.charged_off_at, account.charged_off_amount) == (fact.charged_off_at, fact.amount)
        return (
            Verdict(Answer.DUPLICATE, "the account was charged off before")
            if same
            else Verdict(Answer.CONFLICT, "the account was charged off before, at another time or amount")
        )
    # A closed account stays closed; that it was charged off before is on record all the same, whichever came first.
    is_closed = account.status is AccountStatus.CLOSED
    changed = account._replace(
        status=AccountStatus.CLOSED if is_closed else AccountStatus.CHARGED_OFF,
        charged_off_at=fact.charged_off_at,
        charged_off_amount=fact.amount,
    )
    _after_status(ledger, changed, event.type, "account.charged_off", {"amount": fact.amount})
    return ACCEPTED


def closed(ledger: Ledger, event: InboundEvent, fact: AccountClosed) -> Verdict:
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
    if fact.sequence < max(account.sequence, account.closed_sequence or 0):
        return Verdict(Answer.STALE, "a newer report of the account is known")
    changed = account._replace(status=AccountStatus.CLOSED, closed_reason=fact.reason, closed_sequence=fact.sequence)
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


def merged(ledger: Ledger, event: InboundEvent, fact: CustomerMerged) -> Verdict:
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
    moved = account._replace(customer_id=customer_id)
    ledger.book.accounts_of(account.customer_id).pop(account.key, None)
    ledger.book.changes.set_timer(account.customer_id, "bucket_roll", f"{account.account_id}/{account.currency}", None)
    ledger.book.put_account(moved)
    zone = zone_of(ledger.page(customer_id).time_zone, ledger.shelf.policy())
    move_agreements(ledger.book, account.key, account.customer_id, customer_id, zone, ledger.shelf.repayment())
    ledger.owners[account.account_id] = customer_id
