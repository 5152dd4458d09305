"""What the core-banking system tells, and the one answer that each odd case gets; docs/api.md has them as a table."""

import asyncio
import random

import asyncpg
import pytest

from tests.application.bank import (
    Bank,
    charge_off,
    closing,
    event,
    merged,
    on,
    payment,
    profile,
    report,
    reversal,
    updated,
)


async def test_an_overdue_account_opens_a_case_and_is_told_of(bank: Bank):
    assert await bank.say(report(unpaid=50_000)) == ["accepted"]
    account = await bank.account()
    assert (account["past_due"], account["oldest_due"], account["bucket"]) == (50_000, on("2026-06-20"), "M1")
    assert (await bank.case())["state"] == "open"
    assert await bank.told() == ["arrears.account.delinquent.v1", "arrears.case.opened.v1"]


async def test_a_newer_report_of_an_earlier_cut_off_has_the_payments_since_then(bank: Bank):
    await bank.say(report(), payment(posted="2026-06-28T10:00:00+08:00"))
    await bank.say(report(sequence=2, unpaid=0, cutoff="2026-06-29T02:00:00+08:00"))
    await bank.say(report(sequence=3, cutoff="2026-06-27T02:00:00+08:00"))
    assert (await bank.account())["past_due"] == 0


async def test_a_newer_report_of_an_earlier_cut_off_has_what_was_taken_back_since_then(bank: Bank):
    await bank.say(report(), payment(posted="2026-06-26T10:00:00+08:00"), reversal(at="2026-06-28T10:00:00+08:00"))
    await bank.say(report(sequence=2, cutoff="2026-06-29T02:00:00+08:00"))
    await bank.say(report(sequence=3, unpaid=0, cutoff="2026-06-27T02:00:00+08:00"))
    assert (await bank.account())["past_due"] == 50_000


async def test_a_locale_is_taken_for_the_language_that_it_means(bank: Bank):
    assert await bank.say(updated(language="zh_CN")) == ["accepted"]
    assert (await bank.row("select language from customers"))["language"] == "zh-CN"


async def test_within_the_grace_no_case_opens_but_a_timer_is_set(bank: Bank):
    await bank.say(report(due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"))
    assert await bank.rows("select * from cases") == []
    timer = await bank.row("select * from timers where scope = 'C1'")
    assert (timer["kind"], timer["due_at"].isoformat()) == ("bucket_roll", "2026-07-01T16:00:00+00:00")


async def test_a_payment_that_covers_the_dues_cures_the_case_as_an_estimate(bank: Bank):
    assert await bank.say(report(unpaid=50_000), payment(amount=50_000)) == ["accepted", "accepted"]
    account = await bank.account()
    assert (account["past_due"], account["estimated"], account["bucket"]) == (0, True, "M0")
    assert (await bank.case())["state"] == "cured"
    assert "arrears.payment.received.v1" in await bank.told()


async def test_a_payment_inside_the_snapshot_is_taken_and_changes_no_due(bank: Bank):
    await bank.say(report(unpaid=50_000, cutoff="2026-06-27T02:00:00+08:00"))
    assert await bank.say(payment(amount=20_000, posted="2026-06-26T10:00:00+08:00")) == ["accepted"]
    assert (await bank.account())["past_due"] == 50_000


async def test_the_next_snapshot_wins_over_the_estimate(bank: Bank):
    await bank.say(report(unpaid=50_000), payment(amount=20_000))
    assert (await bank.account())["past_due"] == 30_000
    await bank.say(report(sequence=2, unpaid=35_000, cutoff="2026-06-29T02:00:00+08:00"))
    account = await bank.account()
    assert (account["past_due"], account["estimated"]) == (35_000, False)


async def test_the_same_event_again_is_a_duplicate_and_writes_nothing(bank: Bank):
    events = bank.made(report(), payment())
    await bank.send(events)
    before = await bank.facts(), await bank.told()
    assert [verdict.answer for verdict in await bank.send(events)] == ["duplicate", "duplicate"]
    assert (await bank.facts(), await bank.told()) == before


async def test_twice_in_one_batch_is_a_duplicate(bank: Bank):
    (once,) = bank.made(report())
    assert [verdict.answer for verdict in await bank.send([once, once])] == ["accepted", "duplicate"]


async def test_the_order_of_keys_and_unknown_fields_make_no_other_event(bank: Bank):
    (first,) = bank.made(report())
    await bank.send([first])
    data = dict(reversed(first["data"].items())) | {"new_field_of_a_later_version": 1}
    (verdict,) = await bank.send([first | {"data": data, "subject": "A1"}])
    assert verdict.answer == "duplicate"


async def test_the_same_id_with_other_content_is_a_conflict(bank: Bank):
    (first,) = bank.made(report())
    await bank.send([first])
    (verdict,) = await bank.send([first | {"data": first["data"] | {"credit_limit": 1}}])
    assert verdict.answer == "conflict"
    assert (await bank.account())["credit_limit"] == 1_000_000


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (payment(amount=100), payment(amount=200)),
        (reversal(amount=100), reversal(amount=200)),
        (report(unpaid=100), report(unpaid=200)),
    ],
    ids=["payment", "reversal", "report"],
)
async def test_a_natural_key_under_another_event_id(bank: Bank, first, other):
    await bank.say(first)
    assert await bank.say(first) == ["duplicate"]
    assert await bank.say(other) == ["conflict"]


async def test_an_older_report_is_stale_and_filed_in_the_history(bank: Bank):
    await bank.say(report(sequence=5, unpaid=0, cutoff="2026-06-29T02:00:00+08:00"))
    assert await bank.say(report(sequence=4, unpaid=50_000)) == ["stale"]
    assert (await bank.account())["past_due"] == 0
    history = await bank.rows("select sequence, stale from snapshots order by sequence")
    assert [(row["sequence"], row["stale"]) for row in history] == [(4, True), (5, False)]


async def test_a_payment_of_an_unknown_account_waits_for_it(bank: Bank):
    assert await bank.say(payment(amount=20_000)) == ["unmatched"]
    assert await bank.say(report(unpaid=50_000)) == ["accepted"]
    assert (await bank.account())["past_due"] == 30_000
    found = await bank.row("select matched, customer_id from payments")
    assert found == {"matched": True, "customer_id": "C1"}


async def test_a_payment_in_another_currency_waits_for_that_account(bank: Bank):
    await bank.say(report(unpaid=50_000, currency="CNY"))
    assert await bank.say(payment(amount=50_000, currency="USD")) == ["unmatched"]
    assert (await bank.account())["past_due"] == 50_000
    assert await bank.say(report(unpaid=60_000, currency="USD")) == ["accepted"]
    assert (await bank.account(currency="USD"))["past_due"] == 10_000
    assert (await bank.account(currency="CNY"))["past_due"] == 50_000


async def test_a_reversal_before_its_payment_waits_for_it(bank: Bank):
    await bank.say(report(unpaid=50_000))
    assert await bank.say(reversal(amount=50_000)) == ["unmatched"]
    assert await bank.say(payment(amount=50_000)) == ["accepted"]
    assert (await bank.account())["past_due"] == 50_000
    assert (await bank.row("select applied from reversals"))["applied"] is True


async def test_a_reversal_of_a_payment_reopens_what_it_cured(bank: Bank):
    await bank.say(report(unpaid=50_000), payment(amount=50_000))
    assert await bank.say(reversal(amount=50_000)) == ["accepted"]
    assert (await bank.account())["past_due"] == 50_000
    case = await bank.case()
    assert (case["state"], case["reopenings"]) == ("open", 1)


async def test_a_reversal_after_the_cutoff_of_a_payment_inside_it_comes_back_on_the_newest_due(bank: Bank):
    await bank.say(payment(amount=50_000, posted="2026-06-22T10:00:00+08:00"), report(unpaid=0))
    await bank.say(reversal(amount=50_000, at="2026-06-26T10:00:00+08:00"))
    account = await bank.account()
    assert (account["past_due"], account["oldest_due"], account["estimated"]) == (50_000, on("2026-06-26"), True)


@pytest.mark.parametrize(
    "wrong",
    [reversal(amount=50_001), reversal(account="A2"), reversal(currency="USD")],
    ids=["more than was paid", "another account", "another currency"],
)
async def test_a_reversal_that_does_not_fit_its_payment_is_rejected(bank: Bank, wrong):
    await bank.say(report(unpaid=50_000), payment(amount=50_000))
    events = bank.made(wrong)
    assert [verdict.answer for verdict in await bank.send(events)] == ["rejected"]
    assert [verdict.answer for verdict in await bank.send(events)] == ["rejected"]
    assert (await bank.account())["past_due"] == 0


async def test_a_payment_dated_back_before_the_cutoff_is_taken_without_effect_on_the_dues(bank: Bank):
    await bank.say(report(unpaid=50_000), report(sequence=2, unpaid=50_000, cutoff="2026-06-29T02:00:00+08:00"))
    assert await bank.say(payment(amount=50_000, posted="2026-06-26T10:00:00+08:00")) == ["accepted"]
    assert (await bank.account())["past_due"] == 50_000  # the report knew of it: the ledger is the truth


async def test_what_comes_for_a_closed_account(bank: Bank):
    await bank.say(report(unpaid=50_000))
    assert await bank.say(closing(sequence=2)) == ["accepted"]
    case = await bank.case()
    assert (case["state"], case["end_reason"]) == ("closed", "account.closed.v1")
    assert await bank.say(report(sequence=2, unpaid=70_000)) == ["accepted"]  # the newest there is; it opens nothing
    assert await bank.say(closing(sequence=2)) == ["duplicate"]
    assert await bank.say(closing(sequence=2, reason="sold")) == ["conflict"]
    assert await bank.say(charge_off()) == ["accepted"]  # on record, but it stays closed
    assert await bank.say(payment(amount=50_000)) == ["accepted"]
    account = await bank.account()
    assert (account["status"], account["bucket"]) == ("closed", "M0")


async def test_a_newer_report_opens_a_closed_account_again(bank: Bank):
    await bank.say(report(unpaid=50_000), closing(sequence=2))
    newer = report(sequence=3, unpaid=50_000, cutoff="2026-06-29T02:00:00+08:00")
    assert await bank.say(newer) == ["accepted"]
    assert (await bank.account())["status"] == "open"


async def test_what_closes_or_charges_off_an_unknown_account_waits_for_it(bank: Bank):
    assert await bank.say(charge_off(), closing("A2")) == ["unmatched", "unmatched"]
    await bank.say(report(unpaid=50_000), report("A2", "C2", sequence=3, unpaid=50_000))
    assert (await bank.account())["status"] == "charged_off"
    assert (await bank.account("A2"))["status"] == "closed"


async def test_what_waits_for_its_account_is_known_when_it_is_said_again(bank: Bank):
    await bank.say(charge_off(), closing("A2"))
    assert await bank.say(charge_off(), closing("A2")) == ["duplicate", "duplicate"]
    assert await bank.say(charge_off(amount=1), closing("A2", reason="sold")) == ["conflict", "conflict"]
    assert await bank.say(closing("A2", sequence=10), closing("A3"), closing("A3")) == [
        "unmatched", "unmatched", "duplicate"
    ]  # fmt: skip


async def test_a_charged_off_account_is_followed_on(bank: Bank):
    await bank.say(report(unpaid=50_000))
    assert await bank.say(charge_off(amount=1), charge_off(amount=2)) == ["accepted", "conflict"]
    assert await bank.say(charge_off(amount=1)) == ["duplicate"]
    assert await bank.say(report(sequence=2, unpaid=60_000, cutoff="2026-06-29T02:00:00+08:00")) == ["accepted"]
    account = await bank.account()
    assert (account["status"], account["past_due"]) == ("charged_off", 60_000)
    assert (await bank.case())["state"] == "open"


@pytest.mark.parametrize("late", [False, True])
async def test_an_account_that_was_charged_off_is_followed_as_that_when_it_opens_again(bank: Bank, late: bool):
    before, after = closing(sequence=2), report(sequence=3)
    order = [charge_off(), after, before] if late else [charge_off(), before, after]
    await bank.say(report(), *order)
    assert (await bank.account())["status"] == "charged_off"


async def test_an_older_version_of_a_customer_is_stale(bank: Bank):
    assert await bank.say(updated(version=3, name="王芳"), updated(version=2, name="李雷")) == ["accepted", "stale"]
    assert (await bank.row("select core_version from customers"))["core_version"] == 3


async def test_a_report_may_carry_the_customer_and_older_versions_are_passed_over(bank: Bank):
    await bank.say(updated(version=5, mobile="+8613800000005"))
    kind, data = report()
    assert await bank.say((kind, data | {"customer": profile(4, mobile="+8613800000004")})) == ["accepted"]
    assert (await bank.row("select core_version from customers"))["core_version"] == 5


async def test_a_report_in_conflict_says_nothing_of_the_customer_either(bank: Bank):
    kind, data = report()
    await bank.say((kind, data | {"customer": profile(1)}))
    other = (kind, data | {"credit_limit": 1, "customer": profile(7, name="李四", segment="vip")})
    assert await bank.say(other) == ["conflict"]
    assert await bank.row("select core_version, segment from customers") == {"core_version": 1, "segment": "standard"}


async def test_a_stale_report_with_news_of_the_customer_judges_them_anew(bank: Bank):
    kind, data = report()
    await bank.say(report(sequence=2, cutoff="2026-06-26T02:00:00+08:00"))
    assert await bank.say((kind, data | {"customer": profile(1, segment="vip")})) == ["stale"]
    assert (await bank.row("select segment from case_standings order by seq desc limit 1"))["segment"] == "vip"


async def test_what_comes_for_a_merged_customer_goes_to_the_one_that_stayed(bank: Bank):
    await bank.say(report("A1", "C1"), report("A2", "C2"))
    assert await bank.say(merged("C1", "C2")) == ["accepted"]
    assert (await bank.account("A1"))["customer_id"] == "C2"
    newer = report("A1", "C1", sequence=2, unpaid=80_000, cutoff="2026-06-29T02:00:00+08:00")
    assert await bank.say(newer, payment(account="A1", amount=1)) == ["accepted", "accepted"]
    account = await bank.account("A1")
    assert (account["customer_id"], account["past_due"]) == ("C2", 80_000)
    assert (await bank.row("select customer_id from payments"))["customer_id"] == "C2"
    cases = await bank.rows("select state from cases order by customer_id")
    assert [case["state"] for case in cases] == ["closed", "open"]


async def test_merging_again_and_merging_in_a_circle(bank: Bank):
    await bank.say(report("A1", "C1"), report("A2", "C2"), merged("C1", "C2"))
    assert await bank.say(merged("C1", "C2")) == ["duplicate"]
    assert await bank.say(merged("C1", "C3")) == ["conflict"]
    assert await bank.say(merged("C2", "C1")) == ["conflict"]


async def test_an_account_that_changes_hands_takes_its_arrears_along(bank: Bank):
    await bank.say(report("A1", "C1"))
    newer = report("A1", "C2", sequence=2, cutoff="2026-06-29T02:00:00+08:00")
    assert await bank.say(newer) == ["accepted"]
    states = {row["customer_id"]: row["state"] for row in await bank.rows("select customer_id, state from cases")}
    assert states == {"C1": "closed", "C2": "open"}


async def test_one_source_is_not_another(bank: Bank):
    await bank.say(report(unpaid=90_000))
    kind, data = payment(amount=10_000)
    both = [event(kind, data, event_id="x", source=source) for source in ("/core/a", "/core/b")]
    assert [verdict.answer for verdict in await bank.send(both)] == ["accepted", "accepted"]
    assert (await bank.account())["past_due"] == 70_000


async def test_an_event_that_can_not_be_applied_is_parked_alone_and_its_customer_waits(bank: Bank, owner):
    await owner.execute("alter table accounts add constraint no_zz check (account_id <> 'ZZ')")
    bad, good = report("ZZ", "C9"), report("A1", "C1")
    assert await bank.say(good, bad, report("A2", "C2")) == ["accepted", "parked", "accepted"]
    assert await bank.say(updated("C9"), updated("C1", version=2)) == ["parked", "accepted"]
    parked = await bank.rows("select customer_id, state, error from parked order by entry")
    assert [(row["customer_id"], row["state"]) for row in parked] == [("C9", "parked"), ("C9", "parked")]
    assert "ZZ" not in parked[0]["error"]  # a database's own words repeat the row
    assert parked[0]["error"].startswith("CheckViolationError")


async def test_a_parked_event_sent_again_is_still_parked_once(bank: Bank, owner):
    await owner.execute("alter table accounts add constraint no_zz check (account_id <> 'ZZ')")
    events = bank.made(report("ZZ", "C9"))
    for _ in range(2):
        assert [verdict.answer for verdict in await bank.send(events)] == ["parked"]
    assert len(await bank.rows("select * from parked")) == 1


@pytest.mark.parametrize("joins", [merged("C9", "C1"), report("A9", "C1", sequence=2)])
async def test_who_takes_over_from_a_customer_whose_facts_wait_waits_with_them(bank: Bank, owner, joins):
    """Else a payment that waits would be overtaken, and asked for under the other name."""
    await bank.say(report("A9", "C9"), report("A1", "C1"))
    await owner.execute("alter table payments add constraint no_p1 check (payment_id <> 'P1')")
    assert await bank.say(payment("P1", "A9"), joins) == ["parked", "parked"]
    assert (await bank.account("A9"))["customer_id"] == "C9"
    assert await bank.rows("select distinct customer_id from parked") == [{"customer_id": "C9"}]


async def test_any_order_ends_in_the_same_facts(database, tmp_path, bank: Bank):
    story = bank.made(
        report(unpaid=50_000), payment("P1", amount=20_000), payment("P2", amount=30_000),
        reversal("R1", "P2", amount=30_000),
        report(sequence=2, unpaid=80_000, due="2026-06-20", cutoff="2026-06-27T02:00:00+08:00"),
        payment("P3", amount=5_000, posted="2026-06-28T10:00:00+08:00"), report("A2", "C1", unpaid=10_000),
        payment("P4", "A2", amount=10_000), payment("P5", "A1", amount=1, currency="USD"),
    )  # fmt: skip
    await bank.send(story)
    expected = await bank.facts()
    tables = "accounts, snapshots, payments, reversals, cases, case_standings, customers, inbox, timers, outbox"
    owner = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": "arrears"})
    for seed in range(6):
        await owner.execute(f"truncate {tables}")
        shuffled = random.Random(seed).sample(story, len(story))
        await bank.send(shuffled[:4])
        await bank.send(shuffled[4:])
        assert await bank.facts() == expected, seed
    await owner.close()


@pytest.mark.parametrize("first", ["lives in New York", "bounced"])
async def test_the_day_of_a_due_that_a_reversal_brings_back_is_the_banks(bank: Bank, first: str):
    await bank.say(updated(), report(unpaid=0), payment(posted="2026-06-20T10:00:00+08:00"))
    facts = [updated(version=2, time_zone="America/New_York"), reversal(at="2026-06-28T02:00:00+08:00")]
    await bank.say(*(facts if first == "lives in New York" else reversed(facts)))
    await bank.say(payment("P2", amount=1, posted="2026-06-29T10:00:00+08:00"))
    assert (await bank.account())["oldest_due"] == on("2026-06-28")


async def test_a_case_that_would_open_again_is_judged_by_its_own_policy_all_along(bank: Bank):
    """The new policy has no grace: judged by both in turn, it would open with one event and be cured by the next."""
    await bank.say(report(due="2026-06-20"), payment())
    row = await bank.row("select document from policies where state = 'active'")
    await bank.rows("update policies set state = 'retired' where state = 'active' returning 1")
    await bank.rows(
        "insert into policies (version, name, document, sha256, state, created_at, created_by)"
        " select 2, name, $1, '', 'active', created_at, created_by from policies returning 1",
        row["document"] | {"version": 2, "grace": {"days": 0, "amount": {}}},
    )
    await bank.shelf.renew()
    await bank.say(report(sequence=2, due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"), updated())
    told = [each for each in await bank.told() if each.startswith("arrears.case.")]
    assert told == ["arrears.case.opened.v1", "arrears.case.cured.v1"]


async def test_two_senders_at_once_about_the_same_new_customers_both_count(bank: Bank):
    """Who is new has no row to lock: the second sender meets the first one's rows when it saves, and decides again."""
    customers = range(60)  # enough to be copied in
    first = bank.made(*(report(f"A{n}", f"C{n}", unpaid=10_000) for n in customers))
    second = bank.made(*(report(f"B{n}", f"C{n}", unpaid=20_000) for n in reversed(customers)))
    both = await asyncio.gather(*(bank.send(events) for events in (first, second)))
    assert {verdict.answer for verdicts in both for verdict in verdicts} == {"accepted"}
    standings = await bank.rows(
        "select customer_id, count(distinct case_id) cases, max((past_due ->> 'CNY')::int) past_due"
        " from cases join case_standings using (case_id) group by customer_id"
    )
    assert {(row["cases"], row["past_due"]) for row in standings} == {(1, 30_000)}
    assert len(standings) == 60


async def test_a_merger_of_two_customers_nobody_heard_of_is_kept(bank: Bank):
    assert await bank.say(merged("C1", "C2")) == ["accepted"]
    assert await bank.say(report("A1", "C1")) == ["accepted"]
    assert (await bank.account("A1"))["customer_id"] == "C2"
    assert len(await bank.rows("select customer_id from customers")) == 2


async def test_single_events_at_once_about_one_new_customer_all_count(bank: Bank):
    events = bank.made(*(report(f"A{n}", unpaid=10_000) for n in range(12)))
    answers = await asyncio.gather(*(bank.send([each]) for each in events))
    assert [verdict.answer for (verdict,) in answers] == ["accepted"] * 12
    standing = await bank.row("select past_due from case_standings order by seq desc limit 1")
    assert standing["past_due"] == {"CNY": 120_000}
