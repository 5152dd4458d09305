"""Random days of a few customers on a real database, with a book of our own to hold them against.

Whatever is marked for sending is held against that book at that instant; accounts and cases are at the end, when all is
quiet."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from services.notifier import handlers as notifier
from services.scheduler import handlers as scheduler
from services.scheduler import timers
from shared.adapters.clock import BusinessClock, move_manual_clock
from shared.adapters.inprocess.relay import InProcessRelay
from shared.adapters.postgres import workers
from shared.adapters.rendering import Renderer
from shared.adapters.wording import TemplateWording
from shared.application.clockwork import BucketRolls, run_due
from shared.application.deferring import cancel, defer
from shared.application.doubts import ask_providers, expire_leases, take_receipts
from shared.application.gateway import (
    ErrorClass,
    Receipt,
    ReceiptStatus,
)
from shared.application.holds import NewHold, place_hold, release_hold
from shared.application.planning import Planner
from shared.application.preferences import set_preference
from shared.application.principal import Principal, Role
from shared.application.promises import PromiseAsked, PromiseDesk
from shared.application.refusals import Refusal
from shared.application.reminding import Reminding
from shared.application.sending import Marked, Sender
from shared.domain.hold import HoldKind
from shared.domain.promise import Promiser
from tests.application.bank import Bank, charge_off, closing, merged, profile, reversal
from tests.faults.moody_phone import Phone
from tests.faults.our_book import BANK_ZONE, TOLERANCE, Card, Held, OurBook, Paid

WHO = Principal("li.na", frozenset({Role.SUPERVISOR, Role.COMPLIANCE}))
ZONES = (BANK_ZONE, BANK_ZONE, "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Asia/Urumqi", "Europe/London")
CUSTOMERS = ("C1", "C2", "C3")
ACCOUNTS = ("A1", "A2", "A3", "A4", "A5")
# An ordinary day; before the long holidays and their swap days; before clocks in New York go back, and forward; the end
# of a year; before a leap day, in a year whose holidays nobody has announced.
BEGINNINGS = (
    "2026-06-30 04:00+00:00", "2026-09-24 04:00+00:00", "2026-10-28 04:00+00:00", "2027-03-11 04:00+00:00",
    "2026-12-29 04:00+00:00", "2028-02-25 04:00+00:00",
)  # fmt: skip


class Days:
    """One run of random days. ``story`` tells what was done, for whoever has to find out why."""

    def __init__(self, bank: Bank, seed: int, *, plain: bool = False, sleepy: bool = True) -> None:
        """``plain``: nothing happens that depends on what the house did before. Of two such runs of one seed the one
        that is not ``sleepy`` shows what the other should have come to."""
        self.bank, self.dice, self.house_dice = bank, Random(seed), Random(seed)
        self.plain, self.sleepy = plain, sleepy
        self.now = datetime.fromisoformat(self.dice.choice(BEGINNINGS))
        self.book, self.story = OurBook(), list[str]()
        self.broken: list[str] = []
        self.clock = BusinessClock(manual=True)
        self.work = bank.work.on(bank.pool, observe=self.clock.observe)
        self.phones = {channel: Phone(channel, self.house_dice, self.clock) for channel in ("sms", "email")}
        planner = Planner(bank.shelf)
        self.planner = planner
        self.consumers = (scheduler.consumer(planner), notifier.consumer(Reminding(bank.shelf)))
        self.table = timers.table(planner, BucketRolls(bank.shelf), bank.shelf)
        self.asleep = {"scheduler": 0, "sender": 0, "relay": 0}
        self._numbers = iter(range(1, 1_000_000))
        self._life = 0
        self.punctual = True
        self._waiting: dict[str, int] = {}
        self._wording = TemplateWording(bank.shelf, Renderer(), bank="示范银行", hotline="400-600-8000")
        self._told: set[str] = set()
        self._dunned: dict[tuple[str, datetime], set[str]] = {}
        self._deferred: set[str] = set()  # by a person
        self._marked: dict[str, tuple[str, str]] = {}

    def note(self, what: str) -> None:
        self.story.append(f"{self.now:%Y-%m-%d %H:%M:%S}Z {what}")

    # what the world does

    async def say(self, *facts: Any) -> list[str]:
        self.bank.latest = self.now + timedelta(days=1)
        return await self.bank.say(*facts)

    async def begin(self) -> None:
        await move_to(self.bank, self.now)
        for customer in CUSTOMERS:
            await self.profile(customer, zone=BANK_ZONE)
        for account in ACCOUNTS[:3]:
            await self.report(account)

    async def profile(self, customer: str | None = None, zone: str | None = None) -> None:
        customer = customer or self.dice.choice(CUSTOMERS)
        about = self._about(customer, zone or self.dice.choice(ZONES))
        answers = await self.say(("customer.updated.v1", {"customer_id": customer, "customer": about}))
        self.note(f"{customer} lives in {about['time_zone']}, {about['segment']}: {answers}")
        self.book.zones[self.book.person(customer)] = about["time_zone"]

    def _about(self, customer: str, zone: str) -> dict[str, Any]:
        number = CUSTOMERS.index(customer)
        points = [
            {"kind": "mobile", "value": f"+861380000000{number}", "source": "contract"},
            {"kind": "email", "value": f"c{number}@example.com", "source": "contract"},
        ]
        segment = self.dice.choice(("standard", "standard", "vip", "staff"))
        return profile(next(self._numbers), time_zone=zone, contact_points=points, segment=segment)

    async def report(self, account: str | None = None) -> None:
        dice = self.dice
        account = account or dice.choice(ACCOUNTS)
        card = self.book.cards.get(account)
        owner = card.owner if card and dice.random() < 0.85 else dice.choice(CUSTOMERS)
        sequence = max(1, (card.sequence if card else 3) + dice.choice((1, 1, 1, 1, 2, 0, -1)))
        cutoff = self.now - timedelta(minutes=dice.choice((0, 10, 300, 1440, 4000)))
        today = cutoff.astimezone(ZoneInfo(BANK_ZONE)).date()
        owed = {
            today - timedelta(days=dice.choice((0, 2, 3, 4, 5, 7, 20, 31, 60, 95))): dice.choice(
                (900, 1_000, 1_001, 5_000, 50_000, 120_000)
            )
            for _ in range(dice.choice((0, 1, 1, 2)))
        }
        dues = sorted(owed.items())
        data = {
            "account_id": account, "customer_id": owner, "cutoff_at": cutoff.isoformat(), "sequence": sequence,
            "currency": "CNY", "product": "card", "card_last4": f"000{account[1]}", "credit_limit": 1_000_000,
            "balances": {"principal": 400_000, "interest": 0, "fees": 0, "penalty": 0},
            "dues": [{"due_date": day.isoformat(), "minimum_due": amount, "unpaid": amount} for day, amount in dues],
        }  # fmt: skip
        if dice.random() < 0.1:
            data["customer"] = self._about(owner, dice.choice(ZONES))
        (answer,) = await self.say(("delinquency.reported.v1", data))
        if "customer" in data and answer != "conflict":  # which says nothing, of nobody
            self.book.zones[self.book.person(owner)] = data["customer"]["time_zone"]
        self.note(
            f"report {account} #{sequence} of {owner}, cut off {cutoff}: {[(str(d), a) for d, a in dues]} {answer}"
        )
        newer = card is None or sequence > card.sequence
        if (answer == "accepted") is not newer:
            self.broken.append(f"report answered {answer}")
        if newer:
            closed = self._waiting.pop(account, None) if card is None else card.closed
            self.book.cards[account] = Card(owner, sequence, cutoff, dues, closed)

    async def pay(self) -> None:
        account, key = self.dice.choice(ACCOUNTS), f"P{next(self._numbers)}"
        owed = self.book.owed(account)[0] if account in self.book.cards else 10_000
        amount = max(1, self.dice.choice((owed, owed, owed // 2, owed - TOLERANCE, owed + 500)))
        posted = self.now - timedelta(minutes=self.dice.choice((0, 0, 1, 300, 1440, 10_000)))
        value = posted.date() + timedelta(days=self.dice.choice((0, 0, -5, 10)))
        data = {
            "payment_id": key, "account_id": account, "amount": amount, "currency": "CNY", "channel": "transfer",
            "value_date": value.isoformat(), "posted_at": posted.isoformat(),
        }  # fmt: skip
        facts: list[Any] = [("payment.posted.v1", data)]
        paid = self.book.paid[key] = Paid(account, amount, posted)
        if self.dice.random() < 0.25:
            back = self.dice.choice((amount, amount // 2 or amount))
            at = self.now - timedelta(minutes=self.dice.choice((0, 100)))
            paid.back.append((at, back))
            facts.append(reversal(f"R{key}", key, account, amount=back, at=at.isoformat()))
            self.dice.shuffle(facts)
        self.note(f"{key} pays {amount} on {account}, posted {posted}, back {paid.back}: {await self.say(*facts)}")

    async def take_back(self) -> None:
        known = [key for key, paid in self.book.paid.items() if not paid.back]
        if known:
            key = self.dice.choice(known)
            paid = self.book.paid[key]
            paid.back.append((self.now, paid.amount))
            fact = reversal(f"R{key}", key, paid.account, amount=paid.amount, at=self.now.isoformat())
            self.note(f"{key} taken back: {await self.say(fact)}")

    async def close(self) -> None:
        account = self.dice.choice(ACCOUNTS)
        card = self.book.cards.get(account)
        sequence = (card.sequence if card else 3) + self.dice.choice((0, 1, 2))
        if card is None and account in self._waiting:
            return
        facts = [closing(account, sequence=sequence, reason="sold")]
        self.note(f"{account} closed #{sequence}: {await self.say(*facts)}")
        if card is None:
            self._waiting[account] = sequence
        else:
            card.closed = max(card.closed or 0, sequence)

    async def charge(self) -> None:
        account = self.dice.choice(ACCOUNTS)
        self.note(f"{account} charged off: {await self.say(charge_off(account))}")

    async def merge(self) -> None:
        origin, into = self.dice.sample(CUSTOMERS, 2)
        (answer,) = await self.say(merged(origin, into))
        self.note(f"{origin} is {into}: {answer}")
        if answer == "accepted":
            target = self.book.person(into)
            self.book.into[origin] = target
            self.book.out.setdefault(target, set()).update(self.book.out.get(origin, ()))

    # what people do

    async def _act(self, what: str, act: Any) -> bool:
        try:
            async with self.bank.work() as tx:
                await act(tx)
        except Refusal as refused:
            self.note(f"{what}: refused, {refused}")
            return False
        self.note(what)
        return True

    async def hold(self) -> None:
        customer = self.dice.choice(CUSTOMERS)
        mine = [key for key, card in self.book.cards.items() if self.book.person(card.owner) == customer]
        account = self.dice.choice([None, *mine])
        ends = self.dice.choice(
            (None, self.now + timedelta(hours=5), self.now + timedelta(days=self.dice.randint(1, 20)))
        )
        kind = HoldKind.DISPUTE if account else self.dice.choice((HoldKind.HARDSHIP, HoldKind.MANUAL))
        new = NewHold(
            hold_id=uuid4(), customer_id=customer, account_id=account, kind=kind, reason="asked", ends_at=ends
        )
        if await self._act(f"hold {customer} {account} till {ends}", lambda tx: place_hold(tx, new, WHO)):
            self.book.holds.append(Held(new.hold_id, customer, account, self.now, ends))

    async def lift(self) -> None:
        standing = [hold for hold in self.book.holds if hold.stands(self.now)]
        if standing:
            hold = self.dice.choice(standing)
            lifting = lambda tx: release_hold(tx, hold.hold_id, "over", WHO, Whatever())  # noqa: E731
            if await self._act(f"lift {hold.customer} {hold.account}", lifting):
                hold.until = self.now

    async def opt(self) -> None:
        customer, channel, out = (
            self.dice.choice(CUSTOMERS),
            self.dice.choice(("sms", "email")),
            self.dice.random() < 0.5,
        )
        told = {"opted_out": out, "source": "call", "who": WHO, "expected": Whatever()}
        if await self._act(f"{customer} {channel} out {out}", lambda tx: set_preference(tx, customer, channel, **told)):
            silent = self.book.out.setdefault(customer, set())
            (silent.add if out else silent.discard)(channel)

    async def promise(self) -> None:
        account = self.dice.choice(list(self.book.cards))
        asked = PromiseAsked(
            promise_id=uuid4(), customer_id=self.book.person(self.book.cards[account].owner), account_id=account,
            currency="CNY", amount=max(1, self.book.owed(account)[0]), promised_by=Promiser.DEBTOR, channel="phone",
            due_on=(self.now + timedelta(days=self.dice.randint(0, 6))).date(),
        )  # fmt: skip
        await self._act(
            f"promise {account} by {asked.due_on}", lambda tx: PromiseDesk(self.bank.shelf).take(tx, asked, WHO)
        )

    async def decide(self) -> None:
        rows = await self.bank.rows(
            "select follow_up_id, step, due_at from follow_ups where state in ('planned', 'deferred')"
            " order by due_at, step"
        )
        if not rows:
            return
        row = self.dice.choice(rows)
        until = max(self.now, row["due_at"]) + timedelta(hours=self.dice.choice((1, 30, 200)))
        if self.dice.random() < 0.5:
            self._deferred.add(row["step"])
            act = lambda tx: defer(tx, row["follow_up_id"], until, "asked", WHO, Whatever())  # noqa: E731
            await self._act(f"defer {row['step']} to {until}", act)
        else:
            await self._act(
                f"cancel {row['step']}", lambda tx: cancel(tx, row["follow_up_id"], "asked", WHO, Whatever())
            )

    # what the house does

    async def deliver(self) -> None:
        relay = InProcessRelay(
            self.bank.pool, self.work, self.consumers, wake=asyncio.Event(), batch=self.house_dice.choice((1, 3, 100))
        )
        while await relay.deliver():
            pass

    async def tick(self) -> None:
        while await run_due(self.work, self.table, self.house_dice.choice((1, 10))):
            pass

    async def send(self) -> None:
        """One life of a sender, which may die on its way."""
        self._life += 1
        holder = f"sender-{self._life}"
        async with self.bank.pool.acquire() as conn:
            fence = await workers.register(conn, holder, "local")
        sender = Sender(
            self.work, self.bank.shelf, self._wording, self.phones, holder=holder, fence=fence,
            monotonic=lambda: 0.0, business_now=self.clock.now,
        )  # fmt: skip
        for _ in range(20):
            marked, began = await sender.mark(self.house_dice.choice((1, 10)))
            if not marked:
                break
            for one in marked:
                self._look_at(one)
            if self.house_dice.random() < 0.05 and not self.plain:
                self.note("sender dies before it writes")
                break
            for channel in self.phones:
                if mine := [one for one in marked if one.channel == channel]:
                    results = await sender.hand_over(mine, began)
                    if self.house_dice.random() < 0.05 and not self.plain:
                        self.note("sender dies before it writes down")
                    else:
                        await sender.record(results)
        async with self.bank.pool.acquire() as conn:
            await workers.leave(conn, holder)
            await conn.execute("update attempts set asked_at = null, marked_real = marked_real - interval '10 seconds'")
        await expire_leases(self.work)
        await ask_providers(self.work, self.phones)

    async def receipts(self) -> None:
        got = [entry for phone in self.phones.values() for entry in phone.got][-8:]
        if got:
            reference, _, to, *_ = self.dice.choice(got)
            if reference in self._told:
                return
            self._told.add(reference)
            status = self.dice.choice((ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED))
            error = self.dice.choice((None, ErrorClass.ADDRESS)) if status is ReceiptStatus.UNDELIVERED else None
            await take_receipts(self.work, [Receipt(reference, status, self.now, error=error)])
            self.note(f"receipt {status} {error} to {to}")

    @property
    def read(self) -> list[tuple[str, str, datetime]]:
        """The texts that reached a phone: whose, about which step, when."""
        return [(*self._marked[reference], at) for reference, *_, at in self.phones["sms"].got]

    def moods(self) -> None:
        for phone in self.phones.values():
            phone.mood = self.house_dice.choice(("kind", "kind", "kind", "busy", "deaf", "mute", "dead"))

    def _look_at(self, one: Marked) -> None:
        """Is it right that this goes out now?"""
        what = f"{one.message.step} to {one.customer_id} by {one.channel}: {one.text.body[:60]!r}"
        self.note(f"marked {what}")
        wrong = self._wrong_hour_or_way(one)
        if one.message.purpose == "dunning":
            wrong += self._wrong_reminder(one)
        self.broken += [f"{self.now} {why}: {what}" for why in wrong]
        self._marked[str(one.attempt_id)] = (one.customer_id, one.message.step)

    def _wrong_hour_or_way(self, one: Marked) -> list[str]:
        book, person = self.book, one.customer_id
        clocks = [self.now.astimezone(zone).time() for zone in (book.zone(person), ZoneInfo(BANK_ZONE))]
        wrong = []
        if person != book.person(person):
            wrong.append("merged away")
        if not all(time(8) <= clock < time(22) for clock in clocks):
            wrong.append("at night")
        if book.silent(person, one.channel):
            wrong.append("opted out")
        return wrong

    def _wrong_reminder(self, one: Marked) -> list[str]:
        at, book, person = self.now, self.book, one.customer_id
        wrong = ["held"] if book.held(person, None, at) else []
        overdue = [key for key in book.overdue(person, at) if not book.held(person, key, at)]
        if not overdue:
            wrong.append("moot")
        amount = sum(book.owed(key)[0] for key in overdue)
        said = re.findall(r"[0-9][0-9,]*\.[0-9]{2}", one.text.body)
        if self.punctual and said and f"{amount // 100:,}.{amount % 100:02}" not in said:
            wrong.append(f"not the amount of {amount}")
        steps = self._dunned.setdefault((person, at), set())
        steps.add(one.message.step)
        if len(steps - self._deferred) > 1:
            wrong.append("two steps at once")
        texts = [when for who, _, when in self.read if who == person and one.channel == "sms"]
        if any(at - when < timedelta(hours=2) for when in texts):
            wrong.append("within two hours")
        return wrong

    async def accounts_and_cases(self) -> list[str]:
        """Where the house has them otherwise than the facts."""
        wrong, book = [], self.book
        for account, card in book.cards.items():
            row = await self.bank.account(account)
            found = (row["customer_id"], row["past_due"], row["oldest_due"])
            known = (book.person(card.owner), *book.owed(account))
            if found != known:
                wrong.append(f"{account} is {found}, should be {known}")
            if bool(book.days(account, self.now)) is not (row["bucket"] != "M0"):
                wrong.append(f"{account} in {row['bucket']} at {book.days(account, self.now)} days")
        for customer in CUSTOMERS:
            rows = await self.bank.rows("select 1 from cases where customer_id = $1 and state = 'open'", customer)
            if bool(rows) is not bool(book.overdue(customer, self.now)):
                wrong.append(f"{customer} has {len(rows)} open cases, overdue {book.overdue(customer, self.now)}")
        return wrong

    def taken_twice(self) -> list[str]:
        references = [reference for phone in self.phones.values() for reference, *_ in phone.got]
        return [f"{each} was taken twice" for each in set(references) if references.count(each) > 1]

    # how it goes on

    async def go_on(self, until: timedelta) -> None:
        """Move the clock: by some span, or to where something is about to happen."""
        choices = [timedelta(minutes=self.dice.randint(1, 90)), timedelta(hours=self.dice.randint(1, 30)), until]
        to = self.now + self.dice.choice(choices)
        if self.dice.random() < 0.4 and not self.plain:
            due = await self.bank.rows(
                "select min(due_at) as at from timers where due_at between $1 and $1 + interval '9 days'"
                " and due_at > $1 and scope <> '*'",
                self.now,
            )
            to = due[0]["at"] or to
        elif self.dice.random() < 0.3:
            day = self.now.astimezone(ZoneInfo(self.dice.choice(ZONES)))
            hour = self.dice.choice((time(0), time(8), time(21, 59, 59), time(22)))
            to = datetime.combine(day.date() + timedelta(days=1), hour, day.tzinfo).astimezone(UTC)
        self.now = max(to, self.now)
        await move_to(self.bank, self.now)
        async with self.work():
            pass

    async def turn(self) -> None:
        dice = self.dice
        for _ in range(dice.randint(0, 2)):
            acts = (
                self.report, self.report, self.report, self.pay, self.pay, self.pay, self.take_back, self.take_back,
                self.take_back, self.close, self.charge, self.hold, self.lift, self.opt, self.promise, self.decide,
                self.decide, self.profile, self.receipts,
            )  # fmt: skip
            act = dice.choice(acts)
            if not (self.plain and act in (self.decide, self.receipts)):
                await act()
        if dice.random() < 0.015:
            await self.merge()
        if self.house_dice.random() < 0.2 and not self.plain:
            self.moods()
        if self.house_dice.random() < 0.15 and self.sleepy:
            self.asleep[self.house_dice.choice(list(self.asleep))] = self.house_dice.randint(2, 12)
        await self.house()
        self.asleep = {who: max(0, left - 1) for who, left in self.asleep.items()}
        await self.go_on(timedelta(days=dice.choice((1, 1, 2, 4, 8))))

    async def house(self) -> None:
        parts = {"scheduler": self.tick, "relay": self.deliver, "sender": self.send}
        names = [name for name in parts if not self.asleep[name]]
        if self.sleepy:
            self.house_dice.shuffle(names)
        else:
            names = ["scheduler", "relay", "scheduler", "relay", "sender"]
        for name in names:
            # Amounts follow the calendar by the clock's own tick.
            self.punctual = not self.asleep["scheduler"] and names.index("scheduler") < names.index(name)
            await parts[name]()

    async def settle_down(self) -> None:
        self.asleep = dict.fromkeys(self.asleep, 0)
        for phone in self.phones.values():
            phone.mood = "kind"
        for _ in range(6):
            await self.tick()
            await self.deliver()
            await self.send()
            await self.deliver()


class Whatever:
    """Any version will do."""

    def check(self, version: int) -> None: ...


async def move_to(bank: Bank, now: datetime) -> None:
    async with bank.pool.acquire() as conn:
        await move_manual_clock(conn, now)
