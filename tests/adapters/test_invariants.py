"""Each law that can be asked of live data: a violation is planted, and seen; a world in which all hold is silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest

from shared.adapters.postgres.invariants import LAWS, check
from shared.adapters.postgres.laws import QUESTIONS
from tests.adapters.lawful_world import ATTEMPT, CALLED, CASE, MESSAGE, POINT, REMINDED, settle_in
from tests.conftest import Database


def attempt(at: str = "2026-05-25 10:30+08", state: str = "released", number: int = 2, **ledger: str) -> str:
    """A further attempt of the message, with its contact: counted or, like the attempt, released."""
    attempt_id = f"00000000-0000-8000-8000-{number:012d}"
    counted = ledger.get("state", "released" if state == "released" else "committed")
    day = ledger.get("day", at[:10])
    return f"""
    insert into attempts (attempt_id, message_id, customer_id, channel, gateway, point_id, state, holder, fence,
        lease_until, marked_at, marked_real, template_version, text_sha256)
    values ('{attempt_id}', '{MESSAGE}', 'C1', 'sms', 'sandbox', '{POINT}', '{state}', 'n1', 1,
    now() + interval '1 hour',
        '{at}', '{at}', 1, '');
    insert into contact_ledger (attempt_id, customer_id, channel, purpose, local_date, at, state)
    values ('{attempt_id}', 'C1', 'sms', 'dunning', '{day}', '{at}', '{counted}');
    """


def parked(event_id: str, at: str = "2026-05-25 09:00+08", state: str = "parked", consumer: str = "intake") -> str:
    return f"""
    insert into parked (consumer, customer_id, source, event_id, type, envelope_enc, tries, not_before, error, state,
        parked_at, ended_at)
    values ('{consumer}', 'C1', 'core', '{event_id}', 'payment.posted.v1', '', 1, now() + interval '1 hour', 'x',
        '{state}', '{at}', '2026-05-31 09:00+08');
    """


def follow_up(number: int, step: str, anchor: str, state: str, kind: str = "message", policy: int = 1) -> str:
    return f"""
    insert into follow_ups (follow_up_id, case_id, customer_id, policy_version, step, anchor, kind, due_at, state,
        decided_at)
    values ('00000000-0000-8000-8000-{number:012d}', '{CASE}', 'C1', {policy}, '{step}', '{anchor}', '{kind}',
        '2026-06-04 10:00+08', '{state}', '2026-05-28 10:00+08');
    """


AGAIN = "insert into {0} ({1}) select {1} from {0} {2}"
END_CASE = f"""
    update cases set state = 'cured', ended_at = '2026-05-26 11:00+08';
    insert into case_events (customer_id, case_id, at, kind, actor, data)
    values ('C1', '{CASE}', '2026-05-26 11:00+08', 'case.cured', 'system', '{{}}');
"""
NEW_STANDING = f"""
    insert into case_standings (case_id, seq, at, anchor, past_due, segment)
    values ('{CASE}', 2, '2026-05-27 10:00+08', '2026-05-21', '{{}}', 'standard');
"""
HOLD = """
    insert into holds (hold_id, customer_id, kind, reason, placed_at, released_at, placed_by)
    values (gen_random_uuid(), 'C1', 'complaint', 'x', '2026-05-25 09:00+08', {0}, 'op');
"""
OPT_OUT = """
    insert into preferences (customer_id, channel, opted_out, source, actor, changed_at)
    values ('C1', '{0}', true, 'customer', 'op', '{1}');
"""

PERMIT = """
    insert into contact_permits (permit_id, customer_id, channel, purpose, target, account_ids, party, state, decision,
        asked_by, asked_at, expires_at)
    select gen_random_uuid(), 'C1', 'phone', 'dunning', 'debtor', '[]', 'bank', '{0}', {1}, 'op',
        '2026-05-25 11:00+08', '2026-05-25 11:10+08' from messages;
"""


def plan(state: str, amount: int = 1000) -> str:
    """A plan over 1,000 on account A1, paid at once; its hold stands while it is in force."""
    debts = '[{"account_id": "A1", "currency": "CNY", "balances": {"principal": 900, "interest": 100}}]'
    return f"""
    insert into plans (plan_id, customer_id, kind, state, proposed_at, looked_on, document)
    values ('{PLAN}', 'C1', 'equal', '{state}', '2026-05-26 10:00+08', '2026-05-26', '{{"debts": {debts}}}');
    insert into instalments (plan_id, currency, number, due_on, amount, principal, interest, fee)
    values ('{PLAN}', 'CNY', 1, '2026-06-20', {amount}, {amount}, 0, 0);
    insert into holds (hold_id, customer_id, account_id, kind, reason, origin, placed_at, released_at, placed_by)
    values (gen_random_uuid(), 'C1', 'A1', 'plan', 'plan', '{PLAN}', '2026-05-30 10:00+08',
        {"null" if state == "active" else "'2026-05-30 11:00+08'"}, 'plan');
    """


def settlement(state: str, pays: int = 900, received: int = 0, valid_until: str = "2026-06-30") -> str:
    """A settlement that takes 900 instead of 1,000 on account A1; its hold stands while it is in force."""
    debts = '[{"account_id": "A1", "currency": "CNY", "balances": {"principal": 900, "penalty": 100}}]'
    schedule = '{"instalments": [{"amount": 900}]}'
    document = f'{{"debts": {debts}, "schedule": {schedule}, "given_up": [["A1", "penalty", 100]]}}'
    return f"""
    insert into settlements (settlement_id, customer_id, currency, instrument, state, owed, pays, received, valid_until,
        reckoned_at, proposed_at, looked_on, document)
    values ('{SETTLEMENT}', 'C1', 'CNY', 'lump_sum', '{state}', 1000, {pays}, {received}, '{valid_until}',
        '2026-05-30 10:00+08', '2026-05-30 10:00+08', '2026-05-30', '{document}');
    insert into holds (hold_id, customer_id, account_id, kind, reason, origin, placed_at, released_at, placed_by)
    values (gen_random_uuid(), 'C1', 'A1', 'plan', 'settlement', '{SETTLEMENT}', '2026-05-30 10:00+08',
        {"null" if state == "active" else "'2026-05-30 11:00+08'"}, 'settlement');
    """


def waiver(amount: int = 100) -> str:
    """Of a penalty of 100."""
    document = '{"proposed_by": "li.na", "debt": {"balances": {"penalty": 100}}}'
    return f"""
    insert into waivers (waiver_id, customer_id, account_id, currency, component, amount, state, proposed_at,
        granted_at, document)
    values ('{SETTLEMENT}', 'C1', 'A1', 'CNY', 'penalty', {amount}, 'granted', '2026-05-30 10:00+08',
        '2026-05-30 10:00+08', '{document}');
    """


def about_a_plan(what: str, day: str, *events: tuple[str, str]) -> str:
    """The customer's message is about an instalment of a plan; ``events`` (kind, more data) happened before."""
    told = "".join(
        f"""
    insert into case_events (customer_id, case_id, at, kind, actor, data)
    values ('C1', '{CASE}', '2026-05-20 10:00+08', '{kind}', 'system', '{{"plan_id": "{PLAN}"{more}}}');
    """
        for kind, more in (("plan.activated", ""), *events)
    )
    return f"update messages set about = 'plan/{PLAN}/{what}/{day}';" + told


NUMBER_1 = ', "currency": "CNY", "number": 1'
SETTLEMENT = "00000000-0000-8000-8000-0000000000bb"
PLAN = "00000000-0000-8000-8000-0000000000aa"
PROMISE = """
    insert into promises (promise_id, customer_id, account_id, currency, amount, due_on, made_at, made_on, channel,
        promised_by, recorded_by, tolerance_days, tolerance_amount, policy_version, state, reason)
    values (gen_random_uuid(), 'C1', 'A1', 'CNY', 1000, '2026-05-27', '2026-05-26 10:00+08', '2026-05-26', 'phone',
        'debtor', 'op', 2, 0, 1, '{0}', 'made');
"""
PENDING = f"""
    insert into approvals (approval_id, subject, subject_id, content, customer_id, requested_by, requested_at,
        expires_at, approvers, involved, state, reason)
    values (gen_random_uuid(), 'plan', '{PLAN}', '', 'C1', 'op', '2026-05-26 10:00+08', '2026-05-31 10:00+08',
        '[]', '[]', 'pending', 'requested');
"""

# What the question asks -> how to break it.
VIOLATIONS = {
    "the instalments of a plan do not sum to the debts in it": plan("proposed", 999),
    "a promise is open though its last day is over": PROMISE.format("open"),
    "a message about a plan was marked when the plan stood otherwise": about_a_plan(
        "paid", "2026-06-30", ("plan.broken", "")
    ),
    "the same was said of a plan twice": about_a_plan("paid", "2026-06-20") + attempt(state="accepted"),
    "thanks for an instalment were marked after its payment had been taken back": plan("active")
    + about_a_plan(
        "paid",
        "2026-06-20",
        ("plan.instalment_covered", NUMBER_1),
        ("plan.instalment_uncovered", NUMBER_1),
    ),
    "a reminder of an instalment was marked after that was paid": plan("active")
    + about_a_plan("reminder", "2026-06-20", ("plan.instalment_covered", NUMBER_1)),
    "a plan in force has no hold on one of its accounts, or one that is not in force has": plan("active")
    + "update holds set released_at = '2026-05-30 12:00+08'",
    "a plan that a second person was asked about went on without their yes": plan("approved") + PENDING,
    "a plan names an assessment that is not there, not of its accounts, or was past its time": plan("approved")
    + f'update plans set document = document || \'{{"assessment_id": "{PLAN}"}}\'',
    "what is paid and what is given up for a settlement are not the debts in it": settlement("active", 899),
    "what was received for a settlement is not what stayed of the payments that count for it": settlement(
        "active", received=1
    ),
    "an offer of a settlement stands though its last day is over": settlement("offered", valid_until="2026-05-30"),
    "a settlement that was agreed has no hold on one of its accounts, or one that is not in force has": settlement(
        "active"
    )
    + "update holds set released_at = '2026-05-30 12:00+08'",
    "a settlement that a second person was asked about was offered without their yes": settlement("offered")
    + PENDING.replace("'plan', '" + PLAN, "'settlement', '" + SETTLEMENT),
    "a waiver that a second person was asked about was granted without their yes": waiver()
    + PENDING.replace("'plan', '" + PLAN, "'waiver', '" + SETTLEMENT),
    "more was waived than was owed": waiver(101),
    "an inbound event is on record without a final answer": "update inbox set answer = null where consumer = 'intake'",
    "news has waited for the relay for more than fifteen minutes": "update outbox set sent_at = null",
    "a parked event at the head of its queue is not tried again": parked("E5", "2026-06-01 11:00+08")
    + "update parked set not_before = now() - interval '1 hour'",
    "a payment waits for an account that is there": "update payments set matched = false where payment_id = 'P0'",
    "a charge-off or closing waits for an account that is there": "update waiting_facts set account_id = 'A1'",
    "an attempt outlived its lease by ten minutes and nobody resolved it": "update attempts set state = 'sending'",
    "a message is said to be under way, and no attempt of it is": "update messages set state = 'in_doubt'",
    "a reminder was issued fifteen minutes ago and no message came of it": f"""
        update follow_ups set state = 'issued';
        update messages set follow_up_id = null where follow_up_id = '{REMINDED}'
        """,
    "a step for a person was issued and is on no worklist": f"delete from work_items where follow_up_id = '{CALLED}'",
    "money is on the timeline twice": AGAIN.format("case_events", "customer_id, case_id, at, kind, actor, data", ""),
    "money was announced twice": AGAIN.format(
        "outbox", "id, aggregatetype, aggregateid, type, payload, at, shard, sent_at", "where type like '%payment%'"
    ),
    "a reminder was announced twice": AGAIN.format(
        "outbox", "id, aggregatetype, aggregateid, type, payload, at, shard, sent_at", "where type like '%reminder%'"
    ),
    "a follow-up has two messages": """
        insert into messages (message_id, customer_id, follow_up_id, about, step, policy_version, purpose, template,
        channels,
            state, not_before, created_at, updated_at)
        select gen_random_uuid(), customer_id, follow_up_id, about, step, policy_version, purpose, template, channels,
            'planned', not_before, created_at, updated_at from messages
        """,
    "an event was applied and waits to be applied": parked("E1", "2026-06-01 11:00+08"),
    "an event was applied while an older one of the customer was parked": parked("E0", "2026-05-25 02:00+08", "dead"),
    "a parked event was replayed before an older one of the customer": parked("E5", "2026-06-01 11:00+08")
    + parked("E6", "2026-06-01 11:01+08", "replayed"),
    "a message was sent while the customer's intake was blocked": parked("E5", "2026-05-25 09:59+08"),
    "the dues of an account do not add up to what is past due": """
        update accounts set dues = '[["2026-05-20", 200000, 99999]]'
        """,
    "what was paid since the cut-off is not the sum of the payments after it": """
        update accounts set paid_since = 49999
        """,
    "what is past due does not follow from the report and the money since": """
        update accounts set reported_dues = '[["2026-05-20", 200000, 120000]]'
        """,
    "more of a payment was taken back than was paid, or not what its reversals say": """
        update payments set reversed_amount = 20001 where payment_id = 'P0'
        """,
    "an account is past its grace and its customer has no open case": END_CASE,
    "a case is open and no account of it is past its grace": "update accounts set status = 'closed'",
    "a step was issued twice in one episode of a case": NEW_STANDING
    + follow_up(7, "m1-first-sms", "2026-05-21", "done"),
    "a step of a case is on record twice for one anchor": follow_up(7, "m1-call", "2026-05-20", "cancelled", policy=2),
    "a step was issued on an anchor that the case never had": follow_up(7, "m2-sms", "2026-04-20", "passed_over"),
    "a case has more than one next step": follow_up(7, "m2-sms", "2026-05-20", "planned"),
    "a timer has been due for more than an hour": "update timers set due_at = '2026-06-01 10:59+08'",
    "a timer is set for a case that is over": END_CASE,
    "a bucket is to roll on an account that nobody follows": "update accounts set status = 'closed'",
    "a next step is planned that no timer will bring": "delete from timers where kind = 'follow_up'",
    "a message was tried again while the provider may have had it": attempt(),
    "an attempt that may have reached somebody is not counted": "update contact_ledger set state = 'released'",
    "a contact that a person made, or may have made, is not counted": """
        insert into contact_attempts (attempt_id, contact_id, customer_id, channel, purpose, target, account_ids, party,
            outcome, at, recorded_at, recorded_by)
        select gen_random_uuid(), gen_random_uuid(), 'C1', 'phone', 'dunning', 'debtor', '[]', 'agency', 'busy', now,
            now, 'op' from business_clock;
        """,
    "a permit ran out an hour ago and still passes for reserved": PERMIT.format("granted", "decision")
    + """
        insert into contact_ledger (attempt_id, customer_id, channel, purpose, local_date, at, state, made_by)
        select permit_id, 'C1', 'phone', 'dunning', '2026-05-25', asked_at, 'reserved', 'permit' from contact_permits;
        """,
    "a permit was answered, and no known rules say why": PERMIT.format("refused", """'{"rule_set": "cn@0:0000"}'"""),
    "a contact is over the daily cap of its rules": "".join(
        attempt(f"2026-05-25 1{number}:30+08", "accepted", number) for number in (2, 3, 4)
    ),
    "a contact was made in the quiet hours of its rules, or counted on another day": attempt(
        "2026-05-25 22:00+08", "sending"
    ),
    "a contact was made without a fact that the rules demand": "update customers set jurisdiction = null",
    "an attempt and its contact are not of one time, channel or customer": """
        update contact_ledger set channel = 'email'
        """,
    "a reminder was marked after its case had ended": END_CASE + attempt("2026-05-26 11:01+08"),
    "a message was marked during a hold that forbids it": HOLD.format("null"),
    "a message was marked after the customer had refused its channel": OPT_OUT.format("sms", "2026-05-25 09:00+08"),
    "a message was sent, and no decision under known rules says why": """
        update messages set decision = '{"rule_set": "cn@1:0000000000000000"}'
        """,
    "a message was suppressed, and nothing says why": """
        update messages set state = 'suppressed', reason = 'forbidden: cn-opt-out', decision = null
        """,
    "a step was decided under a policy that is not on record": follow_up(
        7, "m2-sms", "2026-05-20", "cancelled", policy=2
    ),
}


@asynccontextmanager
async def undone(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """Whatever happens inside leaves no trace."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def broken(owner: asyncpg.Connection, since: datetime | None = None) -> set[str]:
    return {finding.what for finding in await check(owner, since=since)}


def test_every_question_has_a_violation_planted() -> None:
    assert [question.what for question in QUESTIONS if question.what not in VIOLATIONS] == []
    assert len(VIOLATIONS) == len(QUESTIONS)


@pytest.mark.parametrize("law", LAWS)
async def test_a_broken_law_is_reported(owner: asyncpg.Connection, law: str) -> None:
    await settle_in(owner)
    for what in [question.what for question in QUESTIONS if question.law == law]:
        async with undone(owner):
            await owner.execute(VIOLATIONS[what])
            found = {finding.what: finding for finding in await check(owner)}
        assert what in found
        assert found[what].law == law
        assert found[what].count >= 1
        assert found[what].sample


async def test_a_world_in_which_all_laws_hold_is_silent_and_says_so(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    assert await check(owner) == []
    runs = await owner.fetch("select law, violations, sample::text from invariant_runs")
    assert {row["law"] for row in runs} == set(LAWS)
    assert {(row["violations"], row["sample"]) for row in runs} == {(0, "{}")}


async def test_an_empty_database_breaks_no_law(database: Database, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as service:
        assert await check(service) == []


async def test_what_was_found_is_kept_until_it_is_mended(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    await owner.execute("update contact_ledger set state = 'released'")
    await check(owner)
    assert await owner.fetchval("select violations from invariant_runs where law = 'L4'") == 1
    assert ATTEMPT in await owner.fetchval("select sample::text from invariant_runs where law = 'L4'")
    await owner.execute("update contact_ledger set state = 'committed'")
    await check(owner)
    assert await owner.fetchval("select violations from invariant_runs where law = 'L4'") == 0


async def test_a_later_run_looks_only_at_what_changed_since_and_at_what_time_breaks(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    await owner.execute("update contact_ledger set state = 'released'; update timers set due_at = '2026-05-01'")
    assert await broken(owner, datetime(2026, 5, 31, tzinfo=UTC)) == {"a timer has been due for more than an hour"}


async def test_a_sample_names_ten_at_most(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    await owner.execute(
        "insert into timers (scope, kind, subject, due_at, rank)"
        " select 'C1', 'complaint', n::text, '2026-05-01', 1 from generate_series(1, 25) n"
    )
    found = {finding.what: (finding.count, len(finding.sample)) for finding in await check(owner)}
    assert found["a timer has been due for more than an hour"] == (25, 10)


MORNINGS_OFF = """
    update rule_sets set document = jsonb_set(document, '{{rules}}', document -> 'rules' ||
        '[{{"id": "x", "kind": "quiet_hours", "parameters": {{"from": "09:00", "to": "12:00"}},
            "valid_from": "2000-01-01", {0}}}]')
"""
AT_ONCE = "update case_events set at = '2026-05-25 10:00+08' where kind = '{0}';"
MERGED = """
    insert into case_events (customer_id, at, kind, actor, data)
    values ('C1', '2026-05-26 10:00+08', 'customer.merged', 'core-banking', '{}');
"""
LAWFUL = {
    "a reminder of an instalment that was paid in the same instant, or a plan called off in it": plan("active")
    + about_a_plan("reminder", "2026-06-20", ("plan.instalment_covered", NUMBER_1), ("plan.cancelled", ""))
    + AT_ONCE.format("plan.instalment_covered")
    + AT_ONCE.format("plan.cancelled"),
    "a reminder in the instant in which the payment was taken back": plan("active")
    + about_a_plan(
        "reminder", "2026-06-20", ("plan.instalment_covered", NUMBER_1), ("plan.instalment_uncovered", NUMBER_1)
    )
    + AT_ONCE.format("plan.instalment_uncovered"),
    "thanks in the instant in which it was paid again": plan("active")
    + about_a_plan("paid", "2026-06-20", ("plan.instalment_uncovered", NUMBER_1), ("plan.instalment_covered", NUMBER_1))
    + AT_ONCE.format("plan.instalment_covered"),
    "that a plan is broken, in the instant in which it broke": about_a_plan("broken", "2026-05-25", ("plan.broken", ""))
    + AT_ONCE.format("plan.broken"),
    "thanks for what was taken back and paid again": plan("active")
    + about_a_plan(
        "paid", "2026-06-20", ("plan.instalment_uncovered", NUMBER_1), ("plan.instalment_covered", NUMBER_1)
    ),
    "a plan that broke and was resumed": about_a_plan(
        "reminder", "2026-06-20", ("plan.broken", ""), ("plan.resumed", "")
    ),
    "in hours that are kept from agencies only": MORNINGS_OFF.format('"when": {"collector": ["agency"]}'),
    "in hours that guarantors are left alone": MORNINGS_OFF.format('"targets": ["guarantor"]'),
    "a step again after a cure": f"""
        insert into case_standings (case_id, seq, at, anchor, past_due, segment)
        values ('{CASE}', 2, '2026-05-26 11:00+08', null, '{{}}', 'standard'),
               ('{CASE}', 3, '2026-05-27 10:00+08', '2026-05-21', '{{}}', 'standard');
        """
    + follow_up(7, "m1-first-sms", "2026-05-21", "done"),
    "marked, and cured at the same instant": END_CASE.replace("05-26 11:00", "05-25 10:00")
    + "update timers set kind = 'x' where kind = 'follow_up'; delete from follow_ups where state = 'planned';"
    "insert into cases (case_id, customer_id, ordinal, state, bucket, policy_version, opened_at, updated_at)"
    " values (gen_random_uuid(), 'C1', 2, 'open', 'M1', 1, '2026-05-26', '2026-05-26')",
    "the next channel after a number that does not answer": "update attempts set state = 'undelivered';"
    + attempt(number=2).replace(POINT, POINT.replace("b1", "b2")),
    "the same again when it surely was not sent": "update attempts set state = 'released';"
    "update contact_ledger set state = 'released';" + attempt(state="accepted"),
    "an answer during a complaint": HOLD.format("null") + "update messages set purpose = 'answer'",
    "a hold released before": HOLD.format("'2026-05-25 09:30+08'"),
    "a refusal that came after": OPT_OUT.format("sms", "2026-05-25 10:01+08"),
    "a hold that came with another customer": HOLD.format("null") + MERGED,
    "a refusal that came with another customer": OPT_OUT.format("sms", "2026-05-25 09:00+08") + MERGED,
    "tried again after the customer had moved": """
        update customers set time_zone = 'America/New_York';
        update messages set tries = 2, decision = decision
            || '{"at": "2026-05-26T22:00:00+08:00", "facts": {"zone": "America/New_York"}}'
        """,
    "to wait after a try, the customer having moved": """
        update customers set time_zone = 'America/New_York';
        update messages set decision = decision
            || '{"at": "2026-05-26T22:00:00+08:00", "channel": null, "facts": {"zone": "America/New_York"}}'
        """,
    "tried again after the customer had moved, and moved again": """
        update messages set decision = decision
            || '{"at": "2026-05-26T10:00:00+08:00", "facts": {"zone": "America/New_York"}}'
        """,
    "a refusal of another channel": OPT_OUT.format("email", "2026-05-25 09:00+08"),
    "three texts on a day": attempt("2026-05-25 11:30+08", "accepted", 2)
    + attempt("2026-05-25 12:30+08", "accepted", 3),
    "the last second before the quiet hours": "update contact_ledger set at = '2026-05-25 21:59:59+08';"
    "update attempts set marked_at = '2026-05-25 21:59:59+08'",
    "the first of two parked events was replayed": parked("E5", "2026-06-01 11:00+08", "replayed")
    + parked("E6", "2026-06-01 11:00+08")
    + "insert into inbox (consumer, source, id, answer, customer_id, received_at)"
    " values ('intake', 'core', 'E5', 'accepted', 'C1', '2026-06-01 11:30+08')",
}
BESIDE_THE_POINT = {"three texts on a day": {"a message was tried again while the provider may have had it"}}


async def test_hours_that_bind_everybody_are_asked(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    await owner.execute(MORNINGS_OFF.format('"targets": ["debtor"]'))
    assert await broken(owner) == {"a contact was made in the quiet hours of its rules, or counted on another day"}


AGREED = """
    insert into contact_hours (hours_id, customer_id, kind, channel, from_time, to_time, weekdays, given_by, starts_at,
        ends_at, withdrawn_at, recorded_at, recorded_by)
    values (gen_random_uuid(), 'C1', '{kind}', '{channel}', '21:00', '23:00', '[]', '{by}', '2026-05-01', '{ends}',
        {withdrawn}, '{recorded}', 'op');
"""
CONSENT = {"kind": "consent", "channel": "sms", "by": "debtor", "ends": "2026-06-30", "withdrawn": "null",
           "recorded": "2026-05-02"}  # fmt: skip
NO_CONSENT = {
    "asked for, not agreed to": {"kind": "preferred"},
    "another channel": {"channel": "phone"},
    "somebody else's": {"by": "guarantor"},
    "over": {"ends": "2026-05-25 22:00+08"},
    "withdrawn": {"withdrawn": "'2026-05-25 21:00+08'"},
    "entered afterwards": {"recorded": "2026-05-26"},
}
QUIET = "a contact was made in the quiet hours of its rules, or counted on another day"


async def test_a_contact_at_an_hour_that_was_agreed_to_is_lawful_and_no_other(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    at_night = attempt("2026-05-25 22:00+08", "sending")
    async with undone(owner):
        await owner.execute(AGREED.format(**CONSENT) + at_night)
        assert QUIET not in await broken(owner)
    for why, changed in NO_CONSENT.items():
        async with undone(owner):
            await owner.execute(AGREED.format(**CONSENT | changed) + at_night)
            assert QUIET in await broken(owner), why
    async with undone(owner):
        await owner.execute(AGREED.format(**CONSENT) + attempt("2026-05-25 23:00+08", "sending"))
        assert QUIET in await broken(owner), "after the hour that was agreed to"


async def test_what_is_lawful_is_not_reported(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    reported = {}
    for story, rows in LAWFUL.items():
        async with undone(owner):
            await owner.execute(rows)
            reported[story] = await broken(owner) - BESIDE_THE_POINT.get(story, set())
    assert reported == {story: set() for story in LAWFUL}
