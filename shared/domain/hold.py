"""Holds: why a customer or an account is left in peace, what may still be said, and whether the ladder stands still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from shared.domain.contact_facts import HoldFact, Purpose


class HoldKind(StrEnum):
    COMPLAINT = "complaint"
    DISPUTE = "dispute"
    OBJECTION = "objection"
    FRAUD_VICTIM = "fraud_victim"
    HARDSHIP = "hardship"
    PLAN = "plan"
    DECEASED = "deceased"
    INCAPABLE = "incapable"
    BANKRUPT = "bankrupt"
    MORATORIUM = "moratorium"
    ATTORNEY = "attorney"
    DO_NOT_CONTACT = "do_not_contact"
    POLICE_NO_CONTACT = "police_no_contact"
    LEGAL_ONLY = "legal_only"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class HoldEffect:
    """``allowed_purposes`` may still be contacted about; ``stops_ladder``: no step becomes due while it lasts."""

    allowed_purposes: frozenset[str]
    stops_ladder: bool


_REPLIES = frozenset({Purpose.ANSWER.value, Purpose.STATUTORY_NOTICE.value})
_FACTUAL = _REPLIES | {Purpose.SERVICE.value}
_REMINDED = _FACTUAL | {Purpose.DUE_REMINDER.value}
_NOTICES = frozenset({Purpose.STATUTORY_NOTICE.value})
_NOTHING: frozenset[str] = frozenset()

EFFECTS: Mapping[HoldKind, HoldEffect] = MappingProxyType(
    {
        HoldKind.COMPLAINT: HoldEffect(_FACTUAL, True),
        HoldKind.DISPUTE: HoldEffect(_FACTUAL, True),
        HoldKind.OBJECTION: HoldEffect(_FACTUAL, True),
        HoldKind.FRAUD_VICTIM: HoldEffect(_FACTUAL, True),
        HoldKind.HARDSHIP: HoldEffect(_REMINDED, True),
        HoldKind.PLAN: HoldEffect(_REMINDED, True),
        # What concerns the estate goes to its administrator, not to the number of the dead.
        HoldKind.DECEASED: HoldEffect(_NOTHING, True),
        HoldKind.INCAPABLE: HoldEffect(_NOTHING, True),
        HoldKind.BANKRUPT: HoldEffect(_NOTICES, True),
        HoldKind.MORATORIUM: HoldEffect(_REPLIES, True),
        HoldKind.ATTORNEY: HoldEffect(_REPLIES, True),
        HoldKind.DO_NOT_CONTACT: HoldEffect(_REPLIES, True),
        HoldKind.POLICE_NO_CONTACT: HoldEffect(_NOTHING, True),
        # The court's road goes on, so its steps still fall due; nobody duns beside it.
        HoldKind.LEGAL_ONLY: HoldEffect(_REPLIES, False),
        HoldKind.MANUAL: HoldEffect(_FACTUAL, True),
    }
)


STOPPING = tuple(kind.value for kind in HoldKind if EFFECTS[kind].stops_ladder)
"""The kinds that stop the ladder."""


@dataclass(frozen=True, slots=True)
class DisputedPart:
    """What of an account is disputed, in minor units of one part: payments leave it out while the hold stands."""

    currency: str
    component: str
    amount: int


@dataclass(frozen=True, slots=True)
class Hold:
    """In force in [``placed_at``, the earlier of ``ends_at`` and ``released_at``). No ``account_id``: the customer."""

    hold_id: str
    customer_id: str
    account_id: str | None
    kind: HoldKind
    reason: str
    placed_at: datetime
    ends_at: datetime | None = None
    released_at: datetime | None = None

    @property
    def effect(self) -> HoldEffect:
        return EFFECTS[self.kind]

    def active_at(self, instant: datetime) -> bool:
        if instant < self.placed_at or (self.released_at is not None and instant >= self.released_at):
            return False
        return self.ends_at is None or instant < self.ends_at

    def covers(self, account_id: str) -> bool:
        return self.account_id is None or self.account_id == account_id

    def fact(self) -> HoldFact:
        """What the contact gate has to know of it."""
        return HoldFact(self.kind.value, self.effect.allowed_purposes, self.ends_at)


def hold_facts(holds: Iterable[Hold], instant: datetime) -> tuple[HoldFact, ...]:
    """The holds in force at an instant, as the contact gate takes them."""
    return tuple(hold.fact() for hold in holds if hold.active_at(instant))
