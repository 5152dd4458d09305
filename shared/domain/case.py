"""A case gathers all of a customer's overdue accounts, because a person should get one message, not one per card.

It opens when an account is past due beyond the grace, cures when none is, closes when no account is left to follow, and
re-opens when trouble comes back soon after a cure. ``judge`` says what the facts make of a customer at an instant; it
stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.domain.account import Account
from shared.domain.announcement import Announcement
from shared.domain.calendar import at_local, local_date
from shared.domain.delinquency import CURRENT, BucketEntry, bucket_entries, counted_oldest_due, next_roll
from shared.domain.identity import derive
from shared.domain.policy import Policy


class CaseState(StrEnum):
    OPEN = "open"
    CURED = "cured"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Case:
    case_id: UUID
    customer_id: str
    ordinal: int
    state: CaseState
    bucket: str
    policy_version: int
    opened_at: datetime
    reopened_at: datetime | None = None
    reopenings: int = 0
    ended_at: datetime | None = None
    end_reason: str | None = None


@dataclass(frozen=True, slots=True)
class CaseStanding:
    """From ``at`` on, ``anchor`` was the case's oldest uncovered due; None when there was nothing to follow.

    ``zone`` is the customer's clock, None where it was not noted. ``held`` are ids of the overdue accounts where each
    one of them was held: the ladder stands still for as long as all of them are."""

    at: datetime
    anchor: date | None
    past_due: Mapping[str, int]
    segment: str
    zone: str | None = None
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """A line of the timeline."""

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the facts make of a customer: the case as it is now (None: never had one), what changed, what to say.

    ``rolls`` gives the instant at which each account's bucket changes next (None: no timer)."""

    case: Case | None
    accounts: tuple[Account, ...]
    standing: CaseStanding | None
    buckets: tuple[BucketEntry, ...]
    rolls: Mapping[tuple[str, str], datetime | None]
    announcements: tuple[Announcement, ...]
    events: tuple[CaseEvent, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """The customer as a judgement sees them. ``last_standing`` is the newest standing of ``case``; ``held`` are ids of
    accounts of which nothing is asked now, because of a dispute, a plan or the like."""

    customer_id: str
    segment: str
    zone: str
    accounts: Sequence[Account]
    case: Case | None
    last_standing: CaseStanding | None
    cases_opened: int
    held: frozenset[str] = frozenset()


def goes_on(case: Case, policy: Policy, at: datetime) -> bool:
    """Is the case open, or would trouble open it again? Then it is judged by ``policy``, which it was opened under: by
    two policies in turn it would open with one event and be cured by the next."""
    if case.state is CaseState.CURED and case.ended_at is not None:
        return at - case.ended_at <= timedelta(days=policy.reopen_days)
    return case.state is CaseState.OPEN


def judge(subject: Subject, policy: Policy, at: datetime, reason: str) -> Judgement:
    """Judge a customer's accounts as of ``at``; ``reason`` is what made us look (an event type, a timer kind)."""
    today = local_date(at, subject.zone)
    accounts, buckets = _roll(subject.accounts, policy, today)
    overdue = [account for account in accounts if account.followed and account.bucket != CURRENT]
    # What is held is not what the case is about, unless there is nothing else: then the hold stops the ladder.
    asked = [account for account in overdue if account.account_id not in subject.held] or overdue
    case, events, announcements = _case_after(subject, accounts, asked, policy, at, reason)
    standing = _standing(subject, case, asked, policy, at)
    announcements = [*_account_news(subject.customer_id, buckets, accounts, case), *announcements]
    if standing is not None and case is not None and case == subject.case and not announcements:
        announcements = [case_news("updated", case, {"anchor": _text(standing.anchor)})]
    rolls = {account.key: _next_roll(account, policy, today, subject.zone) for account in accounts}
    return Judgement(case, accounts, standing, buckets, rolls, tuple(announcements), tuple(events))


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _roll(
    accounts: Sequence[Account], policy: Policy, today: date
) -> tuple[tuple[Account, ...], tuple[BucketEntry, ...]]:
    rolled: list[Account] = []
    entries: list[BucketEntry] = []
    for account in accounts:
        news = bucket_entries(account, policy, today) if account.followed else _left(account, today)
        if news:
            entries += news
            account = account._replace(bucket=news[-1].bucket, bucket_since=news[-1].entered_on)
        rolled.append(account)
    return tuple(rolled), tuple(entries)


def _left(account: Account, today: date) -> list[BucketEntry]:
    if account.bucket == CURRENT:
        return []
    return [BucketEntry(account.account_id, account.currency, CURRENT, account.bucket, today)]


def _next_roll(account: Account, policy: Policy, today: date, zone: str) -> datetime | None:
    day = next_roll(account, policy, today) if account.followed else None
    return None if day is None else at_local(day, _MIDNIGHT, zone)


_MIDNIGHT = datetime.min.time()


def _case_after(
    subject: Subject,
    accounts: Sequence[Account],
    overdue: Sequence[Account],
    policy: Policy,
    at: datetime,
    reason: str,
) -> tuple[Case | None, list[CaseEvent], list[Announcement]]:
    case = subject.case
    is_open = case is not None and case.state is CaseState.OPEN
    if overdue:
        bucket = max((account.bucket for account in overdue), key=lambda name: _rank(policy, name))
        if case is None or not is_open:
            return _opened(subject, bucket, policy, at, reason)
        if bucket == case.bucket:
            return case, [], []
        data = {"bucket": bucket, "previous": case.bucket}
        return replace(case, bucket=bucket), [CaseEvent("case.bucket_changed", data)], []
    if case is None or not is_open:
        return case, [], []
    if any(account.followed for account in accounts):
        ended = replace(case, state=CaseState.CURED, bucket=CURRENT, ended_at=at, end_reason=reason)
        word = "cured"
    else:
        ended = replace(case, state=CaseState.CLOSED, bucket=CURRENT, ended_at=at, end_reason=reason)
        word = "closed"
    return ended, [CaseEvent(f"case.{word}", {"reason": reason})], [case_news(word, ended, {"reason": reason})]


def _rank(policy: Policy, bucket: str) -> int:
    """Worse buckets rank higher; one that a policy no longer has ranks lowest."""
    return next((index for index, known in enumerate(policy.buckets) if known.name == bucket), -1)


def _opened(
    subject: Subject, bucket: str, policy: Policy, at: datetime, reason: str
) -> tuple[Case, list[CaseEvent], list[Announcement]]:
    last = subject.case
    if last is not None and last.policy_version == policy.version and goes_on(last, policy, at):
        again = replace(
            last,
            state=CaseState.OPEN,
            bucket=bucket,
            reopened_at=at,
            reopenings=last.reopenings + 1,
            ended_at=None,
            end_reason=None,
        )
        data = {"bucket": bucket, "reason": reason}
        return again, [CaseEvent("case.reopened", data)], [case_news("reopened", again, data)]
    ordinal = subject.cases_opened + 1
    case = Case(
        derive("case", subject.customer_id, ordinal),
        subject.customer_id,
        ordinal,
        CaseState.OPEN,
        bucket,
        policy.version,
        at,
    )
    data = {"bucket": bucket, "reason": reason}
    return case, [CaseEvent("case.opened", data)], [case_news("opened", case, data)]


def case_news(word: str, case: Case, data: Mapping[str, Any]) -> Announcement:
    """What is told of a case that was opened, reopened, updated, cured or closed."""
    body = {
        "case_id": str(case.case_id),
        "customer_id": case.customer_id,
        "state": case.state.value,
        "reopenings": case.reopenings,
        **data,
    }
    return Announcement("arrears.case", f"arrears.case.{word}.v1", case.customer_id, body)


def _account_news(
    customer_id: str, buckets: Sequence[BucketEntry], accounts: Sequence[Account], case: Case | None
) -> list[Announcement]:
    if not buckets:
        return []
    by_key = {account.key: account for account in accounts}
    case_id = None if case is None else str(case.case_id)
    news = []
    for entry in buckets:
        account = by_key[(entry.account_id, entry.currency)]
        kind = "bucket.changed"
        if entry.previous == CURRENT:
            kind = "account.delinquent"
        elif entry.bucket == CURRENT:
            kind = "account.cured"
        data = {
            "account_id": entry.account_id,
            "currency": entry.currency,
            "customer_id": customer_id,
            "case_id": case_id,
            "bucket": entry.bucket,
            "previous": entry.previous,
            "entered_on": entry.entered_on.isoformat(),
            "past_due": account.standing.past_due,
            "oldest_due": _text(account.standing.oldest_due),
        }
        news.append(Announcement("arrears.account", f"arrears.{kind}.v1", customer_id, data))
    return news


def _standing(
    subject: Subject, case: Case | None, overdue: Sequence[Account], policy: Policy, at: datetime
) -> CaseStanding | None:
    """A new standing when it differs from the last one; the planner's input."""
    if case is None:
        return None
    anchors = [due for account in overdue if (due := counted_oldest_due(account, policy)) is not None]
    past_due: dict[str, int] = {}
    for account in overdue:
        past_due[account.currency] = past_due.get(account.currency, 0) + account.standing.past_due
    all_held = {account.account_id for account in overdue} & subject.held  # some only where there is nothing else
    now = CaseStanding(at, min(anchors, default=None), past_due, subject.segment, subject.zone, tuple(sorted(all_held)))
    last = subject.last_standing if subject.case is not None and subject.case.case_id == case.case_id else None
    if last is not None and replace(last, at=at, zone=last.zone or subject.zone) == now:
        return None
    return now
