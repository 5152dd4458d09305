"""A ladder: the steps of a segment, each so many days after the oldest uncovered due date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType

from shared.domain.calendar import BusinessCalendar
from shared.domain.contact_facts import Channel, Purpose
from shared.domain.document import DocumentError, Section
from shared.domain.money import KNOWN_CURRENCIES

MESSAGE_CHANNELS = frozenset({Channel.SMS.value, Channel.EMAIL.value})
_OTHER_CHANNELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"call": ("phone",), "visit": ("visit",), "letter": ("letter",), "legal": ("legal",)}
)


class StepKind(StrEnum):
    MESSAGE = "message"
    CALL = "call"
    VISIT = "visit"
    LETTER = "letter"
    LEGAL = "legal"


class DayKind(StrEnum):
    CALENDAR = "calendar"
    BUSINESS = "business"


@dataclass(frozen=True, slots=True)
class Conditions:
    """When a step applies at all. ``min_past_due`` is minor units by currency.

    Only what a standing keeps can be asked here, so that a late run judges it as of the instant that was due."""

    min_past_due: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def enough_past_due(self, past_due: Mapping[str, int]) -> bool:
        """Does any currency reach its minimum? One without a minimum needs a single minor unit."""
        least = self.min_past_due
        for currency, amount in past_due.items():
            if amount >= 1 and (not least or amount >= least.get(currency, 1)):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: ``day`` days after the anchor (the oldest uncovered due date, day 0), at local time ``at``.

    ``rank`` orders the steps of a ladder; ``channels`` are in order of preference; ``template`` goes with messages.
    """

    id: str
    rank: int
    bucket: str
    day: int
    day_kind: DayKind
    at: time
    kind: StepKind
    channels: tuple[str, ...]
    template: str | None
    purpose: str
    conditions: Conditions = Conditions()

    def due_on(self, anchor: date, calendar: BusinessCalendar) -> date:
        """The local date the step falls on. Raises CalendarYearMissing for a business-day step past the data."""
        if self.day_kind is DayKind.CALENDAR:
            return anchor + timedelta(days=self.day)
        return calendar.add_business_days(anchor, self.day)


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    from_dpd: int


@dataclass(frozen=True, slots=True)
class Ladder:
    segments: tuple[str, ...]
    steps: tuple[Step, ...]


def read_ladder(section: Section, buckets: tuple[Bucket, ...]) -> Ladder:
    segments = section.words("segments")
    steps = tuple(_step(each, index, buckets) for index, each in enumerate(section.sections("steps")))
    section.finish()
    if not segments:
        raise DocumentError(section.at("segments"), "names no segment")
    if len({step.id for step in steps}) != len(steps):
        raise DocumentError(section.at("steps"), "uses a step id twice")
    rising(section.at("steps"), "rank", [step.rank for step in steps])
    calendar_days = [(step.day, step.at) for step in steps if step.day_kind is DayKind.CALENDAR]
    if sorted(calendar_days) != calendar_days:
        raise DocumentError(section.at("steps"), "must be in the order of their days and times")
    return Ladder(segments, steps)


def _step(section: Section, index: int, buckets: tuple[Bucket, ...]) -> Step:
    kind = StepKind(section.word("kind", frozenset(StepKind)))
    step = Step(
        id=section.line("id"),
        rank=section.whole("rank", (index + 1) * 10, low=1),
        bucket=section.word("bucket", [bucket.name for bucket in buckets]),
        day=section.whole("day", low=1, high=10_000),
        day_kind=DayKind(section.word("day_kind", frozenset(DayKind), default="calendar")),
        at=section.clock("at"),
        kind=kind,
        channels=_channels(section, kind),
        template=_template(section, kind),
        purpose=section.word("purpose", frozenset(Purpose), default=Purpose.DUNNING.value),
        conditions=_conditions(section.section("conditions", {})),
    )
    section.finish()
    _check_bucket(section, step, buckets)
    return step


def _channels(section: Section, kind: StepKind) -> tuple[str, ...]:
    if kind is not StepKind.MESSAGE:
        return section.words("channels", _OTHER_CHANNELS[kind], default=_OTHER_CHANNELS[kind])
    channels = section.words("channels", MESSAGE_CHANNELS)
    if not channels:
        raise DocumentError(section.at("channels"), "a message needs a channel")
    return channels


def _template(section: Section, kind: StepKind) -> str | None:
    return section.line("template") if kind is StepKind.MESSAGE else section.optional_line("template")


def _conditions(section: Section) -> Conditions:
    conditions = Conditions(currency_amounts(section, "min_past_due"))
    section.finish()
    return conditions


def _check_bucket(section: Section, step: Step, buckets: tuple[Bucket, ...]) -> None:
    """A calendar day lies in its bucket; a business day, which comes later, at least not past it."""
    starts = [bucket.from_dpd for bucket in buckets]
    place = [bucket.name for bucket in buckets].index(step.bucket)
    too_early = step.day_kind is DayKind.CALENDAR and step.day < starts[place]
    if too_early or (place + 1 < len(starts) and step.day >= starts[place + 1]):
        raise DocumentError(section.at("day"), f"day {step.day} is not in bucket {step.bucket}")


def currency_amounts(section: Section, key: str) -> Mapping[str, int]:
    amounts = section.amounts(key, default={})
    for currency in amounts:
        if currency not in KNOWN_CURRENCIES:
            raise DocumentError(section.at(key), f"{currency!r} is not an active ISO 4217 currency")
    return MappingProxyType(dict(amounts))


def rising(path: str, what: str, values: Sequence[int]) -> None:
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise DocumentError(path, f"{what} must rise")
