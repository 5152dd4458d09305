"""What may be done with a plan, and what payments make of it: functions from a plan to the plan after.

It is judged from payments, again when the past changes; what people decided (cancelled, restructured) stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from shared.domain import assessment
from shared.domain.assessment import Assessment
from shared.domain.authority import ANY, Ask, rule_on
from shared.domain.calendar import BusinessCalendar
from shared.domain.outcome import Outcome
from shared.domain.payment import Payment, received
from shared.domain.plan import JUDGED, LIVE, TRANSITIONS, Plan, PlanAction, PlanState, Progress, transition
from shared.domain.plan_coverage import Coverage, break_days, cover
from shared.domain.plan_dates import due_day
from shared.domain.plan_news import instalment_news, plan_news
from shared.domain.plan_quote import Quote
from shared.domain.plan_terms import Agreement, Need, PlanKind, PlanPolicy, PlanRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """``bucket`` is the worst of its accounts', ``roles`` those of who proposes. ``replaces`` is the plan that this one
    restructures. ``waived`` are codes that somebody with the right to has put aside."""

    plan_id: UUID
    quote: Quote
    proposed_by: str
    roles: Collection[str]
    bucket: str = ANY
    assessment: Assessment | None = None
    replaces: Plan | None = None
    waived: Collection[str] = ()


def objections(new: NewPlan, earlier: Sequence[Plan], policy: PlanPolicy, today: date) -> Mapping[str, str]:
    """What stands against proposing the plan, by code; nothing: an empty mapping. ``earlier`` are the customer's."""
    old, accounts = new.replaces, frozenset(debt.account for debt in new.quote.debts)
    others = [each for each in earlier if old is None or each.plan_id != old.plan_id]
    rules = policy.kinds[new.quote.kind]
    taken = any(each.state in LIVE and each.accounts & accounts for each in others)
    second = new.quote.kind is PlanKind.PERSONALISED and any(
        each.kind is PlanKind.PERSONALISED and each.active_from is not None for each in earlier
    )
    against = {
        "quote-expired": f"the quote was good until {new.quote.valid_until}" if today > new.quote.valid_until else "",
        "account-in-plan": "another plan is under way for one of the accounts" if taken else "",
        "not-replaceable": f"a plan that is {old.state} is not restructured"
        if old is not None and PlanAction.RESTRUCTURE not in TRANSITIONS[old.state]
        else "",
        "no-assessment": "a plan of this kind needs an assessment of what the customer can afford"
        if Need.ASSESSMENT in rules.needs and new.assessment is None
        else "",
        "second-personalised": "the customer had a personalised plan before"
        if second and not policy.second_personalised
        else "",
        "restructured-too-often": f"a plan is restructured {policy.restructures} times at most"
        if old is not None and old.generation >= policy.restructures
        else "",
    }
    found = {code: words for code, words in against.items() if words}
    return found | dict(assessment.objections(new.assessment, new.quote, today) if new.assessment is not None else {})


WAIVABLE = frozenset({"second-personalised", "restructured-too-often", "no-assessment", "not-affordable"})


def propose(new: NewPlan, earlier: Sequence[Plan], policy: PlanPolicy, today: date) -> Outcome[Plan]:
    """A proposal, approved at once when the proposer's own limit covers it; otherwise ``approvers`` says whose decision
    it waits for. Raises PlanRefused with the first code that stands against it."""
    against = objections(new, earlier, policy, today)
    for code, words in against.items():
        if code not in WAIVABLE or code not in new.waived:
            raise PlanRefused(code, words)
    quote = new.quote
    ask = Ask(quote.kind.value, quote.financed, new.bucket, months=quote.months)
    ruling = rule_on(ask, new.roles, policy.authorities)
    if ruling.forbidden:
        raise PlanRefused("over-every-limit", "nobody's limit covers such a plan")
    plan = Plan(
        plan_id=new.plan_id,
        customer_id=quote.customer_id,
        terms=quote.terms,
        debts=quote.debts,
        schedules=quote.schedules,
        shares=quote.shares,
        reckoned_at=quote.reckoned_at,
        rule=policy.kinds[quote.kind].breaks,
        proposed_by=new.proposed_by,
        proposed_on=today,
        assessment_id=None if new.assessment is None else new.assessment.assessment_id,
        approvers=ruling.approvers,
        policy_version=policy.version,
        progress=tuple(Progress(schedule.currency, left=schedule.total) for schedule in quote.schedules),
        replaces=None if new.replaces is None else new.replaces.plan_id,
        waived=tuple(against),
        generation=0 if new.replaces is None else new.replaces.generation + 1,
        remind=policy.messages.remind,
    )
    proposed = plan_news("proposed", plan, None)
    if not ruling.alone:
        return Outcome(plan, (proposed,))
    approved = _move(plan, PlanAction.APPROVE, "within_limit", approved_by=new.proposed_by)
    return Outcome(approved.state, (proposed, *approved.announcements))


def approve(plan: Plan, by: str) -> Outcome[Plan]:
    """After ``approval.decide`` said yes."""
    return _move(plan, PlanAction.APPROVE, "approved", approved_by=by, approvers=())


def activate(plan: Plan, agreement: Agreement, policy: PlanPolicy, today: date) -> Outcome[Plan]:
    """The customer agreed: from now on it is judged, and collection stops. Raises PlanRefused."""
    agreement.check(policy.kinds[plan.kind].needs)
    if any(schedule.instalments[0].due_on < today for schedule in plan.schedules):
        raise PlanRefused("first-instalment-past", "its first instalment is past: quote it again")
    return _move(plan, PlanAction.ACTIVATE, "agreed", agreement=agreement, active_from=today)


def standing(plan: Plan, payments: Iterable[Payment], on: date) -> tuple[Coverage, ...]:
    """How each currency of the plan stands at the end of ``on``, from all payments known."""
    known = list(payments)
    return tuple(
        cover(
            schedule,
            received(known, [key for key in plan.accounts if key[1] == schedule.currency], plan.reckoned_at, on),
            plan.rule,
            on,
        )
        for schedule in plan.schedules
    )


def judge(plan: Plan, payments: Iterable[Payment], on: date, reason: str) -> Outcome[Plan]:
    """The plan as of ``on`` from all payments known; ``reason`` is what made us look. A plan that is not active, broken
    or completed is left as it is. It breaks when one of its currencies does, and is complete when all are."""
    if plan.state not in JUDGED:
        return Outcome(plan)
    coverages = standing(plan, payments, on)
    broken = min((each.broken_on for each in coverages if each.broken_on is not None), default=None)
    completed = [each.completed_on for each in coverages if each.completed_on is not None]
    state, ended_on = PlanState.ACTIVE, None
    if broken is not None:
        state, ended_on = PlanState.BROKEN, broken
    elif len(completed) == len(coverages):
        state, ended_on = PlanState.COMPLETED, max(completed)
    progress = tuple(Progress.of(each) for each in coverages)
    news = instalment_news(plan, coverages)
    after = replace(plan, state=state, ended_on=ended_on, progress=progress)
    if state is plan.state:
        return Outcome(plan if after == plan else after, news)
    after = replace(after, reason=reason)
    word = "resumed" if state is PlanState.ACTIVE else state.value
    return Outcome(after, (*news, plan_news(word, after, plan.state)))


def restructure(plan: Plan, successor: Plan, today: date) -> Outcome[Plan]:
    """The old plan when its successor has become active. Raises PlanRefused."""
    if successor.replaces != plan.plan_id or successor.state is not PlanState.ACTIVE:
        raise PlanRefused("no-successor", "a plan is restructured by an active plan that replaces it")
    return _move(plan, PlanAction.RESTRUCTURE, "restructured", replaced_by=successor.plan_id, ended_on=today)


def cancel(plan: Plan, today: date, reason: str) -> Outcome[Plan]:
    """Somebody calls it off: refused, expired, by the customer's wish. Raises PlanRefused."""
    return _move(plan, PlanAction.CANCEL, reason, ended_on=today)


def lapses_on(plan: Plan, policy: PlanPolicy) -> date | None:
    """The day on which a plan that nobody has brought to life is cancelled (``expired``); None for any other."""
    if plan.state not in (PlanState.PROPOSED, PlanState.APPROVED):
        return None
    return plan.proposed_on + timedelta(days=policy.proposal_days + 1)


def next_look(plan: Plan, on: date) -> date | None:
    """The next day after ``on`` on whose beginning the calendar alone may change how the plan is judged, or that is the
    last one on which an instalment may still be moved: the timer's date. None when nothing is to come."""
    if plan.state is not PlanState.ACTIVE:
        return None
    days = {day for schedule in plan.schedules for day in break_days(schedule, plan.rule) if day > on}
    loose = (each for schedule in plan.schedules for each in schedule.instalments if not each.announced)
    days |= {day for day in (each.nominal_on - timedelta(days=1) for each in loose) if day > on}
    return min(days, default=None)


def fix_dates(plan: Plan, calendar: BusinessCalendar, today: date) -> Plan:
    """The plan with the days shifted that lie in a year announced since, as far as they are still to come; none is
    moved to a day that has begun. One that is over stays as it is."""
    if plan.state not in LIVE and plan.state is not PlanState.BROKEN:
        return plan
    schedules = []
    for schedule in plan.schedules:
        instalments = []
        for each in schedule.instalments:
            if not each.announced and each.nominal_on > today:
                day = due_day(each.nominal_on, plan.terms.dates.shift, calendar)
                due_on = day.due_on if day.due_on > today else each.due_on
                each = replace(each, due_on=due_on, announced=day.announced)
            instalments.append(each)
        schedules.append(replace(schedule, instalments=tuple(instalments)))
    return plan if tuple(schedules) == plan.schedules else replace(plan, schedules=tuple(schedules))


def _move(plan: Plan, action: PlanAction, reason: str, **changes: object) -> Outcome[Plan]:
    after = replace(plan, state=transition(plan.state, action), reason=reason, **changes)  # type: ignore[arg-type]
    word = "activated" if action is PlanAction.ACTIVATE else after.state.value
    return Outcome(after, (plan_news(word, after, plan.state),))
