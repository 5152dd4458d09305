"""Checks that guard legal steps and third parties: limitation, reports to the police, proof that a debtor is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from shared.domain.calendar import ONE_DAY, add_months
from shared.domain.contact_moment import Change, Moment, Refusal, Verdict
from shared.domain.lost_contact import Triggers, lost_contact


@dataclass(frozen=True, slots=True)
class Limitation:
    """No step on a claim whose period is over, but with legal approval where the law leaves the step itself open.

    ``years`` (None: it depends on more than the jurisdiction), ``long_stop_years`` and ``alert_months`` are for who
    keeps the clock (``shared/domain/limitation.py``), ``interrupted_by`` the kinds of event that start it anew.
    """

    years: int | None
    long_stop_years: int | None
    alert_months: tuple[int, ...]
    interrupted_by: tuple[str, ...]
    after_approval: bool
    needs: tuple[str, ...] = ("limitation_ends_on",)

    def judge(self, moment: Moment) -> Verdict:
        standing = moment.facts.standing
        if standing.limitation_ends_on is None or moment.today <= standing.limitation_ends_on:
            return None
        if not self.after_approval:
            return Refusal("nothing: the claim is barred")
        if standing.legal_approval:
            return None
        return Refusal("legal approval of a step on a barred claim", Change("facts.standing.legal_approval", to=True))


@dataclass(frozen=True, slots=True)
class CriminalReport:
    """A report to the police wants so many effective collections, so far apart, then so many months unpaid, and so
    much principal (minor units by currency; interest and fees do not count)."""

    effective_collections: int
    gap_days: int
    wait_months: int
    principal_min: Mapping[str, int] = field(hash=False)
    needs: tuple[str, ...] = ("principal", "effective_collections")

    def judge(self, moment: Moment) -> Verdict:
        standing = moment.facts.standing
        principal, today = standing.principal or {}, moment.today
        if not any(principal.get(currency, 0) >= least for currency, least in self.principal_min.items()):
            return Refusal("a principal that reaches the threshold")
        made = self._counted(day for day in sorted(standing.effective_collections or ()) if day <= today)
        if len(made) < self.effective_collections:
            return Refusal(
                f"{self.effective_collections} effective collections, each at least {self.gap_days} days after the last"
            )
        waited = add_months(made[self.effective_collections - 1], self.wait_months)
        return moment.start_of(waited + ONE_DAY) if today <= waited else None

    def _counted(self, days: Iterable[date]) -> list[date]:
        counted: list[date] = []
        for day in days:
            if not counted or day - counted[-1] >= timedelta(days=self.gap_days):
                counted.append(day)
        return counted


@dataclass(frozen=True, slots=True)
class ProvedLost:
    """That the debtor is lost has to follow from the record of attempts."""

    triggers: Triggers
    needs: tuple[str, ...] = ()

    def judge(self, moment: Moment) -> Verdict:
        facts = moment.facts
        lost = lost_contact(facts.history, facts.number_invalid_at, moment.where.key, self.triggers, moment.at)
        if lost is None:
            return Refusal("attempts on record that show the debtor can not be reached")
        return lost.since if lost.since > moment.at else None
