"""Judge a customer's settlements inside the transaction that changes the facts, with the holds that follow from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

from shared.application.book import Agreements, Book, SettlementOnFile
from shared.application.plan_judging import ACTOR_CLOCK, HoldOwner, money_on, tell, turn_holds
from shared.domain.calendar import at_local, local_date
from shared.domain.settlement import Settlement, SettlementState
from shared.domain.settlement_life import judge, next_look

SETTLEMENT_LOOK = "settlement_look"
BY_CLOCK = f"timer.{SETTLEMENT_LOOK}"
_MIDNIGHT = time()


def catch_up_settlements(book: Book, customer_id: str, zone: str) -> None:
    """Judge on each day up to today on which the calendar alone decided something."""
    today = local_date(book.now, zone)
    for filed in list(book.agreements[customer_id].settlements.values()):
        while filed.settlement.state is SettlementState.ACTIVE:
            day = next_look(filed.settlement, filed.looked_on)
            if day is None or day > today:
                break
            filed = _look(book, filed, zone, day, BY_CLOCK, ACTOR_CLOCK)


def judge_settlements(book: Book, customer_id: str, zone: str, reason: str, actor: str) -> None:
    """Judge by what is known now; ``reason`` is an event's type or a timer's kind."""
    for filed in list(book.agreements[customer_id].settlements.values()):
        _look(book, filed, zone, local_date(book.now, zone), reason, actor)


def put_settlement(
    book: Book, filed: SettlementOnFile, zone: str, actor: str, *, fulfilled: bool = False
) -> SettlementOnFile:
    """Note a settlement as it is now, the holds that it has, and the day on which the clock looks at it next.

    ``fulfilled``: it is so just now."""
    settlement = filed.settlement
    holding = _holds(book, filed, zone, fulfilled=fulfilled)
    if holding != filed.holding:
        filed = replace(filed, held=filed.held + holding, holding=holding)
        about = (settlement.settlement_id, settlement.customer_id, filed.case_id, settlement.state.value)
        turn_holds(book, HoldOwner("settlement", *about), settlement.accounts, filed.held, holding, actor)
    page = book.agreements.setdefault(settlement.customer_id, Agreements())
    page.settlements[settlement.settlement_id] = filed
    book.changes.settlements[settlement.settlement_id] = filed
    day = next_look(settlement, filed.looked_on)
    due_at = None if day is None else at_local(day, _MIDNIGHT, zone)
    book.changes.set_timer(settlement.customer_id, SETTLEMENT_LOOK, str(settlement.settlement_id), due_at)
    return filed


def _look(book: Book, filed: SettlementOnFile, zone: str, day: date, reason: str, actor: str) -> SettlementOnFile:
    before = filed.settlement
    outcome = judge(before, money_on(book, book.agreements[before.customer_id], before.accounts), day, reason)
    moved = filed.looked_on < day and reason == BY_CLOCK
    if outcome.state is before and not moved and filed.holding == _holds(book, filed, zone):
        return filed
    after = replace(filed, settlement=outcome.state, looked_on=max(filed.looked_on, day))
    tell(book, before.customer_id, filed.case_id, outcome.announcements, actor)
    fulfilled = before.state is not SettlementState.FULFILLED
    return put_settlement(book, after, zone, actor, fulfilled=fulfilled)


def _holds(book: Book, filed: SettlementOnFile, zone: str, *, fulfilled: bool = False) -> bool:
    """Once it is paid nobody asks for the rest, until the bank's books show it gone; what is owed later is new."""
    settlement = filed.settlement
    if settlement.state is not SettlementState.FULFILLED:
        return settlement.stops_collection
    return (fulfilled or filed.holding) and not _written_off(book, settlement, zone)


def _written_off(book: Book, settlement: Settlement, zone: str) -> bool:
    """Each account is closed, or a report of a later day than the end shows that nothing is owed on it."""
    accounts = book.accounts_of(settlement.customer_id)
    known = [accounts[key] for key in settlement.accounts if key in accounts]
    end = settlement.ended_on
    return (
        end is not None
        and len(known) == len(settlement.accounts)
        and all(
            not account.followed or (account.balances.total == 0 and local_date(account.cutoff_at, zone) > end)
            for account in known
        )
    )
