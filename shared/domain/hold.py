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
    """In force in [``placed_at``, the earlier of ``ends_at`` and ``released_at``). No ``account_id``: the customer.

    ``noted`` is at how many of its turns, begin and end, the customer's case was judged."""

    hold_id: str
    customer_id: str
    account_id: str | None
    kind: HoldKind
    reason: str
    placed_at: datetime
    ends_at: datetime | None = None
    released_at: datetime | None = None
    noted: int = 0

    @property
    def effect(self) -> HoldEffect:
        return EFFECTS[self.kind]

    @property
    def over_at(self) -> datetime | None:
        """When it ended or will; None: it stands until somebody lifts it."""
        return min((at for at in (self.ends_at, self.released_at) if at is not None), default=None)

    def turns(self, now: datetime) -> list[datetime]:
        """Those up to ``now`` at which the case was not judged yet."""
        return [at for at in (self.placed_at, self.over_at)[self.noted :] if at is not None and at <= now]

    def active_at(self, instant: datetime) -> bool:
        over_at = self.over_at
        return self.placed_at <= instant and (over_at is None or instant < over_at)

    def covers(self, account_id: str) -> bool:
        return self.account_id is None or self.account_id == account_id

    def fact(self) -> HoldFact:
        """What the contact gate has to know of it."""
        return HoldFact(self.kind.value, self.effect.allowed_purposes, self.ends_at)


def hold_facts(holds: Iterable[Hold], instant: datetime) -> tuple[HoldFact, ...]:
    """The holds in force at an instant, as the contact gate takes them."""
    return tuple(hold.fact() for hold in holds if hold.active_at(instant))
