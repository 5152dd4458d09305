"""Judge a customer anew inside a transaction: buckets, case, standing, timers and news go into the book's changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from typing import Protocol

from shared.application.agreements import weigh
from shared.application.book import AccountKey, Book, Changes
from shared.domain.account import Account
from shared.domain.calendar import BusinessCalendar, add_months, at_local
from shared.domain.case import Case, CaseState, Subject, goes_on, judge
from shared.domain.delinquency import CURRENT, BucketEntry
from shared.domain.follow_up import Timetable
from shared.domain.household import Guide
from shared.domain.policy import Policy
from shared.domain.repayment_policy import RepaymentPolicy

BUCKET_ROLL = "bucket_roll"
LIMITATION_LOOK = "limitation_look"
FIRST_LOOK_MONTHS = 12
"""After the oldest due date the clock of limitation is looked at for the first time; no pack warns earlier."""
_MIDNIGHT = time()


class UnknownVersion(LookupError):
    """The shelf does not hold this document, perhaps not yet."""

    def __init__(self, kind: str, wanted: object) -> None:
        super().__init__(f"no {kind} {wanted!r} on the shelf")


class PolicyShelf(Protocol):
    """Every policy version that is in force for some case, by version; ``None`` asks for the active one.

    What is not there raises ``UnknownVersion``; ``renew`` looks into the database again.
    """

    async def renew(self) -> None: ...

    def policy(self, version: int | None = None) -> Policy: ...

    def calendar(self, policy: Policy) -> BusinessCalendar: ...

    def repayment(self) -> RepaymentPolicy:
        """How promises are taken and plans are made: the policy in force."""

    def guide(self, currency: str) -> Guide | None:
        """The guide figures for households in a currency; None where there are none."""

    def timetable(self, version: int) -> Timetable: ...


class Pages(Protocol):
    async def load_cases(self, book: Book) -> None: ...

    async def load_accounts(self, book: Book) -> None: ...

    async def load_agreements(self, book: Book) -> None: ...


async def open_pages(tx: Pages, book: Book) -> None:
    """What judging reads of the customers that are locked: cases, accounts, and what they agreed to."""
    await tx.load_cases(book)
    await tx.load_accounts(book)
    await tx.load_agreements(book)


def zone_of(time_zone: str | None, policy: Policy) -> str:
    return time_zone or policy.default_zone


def rejudge(
    book: Book, customer_id: str, shelf: PolicyShelf, at: datetime, reason: str, actor: str = "system"
) -> datetime | None:
    """Judge ``customer_id`` as of ``at`` and note what it means; when a bucket of theirs rolls next.

    ``reason`` is an event type, a timer kind or ``hold``."""
    page = book.customers[customer_id]
    policy = _policy_for(page.case, shelf, at)
    accounts = book.accounts_of(customer_id)
    subject = Subject(
        customer_id=customer_id,
        segment=page.segment,
        zone=zone_of(page.time_zone, policy),
        accounts=tuple(accounts.values()),
        case=page.case,
        last_standing=page.last_standing,
        cases_opened=page.cases_opened,
        held=frozenset(str(hold.account_id) for hold in book.holds_of(customer_id) if hold.active_at(at)),
    )
    judgement = judge(subject, policy, at, reason)
    changes = book.changes
    for account in judgement.accounts:
        if account is not accounts[account.key]:
            book.put_account(account)
    case = judgement.case
    if case is not None:
        if page.case is None or page.case.case_id != case.case_id:
            page.standings = 0
        if case.ordinal > page.cases_opened:
            page.cases_opened = case.ordinal
            changes.customers[customer_id] = page
            changes.new_cases.add(case.case_id)
        if case is not page.case:
            page.case = case
            changes.cases[case.case_id] = case
        if judgement.standing is not None:
            page.standings += 1
            page.last_standing = judgement.standing
            changes.standings.append((case.case_id, page.standings, judgement.standing))
    case_id = None if case is None else case.case_id
    changes.buckets.extend((entry, case_id) for entry in judgement.buckets)
    for key, due_at in judgement.rolls.items():
        changes.set_timer(customer_id, BUCKET_ROLL, f"{key[0]}/{key[1]}", due_at)
    _watch_claims(changes, judgement.buckets, accounts, subject)
    for event in judgement.events:
        changes.record(customer_id, case_id, event.kind, event.data, actor)
    changes.announce(judgement.announcements)
    weigh(book, customer_id, subject.zone, at, reason, actor)
    return min((due_at for due_at in judgement.rolls.values() if due_at is not None), default=None)


def _policy_for(case: Case | None, shelf: PolicyShelf, at: datetime) -> Policy:
    """Its own for a case that goes on, or that would; else the active one."""
    if case is not None and case.state is not CaseState.CLOSED:
        own = shelf.policy(case.policy_version)
        if goes_on(case, own, at):
            return own
    return shelf.policy()


def _watch_claims(
    changes: Changes, entries: Iterable[BucketEntry], accounts: Mapping[AccountKey, Account], subject: Subject
) -> None:
    """From when an account is overdue on, the clock of limitation is looked at."""
    for entry in entries:
        oldest = accounts[entry.account_id, entry.currency].standing.oldest_due
        if entry.previous == CURRENT and oldest is not None:
            at = at_local(add_months(oldest, FIRST_LOOK_MONTHS), _MIDNIGHT, subject.zone)
            changes.set_timer(subject.customer_id, LIMITATION_LOOK, f"{entry.account_id}/{entry.currency}", at)
