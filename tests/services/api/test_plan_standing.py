"""How each instalment of a plan stands on a day: covered, open, late, and what ends the plan early."""

from __future__ import annotations

import pytest

from tests.services.api.test_plans import active, clerk, desk, local, paid

__all__ = ["clerk", "desk"]


async def standing(clerk, path, **query):
    answer = await clerk.get(path + "/standing", **query)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["currencies"]
    assert sum(each["paid"] + each["open"] for each in found["instalments"]) == 401_000
    assert sum(each["late"] for each in found["instalments"]) == found["overdue"]
    return found


def states(found):
    return [(each["state"], each["open"]) for each in found["instalments"]]


async def test_each_instalment_is_covered_open_or_late_as_of_a_day(desk, clerk):
    path = await active(clerk)
    await desk.bank.say(paid("P1", "2026-07-10", amount=150_250))
    await desk.move_to(local("2026-07-12T12:00"))
    now = await standing(clerk, path)
    assert (now["covered"], now["received"], now["payoff"]) == (1, 150_250, 250_750)
    assert states(now) == [("early", 0), ("upcoming", 50_250), ("upcoming", 100_250), ("upcoming", 100_250)]
    before = await standing(clerk, path, on="2026-07-09")
    assert (before["received"], before["payoff"]) == (0, 401_000)
    later = await standing(clerk, path, on="2026-09-01")
    assert (later["missed"], later["overdue"]) == (1, 50_250)
    assert states(later)[1] == ("missed", 50_250)


async def test_a_plan_that_is_not_in_force_has_no_payoff(desk, clerk):
    path = await active(clerk)
    await clerk.edit(path + "/cancel", reason="customer_request")
    assert (await standing(clerk, path))["payoff"] is None


@pytest.mark.parametrize("on", ["2026-06-29", "2030-01-01", "9999-12-31"])
async def test_a_day_on_which_no_plan_stands_is_answered_by_a_problem(desk, clerk, on):
    path = await active(clerk)
    answer = await clerk.get(path + "/standing", on=on)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "on")
    assert (await clerk.get(f"/v1/plans/{'0' * 8}-0000-4000-8000-{'0' * 12}/standing")).status_code == 404
