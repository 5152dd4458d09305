"""Judge what a customer agreed to, inside the transaction that changes the facts, and note until when follow-ups wait.

A judgement depends on payments and date alone. Days that are over are judged one by one before today, so that a late
clock tells what a punctual one would have told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time
from uuid import UUID

from shared.application.book import AccountKey, Agreements, Book, PromiseOnFile, WaiverOnFile
from shared.application.plan_judging import (
    INSTALMENT_REMINDER,
    PLAN_LOOK,
    HoldOwner,
    catch_up_plans,
    judge_plans,
    keep_hold,
    money_on,
    put_plan,
    tell,
)
from shared.application.settlement_judging import (
    SETTLEMENT_LOOK,
    catch_up_settlements,
    judge_settlements,
    put_settlement,
)
from shared.domain.announcement import Announcement
from shared.domain.calendar import at_local, local_date
from shared.domain.delinquency import CURRENT
from shared.domain.plan import PlanState
from shared.domain.plan_life import lapses_on
from shared.domain.promise import PromiseState, judge, waits_until
from shared.domain.repayment_policy import RepaymentPolicy
from shared.domain.settlement_life import next_look
from shared.domain.waiting import following

PROMISE_DUE = "promise_due"
BY_CLOCK = f"timer.{PROMISE_DUE}"
ACTOR_CLOCK = "clock"
_MIDNIGHT = time()


def weigh(book: Book, customer_id: str, zone: str, at: datetime, reason: str, actor: str) -> None:
    """Judge the customer's agreements by what is known now; ``reason`` is an event's type or a timer's kind.

    ``at`` is the instant as of which the accounts were judged: from then on follow-ups wait, or do not."""
    if customer_id not in book.agreements:
        return
    catch_up_agreements(book, customer_id, zone)
    _judge_on(book, customer_id, zone, local_date(book.now, zone), reason, actor)
    judge_plans(book, customer_id, zone, reason, actor)
    judge_settlements(book, customer_id, zone, reason, actor)
    note_wait(book, customer_id, zone, at)


def catch_up_agreements(book: Book, customer_id: str, zone: str) -> None:
    """Judge on each day up to today on which the calendar alone decided something."""
    today = local_date(book.now, zone)
    promises = [filed.promise for filed in book.agreements[customer_id].promises.values()]
    due = {each.due_for_judgement for each in promises if each.state is PromiseState.OPEN}
    for day in sorted(day for day in due if day <= today):
        _judge_on(book, customer_id, zone, day, BY_CLOCK, ACTOR_CLOCK)
    catch_up_plans(book, customer_id, zone)
    catch_up_settlements(book, customer_id, zone)


def note_wait(book: Book, customer_id: str, zone: str, at: datetime) -> None:
    """Put on record until when follow-ups wait, where that changed."""
    page = book.agreements[customer_id]
    last = page.last_wait
    at = at if last is None else max(at, last.at)
    overdue = [
        account.key
        for account in book.accounts_of(customer_id).values()
        if account.followed and account.bucket != CURRENT
    ]
    promises = (filed.promise for filed in page.promises.values())
    day = waits_until(promises, overdue, local_date(at, zone))
    until = None if day is None else at_local(date.fromordinal(day.toordinal() + 1), _MIDNIGHT, zone)
    fact = following(last, at, until)
    if fact is not None:
        page.waits += 1
        page.last_wait = fact
        book.changes.waits.append((customer_id, page.waits, fact))


def put_promise(book: Book, filed: PromiseOnFile, zone: str) -> None:
    """Note a promise as it is now, and the day that judges it."""
    promise = filed.promise
    book.agreements.setdefault(promise.customer_id, Agreements()).promises[promise.promise_id] = filed
    book.changes.promises[promise.promise_id] = filed
    is_open = promise.state is PromiseState.OPEN
    due_at = at_local(promise.due_for_judgement, _MIDNIGHT, zone) if is_open else None
    book.changes.set_timer(promise.customer_id, PROMISE_DUE, str(promise.promise_id), due_at)


def put_waiver(book: Book, filed: WaiverOnFile) -> None:
    """Note a waiver as it is now."""
    waiver = filed.waiver
    book.agreements.setdefault(waiver.customer_id, Agreements()).waivers[waiver.waiver_id] = filed
    book.changes.waivers[waiver.waiver_id] = filed


def tell_promises(book: Book, customer_id: str, news: Iterable[Announcement], actor: str) -> None:
    """Announce, and put the same on the timeline, with the reason that made us look."""
    promises = book.agreements[customer_id].promises
    for each in news:
        tell(book, customer_id, promises[UUID(each.data["promise_id"])].case_id, [each], actor)


def move_agreements(
    book: Book, account: AccountKey, origin: str, target: str, zone: str, policy: RepaymentPolicy
) -> None:
    """What was promised on an account goes where the account goes, with its holds and with what waits for a second
    person."""
    page = book.agreements.get(origin)
    if page is None or origin == target:
        return
    for promised in [filed for filed in page.promises.values() if filed.promise.account == account]:
        del page.promises[promised.promise.promise_id]
        book.changes.set_timer(origin, PROMISE_DUE, str(promised.promise.promise_id), None)
        put_promise(book, replace(promised, promise=replace(promised.promise, customer_id=target)), zone)
    for plan in [plan for plan in page.plans.values() if account in plan.plan.accounts]:
        del page.plans[plan.plan.plan_id]
        for kind in (PLAN_LOOK, INSTALMENT_REMINDER):
            book.changes.set_timer(origin, kind, str(plan.plan.plan_id), None)
        lapses = lapses_on(plan.plan, policy.plans)
        moving = replace(plan, plan=replace(plan.plan, customer_id=target))
        if plan.holding:
            owner = HoldOwner("plan", plan.plan.plan_id, target, plan.case_id, plan.plan.state.value)
            keep_hold(book, owner, account[0], plan.held)
        put_plan(book, moving, zone, "core-banking", lapses_on=lapses)
        book.changes.moved_requests[plan.plan.plan_id] = target
    for filed in [filed for filed in page.settlements.values() if account in filed.settlement.accounts]:
        del page.settlements[filed.settlement.settlement_id]
        book.changes.set_timer(origin, SETTLEMENT_LOOK, str(filed.settlement.settlement_id), None)
        moved = replace(filed, settlement=replace(filed.settlement, customer_id=target))
        if filed.holding:
            about = (filed.settlement.settlement_id, target, filed.case_id, filed.settlement.state.value)
            keep_hold(book, HoldOwner("settlement", *about), account[0], filed.held)
        put_settlement(book, moved, zone, "core-banking")
        book.changes.moved_requests[filed.settlement.settlement_id] = target
    for waived in [filed for filed in page.waivers.values() if filed.waiver.debt.account == account]:
        del page.waivers[waived.waiver.waiver_id]
        put_waiver(book, replace(waived, waiver=replace(waived.waiver, customer_id=target)))
        book.changes.moved_requests[waived.waiver.waiver_id] = target
    money = {key: each for key, each in page.payments.items() if (each.account_id, each.currency) == account}
    book.agreements.setdefault(target, Agreements()).payments.update(money)


def follow_clock(book: Book, customer_id: str, zone: str, policy: RepaymentPolicy) -> None:
    """The customer's days begin and end by another clock from now on: what waits for one of them waits for it there.

    A timer that came by the old clock would find that its day is not over, and not come again."""
    page = book.agreements.get(customer_id)
    if page is None:
        return
    for filed in [filed for filed in page.promises.values() if filed.promise.state is PromiseState.OPEN]:
        put_promise(book, filed, zone)
    for plan in list(page.plans.values()):
        lapses = lapses_on(plan.plan, policy.plans)
        if lapses is not None or plan.plan.state is PlanState.ACTIVE:
            put_plan(book, plan, zone, "core-banking", lapses_on=lapses)
    for settled in list(page.settlements.values()):
        if next_look(settled.settlement, settled.looked_on) is not None:
            put_settlement(book, settled, zone, "core-banking")


def _judge_on(book: Book, customer_id: str, zone: str, day: date, reason: str, actor: str) -> None:
    page = book.agreements[customer_id]
    filed = list(page.promises.values())
    outcome = judge(
        [each.promise for each in filed], money_on(book, page, [each.promise.account for each in filed]), day, reason
    )
    for before, after in zip(filed, outcome.state, strict=True):
        if after is not before.promise:
            put_promise(book, replace(before, promise=after), zone)
    tell_promises(book, customer_id, outcome.announcements, actor)
