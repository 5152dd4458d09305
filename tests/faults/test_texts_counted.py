"""Where the law counts contacts over days, the sender's own texts count with the calls: of New York City at most three
of all kinds in seven dates, of Massachusetts two.

The rules here are those that ship, less what nobody tells us of a customer (in which city they live), so that the real
sender gets as far as the cap; what they came to is asked of the whole pack too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.application.book import Book
from shared.application.contact_attempts import AttemptTold, record_attempt
from shared.application.permit_facts import Contact
from shared.application.principal import Principal, Role
from shared.application.sending_desk import Desk, facts_of
from shared.domain.contact import Proposal, decide, parse_rules
from shared.domain.contact_facts import Content, Manner
from shared.domain.contact_outcome import ContactOutcome
from tests.application.bank import merged, report, updated
from tests.conftest import Database
from tests.domain.seeds import packs
from tests.faults.outbound import Outbound, an_outbound

WHO = Principal("caller", frozenset({Role.COLLECTOR, Role.SUPERVISOR}))
NOW = datetime.fromisoformat("2026-11-24T10:00:00-05:00")
CALLED = (NOW - timedelta(days=5), NOW - timedelta(days=4))
NEW_YORK = ("us-nyc-three-per-7", ["US-NY", "US-NYC"], "2026-11-26T00:00-05:00")
BOSTON = ("us-ma-two-per-7", ["US-MA"], "2026-11-27T00:00-05:00")
ALWAYS = ("us-mandatory-facts", "us-facts-pending", "us-usable-point", "us-regf-medium-stop", "us-holds")


@pytest.fixture
async def out(database: Database, tmp_path: Path) -> AsyncIterator[Outbound]:
    async with an_outbound(database, tmp_path) as outbound:
        yield outbound


async def live_in(out: Outbound, cap: str, *, calls: int) -> None:
    """C1 lives in the United States, owes, and was called before; the cap is asked wherever in the country it is."""
    about = {"time_zone": "America/New_York", "jurisdiction": "US", "mobile": "+8613800121001"}
    assert await out.bank.say(updated(**about), report()) == ["accepted", "accepted"]
    pack = packs()["us"]
    kept = [rule for rule in pack["rules"] if rule["id"] in ALWAYS]
    (asked,) = [rule for rule in pack["rules"] if rule["id"] == cap]
    anywhere = {key: value for key, value in asked.items() if key not in ("when", "mandatory", "vectors")}
    out.bank.shelf._rules["US"] = parse_rules({**pack, "rules": [*kept, {**anywhere, "vectors": []}]})
    for at in CALLED[2 - calls :]:
        await out.move_clock(at)
        await call(out)
    await out.move_clock(NOW)


async def call(out: Outbound) -> None:
    point = await out.bank.row("select point_id from contact_points")
    contact = Contact(
        customer_id="C1", point_id=point["point_id"], channel="phone", purpose="dunning", target="debtor",
        person_id=None, account_ids=(), announcement=False, party="bank", party_name=None,
    )  # fmt: skip
    told = AttemptTold(
        attempt_id=uuid4(), permit_id=None, contact=contact, outbound=True, outcome=ContactOutcome.NO_ANSWER,
        effective_talk=None, talk_seconds=None, recording=None, at=None,
    )  # fmt: skip
    async with out.work() as tx:
        await record_attempt(tx, told, WHO)


async def desk_of(out: Outbound, customer: str = "C1") -> Desk:
    async with out.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, [customer])
        (desk,) = await tx.load_desks(book, out.bank.shelf.rules)
    return desk


async def waits_until(out: Outbound, key: UUID) -> datetime | None:
    message = await out.message(key)
    assert message["state"] in ("deferred", "done"), message["reason"]
    return message["not_before"] if message["state"] == "deferred" else None


@pytest.mark.parametrize(("cap", "places", "free"), [NEW_YORK, BOSTON])
async def test_the_text_that_fills_the_cap_goes_and_the_next_waits_until_the_first_contact_is_a_week_old(
    out: Outbound, cap: str, places: list[str], free: str
) -> None:
    await live_in(out, cap, calls=2 if cap == NEW_YORK[0] else 1)
    first = await out.plan()
    assert await out.loop().send_once() == 1
    assert await waits_until(out, first) is None
    await out.move_clock(NOW + timedelta(hours=1))
    second = await out.plan()
    await out.loop().send_once()
    assert await waits_until(out, second) == datetime.fromisoformat(free)
    assert (await out.message(second))["reason"] == cap
    assert len(await out.received()) == 1
    asked_of_all = await by_the_whole_pack(out, places)
    assert (asked_of_all.outcome, [one.rule_id for one in asked_of_all.fired if one.rule_id == cap]) == ("defer", [cap])
    assert asked_of_all.until == datetime.fromisoformat(free) + timedelta(hours=8), "and not before the hours begin"


async def by_the_whole_pack(out: Outbound, places: list[str]) -> Any:
    """The pack as it ships, told what it has to know of the customer and the text beside what the desk holds."""
    desk = await desk_of(out)
    now = NOW + timedelta(hours=1)
    facts = replace(
        facts_of(desk, "sms", desk.reach[0], now),
        places=frozenset(places),
        point_place="personal",
        permissions=frozenset({"electronic", "automated_contact"}),
    )
    content, manner = Content(parts=frozenset({"opt_out", "sender"})), Manner(automated=True)
    asked = Proposal("sms", "dunning", now, "C1", str(desk.reach[0].point_id), content=content, manner=manner)
    return decide(asked, facts, parse_rules(packs()["us"]))


async def test_two_texts_of_one_batch_see_each_other(out: Outbound) -> None:
    await live_in(out, NEW_YORK[0], calls=2)
    keys = [await out.plan(), await out.plan()]
    assert await out.loop().send_once() == 1
    waiting = {await waits_until(out, key) for key in keys}
    assert waiting == {None, datetime.fromisoformat(NEW_YORK[2])}


async def test_a_text_in_doubt_counts(out: Outbound) -> None:
    await live_in(out, NEW_YORK[0], calls=2)
    await out.plan()
    await out.sandbox.turn(sms={"never_answer_next": 1})
    await out.wait_for_answers(1.0)
    await out.loop().send_once()
    assert "unknown" in await out.contacts()
    second = await out.plan()
    await out.loop().send_once()
    assert await waits_until(out, second) == datetime.fromisoformat(NEW_YORK[2])


async def test_a_text_that_was_marked_and_never_sent_does_not(out: Outbound) -> None:
    await live_in(out, NEW_YORK[0], calls=2)
    key = await out.plan()
    await out.sender().mark(10)
    assert len((await desk_of(out)).history) == 3, "while it is marked it counts"
    await out.bury("sender-1")
    assert await out.resolve() == 1
    assert "released" in await out.contacts()
    await out.register("sender-2")
    assert await out.loop("sender-2", fence=2).send_once() == 1
    assert await waits_until(out, key) is None


async def test_texts_to_a_customer_who_was_merged_away_count_for_the_person(out: Outbound) -> None:
    await live_in(out, NEW_YORK[0], calls=0)
    await out.plan()
    assert await out.loop().send_once() == 1
    about = {"time_zone": "America/New_York", "jurisdiction": "US", "mobile": "+8613800121002"}
    await out.bank.say(updated("C2", **about), merged("C1", "C2"))
    assert [past.channel for past in (await desk_of(out, "C2")).history] == ["sms"]


async def test_who_has_no_such_rule_is_counted_by_day(out: Outbound) -> None:
    await out.overdue("C1")
    await out.plan()
    assert await out.loop().send_once() == 1
    desk = await desk_of(out)
    assert (desk.lists_texts, desk.history, list(desk.contacts.values())) == (False, (), [{"sms": 1}])


async def test_a_gap_of_days_between_texts_is_kept_over_days(out: Outbound) -> None:
    """A bank may widen the gap: two hours are seen by the counts of the day, three days are not."""
    await out.overdue("C1")
    pack = packs()["cn"]
    wider = [
        rule | {"parameters": {"minutes": 3 * 1440}} if rule["id"] == "cn-sms-gap" else rule for rule in pack["rules"]
    ]
    out.bank.shelf._rules["CN"] = parse_rules({**pack, "rules": wider})
    await out.plan()
    assert await out.loop().send_once() == 1
    sent_at = out.clock.now()
    await out.move_clock(sent_at + timedelta(days=2))
    second = await out.plan()
    await out.loop().send_once()
    assert await waits_until(out, second) == sent_at + timedelta(days=3)


async def test_a_cap_over_a_season_sees_the_calls_of_a_season(out: Outbound) -> None:
    await out.overdue("C1")
    await call(out)
    await out.move_clock(out.clock.now() + timedelta(days=80))
    assert (await desk_of(out)).history == ()
    pack = packs()["cn"]
    longer = [
        rule | {"parameters": {**rule["parameters"], "dates": 90}} if rule["kind"] == "counted_cap" else rule
        for rule in pack["rules"]
    ]
    out.bank.shelf._rules["CN"] = parse_rules({**pack, "rules": longer})
    assert [past.channel for past in (await desk_of(out)).history] == ["phone"]


def test_only_the_packs_that_count_texts_over_days_ask_for_each() -> None:
    back = {name: parse_rules(pack).texts_back for name, pack in packs().items()}
    assert {name for name, dates in back.items() if dates} == {"us"}
    assert back["us"] == 30, "Massachusetts, at work; who else is asked where the debtor is, a year back, is another"
