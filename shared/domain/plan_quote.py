"""A quote: what a plan would look like, with what it costs, before anybody commits to it. Asking changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from shared.domain.calendar import BusinessCalendar
from shared.domain.document import content_hash
from shared.domain.payment import AccountKey
from shared.domain.plan_cost import Cost, cost_of
from shared.domain.plan_dates import due_days, months_spanned
from shared.domain.plan_schedule import Schedule, build
from shared.domain.plan_terms import Debt, KindRules, PlanKind, PlanPolicy, PlanRefused, Terms


@dataclass(frozen=True, slots=True)
class Quote:
    """One schedule and one cost for each currency, in order of currency. The debts are those at ``reckoned_at``: money
    posted later counts for the plan. ``provisional``: a due day lies in a year whose holidays are not announced.
    ``warnings`` are codes: ``dear`` for an effective rate that a court may cut, ``provisional`` for such days."""

    customer_id: str
    debts: tuple[Debt, ...]
    terms: Terms
    schedules: tuple[Schedule, ...]
    costs: tuple[Cost, ...]
    shares: Mapping[AccountKey, tuple[int, ...]] = field(hash=False)
    reckoned_at: datetime
    quoted_on: date
    valid_until: date
    months: int
    warnings: tuple[str, ...]

    @property
    def kind(self) -> PlanKind:
        return self.terms.kind

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what somebody was told: of which debts, part by part, how much is paid when. Another day on
        which the same is told has the same one."""
        return content_hash(
            {
                "kind": self.kind.value,
                "debts": sorted([each.account_id, each.currency, *_parts(each)] for each in self.debts),
                "instalments": [
                    [schedule.currency, each.due_on, each.amount, each.principal, each.interest, each.fee]
                    for schedule in self.schedules
                    for each in schedule.instalments
                ],
            }
        )

    @property
    def financed(self) -> Mapping[str, int]:
        return {schedule.currency: schedule.financed for schedule in self.schedules}


def quote(
    customer_id: str,
    debts: Sequence[Debt],
    terms: Terms,
    policy: PlanPolicy,
    calendar: BusinessCalendar,
    reckoned_at: datetime,
    today: date,
) -> Quote:
    """Raises Refused (PlanRefused, ScheduleRefused) with the first thing that stands against these terms."""
    rules = _rules(terms, policy)
    check_debts(debts)
    _check_terms(terms, rules, policy, today)
    days = due_days(terms.dates, terms.instalments, calendar)
    months = months_spanned(today, days[-1].nominal_on)
    if months > rules.months:
        raise PlanRefused("too-long", f"{months} months; a plan of this kind lasts {rules.months} at most")
    owed: dict[str, int] = {}
    for debt in debts:
        owed[debt.currency] = owed.get(debt.currency, 0) + debt.amount
    schedules = []
    for currency in sorted(owed):
        shape = terms.shape(currency)
        frequency = terms.dates.frequency
        made = build(currency, owed[currency], today, days, frequency, terms.charges, shape, policy.rounding)
        _check_least(made, rules)
        schedules.append(made)
    costs = tuple(cost_of(schedule, terms.dates.frequency) for schedule in schedules)
    warnings = ["dear"] if any(cost.effective_bps > policy.warn_bps for cost in costs) else []
    warnings += [] if all(day.announced for day in days) else ["provisional"]
    return Quote(
        customer_id=customer_id,
        debts=tuple(debts),
        terms=terms,
        schedules=tuple(schedules),
        costs=costs,
        shares={key: row for schedule in schedules for key, row in shares(schedule, debts).items()},
        reckoned_at=reckoned_at,
        quoted_on=today,
        valid_until=today + timedelta(days=policy.quote_days),
        months=months,
        warnings=tuple(warnings),
    )


def _parts(debt: Debt) -> list[int]:
    owed = debt.balances
    return [owed.principal, owed.interest, owed.fees, owed.penalty]


def _rules(terms: Terms, policy: PlanPolicy) -> KindRules:
    try:
        return policy.kinds[terms.kind]
    except KeyError:
        raise PlanRefused("kind-not-offered", f"the policy offers no plan of the kind {terms.kind}") from None


def check_debts(debts: Sequence[Debt]) -> None:
    """Raises PlanRefused for debts that no plan is made of."""
    accounts = [debt.account for debt in debts]
    if not debts or any(debt.amount < 1 for debt in debts):
        raise PlanRefused("nothing-owed", "a plan pays debts, each of a positive amount")
    if len(set(accounts)) != len(accounts):
        raise PlanRefused("account-twice", "an account is named twice")


def _check_terms(terms: Terms, rules: KindRules, policy: PlanPolicy, today: date) -> None:
    dates, charges = terms.dates, terms.charges
    first, latest = dates.nominal(1), today + timedelta(days=policy.first_within)
    against = {
        "frequency": dates.frequency not in rules.frequencies,
        "no-pay-day": terms.kind is PlanKind.PAY_DAY and dates.day is None and dates.frequency.days is None,
        "first-too-early": first <= today,
        "first-too-late": first > latest,
        "rate": charges.annual_bps > rules.annual_bps,
        "fee": charges.fee_bps > rules.fee_bps,
        "no-relief": terms.kind is PlanKind.HARDSHIP and charges.annual_bps >= policy.usual_bps,
    }
    words = {
        "frequency": f"a plan of this kind is not paid {dates.frequency}",
        "no-pay-day": "the pay day is not named",
        "first-too-early": f"the first instalment would be due on {first}",
        "first-too-late": f"the first instalment is due by {latest}",
        "rate": f"at most {rules.annual_bps} basis points a year",
        "fee": f"at most {rules.fee_bps} basis points an instalment",
        "no-relief": f"hardship asks for less than the usual {policy.usual_bps} basis points a year",
    }
    for code, applies in against.items():
        if applies:
            raise PlanRefused(code, words[code])


def _check_least(schedule: Schedule, rules: KindRules) -> None:
    least = rules.least.get(schedule.currency, 0)
    smallest = min(each.amount for each in schedule.instalments[:-1] or schedule.instalments)
    if smallest < least:
        raise PlanRefused("instalment-too-small", f"an instalment of {smallest}; at least {least} {schedule.currency}")


def shares(schedule: Schedule, debts: Sequence[Debt]) -> Mapping[AccountKey, tuple[int, ...]]:
    """What of each instalment is for which account, in proportion to the debts. The shares sum to every instalment, and
    what an account was given so far is never a whole minor unit off its proportion of what was paid so far."""
    members = [debt for debt in debts if debt.currency == schedule.currency]
    rows: dict[AccountKey, list[int]] = {debt.account: [] for debt in members}
    given = [0] * len(members)
    for instalment, needed in zip(schedule.instalments, schedule.cumulative, strict=True):
        before, left = list(given), instalment.amount
        for index, debt in enumerate(members):
            part = min(left, max(0, needed * debt.amount // schedule.financed - given[index]))
            given[index] += part
            left -= part
        short = [needed * debt.amount - given[index] * schedule.financed for index, debt in enumerate(members)]
        for index in sorted(range(len(members)), key=lambda each: -short[each])[:left]:
            given[index] += 1
        for index, debt in enumerate(members):
            rows[debt.account].append(given[index] - before[index])
    return {account: tuple(row) for account, row in rows.items()}
