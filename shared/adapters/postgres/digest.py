"""Two hashes that say whether two runs ended the same: of the facts, and of what we made of them.

A digest is SHA-256 over JSON lines in a fixed order of natural keys. Generated ids and wall-clock times are in no
line, so that the same events, however often, in whatever order and through however many crashes, give the same digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import orjson

from shared.adapters.postgres.book_store import read_account
from shared.domain.delinquency import CURRENT, bucket_on, counted_oldest_due, days_past_due
from shared.domain.policy import Policy, parse_policy

StepKey = tuple[str, int, str, str | None]
"""(customer id, case ordinal, step, anchor): what a follow-up and its message are about."""

PREFETCH = 1000

_ACCOUNTS = """
    select account_id, currency, customer_id, product, card_last4, credit_limit, sequence, cutoff_at, principal,
           interest, fees, penalty, reported_dues::text, dues::text, past_due, oldest_due, estimated, paid_since,
           status, closed_reason, closed_sequence, charged_off_at, charged_off_amount, bucket, bucket_since
    from accounts order by account_id collate "C", currency collate "C"
"""
_MONEY = (
    """
    select 'payment', source, payment_id, account_id, currency, amount, reversed_amount, matched, value_date, posted_at,
           channel
    from payments order by source collate "C", payment_id collate "C"
    """,
    """
    select 'reversal', source, reversal_id, payment_id, account_id, currency, amount, reversed_at
    from reversals where applied order by source collate "C", reversal_id collate "C"
    """,
    """
    select 'waiting', source, id, account_id, currency, type
    from waiting_facts where not applied order by source collate "C", id collate "C"
    """,
    """
    select 'open case', customer_id from cases where state = 'open' order by customer_id collate "C"
    """,
)

# Whether the message was done, failed or suppressed is the message's own line.
_FOLLOW_UPS = """
    select 'follow-up', f.customer_id, k.ordinal, f.step, f.anchor::text, f.policy_version, f.kind,
           case when f.state in ('done', 'failed', 'suppressed') then 'issued' else f.state end
    from follow_ups f join cases k using (case_id)
    order by f.customer_id collate "C", k.ordinal, f.step collate "C", f.anchor, f.policy_version
"""

# What a message with no follow-up is about, less the ids that we made up.
_ABOUT = "regexp_replace(m.about, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '*', 'g')"

# Whether a provider took it, delivered it or never said: one class, because a crash may leave any of them.
_MESSAGES = f"""
    select 'message', m.customer_id, k.ordinal, m.step, m.anchor::text, m.purpose, m.channel,
           case when m.follow_up_id is null then {_ABOUT} end,
           case
               when m.state in ('submitting', 'done', 'in_doubt') then 'sent'
               when m.state = 'failed' and exists (
                   select from attempts a where a.message_id = m.message_id and a.state not in ('rejected', 'released')
               ) then 'sent'
               when m.state = 'suppressed' then 'suppressed: ' || coalesce(m.reason, '')
               else m.state
           end
    from messages m left join cases k using (case_id)
    order by m.customer_id collate "C", k.ordinal nulls first, m.step collate "C", m.anchor nulls first,
             m.purpose collate "C", {_ABOUT} collate "C"
"""  # noqa: S608 - constants only


class NoPolicy(LookupError):
    """There are accounts, and no active policy by which to count their days."""


async def facts_lines(conn: Any, on: date | None = None) -> AsyncIterator[bytes]:
    """A JSON line per account, payment, applied reversal, waiting fact and open case; days past due as of ``on``, or
    of the date of the newest cut-off. ``conn`` must be in a transaction (``snapshot``): a cursor needs one."""
    policy = await _active_policy(conn)
    if policy is not None and on is None:
        on = await conn.fetchval("select (max(cutoff_at) at time zone $1)::date from accounts", policy.default_zone)
    async for row in conn.cursor(_ACCOUNTS, prefetch=PREFETCH):
        if policy is None or on is None:
            raise NoPolicy("no policy is active: start the services once, they load the seed")
        yield _line(_account(row, policy, on))
    for statement in _MONEY:
        async for row in conn.cursor(statement, prefetch=PREFETCH):
            yield _line(list(row))


async def outcome_lines(
    conn: Any,
    on: date | None = None,
    *,
    without_passed_over: bool = False,
    without: Collection[StepKey] = (),
) -> AsyncIterator[bytes]:
    """The lines of the facts, then a line per follow-up and per logical message. Steps in ``without`` are left out with
    their messages: two runs, one of which slept, agree but for the steps that either passed over."""
    async for line in facts_lines(conn, on):
        yield line
    for statement in (_FOLLOW_UPS, _MESSAGES):
        async for row in conn.cursor(statement, prefetch=PREFETCH):
            if tuple(row[1:5]) in without or (without_passed_over and row[-1] == "passed_over"):
                continue
            yield _line(list(row))


async def passed_over(conn: Any) -> frozenset[StepKey]:
    """The steps that are on record as passed over."""
    rows = await conn.fetch(
        """
        select f.customer_id, k.ordinal, f.step, f.anchor::text
        from follow_ups f join cases k using (case_id) where f.state = 'passed_over'
        """
    )
    return frozenset((row[0], row[1], row[2], row[3]) for row in rows)


@asynccontextmanager
async def snapshot(conn: Any) -> AsyncIterator[None]:
    """Read everything as of one instant: the transaction that the lines need, for as long as they need it."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        await conn.execute("set local transaction_timeout = 0")
        yield


async def facts_digest(conn: Any, on: date | None = None) -> str:
    """SHA-256 (hex) over the facts as of one instant. Raises NoPolicy."""
    async with snapshot(conn):
        return await _digest(facts_lines(conn, on))


async def outcome_digest(
    conn: Any,
    on: date | None = None,
    *,
    without_passed_over: bool = False,
    without: Collection[StepKey] = (),
) -> str:
    """SHA-256 (hex) over facts and outcome as of one instant. Raises NoPolicy."""
    async with snapshot(conn):
        return await _digest(outcome_lines(conn, on, without_passed_over=without_passed_over, without=without))


async def _digest(lines: AsyncIterator[bytes]) -> str:
    digest = hashlib.sha256()
    async for line in lines:
        digest.update(line)
    return digest.hexdigest()


async def _active_policy(conn: Any) -> Policy | None:
    document = await conn.fetchval("select document::text from policies where state = 'active'")
    return None if document is None else parse_policy(orjson.loads(document))


def _account(row: Any, policy: Policy, on: date) -> list[Any]:
    columns = list(row)
    columns[12], columns[13] = orjson.loads(columns[12]), orjson.loads(columns[13])
    account = read_account(columns)
    days, bucket = 0, CURRENT
    if account.followed:
        days = days_past_due(counted_oldest_due(account, policy), on, policy.grace.days)
        bucket = bucket_on(account, policy, on)
    return ["account", *columns[:12], *columns[13:20], *columns[21:23], on, days, bucket]


def _line(values: list[Any]) -> bytes:
    return orjson.dumps(values, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
