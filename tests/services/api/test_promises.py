"""A promise to pay makes follow-ups wait, is judged by payments and the clock, and again when the past changes."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from shared.application.principal import Role
from tests.application.bank import NOW, merged, payment, report, reversal, updated
from tests.services.api.people import AUDITOR, COLLECTOR, SUPERVISOR, office

PROMISE = {
    "customer_id": "C1",
    "account_id": "A1",
    "currency": "CNY",
    "amount": 50_000,
    "due_on": "2026-07-08",
    "channel": "phone",
}
LAST_DAY_OVER = "2026-07-11T00:00"  # two days of tolerance after the 8th


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report())
        await opened.settle()
        opened.bank.latest = local("2026-08-01T00:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


def local(text):
    return datetime.fromisoformat(text + "+08:00")


def paid(payment_id, on, *, posted, amount=50_000):
    """A payment that counts for one day and is posted on another."""
    kind, data = payment(payment_id, amount=amount, posted=f"{posted}T10:00:00+08:00")
    return kind, data | {"value_date": on}


async def promised(clerk, **more):
    answer = await clerk.create("/v1/promises", **(PROMISE | more))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def standing(clerk, path):
    shown = (await clerk.get(path)).json()
    return shown["state"], shown["paid"], shown["reason"]


async def told(desk):
    found = await desk.values("select type from outbox where aggregatetype = 'arrears.promise' order by seq")
    return [kind.removeprefix("arrears.promise.").removesuffix(".v1") for kind in found]


async def timeline(desk):
    return await desk.rows(
        "select kind, data ->> 'reason', actor from case_events where kind like 'promise.%' order by entry"
    )


async def coming(desk):
    return await desk.rows("select subject, due_at from timers where kind = 'follow_up'")


async def issued(desk):
    found = await desk.rows(
        "select step, decided_at from follow_ups"
        " where state not in ('planned', 'passed_over') and decided_at > $1 order by decided_at",
        NOW,
    )
    return [(step, at.astimezone(local("2026-07-01T00:00").tzinfo).strftime("%m-%d %H:%M")) for step, at in found]


async def test_a_promise_is_taken_once_and_follow_ups_wait_until_its_last_day_is_over(desk, clerk):
    before = await coming(desk)
    answer = await clerk.create("/v1/promises", key="once", **PROMISE)
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["state"], shown["promised_by"], shown["recorded_by"]) == ("open", "debtor", "li.na")
    assert (shown["tolerance_days"], shown["tolerance_amount"], shown["policy_version"]) == (2, 1000, 1)
    assert answer.headers["etag"] == '"1"'
    again = await clerk.create("/v1/promises", key="once", **PROMISE)
    assert (again.content, again.headers["idempotency-replayed"]) == (answer.content, "true")
    await desk.settle()
    assert await told(desk) == ["made"]
    assert await desk.rows("select kind, due_at from timers where kind = 'promise_due'") == [
        ("promise_due", local(LAST_DAY_OVER))
    ]
    (then,) = await coming(desk)
    assert then[1] >= local(LAST_DAY_OVER) > before[0][1]
    await desk.move_to(local("2026-07-10T23:59"))
    assert await issued(desk) == []


async def test_nothing_paid_breaks_it_and_the_ladder_goes_on_from_there(desk, clerk):
    path = await promised(clerk)
    await desk.move_to(local(LAST_DAY_OVER))
    assert await standing(clerk, path) == ("broken", 0, "timer.promise_due")
    assert await told(desk) == ["made", "broken"]
    assert await timeline(desk) == [
        ("promise.made", "made", "li.na"), ("promise.broken", "timer.promise_due", "clock")
    ]  # fmt: skip
    ((_, at),) = await issued(desk)
    assert at == "07-11 00:00"


async def test_a_late_clock_ends_where_a_punctual_one_does(desk, clerk):
    await promised(clerk)
    await desk.move_to(local("2026-07-20T12:00"))
    assert await told(desk) == ["made", "broken"]
    assert await desk.values("select judged_on from promises") == [date(2026, 7, 11)]
    assert await desk.values("select count(*) from ladder_waits") == [1]


async def test_a_part_of_it_is_not_enough_and_the_tolerance_is(desk, clerk):
    path = await promised(clerk)
    await desk.move_to(local("2026-07-03T12:00"))
    await desk.bank.say(paid("P1", "2026-07-01", posted="2026-07-01", amount=30_000))
    assert await standing(clerk, path) == ("open", 30_000, "payment.posted.v1")
    await desk.bank.say(paid("P2", "2026-07-02", posted="2026-07-02", amount=19_000))
    assert await standing(clerk, path) == ("kept", 49_000, "payment.posted.v1")
    await desk.settle()
    assert await desk.values("select count(*) from timers where kind = 'promise_due'") == [0]


async def test_broken_then_kept_by_a_payment_that_counts_for_a_day_before(desk, clerk):
    path = await promised(clerk)
    await desk.move_to(local("2026-07-13T09:00"))
    assert (await standing(clerk, path))[0] == "broken"
    await desk.bank.say(paid("P1", "2026-07-09", posted="2026-07-12"))
    assert await standing(clerk, path) == ("kept", 50_000, "payment.posted.v1")
    assert (await timeline(desk))[-1] == ("promise.kept", "payment.posted.v1", "system")
    assert (await told(desk))[-2:] == ["broken", "kept"]


async def test_a_payment_that_comes_before_the_late_clock_finds_the_day_judged(desk, clerk):
    """Whichever of the two processes is quicker, the promise is first broken and then kept."""
    await promised(clerk)
    await desk.deps.pool.execute("update business_clock set now = $1", local("2026-07-13T09:00"))
    await desk.bank.say(paid("P1", "2026-07-09", posted="2026-07-12"))
    await desk.settle()
    assert await told(desk) == ["made", "broken", "kept"]


async def test_a_reversal_takes_back_what_had_kept_it(desk, clerk):
    path = await promised(clerk)
    await desk.move_to(local("2026-07-03T12:00"))
    await desk.bank.say(paid("P1", "2026-07-01", posted="2026-07-01"))
    assert (await standing(clerk, path))[0] == "kept"
    await desk.bank.say(reversal(at="2026-07-03T10:00:00+08:00"))
    assert await standing(clerk, path) == ("open", 0, "payment.reversed.v1")
    await desk.settle()
    assert await desk.values("select due_at from timers where kind = 'promise_due'") == [local(LAST_DAY_OVER)]
    await desk.move_to(local(LAST_DAY_OVER))
    assert await told(desk) == ["made", "kept", "reopened", "broken"]


async def test_money_that_was_there_before_does_not_keep_it(desk, clerk):
    path = await promised(clerk)
    await desk.bank.say(paid("P1", "2026-06-29", posted="2026-06-29", amount=20_000))
    assert await standing(clerk, path) == ("open", 0, "made")


async def test_follow_ups_wait_only_while_every_overdue_account_has_a_promise(desk, clerk):
    await desk.bank.say(report("A2", due="2026-06-21"))
    await desk.settle()
    await promised(clerk)
    await desk.settle()
    assert await desk.values("select count(*) from ladder_waits") == [0]
    path = await promised(clerk, account_id="A2", due_on="2026-07-03")
    assert await desk.values("select until from ladder_waits") == [local("2026-07-06T00:00")]
    await clerk.edit(path + "/cancel", reason="mistake")
    assert await desk.values("select until from ladder_waits order by seq") == [local("2026-07-06T00:00"), None]


async def test_an_open_promise_can_be_called_off_once(desk, clerk):
    path = await promised(clerk)
    assert (await clerk.edit(path + "/cancel", version='"7"', reason="mistake")).status_code == 412
    done = await clerk.edit(path + "/cancel", reason="new_agreement")
    assert (done.status_code, done.json()["state"], done.headers["etag"]) == (200, "cancelled", '"2"')
    again = await clerk.edit(path + "/cancel", reason="mistake")
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "promise-state")
    await desk.settle()
    assert await told(desk) == ["made", "cancelled"]
    assert await desk.values("select count(*) from timers where kind = 'promise_due'") == [0]


@pytest.mark.parametrize(
    ("asked", "code", "pointer"),
    [
        ({"due_on": "2026-06-29"}, "too-early", "/due_on"),
        ({"due_on": "2026-08-15"}, "too-late", "/due_on"),
        ({"amount": 4_999}, "too-little", "/amount"),
        ({"amount": 401_001}, "too-much", "/amount"),
        ({"amount": 10**15}, "too-much", "/amount"),
    ],
)
async def test_what_the_policy_objects_to_is_told_by_code(clerk, asked, code, pointer):
    refused = await clerk.create("/v1/promises", **(PROMISE | asked))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (422, "promise-refused")
    assert [(each["code"], each["pointer"]) for each in refused.json()["errors"]] == [(code, pointer)]


async def test_all_that_is_owed_may_be_promised_as_it_stands_after_what_was_paid(desk, clerk):
    await desk.bank.say(paid("P1", "2026-06-29", posted="2026-06-29", amount=1_000))
    refused = await clerk.create("/v1/promises", **(PROMISE | {"amount": 400_001}))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too-much")
    await promised(clerk, amount=400_000)


async def test_what_is_past_due_may_be_promised_whatever_the_balances_say(desk, clerk):
    less = {"principal": 10_000, "interest": 0, "fees": 0, "penalty": 0}
    await desk.bank.say(report(sequence=2, cutoff="2026-06-29T02:00:00+08:00", balances=less))
    await promised(clerk, amount=50_000)


async def test_after_three_broken_ones_only_a_supervisor_takes_another(desk, clerk):
    for day in ("2026-07-01", "2026-07-06", "2026-07-11"):
        await promised(clerk, due_on=day)
        await desk.move_to(local(day + "T00:00").replace(day=int(day[-2:]) + 3))
    fourth = PROMISE | {"due_on": "2026-07-20"}
    refused = await clerk.create("/v1/promises", **fourth)
    assert refused.json()["errors"][0]["code"] == "broken-before"
    assert (await clerk.create("/v1/promises", **fourth, waive=["broken-before"])).status_code == 403
    async with desk.person(SUPERVISOR, name="wang.fang") as supervisor:
        taken = await supervisor.create("/v1/promises", **fourth, waive=["broken-before"])
    assert (taken.status_code, taken.json()["recorded_by"]) == (201, "wang.fang")


async def test_a_current_account_and_a_strangers_account_take_none(desk, clerk):
    await desk.bank.say(report("A2", unpaid=0), report("A3", "C2"))
    assert (await clerk.create("/v1/promises", **(PROMISE | {"account_id": "A3"}))).status_code == 422
    current = await clerk.create("/v1/promises", **(PROMISE | {"account_id": "A2"}))
    assert (current.status_code, current.json()["type"].rpartition("/")[2]) == (409, "nothing-past-due")


async def test_a_merger_takes_promises_their_money_and_their_day_along(desk, clerk):
    path = await promised(clerk)
    await desk.move_to(local("2026-07-03T12:00"))
    await desk.bank.say(paid("P1", "2026-07-01", posted="2026-07-01", amount=30_000))
    await desk.bank.say(report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002"), merged("C1", "C2"))
    await desk.settle()
    assert (await clerk.get(path)).json()["customer_id"] == "C2"
    assert await desk.rows("select scope, due_at from timers where kind = 'promise_due'") == [
        ("C2", local(LAST_DAY_OVER))
    ]
    await desk.bank.say(paid("P2", "2026-07-02", posted="2026-07-02", amount=20_000))
    assert await standing(clerk, path) == ("kept", 50_000, "payment.posted.v1")


async def test_the_list_is_filtered_and_keeps_to_the_callers_customers(desk, clerk):
    await desk.bank.say(report("A2", "C2"), updated("C2", mobile="+8613800000002"))
    await desk.settle()
    await promised(clerk)
    await promised(clerk, customer_id="C2", account_id="A2", due_on="2026-07-03")

    async def seen(person, **query):
        return [each["customer_id"] for each in (await person.get("/v1/promises", **query)).json()["items"]]

    assert await seen(clerk) == ["C2", "C1"]
    assert await seen(clerk, due_before="2026-07-08", state="open") == ["C2"]
    assert await seen(clerk, customer_id="C1", account_id="A1") == ["C1"]
    (case_id,) = await desk.values("select case_id from cases where customer_id = 'C2'")
    await desk.deps.pool.execute("update cases set owner = 'somebody.else' where case_id = $1", case_id)
    assert await seen(clerk) == ["C1"]
    async with desk.person(AUDITOR) as auditor, desk.person(Role.OPERATIONS) as operator:
        assert await seen(auditor, case_id=str(case_id)) == ["C2"]
        assert (await operator.get("/v1/promises")).status_code == 403
        assert (await auditor.create("/v1/promises", **PROMISE)).status_code == 403
    hidden = await clerk.create("/v1/promises", **(PROMISE | {"customer_id": "C2", "account_id": "A2"}))
    assert hidden.status_code == 404
