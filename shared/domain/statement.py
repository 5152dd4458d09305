"""What is owed on one account by component and by due, what brings it current, and how it came about.

Asked about today, a past day (as it was, or as we knew it) or a day to come; the figures are those of
``allocation.replay`` over what counts for the question, so that every statement explains itself by its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from shared.domain.account import Balances, Due, MoneySince, Standing, stand
from shared.domain.allocation import AllocationRules, Replayed, replay
from shared.domain.allocation_entries import SnapshotEntry
from shared.domain.allocation_scheme import scheme_of
from shared.domain.delinquency import CURRENT, days_past_due, uncovered_since
from shared.domain.policy import COMPONENTS, Policy
from shared.domain.statement_entries import StatementEntry, came_about
from shared.domain.statement_facts import Question, Told, counting


@dataclass(frozen=True, slots=True)
class Statement:
    """Amounts in minor units of ``currency``.

    ``reported`` is the newest report that counts, ``owed`` the same less what was ``waived`` since, with later money
    laid over it; ``payable`` is what is owed and not ``disputed``. ``dues`` stand as they do after later money, ``due``
    is what is unpaid of those whose date has come by ``on``. ``to_bring_current`` is what is asked: all of it, as long
    as as much is payable; of an amount that is disputed or was waived nothing is asked, as no payment goes to it.
    ``recovered`` came in after the charge-off."""

    account_id: str
    currency: str
    on: date
    known_at: datetime
    as_of: datetime
    sequence: int
    cutoff_at: datetime
    estimated: bool
    reported: Balances
    waived: Balances
    owed: Balances
    disputed: Balances
    payable: int
    credit: int
    dues: tuple[Due, ...]
    past_due: int
    due: int
    to_bring_current: int
    oldest_due: date | None
    days_past_due: int
    bucket: str
    charged_off: bool
    recovered: int
    entries: tuple[StatementEntry, ...] | None


@dataclass(frozen=True, slots=True)
class Subject:
    """The account that is asked about. ``closed``: from when it was closed until it was open again (None: it is still
    closed), as we learned of it."""

    account_id: str
    currency: str
    closed: tuple[tuple[datetime, datetime | None], ...] = ()

    def closed_at(self, at: datetime) -> bool:
        return any(begin <= at and (end is None or at < end) for begin, end in self.closed)


def statement_of(
    subject: Subject, told: Iterable[Told], question: Question, policy: Policy, *, with_entries: bool = True
) -> Statement | None:
    """None when no report of the account counts for the question: there is nothing to say yet."""
    counted = counting(told, question)
    rules = AllocationRules(scheme_of(policy), policy.grace, subject.currency, question.zone)
    result = replay([each.entry for each in counted], rules)
    newest = _newest(counted, result)
    if newest is None:
        return None
    standing = _standing(newest, result)
    oldest = uncovered_since(standing, subject.currency, policy)
    days = days_past_due(oldest, question.on, policy.grace.days)
    due = sum(due.unpaid for due in standing.dues if due.due_date <= question.on)
    disputed = _balances((part.component, part.disputed) for part in result.parts)
    waived = _balances(
        (share.component, share.amount)
        for line in result.lines
        if line.kind == "waiver" and line.sequence == result.sequence
        for share in line.shares
    )
    return Statement(
        account_id=subject.account_id,
        currency=subject.currency,
        on=question.on,
        known_at=question.known_at,
        as_of=question.as_of,
        sequence=newest.sequence,
        cutoff_at=newest.cutoff_at,
        estimated=standing.estimated,
        reported=_balances((part.component, part.amount) for part in newest.parts),
        waived=waived,
        owed=_balances((part.component, part.owed) for part in result.parts),
        disputed=disputed,
        payable=result.payable,
        credit=result.credit,
        dues=standing.dues,
        past_due=standing.past_due,
        due=due,
        to_bring_current=min(due, result.payable) if disputed.total or waived.total else due,
        oldest_due=standing.oldest_due,
        days_past_due=days,
        bucket=CURRENT if subject.closed_at(question.as_of) else policy.bucket_of(days),
        charged_off=result.charged_off,
        recovered=result.recovered,
        entries=came_about(counted, result, question.zone) if with_entries else None,
    )


def _newest(counted: Sequence[Told], result: Replayed) -> SnapshotEntry | None:
    for each in counted:
        if isinstance(each.entry, SnapshotEntry) and each.entry.sequence == result.sequence:
            return each.entry
    return None


def _standing(newest: SnapshotEntry, result: Replayed) -> Standing:
    """The dues as the account itself has them (``shared.domain.account.stand``)."""
    period = result.periods[-1]
    back = [line.on for line in result.lines if line.kind == "given_back" and line.sequence == period.sequence]
    return stand(newest.dues, MoneySince(period.paid, period.given_back, max(back, default=None)))


def _balances(parts: Iterable[tuple[str, int]]) -> Balances:
    sums = dict.fromkeys(COMPONENTS, 0)
    for component, amount in parts:
        sums[component] += amount
    return Balances(**sums)
