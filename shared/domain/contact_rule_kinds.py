"""The kinds of contact rule: how each is read from a pack, and which way each of its parameters is tight.

A pack (data) says which apply, and why; what they check is in ``contact_checks``, ``contact_time_checks`` and
``contact_legal_checks``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from shared.domain.calendar import zone
from shared.domain.contact_checks import (
    Addressees,
    Demand,
    FactsPending,
    Findings,
    Holds,
    MandatoryFacts,
    Never,
    OptOut,
    PointSource,
    RefusedPlaces,
    UsablePoint,
)
from shared.domain.contact_counters import CONDITIONS, Counter, Key
from shared.domain.contact_facts import Channel, Target
from shared.domain.contact_hours import QuietWindow
from shared.domain.contact_legal_checks import CriminalReport, Limitation, ProvedLost
from shared.domain.contact_moment import Check
from shared.domain.contact_named_facts import NAMED, Form, NamedFact
from shared.domain.contact_tightness import (
    Direction,
    at_least,
    at_most,
    each_at_least,
    fewer,
    fixed,
    free,
    more,
    towards,
    wider_key,
    window,
)
from shared.domain.contact_time_checks import (
    ClosedDays,
    CountedCap,
    DailyCap,
    EndsInTime,
    HomeHours,
    MinimumGap,
    Preferred,
    QuietHours,
)
from shared.domain.document import DocumentError, Section, read_day
from shared.domain.lost_contact import Triggers

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
INTERRUPTIONS = frozenset(
    {"demand", "deduction", "agreement", "part_payment", "suit", "payment_order", "police_report", "assignment_notice"}
)
"""What may start a limitation period anew; a jurisdiction says which of them do."""

_CHANNELS = frozenset(Channel)
_TARGETS = frozenset(Target)
_NOTHING: Mapping[str, Direction] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kind:
    """``tight`` says of each parameter which way a bank may move it without anybody's signature."""

    read: Callable[[Section], Check]
    tight: Mapping[str, Direction] = field(default_factory=lambda: _NOTHING)


def _mandatory_facts(parameters: Section) -> MandatoryFacts:
    names = parameters.words("facts", {"zone", "jurisdiction"})
    for needed in ("zone", "jurisdiction"):
        if needed not in names:
            raise DocumentError(parameters.path, f"{needed} can not be left out: without it no rule can be asked")
    return MandatoryFacts(parameters.text("jurisdiction"), names)


def _holds(parameters: Section) -> Holds:
    own_person, legal_passes = (frozenset(parameters.words(key, default=())) for key in ("own_person", "legal_passes"))
    return Holds(own_person, legal_passes)


def _point_source(parameters: Section) -> PointSource:
    return PointSource(_some(parameters, "allowed", parameters.words("allowed")))


def _addressees(parameters: Section) -> Addressees:
    return Addressees(_some(parameters, "allowed", parameters.words("allowed", _TARGETS)))


def _findings(parameters: Section) -> Findings:
    return Findings(frozenset(_some(parameters, "forbidden", parameters.words("forbidden"))))


def _demand(parameters: Section) -> Demand:
    """One fact and one of ``is``, ``one_of``, ``least``, ``contains``, as the fact's form allows."""
    fact = parameters.word("fact", NAMED.keys())
    named, release = NAMED[fact], parameters.text("release")
    if named.form is Form.FLAG:
        return Demand(fact, value=parameters.flag("is"), release=release)
    if named.form is Form.NUMBER:
        return Demand(fact, least=parameters.whole("least", low=1), release=release)
    if named.form is Form.WORDS:
        contains = _some(parameters, "contains", parameters.words("contains"))
        return Demand(fact, contains=frozenset(contains), release=release)
    if named.form is Form.WORD:
        return Demand(fact, one_of=_words_of(parameters, named), release=release)
    raise DocumentError(parameters.at("fact"), f"{fact} is not a fact that can be compared")


def _words_of(parameters: Section, named: NamedFact) -> tuple[str, ...]:
    return _some(parameters, "one_of", parameters.words("one_of", named.words or None))


def _some(parameters: Section, key: str, words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise DocumentError(parameters.at(key), "names nothing")
    return words


def _window(parameters: Section) -> QuietWindow:
    start, end = parameters.clock("from"), parameters.clock("to")
    if start == end:
        raise DocumentError(parameters.path, "an hour window needs two different times")
    return QuietWindow(start, end)


def _by_consent(parameters: Section) -> bool:
    return parameters.word("lifted_by", {"consent", "nothing"}, default="nothing") == "consent"


def _quiet_hours(parameters: Section) -> QuietHours:
    return QuietHours(_window(parameters), _by_consent(parameters))


def _home_hours(parameters: Section) -> HomeHours:
    try:
        home = zone(parameters.text("zone"))
    except ValueError as unknown:
        raise DocumentError(parameters.at("zone"), str(unknown)) from None
    return HomeHours(_window(parameters), home, _by_consent(parameters))


def _ends_in_time(parameters: Section) -> EndsInTime:
    lasting = timedelta(minutes=parameters.whole("minutes", high=240))
    return EndsInTime(_window(parameters), lasting, _by_consent(parameters))


def _closed_days(parameters: Section) -> ClosedDays:
    names = parameters.words("weekdays", WEEKDAYS, default=())
    if len(names) == len(WEEKDAYS):
        raise DocumentError(parameters.at("weekdays"), "leaves no day of the week")
    days = parameters.raw("dates", [])
    if not isinstance(days, list | tuple):
        raise DocumentError(parameters.at("dates"), "must be a list of dates")
    try:
        dates = frozenset(read_day(day) for day in days)
    except ValueError as wrong:
        raise DocumentError(parameters.at("dates"), str(wrong)) from None
    return ClosedDays(frozenset(map(WEEKDAYS.index, names)), dates, parameters.flag("personal", default=False))


def _daily_cap(parameters: Section) -> DailyCap:
    counter = parameters.optional_text("counter")
    channels = parameters.words("counts", _CHANNELS, default=())
    if bool(channels) == bool(counter):
        raise DocumentError(parameters.path, "counts either channels or one counter")
    return DailyCap(parameters.whole("max"), channels, counter)


def _counted_cap(parameters: Section) -> CountedCap:
    counter = Counter(
        frozenset(_some(parameters, "counts", parameters.words("counts", _CHANNELS))),
        parameters.words("only", CONDITIONS.keys(), default=()),
        parameters.word("per", frozenset(Key)),
        parameters.optional_text("counter"),
    )
    most, dates = parameters.whole("max", low=1), parameters.whole("dates", low=1, high=400)
    return CountedCap(most, counter, dates, parameters.optional_text("lifted_by"))


def _min_gap(parameters: Section) -> MinimumGap:
    return MinimumGap(timedelta(minutes=parameters.whole("minutes", low=1, high=525_600)))


def _limitation(parameters: Section) -> Limitation:
    alerts = parameters.raw("alert_months", [])
    if not isinstance(alerts, list | tuple) or not all(type(each) is int and each > 0 for each in alerts):
        raise DocumentError(parameters.at("alert_months"), "must be a list of months")
    return Limitation(
        parameters.whole("years", None, low=1, high=100),
        parameters.whole("long_stop_years", None, low=1, high=100),
        tuple(alerts),
        parameters.words("interrupted_by", INTERRUPTIONS, default=()),
        parameters.word("after", {"approval", "never"}) == "approval",
    )


def _criminal_report(parameters: Section) -> CriminalReport:
    principal = parameters.amounts("principal_min")
    return CriminalReport(
        parameters.whole("effective_collections", low=1),
        parameters.whole("gap_days"),
        parameters.whole("wait_months"),
        MappingProxyType(principal),
    )


def _proved_lost(parameters: Section) -> ProvedLost:
    row, days = parameters.whole("unanswered_in_a_row", low=1), parameters.whole("days_in_a_row", low=1)
    return ProvedLost(Triggers(row, days))


def _kinds(**kinds: Kind) -> Mapping[str, Kind]:
    return MappingProxyType(kinds)


def _tight(**tight: Direction) -> Mapping[str, Direction]:
    return MappingProxyType(tight)


_LIFTED = towards("nothing", None)
_HOURS = {"from": window, "to": window, "lifted_by": _LIFTED}
_DEMANDED = {"fact": fixed, "is": fixed, "one_of": fewer, "least": at_least, "contains": more, "release": free}

KINDS: Mapping[str, Kind] = _kinds(
    mandatory_facts=Kind(_mandatory_facts, _tight(jurisdiction=fixed, facts=more)),
    facts_pending=Kind(lambda _: FactsPending()),
    usable_point=Kind(lambda _: UsablePoint()),
    opt_out=Kind(lambda _: OptOut()),
    holds=Kind(_holds, _tight(own_person=fewer, legal_passes=fewer)),
    point_source=Kind(_point_source, _tight(allowed=fewer)),
    addressees=Kind(_addressees, _tight(allowed=fewer)),
    findings=Kind(_findings, _tight(forbidden=more)),
    refused_places=Kind(lambda _: RefusedPlaces()),
    demand=Kind(_demand, _DEMANDED),
    never=Kind(lambda parameters: Never(parameters.text("release")), _tight(release=free)),
    quiet_hours=Kind(_quiet_hours, _HOURS),
    home_hours=Kind(_home_hours, {**_HOURS, "zone": fixed}),
    ends_in_time=Kind(_ends_in_time, {**_HOURS, "minutes": at_least}),
    preferred_hours=Kind(lambda _: Preferred()),
    closed_days=Kind(_closed_days, _tight(weekdays=more, dates=more, personal=at_least)),
    daily_cap=Kind(_daily_cap, _tight(max=at_most, counts=more, counter=fixed)),
    counted_cap=Kind(
        _counted_cap,
        _tight(max=at_most, counts=more, only=fewer, per=wider_key, dates=at_least, counter=fixed, lifted_by=_LIFTED),
    ),
    min_gap=Kind(_min_gap, _tight(minutes=at_least)),
    limitation=Kind(
        _limitation,
        _tight(years=at_most, long_stop_years=at_most, alert_months=more, interrupted_by=fewer, after=towards("never")),
    ),
    criminal_report=Kind(
        _criminal_report,
        _tight(effective_collections=at_least, gap_days=at_least, wait_months=at_least, principal_min=each_at_least),
    ),
    lost_contact=Kind(_proved_lost, _tight(unanswered_in_a_row=at_least, days_in_a_row=at_least)),
)

NEVER_ABSENT = ("mandatory_facts", "facts_pending", "usable_point", "opt_out", "holds")
"""A pack without one of these would allow contact that no jurisdiction allows."""
