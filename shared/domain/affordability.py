"""Which plans a household can afford: the lowest instalment, the shortest term, the least cost; or the proof that there
is none, and what is left then.

Every plan that the policy offers is worked out for every length, on the days after the customer is paid. A plan is
affordable when its largest instalment is not more than what a month leaves. Ordinary plans come first; relief (hardship
and personalised plans) is looked at only when no ordinary plan is affordable, and if there is none either, the case is
one for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from shared.domain.calendar import BusinessCalendar
from shared.domain.household import Budget
from shared.domain.plan_dates import DateRule, Frequency, due_days, months_spanned, pay_day_rule
from shared.domain.plan_quote import Quote, check_debts, quote
from shared.domain.plan_schedule import ScheduleRefused, build
from shared.domain.plan_terms import Debt, Offer, PlanKind, PlanPolicy, Terms

RELIEF = frozenset({PlanKind.HARDSHIP, PlanKind.PERSONALISED})


class Route(StrEnum):
    ORDINARY = "ordinary"
    HARDSHIP = "hardship"
    REVIEW = "review"  # nothing is affordable: a person looks, for a pause, a token payment or a settlement


class Candidate(NamedTuple):
    """One plan that could be offered: how long, its largest instalment and its sum, in minor units."""

    offer: Offer
    instalments: int
    largest: int
    total: int


@dataclass(frozen=True, slots=True)
class Options:
    """Three ways to choose; two or all of them may be the same plan."""

    lowest_instalment: Quote
    shortest_term: Quote
    least_cost: Quote


@dataclass(frozen=True, slots=True)
class Proof:
    """Why none of ``tried`` plans is affordable: even the one with the lowest instalment asks for ``lowest``, which is
    ``short_by`` more than what a month leaves. ``lowest`` is None when no plan could be made of this debt at all."""

    tried: int
    longest: int
    lowest: int | None
    available: int

    @property
    def short_by(self) -> int | None:
        return None if self.lowest is None else self.lowest - self.available


@dataclass(frozen=True, slots=True)
class Affordability:
    """``options`` of the route, None for a review; ``proof`` that the routes before it lead nowhere, in their order."""

    budget: Budget
    owed: int
    route: Route
    options: Options | None
    proofs: tuple[Proof, ...]


def affordable(
    customer_id: str,
    debts: Sequence[Debt],
    budget: Budget,
    policy: PlanPolicy,
    calendar: BusinessCalendar,
    reckoned_at: datetime,
    today: date,
) -> Affordability:
    """``debts`` in the budget's currency; what is owed in another one needs a budget of its own. Raises ValueError for
    debts in another currency, PlanRefused for debts that are none."""
    if any(debt.currency != budget.currency for debt in debts):
        raise ValueError(f"the budget is in {budget.currency}; debts in another currency need one of their own")
    check_debts(debts)
    dates = pay_day_rule(today + timedelta(days=1), budget.pay_day)
    owed = sum(debt.amount for debt in debts)
    proofs: list[Proof] = []
    for route in (Route.ORDINARY, Route.HARDSHIP):
        offers = [offer for offer in policy.offers if (offer.kind in RELIEF) == (route is Route.HARDSHIP)]
        candidates = list(_candidates(owed, budget.currency, offers, policy, calendar, dates, today))
        fitting = [each for each in candidates if each.largest <= budget.available]
        if not fitting:
            proofs.append(_proof(candidates, budget.available))
            continue
        chosen = {
            candidate: quote(customer_id, debts, _terms(candidate, dates), policy, calendar, reckoned_at, today)
            for candidate in set(_best(fitting))
        }
        lowest, shortest, cheapest = (chosen[candidate] for candidate in _best(fitting))
        return Affordability(budget, owed, route, Options(lowest, shortest, cheapest), tuple(proofs))
    return Affordability(budget, owed, Route.REVIEW, None, tuple(proofs))


def _terms(candidate: Candidate, dates: DateRule) -> Terms:
    offer = candidate.offer
    return Terms(kind=offer.kind, instalments=candidate.instalments, dates=dates, charges=offer.charges)


def _best(fitting: Sequence[Candidate]) -> tuple[Candidate, Candidate, Candidate]:
    """Lowest instalment, shortest term, least cost; what is alike in that is told apart by the other two, and what is
    alike in all by the policy's order."""
    return (
        min(fitting, key=lambda each: (each.largest, each.total, each.instalments)),
        min(fitting, key=lambda each: (each.instalments, each.total, each.largest)),
        min(fitting, key=lambda each: (each.total, each.instalments, each.largest)),
    )


def _candidates(
    owed: int,
    currency: str,
    offers: Iterable[Offer],
    policy: PlanPolicy,
    calendar: BusinessCalendar,
    dates: DateRule,
    today: date,
) -> Iterator[Candidate]:
    """Every plan that can be made of the debt, affordable or not."""
    if dates.nominal(1) > today + timedelta(days=policy.first_within):
        return
    for offer in offers:
        rules = policy.kinds[offer.kind]
        days = due_days(dates, offer.most, calendar)
        for count in range(offer.least, offer.most + 1):
            if months_spanned(today, days[count - 1].nominal_on) > rules.months:
                break
            try:
                made = build(
                    currency, owed, today, days[:count], Frequency.MONTHLY, offer.charges, rounding=policy.rounding
                )
            except ScheduleRefused:
                continue
            amounts = [each.amount for each in made.instalments]
            if min(amounts[:-1] or amounts) >= rules.least.get(currency, 0):
                yield Candidate(offer, count, max(amounts), made.total)


def _proof(candidates: Sequence[Candidate], available: int) -> Proof:
    return Proof(
        tried=len(candidates),
        longest=max((each.instalments for each in candidates), default=0),
        lowest=min((each.largest for each in candidates), default=None),
        available=available,
    )
