"""Until when a claim can be brought: from what arrived, was paid, promised, agreed or entered; watched by the clock."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from shared.adapters.postgres.replay import replay_newest
from shared.application.judging import FIRST_LOOK_MONTHS
from shared.domain.contact_legal_checks import Limitation
from shared.domain.contact_rules import parse_rules
from tests.application.bank import payment, report, reversal, updated
from tests.domain.seeds import packs
from tests.services.api.people import AUDITOR, COLLECTOR, COMPLIANCE, SUPERVISOR, office

DUE = date(2026, 6, 20)
SUIT = {"account_id": "A1", "kind": "suit", "at": "2026-06-29T10:00:00+08:00", "proof": "court/2026/17"}


def local(text):
    return datetime.fromisoformat(text + "+08:00")


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(due=DUE.isoformat()))
        await opened.settle()
        opened.bank.latest = local("2036-01-01T00:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


@pytest.fixture
async def lawyer(desk):
    async with desk.person(COMPLIANCE, SUPERVISOR, name="zhao.min") as person:
        yield person


async def shown(person, account="A1"):
    answer = await person.get(f"/v1/accounts/{account}/limitation")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def clock(person):
    return (await shown(person))["clock"]


async def entered(person, **more):
    answer = await person.create("/v1/limitation-entries", **(SUIT | more))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def reminded(desk, at, *, state="delivered", source="contract"):
    """A reminder that the provider reports on."""
    await desk.deps.pool.execute("update contact_points set source = $1", source)
    await desk.deps.pool.execute(
        """
        with message as (
            insert into messages (message_id, customer_id, about, step, policy_version, purpose, template, channels,
                state, not_before, created_at, updated_at)
            values (gen_random_uuid(), 'C1', 'x', 'm1', 1, 'dunning', 'overdue-first', '["sms"]', 'done', $1, $1, $1)
            returning message_id
        )
        insert into attempts (attempt_id, message_id, customer_id, channel, gateway, point_id, state, holder, fence,
            lease_until, marked_at, template_version, text_sha256)
        select gen_random_uuid(), message_id, 'C1', 'sms', 'sms', (select point_id from contact_points limit 1), $2,
            'w', 1, $1, $1, 1, '' from message
        """,
        local(at),
        state,
    )


async def warned(desk):
    return await desk.rows(
        "select payload ->> 'alert_on', payload ->> 'ends_on' from outbox"
        " where type = 'arrears.account.limitation_near.v1' order by seq"
    )


async def test_three_years_from_the_oldest_due_date(desk, clerk):
    seen = await clock(clerk)
    assert (seen["counted_from"], seen["ends_on"], seen["long_stop_on"]) == ("2026-06-20", "2029-06-20", "2046-06-20")
    assert seen["alerts"] == ["2028-12-20", "2029-03-20"]
    assert (seen["barred"], seen["approved"], seen["moved"]) == (False, False, None)


async def test_where_nothing_is_past_due_there_is_no_clock(desk, clerk):
    await desk.bank.say(payment(amount=50_000))
    seen = await shown(clerk)
    assert (seen["clock"], seen["due_on"], seen["reason"]) == (None, None, "nothing is past due")


async def test_where_no_rule_says_how_long_claims_last_that_is_said(desk, clerk):
    await desk.bank.say(updated(version=2, jurisdiction="HK"))
    seen = await shown(clerk)
    assert (seen["clock"], seen["due_on"]) == (None, "2026-06-20")
    assert "how long claims last" in seen["reason"]


@pytest.mark.parametrize(
    ("state", "source", "refused"),
    [
        ("delivered", "contract", None),
        ("delivered", "public", "it did not go to a number or address that the holder left"),
    ],
)
async def test_a_reminder_that_arrived_where_the_holder_left_word_starts_it_anew(desk, clerk, state, source, refused):
    await reminded(desk, "2026-06-28T10:00", state=state, source=source)
    seen = await clock(clerk)
    (event,) = seen["events"]
    assert (event["kind"], event["on"], event["refused"]) == ("demand", "2026-06-28", refused)
    assert event["proof"].startswith("message ")
    assert seen["counted_from"] == ("2026-06-28" if refused is None else "2026-06-20")


async def test_a_reminder_that_is_not_known_to_have_arrived_proves_nothing(desk, clerk):
    await reminded(desk, "2026-06-28T10:00", state="accepted")
    assert (await clock(clerk))["events"] == []


async def test_a_payment_starts_it_anew_and_its_reversal_takes_that_back(desk, clerk):
    await desk.bank.say(payment(amount=10_000, posted="2026-06-26T10:00:00+08:00"))
    seen = await clock(clerk)
    assert (seen["counted_from"], seen["events"][0]["proof"]) == ("2026-06-26", "payment P1")
    await desk.bank.say(reversal(amount=10_000))
    assert (await clock(clerk))["counted_from"] == "2026-06-20"


async def test_a_promise_in_writing_counts_and_one_by_telephone_needs_its_recording(desk, clerk):
    for channel in ("phone", "sms"):
        answer = await clerk.create(
            "/v1/promises", customer_id="C1", account_id="A1", currency="CNY", amount=50_000, due_on="2026-07-08",
            channel=channel,
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        await clerk.edit(f"{answer.headers['location']}/cancel", reason="mistake") if channel == "phone" else None
    await desk.deps.pool.execute("update promises set state = 'broken' where state = 'cancelled'")
    by_proof = {event["proof"]: event["refused"] for event in (await clock(clerk))["events"]}
    assert len(by_proof) == 2
    assert by_proof.pop(None) == "nothing on record proves it"
    assert list(by_proof.values()) == [None]


async def test_what_people_enter_counts_until_it_is_withdrawn(desk, clerk):
    where = await entered(clerk)
    assert (await clock(clerk))["counted_from"] == "2026-06-29"
    answer = await clerk.edit(f"{where}/withdraw", reason="the court returned it")
    assert (answer.status_code, answer.json()["withdrawn_by"]) == (200, "li.na")
    assert (await clock(clerk))["counted_from"] == "2026-06-20"
    again = await clerk.edit(f"{where}/withdraw", reason="the court returned it")
    assert again.json()["type"].rsplit("/", 1)[1] == "entry-withdrawn"
    listed = (await clerk.get("/v1/limitation-entries", account_id="A1", in_force="false")).json()["items"]
    assert [item["proof"] for item in listed] == ["court/2026/17"]


async def test_while_an_obstacle_lasts_it_has_no_end(desk, clerk):
    await entered(clerk, kind="obstacle", at=None, first="2029-05-01", proof="hospital/9")
    seen = await clock(clerk)
    assert (seen["ends_on"], seen["barred"]) == (None, False)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"at": None}, "/at"),
        ({"at": "2030-01-01T10:00:00+08:00"}, "/at"),
        ({"kind": "obstacle", "at": None}, "/first"),
        ({"first": "2026-07-01"}, "/first"),
        ({"ends": "2026-07-01"}, "/ends"),
        ({"kind": "obstacle", "at": None, "first": "2026-07-02", "ends": "2026-07-02"}, "/ends"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_place(desk, clerk, wrong, where):
    answer = await clerk.create("/v1/limitation-entries", **(SUIT | wrong))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [where]


async def test_strangers_accounts_and_other_peoples_approvals(desk, clerk):
    assert (await clerk.get("/v1/accounts/A9/limitation")).status_code == 404
    assert (await clerk.create("/v1/limitation-entries", **(SUIT | {"account_id": "A9"}))).status_code == 404
    mine = SUIT | {"kind": "approval", "at": None}
    assert (await clerk.create("/v1/limitation-entries", **mine)).status_code == 403
    async with desk.person(AUDITOR) as auditor:
        assert (await auditor.create("/v1/limitation-entries", **SUIT)).status_code == 403


async def test_of_each_date_is_warned_once_and_of_none_that_was_put_off(desk, clerk):
    await desk.move_to(local("2028-12-19T12:00"))
    assert await warned(desk) == []
    await desk.move_to(local("2028-12-20T00:00"))
    assert await warned(desk) == [("2028-12-20", "2029-06-20")]
    await desk.move_to(local("2029-02-01T00:00"))
    assert len(await warned(desk)) == 1
    await desk.bank.say(payment(amount=10_000, posted="2029-02-01T00:00:00+08:00"))
    await desk.move_to(local("2029-04-01T00:00"))
    assert len(await warned(desk)) == 1, "the payment put the second date off"
    await desk.bank.say(reversal(amount=10_000, at="2029-04-02T10:00:00+08:00"))
    await desk.move_to(local("2029-05-02T00:00"))
    assert (await warned(desk))[1:] == [("2029-03-20", "2029-06-20")]
    told = await desk.values("select kind from case_events where kind like 'limitation%'")
    assert told == ["limitation.near"] * 2


async def test_a_claim_that_was_paid_is_not_watched_any_more(desk):
    await desk.bank.say(payment(amount=50_000))
    await desk.move_to(local("2029-05-02T00:00"))
    assert await warned(desk) == []
    assert await desk.values("select subject from timers where kind = 'limitation_look'") == []


async def permit(person):
    answer = await person.create(
        "/v1/contact-permits", customer_id="C1", channel="legal", purpose="dunning", account_ids=["A1"],
        manner={"legal_step": "suit"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    fired = {rule["rule_id"] for rule in answer.json()["decision"]["fired"]}
    return answer.json()["decision"], "cn-limitation-3y" in fired


async def test_a_suit_is_brought_in_time_or_with_approval(desk, clerk, lawyer):
    decision, objected = await permit(clerk)
    assert (decision["facts"]["standing"]["limitation_ends_on"], objected) == ("2029-06-20", False)
    await desk.move_to(local("2029-06-20T23:00"))
    assert not (await permit(clerk))[1]
    await desk.move_to(local("2029-06-21T09:00"))
    assert (await permit(clerk))[1]
    assert (await clock(clerk))["barred"]
    await entered(lawyer, kind="approval", at=None, proof="legal/3")
    assert not (await permit(clerk))[1]
    async with desk.deps.pool.acquire() as connection:
        assert await replay_newest(connection, 100) == (4, [])


async def test_legal_work_on_a_barred_claim_is_not_taken(desk, clerk, lawyer):
    await desk.move_to(local("2029-06-21T09:00"))
    await desk.deps.pool.execute("update work_items set kind = 'legal', state = 'open' where kind <> 'legal'")
    (item, *_) = await desk.values("select item_id from work_items where state = 'open'")
    refused = await clerk.edit(f"/v1/worklists/{item}/take")
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[1]) == (409, "claim-barred")
    await entered(lawyer, kind="approval", at=None, proof="legal/3")
    assert (await clerk.edit(f"/v1/worklists/{item}/take")).status_code == 200


def test_no_pack_warns_before_the_clock_is_looked_at():
    months = [
        month
        for rules in map(parse_rules, packs().values())
        for rule in rules.rules
        if isinstance(rule.check, Limitation)
        for month in rule.check.alert_months
    ]
    assert months
    assert min(months) >= FIRST_LOOK_MONTHS
