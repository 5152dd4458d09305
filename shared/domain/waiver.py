"""Waivers: a part of one account's charges is let off without a settlement, within limits or by a second person."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.domain.announcement import Announcement
from shared.domain.authority import ANY, Ask, rule_on
from shared.domain.document import content_hash
from shared.domain.outcome import Outcome, Refused
from shared.domain.plan_terms import Debt
from shared.domain.settlement_policy import WaiverPolicy


class WaiverRefused(Refused):
    """The waiver is not granted or changed; the text says what stands against it."""


class WaiverState(StrEnum):
    PROPOSED = "proposed"  # waits for a second person
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """``amount`` of one ``component`` of ``debt``, in minor units; ``cause`` is a code (goodwill, bank_error, ...)."""

    waiver_id: UUID
    customer_id: str
    debt: Debt
    component: str
    amount: int
    cause: str
    proposed_by: str
    proposed_on: date
    approvers: tuple[str, ...] = ()
    policy_version: int = 0
    state: WaiverState = WaiverState.PROPOSED
    granted_by: str | None = None
    granted_at: datetime | None = None
    reason: str = "proposed"

    @property
    def owed(self) -> int:
        """Of the component, when the debt was reckoned."""
        owed: int = getattr(self.debt.balances, self.component)
        return owed

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what is approved, whoever has the accounts by then."""
        return content_hash(
            {
                "account": list(self.debt.account),
                "component": self.component,
                "amount": self.amount,
            }
        )


def propose(
    waiver: Waiver,
    roles: Collection[str],
    policy: WaiverPolicy,
    at: datetime,
    bucket: str = ANY,
    earlier: Iterable[Waiver] = (),
) -> Outcome[Waiver]:
    """Granted at once when the proposer's own limit covers it; otherwise ``approvers`` says whose decision it waits
    for. What was waived of the same component ``within_days`` counts, so that nobody passes a limit in small steps;
    ``earlier`` are the customer's. Raises WaiverRefused."""
    if waiver.component not in policy.components:
        raise WaiverRefused("component", f"{waiver.component} is not waived without a settlement")
    alike = [each for each in earlier if (each.debt.account, each.component) == (waiver.debt.account, waiver.component)]
    if any(each.state is WaiverState.PROPOSED for each in alike):
        raise WaiverRefused("proposed-already", "one of the same part of the debt waits for a second person")
    _owed(waiver)
    since = waiver.proposed_on - timedelta(days=policy.within_days)
    granted = [each for each in alike if each.state is WaiverState.GRANTED and each.proposed_on > since]
    amount = waiver.amount + sum(each.amount for each in granted)
    share = -(-amount * 10_000 // (waiver.owed + amount - waiver.amount))
    ask = Ask(waiver.component, {waiver.debt.currency: amount}, bucket, share)
    ruling = rule_on(ask, roles, policy.authorities)
    if ruling.forbidden:
        raise WaiverRefused("over-every-limit", "nobody's limit covers waiving so much")
    proposed = replace(waiver, approvers=ruling.approvers, policy_version=policy.version)
    if not ruling.alone:
        return Outcome(proposed, (_news("proposed", proposed),))
    outcome = grant(proposed, waiver.proposed_by, at, waiver.debt, "within_limit")
    return Outcome(outcome.state, (_news("proposed", proposed), *outcome.announcements))


def grant(waiver: Waiver, by: str, at: datetime, debt: Debt, reason: str = "approved") -> Outcome[Waiver]:
    """After ``approval.decide`` said yes; ``debt`` is what is owed by now, which may be less than was. Raises
    WaiverRefused."""
    _waits(waiver, "granted")
    _owed(replace(waiver, debt=debt))
    after = replace(waiver, state=WaiverState.GRANTED, granted_by=by, granted_at=at, reason=reason, approvers=())
    return Outcome(after, (_news("granted", after),))


def withdraw(waiver: Waiver, reason: str) -> Outcome[Waiver]:
    """Refused by the second person, expired, or taken back. Raises WaiverRefused."""
    _waits(waiver, "withdrawn")
    after = replace(waiver, state=WaiverState.WITHDRAWN, reason=reason)
    return Outcome(after, (_news("withdrawn", after),))


def _owed(waiver: Waiver) -> None:
    if not 0 < waiver.amount <= waiver.owed:
        raise WaiverRefused("amount", f"between 1 and the {waiver.owed} that are owed")


def _waits(waiver: Waiver, wanted: str) -> None:
    if waiver.state is not WaiverState.PROPOSED:
        raise WaiverRefused("wrong-state", f"a waiver that is {waiver.state} can not be {wanted}")


def _news(word: str, waiver: Waiver) -> Announcement:
    data: dict[str, Any] = {
        "waiver_id": str(waiver.waiver_id),
        "customer_id": waiver.customer_id,
        "account_id": waiver.debt.account_id,
        "currency": waiver.debt.currency,
        "component": waiver.component,
        "amount": waiver.amount,
        "cause": waiver.cause,
        "state": waiver.state.value,
        "reason": waiver.reason,
        "policy_version": waiver.policy_version,
    }
    return Announcement("arrears.settlement", f"arrears.waiver.{word}.v1", waiver.customer_id, data)
