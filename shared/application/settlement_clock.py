"""A day has come on which the calendar alone decides about a settlement: an offer is over, or what is in force is
judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from shared.application.agreements import weigh
from shared.application.approvals import About, drop_request
from shared.application.book import Book, SettlementOnFile
from shared.application.clockwork import DueTimer
from shared.application.judging import PolicyShelf, open_pages, zone_of
from shared.application.plan_judging import ACTOR_CLOCK, tell
from shared.application.settlement_judging import BY_CLOCK, put_settlement
from shared.application.settlements import SettlementStore
from shared.domain import settlement_life
from shared.domain.calendar import local_date
from shared.domain.settlement import SettlementState


class SettlementClock:
    """Judges what is in force, and ends what nobody took up or signed."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def tick(self, tx: SettlementStore, book: Book, timers: Sequence[DueTimer]) -> None:
        await open_pages(tx, book)
        for timer in timers:
            customer_id = timer.scope
            zone = zone_of(book.customers[customer_id].time_zone, self._shelf.policy())
            page = book.agreements.get(customer_id)
            filed = None if page is None else page.settlements.get(UUID(timer.subject))
            if filed is not None:
                await _expire(tx, book, filed, zone)
            weigh(book, customer_id, zone, tx.now, BY_CLOCK, ACTOR_CLOCK)
        await tx.save(book.changes)


async def _expire(tx: SettlementStore, book: Book, filed: SettlementOnFile, zone: str) -> None:
    outcome = settlement_life.expire(filed.settlement, local_date(book.now, zone))
    if outcome.state is not filed.settlement:
        tell(book, filed.customer_id, filed.case_id, outcome.announcements, ACTOR_CLOCK)
        put_settlement(book, replace(filed, settlement=outcome.state), zone, ACTOR_CLOCK)
        if filed.settlement.state is SettlementState.PROPOSED:  # else nobody was asked, or has answered
            about = About("settlement", filed.settlement.settlement_id, filed.case_id)
            await drop_request(tx, book, about, "settlement_expired")
