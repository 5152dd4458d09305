"""What becomes of each step of the ladder that counts, and what would have to be otherwise for it to be different.

The planner's own functions, asked; nothing is decided here. Every obstacle is data: once all that are named of a step
are gone (the stops lifted, the amount owed, the instant come), something else becomes of it, and not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.domain.follow_up import (
    UNDECIDED,
    FollowUpState,
    Identity,
    Outlook,
    Plan,
    Selection,
    Stop,
    done_steps,
    effective,
    select,
)
from shared.domain.policy import Step


class Code(StrEnum):
    TOO_LITTLE = "too_little_past_due"
    STOPPED = "stopped"
    NOT_YET = "not_yet_due"
    DEFERRED = "deferred"
    OVERTAKEN = "overtaken"
    STANDING_OVER = "standing_over"
    TAKEN_BEFORE = "taken_before"
    ON_RECORD = "on_record"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Minor units: so much is past due in ``currency``, the step asks for ``minimum``."""

    currency: str
    past_due: int
    minimum: int

    @property
    def missing(self) -> int:
        return self.minimum - self.past_due


@dataclass(frozen=True, slots=True)
class Obstacle:
    """``until``: when it ends by itself; None where it does not, or nobody can say. ``step`` is the one that goes in
    its place, ``anchor`` the due date it was taken on before, ``state`` what is on record. One of ``short`` will do."""

    code: Code
    until: datetime | None = None
    step: str | None = None
    anchor: date | None = None
    state: FollowUpState | None = None
    stop: Stop | None = None
    short: tuple[Shortfall, ...] = ()


@dataclass(frozen=True, slots=True)
class Prospect:
    """``due_at`` is its place on the ladder, ``at`` when it could happen at the earliest by the plan: later than that
    when it was put off, or a stop with an end is in the way."""

    step: Step
    anchor: date
    due_at: datetime
    at: datetime
    outcome: str
    reason: str | None
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    outlook: Outlook
    now: datetime
    anchor: date
    made: Plan
    selections: Sequence[Selection]
    passed: Mapping[Identity, str]
    earlier: Mapping[str, date]
    reasons: Mapping[Identity, str | None]


def prospects(
    outlook: Outlook, made: Plan, now: datetime, reasons: Mapping[Identity, str | None]
) -> Iterator[Prospect]:
    """Each step of the ladder on the anchor that counts, earliest first. ``made`` is the plan at ``now``; ``reasons``
    those on record."""
    standing = outlook.standings[-1] if outlook.standings else None
    if standing is None or standing.anchor is None:
        return
    anchor = standing.anchor
    selections, _ = select(outlook, now)
    look = _Look(
        outlook,
        now,
        anchor,
        made,
        selections,
        {(one.step.id, one.anchor): why for one, why in made.passed},
        _taken_before(outlook, anchor) | {one.step.id: one.anchor for one in selections if one.anchor != anchor},
        reasons,
    )
    for step, due_at in outlook.ladder(standing, anchor):
        at = effective(outlook, step, standing, due_at)
        outcome, reason, obstacles = _judge(look, step, due_at, at)
        yield Prospect(step, anchor, due_at, max(at or due_at, due_at), outcome, reason, obstacles)


def _taken_before(outlook: Outlook, anchor: date) -> dict[str, date]:
    """Steps on record as done on another due of this episode: since the last cure."""
    dues: set[date] = set()
    for standing in outlook.standings:
        if standing.anchor is None:
            dues.clear()
        else:
            dues.add(standing.anchor)
    return {step: due for step, due in done_steps(outlook) if due in dues and due != anchor}


Judged = tuple[str, str | None, tuple[Obstacle, ...]]


def _judge(look: _Look, step: Step, due_at: datetime, at: datetime | None) -> Judged:
    key = (step.id, look.anchor)
    reason = look.reasons.get(key)
    known = look.outlook.record.get(key)
    if known is not None and known.state not in UNDECIDED:
        return known.state.value, reason, _on_record(look, key, known.state, reason)
    if look.made.issue is not None and look.made.issue.step.id == step.id:
        return "due_now", None, ()
    if key in look.passed:
        return "passed_over", look.passed[key], _passed(look, key, look.passed[key])
    if look.made.coming is not None and look.made.coming.step.id == step.id:
        return "next", reason, _waits(look, step, due_at, at)
    if step.id in look.earlier:
        before = look.earlier[step.id]
        told = (Obstacle(Code.TAKEN_BEFORE, anchor=before),)
        return "already_taken", f"on the due of {before.isoformat()}", told
    return _to_come(look, step, due_at, at)


def _to_come(look: _Look, step: Step, due_at: datetime, at: datetime | None) -> Judged:
    past_due = look.outlook.standings[-1].past_due
    if not step.conditions.enough_past_due(past_due):
        told = (Obstacle(Code.TOO_LITTLE, short=_short(step, past_due)),)
        return "not_applicable", "less is past due than the step asks for", told
    endless = [stop for stop in look.outlook.stops if stop.until is None and stop.since <= look.now]
    if endless:
        return "held", "a hold without an end is in force", _stopped(endless)
    return "later", None, _waits(look, step, due_at, at)


def _short(step: Step, past_due: Mapping[str, int]) -> tuple[Shortfall, ...]:
    """In each currency in which something is past due; where nothing is, in those that the step names."""
    least = step.conditions.min_past_due
    owed = {currency: amount for currency, amount in past_due.items() if amount >= 1} or dict.fromkeys(least, 0)
    return tuple(Shortfall(currency, amount, least.get(currency, 1)) for currency, amount in sorted(owed.items()))


def _stopped(stops: Sequence[Stop]) -> tuple[Obstacle, ...]:
    return tuple(Obstacle(Code.STOPPED, until=stop.until, stop=stop) for stop in stops)


def _waits(look: _Look, step: Step, due_at: datetime, at: datetime | None) -> tuple[Obstacle, ...]:
    """Until its instant has come; what moved it there is told as well."""
    since = look.outlook.standings[-1].at
    if at is None:
        return _stopped([stop for stop in look.outlook.stops if stop.until is None])
    told = [Obstacle(Code.NOT_YET, until=at)]
    known = look.outlook.record.get((step.id, look.anchor))
    begun = max(due_at, since)
    if known is not None and known.deferred_until is not None and known.deferred_until > begun:
        begun = known.deferred_until
        told.append(Obstacle(Code.DEFERRED, until=begun))
    moved_by = [stop for stop in look.outlook.stops if stop.until is not None and begun < stop.until <= at]
    return (*told, *_stopped([stop for stop in moved_by if stop.since < at]))


def _passed(look: _Look, key: Identity, reason: str | None) -> tuple[Obstacle, ...]:
    if reason == "held":
        now = look.now
        stops = [s for s in look.outlook.stops if s.since <= now and (s.until is None or now < s.until)]
        return _stopped(stops)
    places = [i for i, one in enumerate(look.selections) if (one.step.id, one.anchor) == key]
    if not places:
        return ()
    place = places[-1]  # a due that comes back after a cure has its steps a second time
    one, later = look.selections[place], look.selections[place + 1 :]
    if reason == "moot":
        return (Obstacle(Code.STANDING_OVER, until=look.outlook.standings[one.standing + 1].at),)
    if not later:
        return ()
    instead = next((each for each in later if not _passed_over(look, each)), later[-1])
    until = later[0].at if later[0].at > one.at else None
    return (Obstacle(Code.OVERTAKEN, until=until, step=instead.step.id),)


def _passed_over(look: _Look, one: Selection) -> bool:
    key = (one.step.id, one.anchor)
    known = look.outlook.record.get(key)
    return key in look.passed or (known is not None and known.state is FollowUpState.PASSED_OVER)


def _on_record(look: _Look, key: Identity, state: FollowUpState, reason: str | None) -> tuple[Obstacle, ...]:
    told = Obstacle(Code.ON_RECORD, state=state)
    if state is FollowUpState.PASSED_OVER and reason in ("late", "overtaken"):
        return (told, *_passed(look, key, reason))
    return (told,)
