"""Until when claims can be brought: worked out from the books whenever it is asked, and watched by the clock.

Nothing of the clock is stored but what people enter (a suit, a notice, an obstacle, an approval) and of which dates was
warned. Reminders that arrived, payments, promises and plans are read where they are, so a reversal or a late receipt
counts at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book
from shared.application.clockwork import DueTimer
from shared.application.editing import EditStore, Expected, case_of, open_customer, open_for_edit
from shared.application.judging import LIMITATION_LOOK, zone_of
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid, NotFound
from shared.application.sending import RuleShelf
from shared.domain.announcement import Announcement
from shared.domain.calendar import add_months, at_local, local_date
from shared.domain.contact_facts import ContactFacts
from shared.domain.limitation import Interruption, LimitationClock, Suspension, limitation_clock

LOOK_MONTHS = 1  # it is looked at so often, because what had put a date off may come undone
OBSTACLE, APPROVAL = "obstacle", "approval"
ACTOR_CLOCK = "clock"
_MIDNIGHT = time()


@dataclass(frozen=True, slots=True)
class ClaimOnFile:
    """An account with something past due since ``due_on``. ``approvals``: of legal steps once the claim is barred,
    each with the day from which it does not hold any more, None when it does for good."""

    account_id: str
    customer_id: str
    time_zone: str | None
    jurisdiction: str | None
    due_on: date
    events: tuple[Interruption, ...]
    obstacles: tuple[Suspension, ...]
    approvals: tuple[date | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """``at`` for an interruption; ``first`` and ``ends`` for an obstacle; ``ends`` may limit an approval."""

    entry_id: UUID
    account_id: str
    kind: str
    at: datetime | None
    first: date | None
    ends: date | None
    proof: str
    arrived: bool | None
    to_point_left: bool | None


@dataclass(frozen=True, slots=True)
class EntryOnFile:
    entry_id: UUID
    account_id: str
    customer_id: str
    kind: str
    withdrawn_at: datetime | None
    row_version: int


class LimitationStore(EditStore, Protocol):
    async def owner_seen(self, account_id: str, who: Principal) -> str | None:
        """Whose account it is, within the caller's scope."""

    async def claims(self, account_ids: Sequence[str]) -> dict[str, ClaimOnFile]:
        """Those of the accounts on which something is past due, by account."""

    async def overdue_accounts(self, customer_id: str) -> list[str]: ...

    async def add_entry(self, new: NewEntry, by: str) -> None: ...

    async def find_entry(self, entry_id: UUID, who: Principal) -> EntryOnFile | None: ...

    async def withdraw_entry(self, entry_id: UUID, by: str, reason: str) -> None: ...

    async def note_alerts(self, alerts: Sequence[tuple[str, date, date | None]]) -> list[tuple[str, date]]:
        """Account, date and end of the claim; those of which nobody was told yet."""


async def note_entry(tx: LimitationStore, new: NewEntry, who: Principal) -> None:
    """Enter what the books do not know. An approval of steps on a barred claim is compliance's."""
    if new.kind == APPROVAL and not who.has(Role.COMPLIANCE):
        raise Forbidden("Compliance approves legal steps on a barred claim.")
    owner = await tx.owner_seen(new.account_id, who)
    if owner is None:
        raise NotFound("There is no such account, or it is not among yours.")
    book, _ = await open_customer(tx, owner, who)
    _check(new, tx.now)
    await tx.add_entry(new, who.subject)
    _record(book, owner, "noted", new.entry_id, new.account_id, new.kind, who)
    await tx.save(book.changes)


async def withdraw_entry(tx: LimitationStore, entry_id: UUID, reason: str, who: Principal, expected: Expected) -> None:
    """It was wrong; the clock is as if it had never been entered."""
    book, entry = await open_for_edit(tx, tx.find_entry, entry_id, who, expected)
    if entry.withdrawn_at is not None:
        raise Conflict("It was withdrawn before.", code="entry-withdrawn")
    if entry.kind == APPROVAL and not who.has(Role.COMPLIANCE):
        raise Forbidden("Compliance takes an approval back.")
    await tx.withdraw_entry(entry_id, who.subject, reason)
    _record(book, entry.customer_id, "withdrawn", entry_id, entry.account_id, entry.kind, who)
    await tx.save(book.changes)


def _check(new: NewEntry, now: datetime) -> None:
    wrong = []
    timed = new.kind not in (OBSTACLE, APPROVAL)
    if timed and new.at is None:
        wrong.append(FieldError("/at", "an interruption says when it was"))
    if new.at is not None and (not timed or new.at > now):
        wrong.append(FieldError("/at", "lies in the future" if timed else "is for interruptions"))
    if new.kind == OBSTACLE and new.first is None:
        wrong.append(FieldError("/first", "an obstacle begins on a date"))
    if new.kind != OBSTACLE and new.first is not None:
        wrong.append(FieldError("/first", "is for obstacles"))
    if timed and new.ends is not None:
        wrong.append(FieldError("/ends", "an interruption has no end"))
    if new.first is not None and new.ends is not None and new.ends <= new.first:
        wrong.append(FieldError("/ends", "is not after its beginning"))
    if wrong:
        raise Invalid("This can not be entered so.", errors=wrong)


def _record(
    book: Book, customer_id: str, word: str, entry_id: UUID, account_id: str, kind: str, who: Principal
) -> None:
    data = {"entry_id": str(entry_id), "account_id": account_id, "kind": kind}
    book.changes.record(customer_id, case_of(book, customer_id), f"limitation.{word}", data, who.subject)


class Limitations:
    """``shelf`` holds the contact rules, which say how long claims last, and the calendar of rest days."""

    def __init__(self, shelf: RuleShelf) -> None:
        self._shelf = shelf

    def zone(self, claim: ClaimOnFile) -> str:
        return zone_of(claim.time_zone, self._shelf.policy())

    def clock(self, claim: ClaimOnFile, now: datetime) -> LimitationClock | None:
        """None where nobody says how long claims last: no rules for the jurisdiction, or the period depends on more."""
        rules = None if claim.jurisdiction is None else self._shelf.rules(claim.jurisdiction)
        zone = self.zone(claim)
        rule = None if rules is None else rules.limitation(local_date(now, zone))
        if rule is None or rule.years is None:
            return None
        calendar = self._shelf.calendar(self._shelf.policy())
        return limitation_clock(claim.due_on, claim.events, claim.obstacles, rule, calendar, zone)

    def approved(self, claim: ClaimOnFile, at: datetime) -> bool:
        today = local_date(at, self.zone(claim))
        return any(ends is None or today < ends for ends in claim.approvals)

    def known_to_gate(self, claims: Sequence[ClaimOnFile], facts: ContactFacts, at: datetime) -> ContactFacts:
        """The facts of a legal step on ``claims``, with the earliest end of them."""
        ends = [None if (clock := self.clock(claim, at)) is None else clock.guard_until for claim in claims]
        known = [day for day in ends if day is not None]
        if not known or len(known) < len(ends):
            return facts  # who does not know the end of one does not know the earliest
        approved = all(self.approved(claim, at) for claim in claims)
        standing = replace(facts.standing, limitation_ends_on=min(known), legal_approval=approved)
        return replace(facts, standing=standing)

    async def refuse_barred(self, tx: LimitationStore, customer_id: str) -> None:
        """Raises Conflict when a claim on the customer can not be brought any more, and nobody approved steps on it."""
        await self._shelf.attend(tx)
        for claim in await claims_about(tx, customer_id):
            clock = self.clock(claim, tx.now)
            if clock is None or self.approved(claim, tx.now):
                continue
            if clock.barred_on(local_date(tx.now, self.zone(claim))):
                raise Conflict(
                    f"The claim on account {claim.account_id} could be brought until {clock.ends_on}; compliance may"
                    " approve legal steps on it.",
                    code="claim-barred",
                )

    async def look(self, tx: LimitationStore, book: Book, timers: Sequence[DueTimer]) -> None:
        """Warn of what will be barred, each date once, and look again in a month, or on the next date to warn on."""
        await tx.load_cases(book)
        await self._shelf.attend(tx)
        claims = await tx.claims([_account(timer) for timer in timers])
        due: dict[tuple[str, date], tuple[ClaimOnFile, LimitationClock]] = {}
        for timer in timers:
            claim = claims.get(_account(timer))
            if claim is None:  # nothing is past due; should it be again, it is watched again
                continue
            if claim.customer_id not in book.customers:  # the account is somebody else's by now
                book.changes.set_timer(claim.customer_id, LIMITATION_LOOK, timer.subject, tx.now)
                continue
            clock, today = self.clock(claim, tx.now), local_date(tx.now, self.zone(claim))
            coming = add_months(today, LOOK_MONTHS)
            if clock is not None:
                due |= {(claim.account_id, day): (claim, clock) for day in clock.alerts_by(today)}
                coming = min([coming, *(day for day in clock.alerts if day > today)])
            at = at_local(coming, _MIDNIGHT, self.zone(claim))
            book.changes.set_timer(claim.customer_id, LIMITATION_LOOK, timer.subject, at)
        fresh = await tx.note_alerts([(account_id, day, due[account_id, day][1].ends_on) for account_id, day in due])
        for account_id, day in fresh:
            _tell(book, *due[account_id, day], day)
        await tx.save(book.changes)


async def claims_about(tx: LimitationStore, customer_id: str, account_ids: Sequence[str] = ()) -> Sequence[ClaimOnFile]:
    """Of these accounts; of every one that is overdue where none is named."""
    wanted = list(account_ids) or await tx.overdue_accounts(customer_id)
    return list((await tx.claims(wanted)).values())


def _account(timer: DueTimer) -> str:
    return timer.subject.rpartition("/")[0]


def _tell(book: Book, claim: ClaimOnFile, clock: LimitationClock, day: date) -> None:
    data: Mapping[str, Any] = {
        "account_id": claim.account_id,
        "customer_id": claim.customer_id,
        "counted_from": clock.counted_from.isoformat(),
        "alert_on": day.isoformat(),
        "ends_on": None if clock.ends_on is None else clock.ends_on.isoformat(),
    }
    book.changes.announce(
        [Announcement("arrears.account", "arrears.account.limitation_near.v1", claim.customer_id, dict(data))]
    )
    book.changes.record(claim.customer_id, case_of(book, claim.customer_id), "limitation.near", data, ACTOR_CLOCK)
