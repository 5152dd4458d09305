"""Judge a customer's plans inside the transaction that changes the facts, with the holds that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, time
from typing import NamedTuple
from uuid import UUID

from shared.application.book import AccountKey, Agreements, Book, Payment, PlanHold, PlanOnFile
from shared.domain.announcement import Announcement
from shared.domain.calendar import at_local, local_date
from shared.domain.hold import HoldKind
from shared.domain.identity import derive
from shared.domain.payment import Payment as Paid
from shared.domain.plan import Plan
from shared.domain.plan_coverage import Coverage
from shared.domain.plan_life import judge, next_look, standing
from shared.domain.plan_reminders import next_reminder, remind

PLAN_LOOK = "plan_look"
INSTALMENT_REMINDER = "instalment_reminder"
BY_CLOCK = f"timer.{PLAN_LOOK}"
ACTOR_CLOCK = "clock"
_MIDNIGHT = time()


def catch_up_plans(book: Book, customer_id: str, zone: str) -> None:
    """Judge on each day up to today on which the calendar alone decided something."""
    today = local_date(book.now, zone)
    for filed in list(book.agreements[customer_id].plans.values()):
        day = next_look(filed.plan, filed.looked_on)
        while day is not None and day <= today:
            filed = _look(book, filed, zone, day, BY_CLOCK, ACTOR_CLOCK)
            day = next_look(filed.plan, filed.looked_on)


def judge_plans(book: Book, customer_id: str, zone: str, reason: str, actor: str) -> None:
    """Judge by what is known now; ``reason`` is an event's type or a timer's kind."""
    for filed in list(book.agreements[customer_id].plans.values()):
        _look(book, filed, zone, local_date(book.now, zone), reason, actor)


def put_plan(book: Book, filed: PlanOnFile, zone: str, actor: str, *, lapses_on: date | None = None) -> PlanOnFile:
    """Note a plan as it is now, the holds that it has, and the day on which the clock looks at it next."""
    plan = filed.plan
    if plan.stops_collection != filed.holding:
        held = filed.held + plan.stops_collection
        filed = replace(filed, held=held, holding=plan.stops_collection)
        owner = HoldOwner("plan", plan.plan_id, plan.customer_id, filed.case_id, plan.state.value)
        turn_holds(book, owner, plan.accounts, filed.held, filed.holding, actor)
    book.agreements.setdefault(plan.customer_id, Agreements()).plans[plan.plan_id] = filed
    book.changes.plans[plan.plan_id] = filed
    day = lapses_on or next_look(plan, filed.looked_on)
    due_at = None if day is None else at_local(day, _MIDNIGHT, zone)
    book.changes.set_timer(plan.customer_id, PLAN_LOOK, str(plan.plan_id), due_at)
    coming = next_reminder(plan)
    due_at = None if coming is None or plan.remind is None else at_local(coming.on, plan.remind.at, zone)
    book.changes.set_timer(plan.customer_id, INSTALMENT_REMINDER, str(plan.plan_id), due_at)
    return filed


def remind_of_instalments(book: Book, customer_id: str, plan_id: UUID, zone: str) -> None:
    """Announce what of the plan is due soon. Judge the plan before."""
    filed = book.agreements[customer_id].plans.get(plan_id)
    if filed is None:
        return
    today = local_date(book.now, zone)
    outcome = remind(filed.plan, standing_on(book, filed.plan, today), today)
    if outcome.state is not filed.plan:
        tell(book, customer_id, filed.case_id, outcome.announcements, ACTOR_CLOCK)
        put_plan(book, replace(filed, plan=outcome.state), zone, ACTOR_CLOCK)


def tell(book: Book, customer_id: str, case_id: UUID | None, news: Iterable[Announcement], actor: str) -> None:
    """Announce, and put the same on the timeline."""
    for each in news:
        book.changes.announce([each])
        kind = each.type.removeprefix("arrears.").rpartition(".")[0]
        book.changes.record(customer_id, case_id, kind, each.data, actor)


class HoldOwner(NamedTuple):
    """Whose hold it is; ``state`` is told when it is released."""

    noun: str
    origin: UUID
    customer_id: str
    case_id: UUID | None
    state: str


def turn_holds(
    book: Book, owner: HoldOwner, accounts: Iterable[AccountKey], number: int, placed: bool, actor: str
) -> None:
    """Place the owner's holds for the ``number``-th time, or release those of that time."""
    for account_id in sorted({account_id for account_id, _ in accounts}):
        hold_id = derive(f"{owner.noun}-hold", owner.origin, account_id, number)
        # Placed and released in one transaction, it never was in force: the last word stands on the row.
        hold = PlanHold(hold_id, owner.noun, owner.origin, owner.customer_id, account_id, placed)
        book.changes.plan_holds[hold_id] = hold
        data = {
            "hold_id": str(hold_id),
            "kind": HoldKind.PLAN.value,
            "account_id": account_id,
            "case_id": None if owner.case_id is None else str(owner.case_id),
        }
        word, more = ("placed", {"ends_at": None}) if placed else ("released", {"reason": owner.state})
        news = Announcement("arrears.hold", f"arrears.hold.{word}.v1", owner.customer_id, {**data, **more})
        tell(book, owner.customer_id, owner.case_id, [news], actor)


def keep_hold(book: Book, owner: HoldOwner, account_id: str, number: int) -> None:
    """The hold that the owner placed the ``number``-th time stands for who has the account now."""
    hold_id = derive(f"{owner.noun}-hold", owner.origin, account_id, number)
    book.changes.plan_holds[hold_id] = PlanHold(hold_id, *owner[:3], account_id, True)


def money_on(book: Book, page: Agreements, accounts: Iterable[AccountKey]) -> list[Paid]:
    """The payments on record and what this transaction made of them."""
    wanted = frozenset(accounts)
    known: dict[tuple[str, str], Payment] = page.payments | book.changes.payments
    return [
        Paid(p.source, p.payment_id, p.account_id, p.currency, p.amount, p.value_date, p.posted_at, p.reversed_amount)
        for p in known.values()
        if (p.account_id, p.currency) in wanted
    ]


def standing_on(book: Book, plan: Plan, day: date) -> tuple[Coverage, ...]:
    """How each currency of the plan stands at the end of ``day``, by the payments known here."""
    return standing(plan, money_on(book, book.agreements[plan.customer_id], plan.accounts), day)


def _look(book: Book, filed: PlanOnFile, zone: str, day: date, reason: str, actor: str) -> PlanOnFile:
    plan = filed.plan
    page = book.agreements[plan.customer_id]
    outcome = judge(plan, money_on(book, page, plan.accounts), day, reason)
    moved = filed.looked_on < day and reason == BY_CLOCK
    if outcome.state is plan and not moved:
        return filed
    after = replace(filed, plan=outcome.state, looked_on=max(filed.looked_on, day))
    tell(book, plan.customer_id, filed.case_id, outcome.announcements, actor)
    return put_plan(book, after, zone, actor)
