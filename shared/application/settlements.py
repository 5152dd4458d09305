"""Settlements: proposed, approved by a second person, offered, accepted, signed, withdrawn.

What payments make of one is in ``settlement_judging``, what the clock ends in ``settlement_clock``; who may approve it
in ``approvals``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from typing import Protocol
from uuid import UUID

from shared.application.agreements import catch_up_agreements, weigh
from shared.application.approvals import About, ApprovalStore, ask_second_person, drop_request
from shared.application.book import Book, SettlementOnFile
from shared.application.editing import Expected, case_of, open_for_edit
from shared.application.judging import PolicyShelf, zone_of
from shared.application.plan_judging import tell
from shared.application.principal import Principal, Role
from shared.application.quoting import not_settled, open_agreements, still_open
from shared.application.refusals import Forbidden
from shared.application.settlement_judging import put_settlement
from shared.application.settlement_offering import SettlementAsked, allowed, new_settlement
from shared.domain import settlement_life
from shared.domain.calendar import at_local, local_date
from shared.domain.outcome import Outcome
from shared.domain.settlement import Settlement, SettlementState


class SettlementStore(ApprovalStore, Protocol):
    async def find_settlement(self, settlement_id: UUID, who: Principal) -> SettlementOnFile | None: ...


class SettlementDesk:
    """What people do with settlements."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def propose(self, tx: SettlementStore, asked: SettlementAsked, who: Principal) -> None:
        """Offered at once within the proposer's own limit; else a second person is asked."""
        if asked.waive and not who.has(Role.SUPERVISOR):
            raise Forbidden("What stands against a settlement is put aside by a supervisor.")
        book, agreements, zone = await open_agreements(tx, self._shelf, asked.customer_id, who)
        not_settled(agreements, asked.accounts, live=False)
        new = new_settlement(book, self._shelf, asked, who, zone)
        policy, calendar = self._shelf.repayment(), self._shelf.calendar(self._shelf.policy())
        earlier = [filed.settlement for filed in agreements.settlements.values()]
        today = local_date(tx.now, zone)
        outcome = allowed(lambda: settlement_life.propose(new(), earlier, policy.settlements, calendar, today))
        settlement = outcome.state
        filed = SettlementOnFile(settlement, case_of(book, asked.customer_id), today)
        put_settlement(book, filed, zone, who.subject)
        tell(book, asked.customer_id, filed.case_id, outcome.announcements, who.subject)
        if settlement.state is SettlementState.PROPOSED:
            ends = at_local(settlement.valid_until + timedelta(days=1), time(), zone)
            until = min(tx.now + timedelta(days=policy.approval_days), ends)
            await ask_second_person(tx, book, _about(filed), settlement, who, until)
        await tx.save(book.changes)

    async def accept(self, tx: SettlementStore, settlement_id: UUID, who: Principal, expected: Expected) -> None:
        """The customer said yes: collection of its accounts stops."""
        book, filed, zone = await self._edit(tx, settlement_id, who, expected)
        still_open(book, filed.customer_id, filed.settlement.accounts, "settlement-state")
        today = local_date(tx.now, zone)
        _write(book, filed, allowed(lambda: settlement_life.accept(filed.settlement, today)), zone, who.subject)
        await tx.save(book.changes)

    async def activate(self, tx: SettlementStore, settlement_id: UUID, who: Principal, expected: Expected) -> None:
        """It is signed: from now on payments and the clock judge it."""
        book, filed, zone = await self._edit(tx, settlement_id, who, expected)
        still_open(book, filed.customer_id, filed.settlement.accounts, "settlement-state")
        today = local_date(tx.now, zone)
        _write(book, filed, allowed(lambda: settlement_life.activate(filed.settlement, today)), zone, who.subject)
        weigh(book, filed.customer_id, zone, tx.now, "agreed", who.subject)
        await tx.save(book.changes)

    async def withdraw(
        self, tx: SettlementStore, settlement_id: UUID, reason: str, who: Principal, expected: Expected
    ) -> None:
        """Call it off before it is in force; collection goes on."""
        book, filed, zone = await self._edit(tx, settlement_id, who, expected)
        today = local_date(tx.now, zone)
        outcome = allowed(lambda: settlement_life.withdraw(filed.settlement, today, reason))
        _write(book, filed, outcome, zone, who.subject)
        await drop_request(tx, book, _about(filed), "settlement_withdrawn")
        await tx.save(book.changes)

    async def _edit(
        self, tx: SettlementStore, settlement_id: UUID, who: Principal, expected: Expected
    ) -> tuple[Book, SettlementOnFile, str]:
        book, filed = await open_for_edit(tx, tx.find_settlement, settlement_id, who, expected)
        zone = zone_of(book.customers[filed.customer_id].time_zone, self._shelf.policy())
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        catch_up_agreements(book, filed.customer_id, zone)
        return book, book.agreements[filed.customer_id].settlements[settlement_id], zone


def _write(book: Book, filed: SettlementOnFile, outcome: Outcome[Settlement], zone: str, actor: str) -> None:
    tell(book, filed.customer_id, filed.case_id, outcome.announcements, actor)
    put_settlement(book, replace(filed, settlement=outcome.state), zone, actor)


def _about(filed: SettlementOnFile) -> About:
    return About("settlement", filed.settlement.settlement_id, filed.case_id)
