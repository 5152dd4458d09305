"""What must be so of customers and accounts, worked out from the raw facts alone, in the plainest way there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

BANK_ZONE = "Asia/Shanghai"
TOLERANCE, GRACE = 1_000, 3


@dataclass
class Held:
    hold_id: UUID
    customer: str
    account: str | None
    since: datetime
    until: datetime | None

    def stands(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass
class Card:
    owner: str
    sequence: int
    cutoff: datetime
    dues: list[tuple[date, int]]
    closed: int | None = None

    @property
    def is_closed(self) -> bool:
        return self.closed is not None and self.sequence <= self.closed


@dataclass
class Paid:
    account: str
    amount: int
    posted: datetime
    back: list[tuple[datetime, int]] = field(default_factory=list)


@dataclass
class OurBook:
    """What must be so, from the facts alone."""

    cards: dict[str, Card] = field(default_factory=dict)
    paid: dict[str, Paid] = field(default_factory=dict)
    into: dict[str, str] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)
    out: dict[str, set[str]] = field(default_factory=dict)
    holds: list[Held] = field(default_factory=list)

    def person(self, customer: str) -> str:
        while customer in self.into:
            customer = self.into[customer]
        return customer

    def zone(self, customer: str) -> ZoneInfo:
        return ZoneInfo(self.zones.get(customer, BANK_ZONE))

    def owed(self, account: str) -> tuple[int, date | None]:
        card = self.cards[account]
        dues, paid = [list(due) for due in card.dues], 0
        back, newest = 0, None
        for one in self.paid.values():
            if one.account != account:
                continue
            if one.posted > card.cutoff:
                paid += one.amount - sum(amount for _, amount in one.back)
                continue
            for at, amount in one.back:
                if at > card.cutoff:
                    back, newest = back + amount, max(newest or at, at)
        if back and dues:
            dues[-1][1] += back
        elif back and newest is not None:
            dues = [[newest.astimezone(ZoneInfo(BANK_ZONE)).date(), back]]
        for due in dues:
            taken = min(paid, due[1])
            due[1], paid = due[1] - taken, paid - taken
        left = [due for due in dues if due[1]]
        return sum(due[1] for due in left), left[0][0] if left else None

    def days(self, account: str, at: datetime) -> int:
        """Days past due; 0 within the grace, and where nobody follows."""
        card = self.cards[account]
        amount, oldest = self.owed(account)
        if card.is_closed or oldest is None or amount <= TOLERANCE:
            return 0
        days = (at.astimezone(self.zone(self.person(card.owner))).date() - oldest).days
        return days if days > GRACE else 0

    def overdue(self, person: str, at: datetime) -> list[str]:
        return [key for key, card in self.cards.items() if self.person(card.owner) == person and self.days(key, at)]

    def held(self, person: str, account: str | None, at: datetime) -> bool:
        return any(
            hold.stands(at)
            and hold.account == account
            and (account is not None or self.person(hold.customer) == person)
            for hold in self.holds
        )

    def silent(self, person: str, channel: str) -> bool:
        return channel in self.out.get(person, set())
