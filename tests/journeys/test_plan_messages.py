"""What a customer gets to read of a repayment plan, on the whole suite: reminders, thanks, and that it broke."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta

import pytest
import pytest_asyncio

from shared.adapters.postgres import invariants
from tests.feeds import CHINA
from tests.journeys.stories import Customer, Plan, Stories, told

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("plan messages"),
]

DUE, THANKS, BROKEN = "plan-reminder", "plan-paid", "plan-broken"
ONE = 200_300  # a fifth of 10,015.00


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stories(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stories]:
    async with told(tmp_path_factory.mktemp("suite")) as stories:
        yield stories


async def behind(stories: Stories) -> tuple[Customer, date]:
    """Somebody with a case and one reminder behind them; and today, six in the evening."""
    evening = await stories.begin()
    customer = stories.customer()
    await customer.owes((evening.date() - timedelta(days=3), 120_000))
    await stories.days(1)
    return customer, evening.date() + timedelta(days=1)


async def agreed(stories: Stories) -> tuple[Customer, Plan, date]:
    """A plan in force, whose first instalment is due in six days: on the third day from now it is reminded of."""
    customer, today = await behind(stories)
    first_on = today + timedelta(days=6)
    plan = await customer.agrees(first_on)
    await stories.until(at(today, 19))  # what was posted up to the agreement is inside the plan
    return customer, plan, first_on


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), CHINA)


async def texts(customer: Customer, word: str) -> list[tuple[str, str]]:
    """When they got a text with ``word`` in it, and the text."""
    return [(when, text) for _, when, text in await customer.reads() if word in text]


async def messages(customer: Customer, step: str) -> list[tuple[str, str | None]]:
    return [(each["state"], each["reason"]) for each in await customer.messages() if each["step"] == step]


async def lawful(stories: Stories) -> None:
    async with stories.suite.pool.acquire() as conn:
        assert await invariants.check(conn) == []


async def test_a_reminder_comes_three_days_before_and_says_what_and_when(stories: Stories) -> None:
    customer, plan, first_on = await agreed(stories)
    await stories.until(at(first_on - timedelta(days=3), 9, 59))
    assert await messages(customer, DUE) == []
    await stories.until(at(first_on - timedelta(days=3), 10, 1))
    ((when, text),) = await texts(customer, "到期")
    assert when == f"{first_on - timedelta(days=3):%m-%d} 10:00"
    assert "¥2,003.00" in text
    assert f"{first_on.month}月{first_on.day}日" in text
    (message,) = [each for each in await customer.messages() if each["step"] == DUE]
    assert (message["purpose"], message["channel"]) == ("due_reminder", "sms")
    assert message["about"] == f"plan/{plan.id}/reminder/{first_on}"
    await stories.until(at(first_on, 9))
    assert len(await customer.reads()) == 2, "the reminder of the ladder before the plan, and this one"
    await lawful(stories)


async def test_who_pays_early_is_thanked_once_and_not_reminded(stories: Stories) -> None:
    customer, _, first_on = await agreed(stories)
    await customer.pays(ONE)
    await stories.until(at(first_on, 12))
    assert await messages(customer, DUE) == []
    assert await messages(customer, THANKS) == [("done", None)]
    assert len(await texts(customer, "已收到")) == 1
    await lawful(stories)


async def test_an_instalment_paid_in_two_parts_is_thanked_for_when_it_is_covered(stories: Stories) -> None:
    customer, _, first_on = await agreed(stories)
    await customer.pays(100_000, "P1")
    await stories.until(at(first_on - timedelta(days=3), 12))
    ((_, reminder),) = await texts(customer, "到期，待还")
    assert "¥1,003.00" in reminder, "what is lacking of it"
    assert await messages(customer, THANKS) == []
    await customer.pays(100_300, "P2")
    await stories.days(1)
    assert await messages(customer, THANKS) == [("done", None)]
    await lawful(stories)


async def test_a_payment_while_the_reminder_waits_for_its_hour_makes_it_moot(stories: Stories) -> None:
    customer, _, first_on = await agreed(stories)
    await customer.prefers("18:00", "20:00")
    await stories.until(at(first_on - timedelta(days=3), 12))
    assert [state for state, _ in await messages(customer, DUE)] == ["deferred"]
    await customer.pays(ONE)
    await stories.until(at(first_on - timedelta(days=3), 18, 1))
    assert await messages(customer, DUE) == [("suppressed", "moot: instalment paid")]
    assert await texts(customer, "到期，待还") == []
    await lawful(stories)


async def test_a_payment_that_bounces_in_the_night_is_not_thanked_for_and_is_reminded_of(stories: Stories) -> None:
    customer, _, first_on = await agreed(stories)
    night = at(first_on - timedelta(days=5), 23)
    await stories.until(night)
    await customer.pays(ONE)
    assert [state for state, _ in await messages(customer, THANKS)] == ["deferred"]
    await stories.until(night + timedelta(minutes=30))
    await customer.payment_bounces(ONE)
    await stories.until(at(first_on - timedelta(days=3), 12))
    assert await messages(customer, THANKS) == [("suppressed", "moot: instalment not paid")]
    assert await messages(customer, DUE) == [("done", None)], "it is owed again"
    await lawful(stories)


async def test_a_payment_that_bounces_after_the_day_of_the_reminder_is_reminded_of_at_once(stories: Stories) -> None:
    customer, _, first_on = await agreed(stories)
    await customer.pays(ONE)
    await stories.until(at(first_on - timedelta(days=2), 12))
    assert await messages(customer, DUE) == []
    await customer.payment_bounces(ONE)
    ((when, _),) = await texts(customer, "到期，待还")
    assert when == f"{first_on - timedelta(days=2):%m-%d} 12:00"
    await lawful(stories)


async def test_a_plan_that_breaks_is_told_of_once_and_the_ladder_goes_on(stories: Stories) -> None:
    customer, plan, first_on = await agreed(stories)
    await stories.until(at(first_on + timedelta(days=12), 12))
    assert (await plan.shown())["state"] == "broken"
    broke_on = first_on + timedelta(days=11)
    ((when, _),) = await texts(customer, "终止")
    assert when.startswith(f"{broke_on:%m-%d}")
    assert when >= f"{broke_on:%m-%d} 08:00", "not in the night in which it broke"
    assert await messages(customer, DUE) == [("done", None)] * 2
    await stories.days(10)
    assert len(await texts(customer, "终止")) == 1
    assert len(await messages(customer, DUE)) == 2
    ladder = [each for each in await customer.messages() if not each["about"].startswith("plan/")]
    assert len(ladder) >= 2, "the one before the plan, and the ladder again"
    await lawful(stories)


async def test_a_plan_that_is_called_off_or_replaced_is_not_reminded_of(stories: Stories) -> None:
    customer, plan, first_on = await agreed(stories)
    successor = await customer.agrees(first_on + timedelta(days=1), replaces=plan.id)
    await successor.change("cancel", {"reason": "mistake"})
    await stories.until(at(first_on, 12))
    assert await messages(customer, DUE) == []
    await lawful(stories)


async def test_two_accounts_and_currencies_in_one_plan_have_one_reminder_and_one_word_of_thanks(
    stories: Stories,
) -> None:
    customer, today = await behind(stories)
    other = f"{customer.account}-USD"
    await customer.owes_on(other, "USD", (today - timedelta(days=4), 50_000))
    first_on = today + timedelta(days=6)
    accounts = [{"account_id": customer.account, "currency": "CNY"}, {"account_id": other, "currency": "USD"}]
    await customer.agrees(first_on, accounts=accounts)
    await stories.until(at(first_on - timedelta(days=3), 12))
    ((_, text),) = await texts(customer, "到期，待还")
    assert "¥2,003.00、USD 2,003.00" in text
    await customer.pays(ONE)
    assert await messages(customer, THANKS) == [], "the dollars are still to come"
    await customer.pays(ONE, "P2", account=other, currency="USD")
    await stories.days(1)
    assert await messages(customer, THANKS) == [("done", None)]
    await lawful(stories)
