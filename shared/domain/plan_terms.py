"""What a plan is about: the debts in it, the terms that were asked for, and what a policy allows for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from types import MappingProxyType

from shared.domain.account import Balances
from shared.domain.authority import Authority, read_authorities
from shared.domain.document import DocumentError, Section
from shared.domain.ladder import currency_amounts
from shared.domain.outcome import Refused
from shared.domain.payment import AccountKey
from shared.domain.plan_coverage import BreakRule, read_break_rule
from shared.domain.plan_dates import DateRule, Frequency
from shared.domain.plan_schedule import FREE, LEVEL, Charges, Given, Remainder, Rounding, RoundingMode, Shape, Steps

LEGAL_MONTHS = 60
"""A personalised instalment agreement lasts five years at most (CBRC order 2011 no. 2, art. 70)."""


class PlanRefused(Refused):
    """The plan is not quoted, proposed, activated or changed; the text says what stands against it."""


class PlanKind(StrEnum):
    EQUAL = "equal"
    CUSTOM = "custom"  # amounts that people agreed on
    STEP_UP = "step_up"
    PAY_DAY = "pay_day"  # equal, on the days after the customer is paid
    HARDSHIP = "hardship"  # interest reduced or frozen
    PERSONALISED = "personalised"  # by agreement under art. 70: collection stops while it is kept


@dataclass(frozen=True, slots=True)
class Debt:
    """What is owed on one account when the plan is reckoned, in minor units by component."""

    account_id: str
    currency: str
    balances: Balances

    @property
    def account(self) -> AccountKey:
        return (self.account_id, self.currency)

    @property
    def amount(self) -> int:
        return self.balances.total


_NO_STEPS: Mapping[str, Steps] = MappingProxyType({})
_NO_AMOUNTS: Mapping[str, tuple[int, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is asked for. ``steps`` and ``amounts`` by currency, where the instalments are not alike; ``amounts`` as
    ``plan_schedule.Given`` takes them."""

    kind: PlanKind
    instalments: int
    dates: DateRule
    charges: Charges = FREE
    steps: Mapping[str, Steps] = field(default_factory=lambda: _NO_STEPS, hash=False)
    amounts: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: _NO_AMOUNTS, hash=False)

    def shape(self, currency: str) -> Shape:
        """Raises PlanRefused when the kind needs amounts or steps that are not there for this currency."""
        if currency in self.amounts:
            return Given(self.amounts[currency])
        if self.kind is PlanKind.CUSTOM:
            raise PlanRefused("no-amounts", f"a custom plan needs its amounts in {currency}")
        if currency in self.steps:
            return self.steps[currency]
        if self.kind is PlanKind.STEP_UP:
            raise PlanRefused("no-steps", f"a plan that steps up needs its step in {currency}")
        return LEVEL


class Need(StrEnum):
    ASSESSMENT = "assessment"  # of what the customer can afford
    CONTENTS = "contents"  # the six contents of art. 70


@dataclass(frozen=True, slots=True)
class KindRules:
    """Limits of one kind of plan. ``least`` is the smallest instalment by currency; the last one may be smaller."""

    months: int
    least: Mapping[str, int] = field(hash=False)
    annual_bps: int
    fee_bps: int
    frequencies: tuple[Frequency, ...]
    needs: frozenset[Need]
    breaks: BreakRule


@dataclass(frozen=True, slots=True)
class Offer:
    """What the bank offers to whoever asks what they can afford: a kind of plan, for ``least`` to ``most`` months."""

    kind: PlanKind
    least: int
    most: int
    charges: Charges


@dataclass(frozen=True, slots=True)
class RemindRule:
    """A customer is reminded so many ``days`` before an instalment is due, from ``at`` on where they live."""

    days: int
    at: time


@dataclass(frozen=True, slots=True)
class PlanMessages:
    """What is said of a plan, by templates: before an instalment, when it is ``paid``, when the plan is ``completed``
    and when it is ``broken``. ``channels`` in the order in which they are tried."""

    remind: RemindRule
    channels: tuple[str, ...]
    reminder: str
    paid: str
    completed: str
    broken: str

    @property
    def templates(self) -> frozenset[str]:
        return frozenset({self.reminder, self.paid, self.completed, self.broken})


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """``offers`` in order of preference. ``quote_days`` a quote holds, ``proposal_days`` a proposal waits,
    ``assessment_days`` an assessment is good for, ``first_within`` days the first instalment is due in. ``usual_bps``
    is the card's own annual rate, which hardship must undercut; an effective rate above ``warn_bps`` is one that a
    court may cut. ``second_personalised`` and more than ``restructures`` in a row are refused unless somebody with the
    right to waives it."""

    quote_days: int
    proposal_days: int
    assessment_days: int
    first_within: int
    rounding: Rounding
    usual_bps: int
    warn_bps: int
    second_personalised: bool
    restructures: int
    kinds: Mapping[PlanKind, KindRules] = field(hash=False)
    offers: tuple[Offer, ...]
    authorities: tuple[Authority, ...]
    messages: PlanMessages
    version: int = 1


class Form(StrEnum):
    WRITTEN = "written"
    ORAL = "oral"


class Content(StrEnum):
    """What a personalised instalment agreement has to say (CBRC order 2011 no. 2, art. 70)."""

    DEBT = "debt"  # balance, structure, currency
    REPAYMENT = "repayment"  # cycle, method, currency, dates, amount of each instalment
    CHARGES = "charges"  # whether annual fee, interest and other fees are charged meanwhile
    NO_NEW_CARD = "no_new_card"  # the holder's word to apply for no bank's card until it is settled
    DUTIES = "duties"  # rights and duties of both, liability for a breach
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the customer agreed. An oral one is recorded, and the recording kept until the debt is settled at least."""

    agreed_on: date
    form: Form
    recording_id: str | None = None
    contents: frozenset[Content] = frozenset()

    def check(self, needs: frozenset[Need]) -> None:
        """Raises PlanRefused when the agreement is not one."""
        if self.form is Form.ORAL and not self.recording_id:
            raise PlanRefused("not-recorded", "an oral agreement is recorded")
        missing = [each.value for each in Content if each not in self.contents]
        if Need.CONTENTS in needs and missing:
            raise PlanRefused("contents-missing", f"the agreement does not say: {', '.join(missing)}")


def read_plan_policy(section: Section, version: int) -> PlanPolicy:
    """Raises DocumentError naming the place."""
    kinds = _kinds(section)
    policy = PlanPolicy(
        quote_days=section.whole("quote_days", low=1, high=90),
        proposal_days=section.whole("proposal_days", low=1, high=90),
        assessment_days=section.whole("assessment_days", low=1, high=366),
        first_within=section.whole("first_within", low=1, high=366),
        rounding=_rounding(section.section("rounding")),
        usual_bps=section.whole("usual_bps", high=100_000),
        warn_bps=section.whole("warn_bps", high=1_000_000),
        second_personalised=section.flag("second_personalised"),
        restructures=section.whole("restructures", high=100),
        kinds=kinds,
        offers=tuple(_offer(each, kinds) for each in section.sections("offers")),
        authorities=read_authorities(section, frozenset(PlanKind)),
        messages=_messages(section.section("messages")),
        version=version,
    )
    section.finish()
    if any(each.kind is PlanKind.HARDSHIP and each.charges.annual_bps >= policy.usual_bps for each in policy.offers):
        raise DocumentError(section.at("offers"), "hardship asks for less than usual_bps a year")
    return policy


def _messages(section: Section) -> PlanMessages:
    messages = PlanMessages(
        remind=RemindRule(section.whole("remind_days", low=1, high=30), section.clock("remind_at")),
        channels=section.words("channels", ("sms", "email")),
        reminder=section.line("reminder"),
        paid=section.line("paid"),
        completed=section.line("completed"),
        broken=section.line("broken"),
    )
    section.finish()
    if not messages.channels:
        raise DocumentError(section.at("channels"), "names no channel")
    return messages


def _rounding(section: Section) -> Rounding:
    rounding = Rounding(
        unit=section.whole("unit", low=1, high=1_000_000),
        mode=RoundingMode(section.word("mode", frozenset(RoundingMode))),
        remainder=Remainder(section.word("remainder", frozenset(Remainder))),
    )
    section.finish()
    return rounding


def _kinds(section: Section) -> Mapping[PlanKind, KindRules]:
    rows = [_kind(each) for each in section.sections("kinds")]
    kinds = dict(rows)
    if not rows or len(kinds) != len(rows):
        raise DocumentError(section.at("kinds"), "needs kinds of plans, each of them once")
    return MappingProxyType(kinds)


def _kind(section: Section) -> tuple[PlanKind, KindRules]:
    kind = PlanKind(section.word("kind", frozenset(PlanKind)))
    rules = KindRules(
        months=section.whole("months", low=1, high=600),
        least=currency_amounts(section, "least"),
        annual_bps=section.whole("annual_bps", high=100_000),
        fee_bps=section.whole("fee_bps", high=10_000),
        frequencies=tuple(Frequency(each) for each in section.words("frequencies", frozenset(Frequency))),
        needs=frozenset(Need(each) for each in section.words("needs", frozenset(Need), default=())),
        breaks=read_break_rule(section.section("breaks")),
    )
    section.finish()
    if kind is PlanKind.PERSONALISED and rules.months > LEGAL_MONTHS:
        raise DocumentError(section.at("months"), f"the law allows a personalised plan {LEGAL_MONTHS} months at most")
    if kind is PlanKind.PERSONALISED and Need.CONTENTS not in rules.needs:
        raise DocumentError(section.at("needs"), "a personalised plan needs the contents that the law names")
    return kind, rules


def _offer(section: Section, kinds: Mapping[PlanKind, KindRules]) -> Offer:
    kind = PlanKind(section.word("kind", kinds))
    rules = kinds[kind]
    least = section.whole("least", low=1, high=rules.months)
    offer = Offer(
        kind,
        least,
        section.whole("most", low=least, high=rules.months),
        Charges(section.whole("annual_bps", high=rules.annual_bps), section.whole("fee_bps", high=rules.fee_bps)),
    )
    section.finish()
    if kind in (PlanKind.CUSTOM, PlanKind.STEP_UP):
        raise DocumentError(section.at("kind"), "is worked out with the customer, not offered ready-made")
    if Frequency.MONTHLY not in rules.frequencies:
        raise DocumentError(section.at("kind"), "is not paid by the month")
    return offer
