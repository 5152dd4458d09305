"""What may be done with a settlement, and what payments make of it: functions from one to the one after."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.domain.announcement import Announcement
from shared.domain.authority import ANY, Ask, rule_on
from shared.domain.calendar import BusinessCalendar
from shared.domain.money import allocate_in_order
from shared.domain.outcome import Outcome
from shared.domain.payment import AccountKey, Payment, received
from shared.domain.plan_coverage import Coverage, break_days, cover
from shared.domain.plan_dates import DateRule, due_days, months_spanned
from shared.domain.plan_schedule import FREE, LEVEL, Given, Schedule, Shape, build
from shared.domain.plan_terms import Debt
from shared.domain.settlement import (
    JUDGED,
    LIVE,
    GivenUp,
    Instrument,
    Settlement,
    SettlementAction,
    SettlementRefused,
    SettlementState,
    transition,
)
from shared.domain.settlement_policy import SettlementPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSettlement:
    """``pays`` minor units instead of the debts, in ``instalments`` (1: a lump sum) on ``dates``, of ``amounts`` where
    they are not alike. ``bucket`` is the worst account's, ``oldest_due`` what each is overdue since. ``taken`` are
    accounts in a plan under way. ``valid_until`` is the last day of the offer, where it is to stand for less than the
    policy's days. ``waived`` are codes that somebody with the right to has put aside."""

    settlement_id: UUID
    customer_id: str
    debts: tuple[Debt, ...]
    pays: int
    dates: DateRule
    reckoned_at: datetime
    proposed_by: str
    roles: Collection[str]
    instalments: int = 1
    amounts: tuple[int, ...] = ()
    bucket: str = ANY
    oldest_due: Mapping[str, date] = field(default_factory=dict)
    taken: Collection[AccountKey] = ()
    valid_until: date | None = None
    waived: Collection[str] = ()


def objections(
    new: NewSettlement, earlier: Sequence[Settlement], policy: SettlementPolicy, today: date
) -> Mapping[str, str]:
    """What stands against the settlement, by code; empty when nothing does. ``earlier`` are the customer's."""
    accounts = frozenset(debt.account for debt in new.debts)
    owed = sum(debt.amount for debt in new.debts)
    first = new.dates.nominal(1)
    breached = sum(each.state is SettlementState.BREACHED for each in earlier)
    longest = today + timedelta(days=policy.offer_days)
    against = {
        "nothing-owed": owed < 1 or any(debt.amount < 1 for debt in new.debts),
        "account-twice": len(accounts) != len(new.debts),
        "currencies": len({currency for _, currency in accounts}) > 1,
        "no-discount": not 0 < new.pays < owed,
        "account-in-plan": bool(accounts & set(new.taken)),
        "account-in-settlement": any(each.state in LIVE and each.accounts & accounts for each in earlier),
        "first-too-early": first <= today,
        "first-too-late": first > today + timedelta(days=policy.first_within),
        "offer-too-short": new.valid_until is not None and new.valid_until < today,
        "offer-too-long": new.valid_until is not None and new.valid_until > longest,
        "breached-before": breached >= policy.breached,
    }
    words = {
        "nothing-owed": "a settlement is of debts, each of a positive amount",
        "account-twice": "an account is named twice",
        "currencies": "a settlement is of one currency",
        "no-discount": f"less than {owed} is paid, but not nothing",
        "account-in-plan": "a plan is under way for one of the accounts",
        "account-in-settlement": "another settlement is under way for one of the accounts",
        "first-too-early": f"the first payment would be due on {first}",
        "first-too-late": f"the first payment is due within {policy.first_within} days",
        "offer-too-short": "an offer stands until today at least",
        "offer-too-long": f"an offer stands until {longest} at most",
        "breached-before": f"{breached} were breached before",
    }
    return {code: words[code] for code, applies in against.items() if applies}


WAIVABLE = frozenset({"breached-before"})
_UNANSWERED = (SettlementState.PROPOSED, SettlementState.OFFERED)


def propose(
    new: NewSettlement,
    earlier: Sequence[Settlement],
    policy: SettlementPolicy,
    calendar: BusinessCalendar,
    today: date,
) -> Outcome[Settlement]:
    """Offered at once when the proposer's own limit covers what is given up; otherwise ``approvers`` says whose
    decision it waits for, and the customer hears nothing. Raises Refused with what first stands against it."""
    for code, words in objections(new, earlier, policy, today).items():
        if code not in WAIVABLE or code not in new.waived:
            raise SettlementRefused(code, words)
    schedule = _schedule(new, policy, calendar, today)
    gives = given_up(new.debts, sum(debt.amount for debt in new.debts) - new.pays, policy.order)
    ruling = rule_on(_ask(new, gives, schedule, today), new.roles, policy.authorities)
    if ruling.forbidden:
        raise SettlementRefused("over-every-limit", "nobody's limit covers giving up so much")
    settlement = Settlement(
        settlement_id=new.settlement_id,
        customer_id=new.customer_id,
        currency=schedule.currency,
        debts=new.debts,
        instrument=Instrument.LUMP_SUM if new.instalments == 1 else Instrument.PLAN,
        schedule=schedule,
        given_up=gives,
        oldest_due=tuple(sorted(new.oldest_due.items())),
        reckoned_at=new.reckoned_at,
        valid_until=new.valid_until or today + timedelta(days=policy.offer_days),
        rule=policy.breaks,
        proposed_by=new.proposed_by,
        proposed_on=today,
        approvers=ruling.approvers,
        policy_version=policy.version,
    )
    proposed = _news("proposed", settlement, None)
    if not ruling.alone:
        return Outcome(settlement, (proposed,))
    offered = _move(settlement, SettlementAction.OFFER, "within_limit", approved_by=new.proposed_by)
    return Outcome(offered.state, (proposed, *offered.announcements))


def _schedule(new: NewSettlement, policy: SettlementPolicy, calendar: BusinessCalendar, today: date) -> Schedule:
    days = due_days(new.dates, new.instalments, calendar)
    if months_spanned(today, days[-1].nominal_on) > policy.months:
        raise SettlementRefused("too-long", f"a settlement lasts {policy.months} months at most")
    shape: Shape = Given(new.amounts) if new.amounts else LEVEL
    return build(new.debts[0].currency, new.pays, today, days, new.dates.frequency, FREE, shape)


def _ask(new: NewSettlement, gives: Sequence[GivenUp], schedule: Schedule, today: date) -> Ask:
    owed, discount = sum(debt.amount for debt in new.debts), sum(each.amount for each in gives)
    return Ask(
        kind="principal" if any(each.component == "principal" for each in gives) else "charges",
        amounts={schedule.currency: discount},
        bucket=new.bucket,
        share_bps=-(-discount * 10_000 // owed),
        months=months_spanned(today, schedule.instalments[-1].nominal_on),
    )


def given_up(debts: Sequence[Debt], discount: int, order: Sequence[str]) -> tuple[GivenUp, ...]:
    """Which parts of which debts a discount is taken from: component by component in the policy's order, account by
    account in theirs. The parts sum to the discount."""
    parts = [
        (GivenUp(debt.account_id, component, 0), getattr(debt.balances, component))
        for component in order
        for debt in debts
    ]
    named = [(f"{index}", amount) for index, (_, amount) in enumerate(parts)]
    taken, _ = allocate_in_order(discount, named)
    rows = [part._replace(amount=taken[f"{index}"]) for index, (part, _) in enumerate(parts)]
    return tuple(row for row in rows if row.amount)


def offer(settlement: Settlement, by: str) -> Outcome[Settlement]:
    """After ``approval.decide`` said yes."""
    return _move(settlement, SettlementAction.OFFER, "approved", approved_by=by, approvers=())


def accept(settlement: Settlement, today: date) -> Outcome[Settlement]:
    """The customer says yes, while the offer stands. Raises SettlementRefused."""
    if today > settlement.valid_until:
        raise SettlementRefused("offer-expired", f"the offer stood until {settlement.valid_until}")
    return _move(settlement, SettlementAction.ACCEPT, "accepted", accepted_on=today)


def activate(settlement: Settlement, today: date) -> Outcome[Settlement]:
    """The agreement is signed: from now on it is judged. Raises SettlementRefused."""
    if settlement.schedule.instalments[0].due_on < today:
        raise SettlementRefused("first-payment-past", "its first payment is past: offer it again")
    return _move(settlement, SettlementAction.ACTIVATE, "agreed", active_from=today)


def withdraw(settlement: Settlement, today: date, reason: str) -> Outcome[Settlement]:
    """Called off before it is in force: refused by the second person, by the bank, by the customer."""
    return _move(settlement, SettlementAction.WITHDRAW, reason, ended_on=today)


def expire(settlement: Settlement, today: date) -> Outcome[Settlement]:
    """What the clock does with an offer that nobody took, and with one that was taken and never signed, so that
    collection does not stand still for nothing. Before its time, and in any other state, it does nothing."""
    first = settlement.schedule.instalments[0].due_on
    if settlement.state in _UNANSWERED and today > settlement.valid_until:
        return _move(settlement, SettlementAction.EXPIRE, "expired", ended_on=settlement.valid_until)
    if settlement.state is SettlementState.ACCEPTED and today > first:
        return _move(settlement, SettlementAction.WITHDRAW, "not_signed", ended_on=first)
    return Outcome(settlement)


def standing(settlement: Settlement, payments: Iterable[Payment], on: date) -> Coverage:
    came = received(payments, settlement.accounts, settlement.reckoned_at, on)
    return cover(settlement.schedule, came, settlement.rule, on)


def judge(settlement: Settlement, payments: Iterable[Payment], on: date, reason: str) -> Outcome[Settlement]:
    """The settlement as of ``on`` from all payments known; ``reason`` is what made us look. One that is not in force is
    left as it is."""
    if settlement.state not in JUDGED:
        return Outcome(settlement)
    coverage = standing(settlement, payments, on)
    state, ended_on = SettlementState.ACTIVE, None
    if coverage.broken_on is not None:
        state, ended_on = SettlementState.BREACHED, coverage.broken_on
    elif coverage.completed_on is not None:
        state, ended_on = SettlementState.FULFILLED, coverage.completed_on
    after = replace(settlement, state=state, ended_on=ended_on, received=coverage.received)
    if state is settlement.state:
        return Outcome(settlement if after == settlement else after)
    after = replace(after, reason=reason)
    word = "resumed" if state is SettlementState.ACTIVE else state.value
    return Outcome(after, (_news(word, after, settlement.state),))


def next_look(settlement: Settlement, on: date) -> date | None:
    """The next day after ``on`` on whose beginning the calendar alone may change something: the timer's date."""
    if settlement.state in _UNANSWERED:
        return settlement.valid_until + timedelta(days=1)
    if settlement.state is SettlementState.ACCEPTED:
        return settlement.schedule.instalments[0].due_on + timedelta(days=1)
    if settlement.state is not SettlementState.ACTIVE:
        return None
    return min((day for day in break_days(settlement.schedule, settlement.rule) if day > on), default=None)


def _move(settlement: Settlement, action: SettlementAction, reason: str, **changes: Any) -> Outcome[Settlement]:
    after = replace(settlement, state=transition(settlement.state, action), reason=reason, **changes)
    word = "activated" if action is SettlementAction.ACTIVATE else after.state.value
    return Outcome(after, (_news(word, after, settlement.state),))


def _news(word: str, settlement: Settlement, previous: SettlementState | None) -> Announcement:
    gone = settlement.state is SettlementState.FULFILLED
    data: dict[str, Any] = {
        "settlement_id": str(settlement.settlement_id),
        "customer_id": settlement.customer_id,
        "accounts": sorted({account_id for account_id, _ in settlement.accounts}),
        "currency": settlement.currency,
        "instrument": settlement.instrument.value,
        "owed": settlement.owed,
        "pays": settlement.pays,
        "received": settlement.received,
        "given_up": settlement.discount if gone else 0,
        "back": settlement.back if settlement.state is SettlementState.BREACHED else 0,
        "valid_until": settlement.valid_until.isoformat(),
        "state": settlement.state.value,
        "previous": None if previous is None else previous.value,
        "ended_on": None if settlement.ended_on is None else settlement.ended_on.isoformat(),
        "reason": settlement.reason,
        "policy_version": settlement.policy_version,
    }
    return Announcement("arrears.settlement", f"arrears.settlement.{word}.v1", settlement.customer_id, data)
