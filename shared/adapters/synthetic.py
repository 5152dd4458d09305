"""A portfolio that nobody owns: our inbound feed, made up from a seed, month by month, in the order of time.

The same size, months, seed and start give the same bytes. People pay late and cure themselves, roll from bucket to
bucket, pay in part, have payments bounce, move, merge, keep a second currency, are charged off, close. Reports and
payments agree: what is unpaid at a cut-off is what the payments up to it left. Memory holds one month of events and a
small state per customer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import orjson

SOURCE = "/banks/synthetic/core"
ZONE = timezone(timedelta(hours=8))
DUE_DAYS = (3, 7, 11, 15, 19)
CUT_AFTER = 5  # days from the due date to the report
CHARGE_OFF_AFTER = 7  # dues
POSTING_RUNS = (10, 15, 21)  # hours; the core works in runs, so that many events share an instant
FAMILY = "陆沈韩唐冯于董萧程曹袁邓许傅曾彭吕苏卢蒋"
GIVEN = "建国玉兰志远晓东雅婷思源文博海燕春梅子涵宇航若溪"

# Of a hundred customers: how they behave when the money is due.
BEHAVIOURS = (
    ("forgetful", 30),  # pays, but some months only after the report
    ("slipping", 24),  # misses a month, then catches up
    ("partial", 16),  # pays a part, falls behind slowly
    ("rolling", 14),  # stops paying
    ("punctual", 16),  # a single slip, in the first month
)

Event = tuple[datetime, str, bytes]  # time, id, the line


class Dice:
    """Throws that follow from a name: no state is shared, so that a customer's fate does not hang on another's."""

    __slots__ = ("_digest", "_rest")

    def __init__(self, name: str) -> None:
        self._digest = sha256(name.encode()).digest()
        self._rest = int.from_bytes(self._digest, "big")

    def below(self, sides: int) -> int:
        if self._rest < sides << 32:  # too little left for a fair throw
            self._digest = sha256(self._digest).digest()
            self._rest = int.from_bytes(self._digest, "big")
        self._rest, thrown = divmod(self._rest, sides)
        return thrown

    def percent(self, chance: int) -> bool:
        return self.below(100) < chance

    def weighted(self, table: tuple[tuple[str, int], ...]) -> str:
        thrown = self.below(sum(weight for _, weight in table))
        for name, weight in table:
            thrown -= weight
            if thrown < 0:
                return name
        raise AssertionError(table)


@dataclass(slots=True)
class Due:
    day: date
    minimum: int
    unpaid: int


@dataclass(slots=True)
class Card:
    account_id: str
    currency: str
    limit: int
    balance: int
    minimum: int
    product: str
    dues: list[Due] = field(default_factory=list)
    reported: bool = False  # the last report showed something unpaid
    status: str = "open"

    @property
    def unpaid(self) -> int:
        return sum(due.unpaid for due in self.dues)

    def pay(self, amount: int) -> None:
        self.balance -= amount
        left = []
        for due in self.dues:
            taken = min(amount, due.unpaid)
            amount -= taken
            if due.unpaid > taken:
                left.append(Due(due.day, due.minimum, due.unpaid - taken))
        self.dues = left


@dataclass(slots=True)
class Person:
    number: int
    customer_id: str
    behaviour: str
    due_day: int
    segment: str
    cards: list[Card]
    version: int = 1
    told: int = 0  # the version that the last report carried
    moved: int = 0
    merged: bool = False


def portfolio(customers: int, months: int, seed: int, start: date) -> Iterator[bytes]:
    """CloudEvents as NDJSON lines (with the newline), from the month of ``start`` on, oldest first."""
    people = [_person(number, seed, start) for number in range(1, customers + 1)]
    for index in range(months):
        ordinal = start.year * 12 + start.month - 1 + index
        first = date(ordinal // 12, ordinal % 12 + 1, 1)
        events: list[Event] = []
        for person in people:
            events += _Month(person, first, index, seed).live()
        events.sort()
        for event in events:
            yield event[2]


def _person(number: int, seed: int, start: date) -> Person:
    dice = Dice(f"{seed}/person/{number}")
    behaviour = dice.weighted(BEHAVIOURS)
    due_day = DUE_DAYS[dice.below(len(DUE_DAYS))]
    segment = dice.weighted((("standard", 88), ("vip", 9), ("staff", 3)))
    limit = (1 + dice.below(40)) * 500_000
    balance = limit * (10 + dice.below(80)) // 100
    card = Card(f"ACC{number:08d}", "CNY", limit, balance, max(10_000, balance // 20), "credit-card")
    person = Person(number, f"CUS{number:08d}", behaviour, due_day, segment, [card])
    late = dice.below(6) if behaviour == "rolling" else dice.below(3) if behaviour == "partial" else 0
    for back in range(late, 0, -1):
        ordinal = start.year * 12 + start.month - 1 - back
        card.dues.append(Due(date(ordinal // 12, ordinal % 12 + 1, due_day), card.minimum, card.minimum))
    if dice.percent(6):
        limit //= 10
        currency = dice.weighted((("USD", 70), ("HKD", 20), ("JPY", 10)))
        second = Card(card.account_id, currency, limit, limit // 2, max(500, limit // 40), card.product)
        person.cards.append(second)
    return person


class _Month:
    """One month of one person."""

    def __init__(self, person: Person, first: date, index: int, seed: int) -> None:
        self.person = person
        self.first = first
        self.index = index
        self.seed = seed
        self.dice = Dice(f"{seed}/month/{person.number}/{index}")
        self.events: list[Event] = []

    def live(self) -> list[Event]:
        for card in self.person.cards:
            if card.status == "open":
                self._cycle(card)
            elif card.status == "charged_off" and self.dice.percent(10):
                self._pay(card, max(1_000, card.limit // 100), 24)
        self._change_of_circumstances()
        return self.events

    def _cycle(self, card: Card) -> None:
        due_day, dice = self.person.due_day, self.dice
        owed = card.unpaid + card.minimum
        willing = self._willing()
        card.dues.append(Due(self.first.replace(day=due_day), card.minimum, card.minimum))
        if willing == "on time":
            self._pay(card, owed + dice.below(4) * card.minimum, due_day - 1 - dice.below(2))
        elif willing == "part":
            self._pay(card, max(100, card.minimum * (20 + dice.below(60)) // 100), due_day - 1)
        card.balance += card.limit // 50 + dice.below(20_000)
        self._report(card, due_day + CUT_AFTER)
        if willing == "late" and card.unpaid:
            self._pay(card, card.unpaid, due_day + CUT_AFTER + 1 + dice.below(3))
        if len(card.dues) >= CHARGE_OFF_AFTER:
            self._charge_off(card)

    def _willing(self) -> str:
        dice, behaviour = self.dice, self.person.behaviour
        if behaviour == "forgetful":
            return dice.weighted((("late", 60), ("on time", 35), ("never", 5)))
        if behaviour == "slipping":
            missed = (self.index + self.person.number) % 3 == 0
            return "never" if missed else dice.weighted((("on time", 60), ("late", 40)))
        if behaviour == "partial":
            return dice.weighted((("part", 75), ("late", 15), ("never", 10)))
        if behaviour == "rolling":
            return dice.weighted((("never", 88), ("part", 9), ("late", 3)))
        return "late" if self.index == 0 else "on time"

    def _pay(self, card: Card, amount: int, day: int) -> None:
        at = self._at(day, POSTING_RUNS[self.dice.below(len(POSTING_RUNS))])
        payment_id = f"PMT-{card.account_id}-{card.currency}-{at:%Y%m%d%H}"
        value_date = at.date() - timedelta(days=self.dice.below(4) if self.dice.percent(5) else 0)
        before = card.dues, card.balance
        card.pay(amount)
        self._tell("payment.posted.v1", payment_id, card.account_id, at, {
            "payment_id": payment_id, "account_id": card.account_id, "amount": amount, "currency": card.currency,
            "value_date": value_date.isoformat(), "posted_at": at.isoformat(),
            "channel": ("transfer", "direct-debit", "counter", "wallet")[self.dice.below(4)],
        })  # fmt: skip
        if self.dice.percent(3):
            card.dues, card.balance = before
            card.pay(amount - self._bounce(card, payment_id, amount, at))

    def _bounce(self, card: Card, payment_id: str, amount: int, paid_at: datetime) -> int:
        """All or half of the payment is taken back two hours later, before a report counts it."""
        at = paid_at + timedelta(hours=2)
        back = amount if self.dice.percent(80) else (amount + 1) // 2
        self._tell("payment.reversed.v1", f"REV-{payment_id}", card.account_id, at, {
            "reversal_id": f"REV-{payment_id}", "payment_id": payment_id, "account_id": card.account_id, "amount": back,
            "currency": card.currency, "reason": "insufficient_funds", "reversed_at": at.isoformat(),
        })  # fmt: skip
        return back

    def _report(self, card: Card, day: int) -> None:
        """Core banking speaks of an account while it is overdue, and once more when it is current again."""
        if not card.dues and not card.reported:
            return
        at = self._at(day, 2)
        person = self.person
        data = {
            "account_id": card.account_id, "customer_id": person.customer_id, "cutoff_at": at.isoformat(),
            "sequence": self._sequence(), "currency": card.currency, "product": card.product,
            "card_last4": card.account_id[-4:], "credit_limit": card.limit,
            "balances": {"principal": max(card.balance, card.unpaid), "interest": card.unpaid * len(card.dues) // 100,
                         "fees": 2_000 * (len(card.dues) > 1), "penalty": card.unpaid // 20},
            "dues": [{"due_date": due.day.isoformat(), "minimum_due": due.minimum, "unpaid": due.unpaid}
                     for due in card.dues],
        }  # fmt: skip
        if person.told != person.version:
            person.told = person.version
            data["customer"] = _profile(person, self.seed)
        self._tell("delinquency.reported.v1", f"{card.account_id}-{card.currency}-{at:%Y%m}", card.account_id, at, data)
        card.reported = bool(card.dues)

    def _charge_off(self, card: Card) -> None:
        at = self._at(26, 3)
        card.status = "charged_off"
        self._tell("account.charged_off.v1", f"{card.account_id}-{card.currency}", card.account_id, at, {
            "account_id": card.account_id, "currency": card.currency, "charged_off_at": at.isoformat(),
            "amount": max(card.balance, card.unpaid),
        })  # fmt: skip

    def _change_of_circumstances(self) -> None:
        person, dice = self.person, self.dice
        if not person.told:
            return  # core banking has never spoken of them
        if dice.percent(5) and not person.merged:
            person.moved += 1
            person.version += 1
            person.told = person.version
            data = {"customer_id": person.customer_id, "customer": _profile(person, self.seed)}
            key = f"{person.customer_id}-{person.version}"
            self._tell("customer.updated.v1", key, person.customer_id, self._at(26, 9), data)
        for card in person.cards:
            if card.status == "open" and self.index >= 2 and dice.percent(2):
                self._close(card)
        # Only from odd to even numbers, so that no chain closes on itself.
        if person.number % 2 and person.number > 1 and not person.merged and dice.percent(1):
            self._merge(f"CUS{person.number - 1:08d}")

    def _close(self, card: Card) -> None:
        reason = "paid" if not card.dues else ("sold", "fraud")[self.dice.below(2)]
        card.status = "closed"
        self._tell("account.closed.v1", f"{card.account_id}-{card.currency}", card.account_id, self._at(27, 4), {
            "account_id": card.account_id, "currency": card.currency, "sequence": self._sequence() + 1,
            "reason": reason,
        })  # fmt: skip

    def _merge(self, into: str) -> None:
        data = {"from_customer_id": self.person.customer_id, "into_customer_id": into}
        self._tell("customer.merged.v1", self.person.customer_id, self.person.customer_id, self._at(27, 5), data)
        self.person.merged = True
        self.person.customer_id = into
        self.person.told = self.person.version  # the other one's profile is the one that counts

    def _sequence(self) -> int:
        return (self.first.year * 100 + self.first.month) * 10

    def _at(self, day: int, hour: int) -> datetime:
        return datetime(self.first.year, self.first.month, max(day, 1), hour, tzinfo=ZONE)

    def _tell(self, kind: str, key: str, subject: str, at: datetime, data: dict[str, Any]) -> None:
        event_id = sha256(f"{self.seed}|{kind}|{key}".encode()).hexdigest()[:32]
        line = orjson.dumps(
            {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": kind, "subject": subject,
             "time": at.isoformat(), "datacontenttype": "application/json", "data": data},
            option=orjson.OPT_APPEND_NEWLINE,
        )  # fmt: skip
        self.events.append((at, event_id, line))


def _profile(person: Person, seed: int) -> dict[str, Any]:
    """Numbers begin with a prefix that no carrier in China gives out; mail goes to a domain kept for examples."""
    dice = Dice(f"{seed}/profile/{person.number}")
    name = FAMILY[dice.below(len(FAMILY))] + GIVEN[dice.below(len(GIVEN))] + GIVEN[dice.below(len(GIVEN))]
    mobile = f"{(person.moved * 1_000_000 + person.number) % 10**7:07d}8"
    if dice.percent(2):
        mobile = f"{person.number % 10**4:04d}0001"  # the sandbox says of such an ending: no such number
    points = [("mobile", f"+86100{mobile}")]
    if not dice.percent(22):
        points.append(("email", f"person{person.number}@example.com"))
    points.append(("address", f"样本路{dice.below(900) + 1}号{person.number}室"))
    profile: dict[str, Any] = {
        "version": person.version,
        "name": name,
        "language": "en" if dice.percent(4) else "zh-CN",
        "segment": person.segment,
        "contact_points": [{"kind": kind, "value": value, "source": "contract"} for kind, value in points],
    }
    if not dice.percent(1):  # of one in a hundred nobody knows where they live: nobody may write to them
        profile |= {"time_zone": "Asia/Urumqi" if dice.percent(2) else "Asia/Shanghai", "jurisdiction": "CN"}
    return profile
