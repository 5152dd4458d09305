"""A customer is reminded of an instalment, thanked for it once, told when the plan breaks; nobody is asked for what is
paid."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.postgres import invariants
from shared.adapters.rendering import Renderer
from shared.adapters.wording import TemplateWording
from shared.application.sending import Sender
from tests.application.bank import payment, report, reversal, updated
from tests.services.api.people import COLLECTOR, office

# 401,000 is owed: four instalments of 100,250 on the 20th.
TERMS = {
    "customer_id": "C1",
    "accounts": [{"account_id": "A1", "currency": "CNY"}],
    "kind": "equal",
    "instalments": 4,
    "first_on": "2026-07-20",
    "shift": "none",
}
SIGNED = {"agreed_on": "2026-06-30", "form": "written"}


def local(text):
    return datetime.fromisoformat(text + "+08:00")


class Post:
    """What the sender would hand over now, and what it drops."""

    def __init__(self, desk, gateways):
        self.desk = desk
        self.sender = Sender(
            desk.deps.work,
            desk.deps.shelf,
            TemplateWording(desk.deps.shelf, Renderer(), bank="示范银行", hotline="400-600-8000"),
            gateways,
            holder="test",
            fence=1,
            monotonic=lambda: 0.0,
            business_now=lambda: None,
        )

    async def goes_out(self):
        """The texts that are marked for sending."""
        marked, _ = await self.sender.mark(100)
        return [one.text.body for one in marked]

    async def messages(self):
        """Step, state and reason of each message about a plan, in their order."""
        return await self.desk.rows(
            "select step, state, coalesce(reason, '') from messages where about like 'plan/%' order by created_at, step"
        )


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report())
        await opened.settle()
        opened.bank.latest = local("2027-01-01T00:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


@pytest.fixture
async def post(desk):
    gateways = build_gateways(GatewaySettings())
    post = Post(desk, gateways)
    await post.goes_out()  # what was due before there was a plan
    yield post
    for gateway in gateways.values():
        await gateway.aclose()


async def active(clerk, **more):
    proposed = await clerk.create("/v1/plans", **(TERMS | more))
    path = proposed.headers["location"]
    agreed = await clerk.edit(path + "/activate", **SIGNED)
    assert agreed.status_code == 200, agreed.text
    return path


async def pays(desk, payment_id, on, amount, *, account="A1", currency="CNY", posted=None):
    when = f"{posted or on}T10:00:00+08:00"
    kind, data = payment(payment_id, account, amount=amount, currency=currency, posted=when)
    await desk.bank.say((kind, data | {"value_date": on}))
    await desk.settle()


async def test_three_days_before_from_ten_on_the_customer_is_reminded_once(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-07-17T09:59"))
    assert await post.goes_out() == []
    await desk.move_to(local("2026-07-17T10:00"))
    assert await post.goes_out() == [
        "【示范银行】王**您好，尾号1234卡分期7月20日到期，待还¥1,002.50，已还请忽略。400-600-8000 退订回T"
    ]
    await desk.move_to(local("2026-07-19T12:00"))
    assert await post.goes_out() == []
    assert await post.messages() == [("plan-reminder", "submitting", "")]
    assert await desk.values("select purpose from messages where step = 'plan-reminder'") == ["due_reminder"]


async def test_who_paid_early_is_thanked_once_and_not_reminded(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-07-10T12:00"))
    await pays(desk, "P1", "2026-07-10", 60_000)
    assert await post.goes_out() == [], "a part is not the instalment, and the case that it cures is the plan's"
    await pays(desk, "P2", "2026-07-10", 40_250)
    assert await post.goes_out() == [
        "【示范银行】王**您好，您尾号1234信用卡7月20日到期的分期还款已收到，感谢您的支持。"
    ]
    await desk.move_to(local("2026-07-19T12:00"))
    assert await post.goes_out() == []
    assert [step for step, *_ in await post.messages()] == ["plan-paid"]


async def test_what_was_paid_of_an_instalment_is_not_asked_for_again(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-07-10T12:00"))
    await pays(desk, "P1", "2026-07-10", 60_000)
    await desk.move_to(local("2026-07-17T12:00"))
    (text,) = await post.goes_out()
    assert "待还¥402.50" in text


async def test_a_payment_between_planning_and_sending_stops_the_reminder(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-07-17T10:00"))
    await pays(desk, "P1", "2026-07-17", 100_250)
    (text,) = await post.goes_out()
    assert "已收到" in text
    assert ("plan-reminder", "suppressed", "moot: instalment paid") in await post.messages()


async def test_nobody_is_thanked_for_what_was_taken_back_before(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-07-10T12:00"))
    await pays(desk, "P1", "2026-07-10", 100_250)
    await desk.bank.say(reversal(payment_id="P1", amount=100_250, at="2026-07-10T11:00:00+08:00"))
    await desk.settle()
    assert [text for text in await post.goes_out() if "已收到" in text] == []
    assert await post.messages() == [("plan-paid", "suppressed", "moot: instalment not paid")]


async def test_several_instalments_at_once_are_one_thanks_and_the_last_says_that_all_is_paid(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-07-10T12:00"))
    await pays(desk, "P1", "2026-07-10", 300_750)
    (text,) = await post.goes_out()
    assert "9月20日到期的分期还款已收到" in text
    await desk.move_to(local("2026-10-12T12:00"))
    await pays(desk, "P2", "2026-10-12", 100_250)
    (text,) = await post.goes_out()
    assert "已全部还清" in text


async def test_a_broken_plan_is_told_once_and_the_ladder_goes_on(desk, clerk, post):
    path = await active(clerk)
    await desk.move_to(local("2026-08-24T12:00"))
    assert (await clerk.get(path)).json()["state"] == "broken"
    text, *_ = [each for each in await post.goes_out() if "终止" in each]
    assert "已于8月20日终止，还款提醒将恢复" in text
    assert await desk.values("select purpose from messages where step = 'plan-broken'") == ["service"]
    await desk.move_to(local("2026-08-26T12:00"))
    assert [each for each in await post.goes_out() if "终止" in each] == []


async def test_a_payment_that_mends_the_plan_stops_the_notice(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-08-24T12:00"))
    await pays(desk, "P1", "2026-07-20", 200_500, posted="2026-08-24")
    assert [each for each in await post.goes_out() if "终止" in each] == []
    assert ("plan-broken", "suppressed", "moot: plan active") in await post.messages()


async def test_a_plan_that_is_called_off_says_no_more(desk, clerk, post):
    path = await active(clerk)
    await desk.move_to(local("2026-07-17T10:00"))
    await clerk.edit(path + "/cancel", reason="customer_request")
    await desk.settle()
    assert [each for each in await post.goes_out() if "分期" in each] == []
    assert ("plan-reminder", "suppressed", "moot: plan cancelled") in await post.messages()
    await desk.move_to(local("2026-08-18T12:00"))
    assert len(await post.messages()) == 1
    assert await desk.values("select count(*) from timers where kind = 'instalment_reminder'") == [0]


async def test_two_accounts_in_one_plan_are_one_reminder_and_one_thanks(desk, clerk, post):
    dollars = {"principal": 60_000, "interest": 0, "fees": 0, "penalty": 0}
    await desk.bank.say(report("A2", currency="USD", unpaid=6_000, balances=dollars))
    await desk.settle()
    await post.goes_out()
    await active(clerk, accounts=[*TERMS["accounts"], {"account_id": "A2", "currency": "USD"}])
    await desk.move_to(local("2026-07-17T12:00"))
    (text,) = await post.goes_out()
    assert "待还¥1,002.50、USD 150.00" in text
    await pays(desk, "P1", "2026-07-17", 100_250)
    assert await post.goes_out() == []
    await pays(desk, "P2", "2026-07-17", 15_000, account="A2", currency="USD")
    (text,) = await post.goes_out()
    assert "已收到" in text


async def test_a_clock_that_slept_reminds_of_what_is_still_to_come_and_of_nothing_that_is_over(desk, clerk, post):
    await active(clerk)
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("update business_clock set now = $1", local("2026-07-19T12:00"))
    await desk.settle()
    assert len(await post.goes_out()) == 1
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("update business_clock set now = $1", local("2026-08-21T12:00"))
    await desk.settle()
    assert [each for each in await post.goes_out() if "8月20日到期" in each] == []


async def test_an_agreement_shortly_before_the_first_day_needs_no_reminder_of_it(desk, clerk, post):
    await active(clerk, first_on="2026-07-02")
    await desk.move_to(local("2026-07-01T12:00"))
    assert [each for each in await post.goes_out() if "分期" in each] == []
    (due,) = await desk.values("select due_at from timers where kind = 'instalment_reminder'")
    assert due - local("2026-07-30T10:00") == timedelta()


async def test_the_case_tells_what_was_said(desk, clerk, post):
    await active(clerk)
    await desk.move_to(local("2026-07-17T12:00"))
    await post.goes_out()
    (case,) = (await clerk.get("/v1/cases", customer_id="C1")).json()["items"]
    lines = (await clerk.get(f"/v1/cases/{case['case_id']}/timeline", limit=100)).json()["items"]
    assert "plan.instalment_due" in {line["what"] for line in lines}
    said = (await clerk.get("/v1/messages", customer_id="C1")).json()["items"]
    assert "plan-reminder" in {message["step"] for message in said}


async def test_the_explanation_of_a_case_knows_what_is_said_of_its_plan_next(desk, clerk, post):
    await active(clerk)
    (case,) = (await clerk.get("/v1/cases", customer_id="C1")).json()["items"]
    explain = f"/v1/cases/{case['case_id']}/next-action/explain"
    (plan,) = (await clerk.get(explain)).json()["plans"]
    reminder = plan["reminder"]
    assert (reminder["due_on"], reminder["at"]) == ("2026-07-20", "2026-07-17T02:00:00+00:00")
    assert reminder["amounts"] == [{"currency": "CNY", "amount": 100_250}]
    assert [(each["channel"], each["outcome"]) for each in reminder["gate"]] == [("sms", "allow"), ("email", "forbid")]
    await desk.move_to(local("2026-07-01T12:00"))
    await pays(desk, "P1", "2026-07-01", 401_000)
    assert (await clerk.get(explain)).json()["plans"] == [], "it is completed"


async def test_a_text_names_the_card_of_the_plan_whatever_else_is_overdue(desk, clerk, post):
    await desk.bank.say(report("A2", card_last4="7777", due="2026-05-20"))
    await desk.settle()
    await active(clerk)
    await post.goes_out()
    await desk.move_to(local("2026-07-17T10:00"))
    (text,) = [each for each in await post.goes_out() if "分期" in each]
    assert "尾号1234卡" in text


async def held(clerk, account_id):
    body = {"customer_id": "C1", "kind": "dispute", "reason": "amount", "account_id": account_id}
    placed = await clerk.create("/v1/holds", **body)
    assert placed.status_code == 201, placed.text


async def test_a_dispute_about_an_account_of_the_plan_stops_its_reminder(desk, clerk, post):
    await desk.bank.say(report("A2"))
    await desk.settle()
    await active(clerk)
    await held(clerk, "A1")
    (case,) = (await clerk.get("/v1/cases", customer_id="C1")).json()["items"]
    (plan,) = (await clerk.get(f"/v1/cases/{case['case_id']}/next-action/explain")).json()["plans"]
    assert plan["reminder"]["gate"][0]["outcome"] == "forbid", "and the explanation says so"
    await desk.move_to(local("2026-07-17T10:00"))
    assert [each for each in await post.goes_out() if "分期" in each] == []
    ((_, state, reason),) = [each for each in await post.messages() if each[0] == "plan-reminder"]
    assert (state, reason) == ("suppressed", "forbidden: cn-holds")


async def test_a_dispute_about_another_account_does_not(desk, clerk, post):
    await desk.bank.say(report("A2"))
    await desk.settle()
    await active(clerk)
    await held(clerk, "A2")
    await desk.move_to(local("2026-07-17T10:00"))
    assert len([each for each in await post.goes_out() if "分期" in each]) == 1


async def test_a_plan_that_breaks_while_its_case_is_cured_is_told_of_and_duns_nobody(desk, clerk, post):
    path = await active(clerk)
    await desk.move_to(local("2026-07-10T12:00"))
    await pays(desk, "P1", "2026-07-10", 100_250)
    assert await desk.values("select state from cases") == ["cured"]
    await post.goes_out()
    await desk.move_to(local("2026-09-24T12:00"))
    assert (await clerk.get(path)).json()["state"] == "broken"
    assert len([each for each in await post.goes_out() if "终止" in each]) == 1
    assert await desk.values("select purpose from messages where step = 'plan-broken'") == ["service"]
    async with desk.deps.pool.acquire() as conn:
        assert [each for each in await invariants.check(conn) if each.law == "L5"] == []
