"""Repayment plans: quoted, proposed, approved, brought to life by the customer's agreement, restructured, called off.

What payments and the clock make of one is in ``plan_judging``; who may approve it in ``approvals``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from shared.application.agreements import catch_up_agreements, weigh
from shared.application.approvals import About, ask_second_person, drop_request
from shared.application.book import Book, PlanOnFile
from shared.application.editing import Expected, case_of, open_for_edit
from shared.application.judging import PolicyShelf, zone_of
from shared.application.plan_judging import put_plan, tell
from shared.application.plan_proposing import ProposalAsked, ProposalStore, new_plan
from shared.application.principal import Principal, Role
from shared.application.quoting import allowed, not_settled, open_agreements, still_open
from shared.application.refusals import Forbidden
from shared.domain.calendar import local_date
from shared.domain.outcome import Outcome
from shared.domain.plan import Plan, PlanState
from shared.domain.plan_life import activate, cancel, lapses_on, propose, restructure
from shared.domain.plan_terms import Agreement


class PlanStore(ProposalStore, Protocol):
    async def find_plan(self, plan_id: UUID, who: Principal) -> PlanOnFile | None: ...


class PlanDesk:
    """What people do with plans."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def propose(self, tx: PlanStore, wanted: ProposalAsked, who: Principal) -> None:
        """Approved at once within the proposer's own limit; else a second person is asked."""
        if wanted.waive and not who.has(Role.SUPERVISOR):
            raise Forbidden("What stands against a plan is put aside by a supervisor.")
        customer_id = wanted.asked.customer_id
        book, agreements, zone = await open_agreements(tx, self._shelf, customer_id, who)
        not_settled(agreements, wanted.asked.accounts, live=True)
        new = await new_plan(tx, book, self._shelf, wanted, who, zone)
        earlier = [filed.plan for filed in agreements.plans.values()]
        policy, today = self._shelf.repayment(), local_date(tx.now, zone)
        outcome = allowed(lambda: propose(new, earlier, policy.plans, today))
        plan = outcome.state
        filed = PlanOnFile(plan, case_of(book, customer_id), today)
        put_plan(book, filed, zone, who.subject, lapses_on=lapses_on(plan, policy.plans))
        tell(book, customer_id, filed.case_id, outcome.announcements, who.subject)
        if plan.state is PlanState.PROPOSED:
            until = tx.now + timedelta(days=policy.approval_days)
            await ask_second_person(tx, book, About("plan", plan.plan_id, filed.case_id), plan, who, until)
        await tx.save(book.changes)

    async def activate(
        self, tx: PlanStore, plan_id: UUID, agreement: Agreement, who: Principal, expected: Expected
    ) -> None:
        """The customer agreed: collection of its accounts stops; the plan that it replaces ends."""
        book, filed, zone = await self._edit(tx, plan_id, who, expected)
        still_open(book, filed.customer_id, filed.plan.accounts, "plan-state")
        today = local_date(tx.now, zone)
        outcome = allowed(lambda: activate(filed.plan, agreement, self._shelf.repayment().plans, today))
        self._write(book, filed, outcome, zone, who)
        if filed.plan.replaces is not None:
            old = book.agreements[filed.customer_id].plans[filed.plan.replaces]
            self._write(book, old, allowed(lambda: restructure(old.plan, outcome.state, today)), zone, who)
        weigh(book, filed.customer_id, zone, tx.now, "agreed", who.subject)
        await tx.save(book.changes)

    async def cancel(self, tx: PlanStore, plan_id: UUID, reason: str, who: Principal, expected: Expected) -> None:
        """Call it off; collection goes on."""
        book, filed, zone = await self._edit(tx, plan_id, who, expected)
        outcome = allowed(lambda: cancel(filed.plan, local_date(tx.now, zone), reason))
        self._write(book, filed, outcome, zone, who)
        await drop_request(tx, book, About("plan", plan_id, filed.case_id), "plan_cancelled")
        await tx.save(book.changes)

    def _write(self, book: Book, filed: PlanOnFile, outcome: Outcome[Plan], zone: str, who: Principal) -> None:
        tell(book, filed.customer_id, filed.case_id, outcome.announcements, who.subject)
        put_plan(book, replace(filed, plan=outcome.state), zone, who.subject)

    async def _edit(
        self, tx: PlanStore, plan_id: UUID, who: Principal, expected: Expected
    ) -> tuple[Book, PlanOnFile, str]:
        book, filed = await open_for_edit(tx, tx.find_plan, plan_id, who, expected)
        zone = zone_of(book.customers[filed.customer_id].time_zone, self._shelf.policy())
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        catch_up_agreements(book, filed.customer_id, zone)
        return book, book.agreements[filed.customer_id].plans[plan_id], zone
