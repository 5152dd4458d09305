"""Settlements: the bank takes less than is owed, at once or in instalments, and gives the rest up when that was paid.

What is given up is only promised until then. A settlement that is breached gives nothing up: the whole debt is back,
less what was paid, with the due dates it had all along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from shared.domain.document import content_hash
from shared.domain.outcome import Refused
from shared.domain.payment import AccountKey
from shared.domain.plan_coverage import BreakRule
from shared.domain.plan_schedule import Schedule
from shared.domain.plan_terms import Debt


class SettlementRefused(Refused):
    """The settlement is not offered or changed; the text says what stands against it."""


class Instrument(StrEnum):
    LUMP_SUM = "lump_sum"
    PLAN = "plan"


class SettlementState(StrEnum):
    PROPOSED = "proposed"  # waits for a second person; the customer knows nothing of it
    OFFERED = "offered"
    ACCEPTED = "accepted"
    ACTIVE = "active"
    FULFILLED = "fulfilled"
    BREACHED = "breached"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class SettlementAction(StrEnum):
    OFFER = "offer"
    ACCEPT = "accept"
    ACTIVATE = "activate"
    FULFIL = "fulfil"
    BREACH = "breach"
    RESUME = "resume"  # the past changed: neither fulfilled nor breached after all
    WITHDRAW = "withdraw"
    EXPIRE = "expire"


TRANSITIONS: Mapping[SettlementState, Mapping[SettlementAction, SettlementState]] = MappingProxyType(
    {
        SettlementState.PROPOSED: {
            SettlementAction.OFFER: SettlementState.OFFERED,
            SettlementAction.WITHDRAW: SettlementState.WITHDRAWN,
            SettlementAction.EXPIRE: SettlementState.EXPIRED,
        },
        SettlementState.OFFERED: {
            SettlementAction.ACCEPT: SettlementState.ACCEPTED,
            SettlementAction.WITHDRAW: SettlementState.WITHDRAWN,
            SettlementAction.EXPIRE: SettlementState.EXPIRED,
        },
        SettlementState.ACCEPTED: {
            SettlementAction.ACTIVATE: SettlementState.ACTIVE,
            SettlementAction.WITHDRAW: SettlementState.WITHDRAWN,
        },
        SettlementState.ACTIVE: {
            SettlementAction.FULFIL: SettlementState.FULFILLED,
            SettlementAction.BREACH: SettlementState.BREACHED,
        },
        SettlementState.FULFILLED: {
            SettlementAction.RESUME: SettlementState.ACTIVE,
            SettlementAction.BREACH: SettlementState.BREACHED,
        },
        SettlementState.BREACHED: {
            SettlementAction.RESUME: SettlementState.ACTIVE,
            SettlementAction.FULFIL: SettlementState.FULFILLED,
        },
        SettlementState.WITHDRAWN: {},
        SettlementState.EXPIRED: {},
    }
)

LIVE = frozenset({SettlementState.PROPOSED, SettlementState.OFFERED, SettlementState.ACCEPTED, SettlementState.ACTIVE})
JUDGED = frozenset({SettlementState.ACTIVE, SettlementState.FULFILLED, SettlementState.BREACHED})


def transition(state: SettlementState, action: SettlementAction) -> SettlementState:
    """The state after the action. Raises SettlementRefused, saying what would be possible."""
    try:
        return TRANSITIONS[state][action]
    except KeyError:
        possible = ", ".join(TRANSITIONS[state]) or "nothing"
        words = f"a settlement that is {state} can not {action}; possible: {possible}"
        raise SettlementRefused("wrong-state", words) from None


class GivenUp(NamedTuple):
    """A part of one account's debt that the bank gives up, in minor units."""

    account_id: str
    component: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """``debts`` in one ``currency``, as they were at ``reckoned_at``: money posted later counts for the settlement.
    ``schedule`` is what is to be paid instead, one instalment for a lump sum; ``given_up`` is the rest, and sums to
    it. ``oldest_due`` keeps the due dates that the debts come back with after a breach. ``received`` is what had come
    in when it was last judged."""

    settlement_id: UUID
    customer_id: str
    currency: str
    debts: tuple[Debt, ...]
    instrument: Instrument
    schedule: Schedule
    given_up: tuple[GivenUp, ...]
    oldest_due: tuple[tuple[str, date], ...]
    reckoned_at: datetime
    valid_until: date
    rule: BreakRule
    proposed_by: str
    proposed_on: date
    approvers: tuple[str, ...]
    policy_version: int
    state: SettlementState = SettlementState.PROPOSED
    approved_by: str | None = None
    accepted_on: date | None = None
    active_from: date | None = None
    received: int = 0
    ended_on: date | None = None
    reason: str = "proposed"

    @property
    def accounts(self) -> frozenset[AccountKey]:
        return frozenset(debt.account for debt in self.debts)

    @property
    def owed(self) -> int:
        return sum(debt.amount for debt in self.debts)

    @property
    def pays(self) -> int:
        return self.schedule.total

    @property
    def discount(self) -> int:
        return self.owed - self.pays

    @property
    def stops_collection(self) -> bool:
        """From the customer's yes on."""
        return self.state in (SettlementState.ACCEPTED, SettlementState.ACTIVE)

    @property
    def back(self) -> int:
        """What is owed of the debts again after a breach."""
        return max(0, self.owed - self.received)

    @property
    def over(self) -> int:
        """What came in beyond what was agreed."""
        return max(0, self.received - self.pays)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what is approved, whoever has the accounts: debts, what is paid when, what is given up."""
        return content_hash(
            {
                "debts": sorted([debt.account_id, debt.currency, debt.amount] for debt in self.debts),
                "instalments": [[each.nominal_on, each.amount] for each in self.schedule.instalments],
                "given_up": [list(each) for each in self.given_up],
            }
        )
