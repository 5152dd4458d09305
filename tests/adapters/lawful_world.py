"""One customer's story in rows, in which every law holds: the report, a payment, a bounced one, a reminder that went
out, a call on a worklist, the next step planned. Noon of 1 June 2026 in Shanghai."""

from __future__ import annotations

import json

import asyncpg

from shared.domain.contact_rules import parse_rules
from tests.domain.seeds import china_pack, load

CASE = "00000000-0000-8000-8000-0000000000c1"
REMINDED = "00000000-0000-8000-8000-0000000000f1"
CALLED = "00000000-0000-8000-8000-0000000000f2"
COMING = "00000000-0000-8000-8000-0000000000f3"
MESSAGE = "00000000-0000-8000-8000-0000000000e1"
ATTEMPT = "00000000-0000-8000-8000-0000000000a1"
POINT = "00000000-0000-8000-8000-0000000000b1"

ROWS = f"""
insert into business_clock (id, now) values (1, '2026-06-01 12:00+08');
insert into customers (customer_id, time_zone, jurisdiction, cases_opened, created_at, updated_at)
values ('C1', 'Asia/Shanghai', 'CN', 1, '2026-05-25 02:05+08', '2026-05-25 02:05+08');
insert into accounts (account_id, currency, customer_id, product, card_last4, credit_limit, sequence, cutoff_at,
    principal, interest, fees, penalty, reported_dues, dues, past_due, oldest_due, paid_since, estimated, status,
    bucket,
    bucket_since, created_at, updated_at)
values ('A1', 'CNY', 'C1', 'credit-card', '0001', 5000000, 202605, '2026-05-25 02:00+08', 900000, 0, 0, 0,
    '[["2026-05-20", 200000, 130000]]', '[["2026-05-20", 200000, 100000]]', 100000, '2026-05-20', 50000, true, 'open',
    'M1', '2026-05-24', '2026-05-25 02:05+08', '2026-05-27 10:00+08');
insert into payments (source, payment_id, account_id, currency, customer_id, amount, reversed_amount, value_date,
    posted_at,
    last_reversed_at, channel, matched, fingerprint, received_at)
values ('core', 'P0', 'A1', 'CNY', 'C1', 30000, 20000, '2026-05-10', '2026-05-10 10:00+08', '2026-05-27 10:00+08',
        'transfer', true, '', '2026-05-10 10:00+08'),
       ('core', 'P1', 'A1', 'CNY', 'C1', 50000, 0, '2026-05-26', '2026-05-26 11:00+08', null,
        'transfer', true, '', '2026-05-26 11:00+08'),
       ('core', 'P2', 'A9', 'CNY', null, 100, 0, '2026-05-26', '2026-05-26 11:00+08', null,
        'transfer', false, '', '2026-05-26 11:00+08');
insert into reversals (source, reversal_id, payment_id, account_id, currency, amount, reason, reversed_at, applied,
    fingerprint, received_at)
values ('core', 'R0', 'P0', 'A1', 'CNY', 20000, 'bounced', '2026-05-27 10:00+08', true, '', '2026-05-27 10:00+08');
insert into waiting_facts (source, id, account_id, currency, type, data, received_at)
values ('core', 'E9', 'A9', 'CNY', 'account.closed.v1', '{{}}', '2026-05-26 11:00+08');
insert into inbox (consumer, source, id, answer, customer_id, received_at)
values ('intake', 'core', 'E1', 'accepted', 'C1', '2026-05-25 02:05+08'),
       ('scheduler', 'arrears', 'O1', null, null, '2026-05-25 02:05+08');
insert into cases (case_id, customer_id, ordinal, state, bucket, policy_version, opened_at, updated_at)
values ('{CASE}', 'C1', 1, 'open', 'M1', 1, '2026-05-25 02:05+08', '2026-05-25 02:05+08');
insert into case_standings (case_id, seq, at, anchor, past_due, segment)
values ('{CASE}', 1, '2026-05-25 02:05+08', '2026-05-20', '{{"CNY": 130000}}', 'standard');
insert into case_events (customer_id, case_id, at, kind, actor, data)
values ('C1', '{CASE}', '2026-05-25 02:05+08', 'case.opened', 'system', '{{}}'),
       ('C1', '{CASE}', '2026-05-26 11:00+08', 'payment.received', 'core', '{{"source": "core", "payment_id": "P1"}}');
insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard, sent_at)
values (gen_random_uuid(), 'arrears.payment', 'C1', 'arrears.payment.received.v1',
        '{{"source": "core", "payment_id": "P1"}}', '2026-05-26 11:00+08', 1, '2026-05-26 11:00+08'),
       (gen_random_uuid(), 'arrears.reminder', 'C1', 'arrears.reminder.due.v1',
        '{{"message_id": "{MESSAGE}"}}', '2026-05-25 10:00+08', 1, '2026-05-25 10:00+08');
insert into follow_ups (follow_up_id, case_id, customer_id, policy_version, step, anchor, kind, due_at, state,
    decided_at)
values ('{REMINDED}', '{CASE}', 'C1', 1, 'm1-first-sms', '2026-05-20', 'message', '2026-05-25 10:00+08', 'done',
        '2026-05-25 10:00+08'),
       ('{CALLED}', '{CASE}', 'C1', 1, 'm1-call', '2026-05-20', 'call', '2026-05-30 09:30+08', 'issued',
        '2026-05-30 09:30+08'),
       ('{COMING}', '{CASE}', 'C1', 1, 'm1-details-email', '2026-05-20', 'message', '2026-06-04 11:00+08', 'planned',
        '2026-05-30 09:30+08');
insert into work_items (item_id, follow_up_id, case_id, customer_id, kind, step, bucket, past_due, priority, due_on,
    state,
    created_at)
values (gen_random_uuid(), '{CALLED}', '{CASE}', 'C1', 'call', 'm1-call', 'M1', '{{}}', 1, '2026-05-30', 'open',
        '2026-05-30 09:30+08');
insert into messages (message_id, customer_id, case_id, follow_up_id, about, step, anchor, policy_version, purpose,
    template,
    channels, channel, state, not_before, tries, created_at, updated_at)
values ('{MESSAGE}', 'C1', '{CASE}', '{REMINDED}', 'm1-first-sms/2026-05-20', 'm1-first-sms', '2026-05-20', 1,
    'dunning',
        'overdue-first', '["sms"]', 'sms', 'done', '2026-05-25 10:00+08', 1, '2026-05-25 10:00+08',
        '2026-05-25 10:00+08');
insert into attempts (attempt_id, message_id, customer_id, channel, gateway, point_id, state, holder, fence,
    lease_until,
    marked_at, marked_real, outcome_at, template_version, text_sha256)
values ('{ATTEMPT}', '{MESSAGE}', 'C1', 'sms', 'sandbox', '{POINT}', 'accepted', 'n1', 1, '2026-05-25 10:01+08',
        '2026-05-25 10:00+08', '2026-05-25 10:00+08', '2026-05-25 10:00+08', 1, '');
insert into contact_ledger (attempt_id, customer_id, channel, purpose, local_date, at, state)
values ('{ATTEMPT}', 'C1', 'sms', 'dunning', '2026-05-25', '2026-05-25 10:00+08', 'committed');
insert into timers (scope, kind, subject, due_at, rank)
values ('C1', 'bucket_roll', 'A1/CNY', '2026-06-20 00:00+08', 0), ('C1', 'follow_up', '{CASE}',
    '2026-06-04 11:00+08', 9);
"""


async def settle_in(owner: asyncpg.Connection) -> None:
    """Put the story into an empty database, with the policy and the rules that it happened under."""
    policy, rules = load("policies/card-cn.yaml"), parse_rules(china_pack())
    await owner.execute(
        "insert into policies (version, name, document, sha256, state, created_at, created_by)"
        " values (1, 'card-cn', $1::jsonb, '', 'active', now(), 'seed')",
        json.dumps(policy),
    )
    await owner.execute(
        "insert into rule_sets (hash, jurisdiction, document, loaded_at) values ($1, 'CN', $2::jsonb, '2026-01-01')",
        rules.hash,
        json.dumps(china_pack(), default=str),
    )
    await owner.execute(ROWS)
    decision = {"rule_set": rules.label, "facts": {"zone": "Asia/Shanghai"}}
    await owner.execute("update messages set decision = $1::jsonb", json.dumps(decision))
