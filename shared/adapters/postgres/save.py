"""Write a book's changes: a copy per table of many rows, and one statement for all that is left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from shared.adapters.postgres.agreement_store import AgreementTables
from shared.adapters.postgres.book_store import write_dues
from shared.adapters.postgres.profile_store import ProfileTables
from shared.adapters.postgres.rows import RawJson, Rows, Together, set_all
from shared.adapters.postgres.shards import new_event_ids, shard_of
from shared.application.book import Changes, Payment
from shared.domain.case import Case
from shared.domain.inbound import ReportedCustomer

TIMER_RANKS = {
    "bucket_roll": 0,
    "hold_end": 1,
    "promise_due": 1,
    "complaint_acknowledge": 2,
    "complaint_answer": 3,
    "follow_up": 9,
}

_ACCOUNT_COLUMNS = {
    "account_id": "text",
    "currency": "text",
    "customer_id": "text",
    "product": "text",
    "card_last4": "text",
    "credit_limit": "bigint",
    "sequence": "bigint",
    "cutoff_at": "timestamptz",
    "principal": "bigint",
    "interest": "bigint",
    "fees": "bigint",
    "penalty": "bigint",
    "reported_dues": "jsonb",
    "dues": "jsonb",
    "past_due": "bigint",
    "oldest_due": "date",
    "paid_since": "bigint",
    "estimated": "boolean",
    "status": "text",
    "closed_reason": "text",
    "closed_sequence": "bigint",
    "charged_off_at": "timestamptz",
    "charged_off_amount": "bigint",
    "bucket": "text",
    "bucket_since": "date",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
_NEW_ACCOUNTS = Rows("arrears.accounts", _ACCOUNT_COLUMNS)
_ACCOUNTS = Rows(
    "arrears.accounts",
    _ACCOUNT_COLUMNS,
    "on conflict (account_id, currency) do update set "
    + set_all(*[name for name in _ACCOUNT_COLUMNS if name not in ("account_id", "currency", "created_at")])
    + ", row_version = accounts.row_version + 1",
)
_SNAPSHOTS = Rows(
    "arrears.snapshots",
    {
        "account_id": "text",
        "currency": "text",
        "sequence": "bigint",
        "cutoff_at": "timestamptz",
        "received_at": "timestamptz",
        "stale": "boolean",
        "fingerprint": "bytea",
        "body": "jsonb",
    },
)
_PAYMENT_COLUMNS = {
    "source": "text",
    "payment_id": "text",
    "account_id": "text",
    "currency": "text",
    "customer_id": "text",
    "amount": "bigint",
    "reversed_amount": "bigint",
    "value_date": "date",
    "posted_at": "timestamptz",
    "last_reversed_at": "timestamptz",
    "channel": "text",
    "matched": "boolean",
    "fingerprint": "bytea",
    "received_at": "timestamptz",
}
_NEW_PAYMENTS = Rows("arrears.payments", _PAYMENT_COLUMNS)
_PAYMENTS = Rows(
    "arrears.payments",
    _PAYMENT_COLUMNS,
    "on conflict (source, payment_id) do update set "
    + set_all("customer_id", "reversed_amount", "last_reversed_at", "matched"),
)
_REVERSALS = Rows(
    "arrears.reversals",
    {
        "source": "text",
        "reversal_id": "text",
        "payment_id": "text",
        "account_id": "text",
        "currency": "text",
        "amount": "bigint",
        "reason": "text",
        "reversed_at": "timestamptz",
        "applied": "boolean",
        "fingerprint": "bytea",
        "received_at": "timestamptz",
    },
    "on conflict (source, reversal_id) do update set " + set_all("applied"),
)
_WAITING = Rows(
    "arrears.waiting_facts",
    {
        "source": "text",
        "id": "text",
        "account_id": "text",
        "currency": "text",
        "type": "text",
        "data": "jsonb",
        "applied": "boolean",
        "received_at": "timestamptz",
    },
    "on conflict (source, id) do update set " + set_all("applied"),
)
_BUCKETS = Rows(
    "arrears.bucket_history",
    {
        "account_id": "text",
        "currency": "text",
        "bucket": "text",
        "previous": "text",
        "entered_on": "date",
        "recorded_at": "timestamptz",
        "case_id": "uuid",
    },
)
_CASE_COLUMNS = {
    "case_id": "uuid",
    "customer_id": "text",
    "ordinal": "int",
    "state": "text",
    "bucket": "text",
    "policy_version": "int",
    "opened_at": "timestamptz",
    "reopened_at": "timestamptz",
    "reopenings": "smallint",
    "ended_at": "timestamptz",
    "end_reason": "text",
    "updated_at": "timestamptz",
}
_NEW_CASES = Rows("arrears.cases", _CASE_COLUMNS)
_CASES = Rows(
    "arrears.cases",
    _CASE_COLUMNS,
    "on conflict (case_id) do update set "
    + set_all("state", "bucket", "reopened_at", "reopenings", "ended_at", "end_reason", "updated_at")
    + ", row_version = cases.row_version + 1",
)
_STANDINGS = Rows(
    "arrears.case_standings",
    {
        "case_id": "uuid",
        "seq": "int",
        "at": "timestamptz",
        "anchor": "date",
        "past_due": "jsonb",
        "segment": "text",
        "zone": "text",
        "held": "jsonb",
    },
)
_TIMELINE = Rows(
    "arrears.case_events",
    {"customer_id": "text", "case_id": "uuid", "at": "timestamptz", "kind": "text", "actor": "text", "data": "jsonb"},
)
_TIMER_COLUMNS = {"scope": "text", "kind": "text", "subject": "text", "due_at": "timestamptz", "rank": "smallint"}
_NEW_TIMERS = Rows("arrears.timers", _TIMER_COLUMNS)
_TIMERS = Rows(
    "arrears.timers",
    _TIMER_COLUMNS,
    "on conflict (scope, kind, subject) do update set due_at = excluded.due_at, was_due_at = null"
    " where timers.due_at is distinct from excluded.due_at",
)
_OUTBOX = Rows(
    "arrears.outbox",
    {
        "id": "uuid",
        "aggregatetype": "text",
        "aggregateid": "text",
        "type": "text",
        "payload": "jsonb",
        "at": "timestamptz",
        "shard": "smallint",
    },
)


class SaveTables(ProfileTables, AgreementTables):
    """``announced`` rises with every outbox row; the unit of work wakes the relay by it."""

    announced: int = 0

    async def save(self, changes: Changes, profiles: Mapping[str, ReportedCustomer] | None = None) -> None:
        conn, now = Together(self.conn), self.now
        await self.save_customers(changes.customers, changes.new_customers, profiles or {})
        new, known = _parted(changes.accounts, changes.new_accounts)
        await _NEW_ACCOUNTS.write(conn, (_account_row(account, now) for account in new))
        await _ACCOUNTS.write(conn, (_account_row(account, now) for account in known))
        await _SNAPSHOTS.write(
            conn,
            (
                (s.account_id, s.currency, s.sequence, s.cutoff_at, now, s.stale, s.fingerprint, s.body)
                for s in changes.snapshots
            ),
        )
        await self._save_money(conn, changes)
        if changes.merges:
            await conn.send()
        for merger in changes.merges:
            await self.merge_customer(*merger)
        if changes.handed_on:
            await self.hand_on_holds(changes.handed_on)
        if changes.noted_holds:
            await self.note_holds(changes.noted_holds)
        await self._save_cases(conn, changes)
        await self.save_agreements(conn, changes)
        await self._save_timers(conn, changes)
        await self._save_news(conn, changes)
        await conn.send()

    async def _save_money(self, conn: Together, changes: Changes) -> None:
        now = self.now
        new, known = _parted(changes.payments, changes.new_payments)
        await _NEW_PAYMENTS.write(conn, (_payment_row(payment, now) for payment in new))
        await _PAYMENTS.write(conn, (_payment_row(payment, now) for payment in known))
        await _REVERSALS.write(
            conn,
            (
                (
                    r.source,
                    r.reversal_id,
                    r.payment_id,
                    r.account_id,
                    r.currency,
                    r.amount,
                    r.reason,
                    r.reversed_at,
                    r.applied,
                    r.fingerprint,
                    now,
                )
                for r in changes.reversals.values()
            ),
        )
        await _WAITING.write(
            conn,
            (
                (w.source, w.id, w.account_id, w.currency, w.type, RawJson(w.data), w.applied, now)
                for w in changes.waiting.values()
            ),
        )

    async def _save_cases(self, conn: Together, changes: Changes) -> None:
        now = self.now
        new, known = _parted(changes.cases, changes.new_cases)
        await _NEW_CASES.write(conn, (_case_row(case, now) for case in new))
        await _CASES.write(conn, (_case_row(case, now) for case in known))
        await _STANDINGS.write(
            conn,
            (
                (case_id, seq, s.at, s.anchor, s.past_due, s.segment, s.zone, list(s.held) or None)
                for case_id, seq, s in changes.standings
            ),
        )
        await _BUCKETS.write(
            conn,
            (
                (b.account_id, b.currency, b.bucket, b.previous, b.entered_on, now, case_id)
                for b, case_id in changes.buckets
            ),
        )

    async def _save_timers(self, conn: Together, changes: Changes) -> None:
        strangers = changes.new_customers  # they have no timers yet
        gone = [key for key, due_at in changes.timers.items() if due_at is None and key.scope not in strangers]
        if gone:
            await conn.execute(
                """
                delete from timers t using unnest($1::text[], $2::text[], $3::text[]) as k(scope, kind, subject)
                where t.scope = k.scope and t.kind = k.kind and t.subject = k.subject
                """,
                [key.scope for key in gone],
                [key.kind for key in gone],
                [key.subject for key in gone],
            )
        coming = [
            (key.scope, key.kind, key.subject, due_at, TIMER_RANKS.get(key.kind, 5))
            for key, due_at in changes.timers.items()
            if due_at is not None
        ]
        await _NEW_TIMERS.write(conn, [timer for timer in coming if timer[0] in strangers])
        await _TIMERS.write(conn, [timer for timer in coming if timer[0] not in strangers])

    async def _save_news(self, conn: Together, changes: Changes) -> None:
        await _TIMELINE.write(
            conn,
            (
                (entry.customer_id, entry.case_id, self.now, entry.kind, entry.actor, entry.data)
                for entry in changes.timeline
            ),
        )
        self.announced += len(changes.announcements)
        await _OUTBOX.write(
            conn,
            (
                (event_id, a.topic, a.customer_id, a.type, a.data, self.now, shard_of(a.customer_id))
                for event_id, a in zip(new_event_ids(len(changes.announcements)), changes.announcements, strict=True)
            ),
        )


def _parted(rows: Mapping[Any, Any], new: Collection[Any]) -> tuple[list[Any], list[Any]]:
    """What is there for the first time and what was there before: copying in is several times quicker than merging."""
    return [row for key, row in rows.items() if key in new], [row for key, row in rows.items() if key not in new]


def _payment_row(p: Payment, now: datetime) -> tuple[Any, ...]:
    return (
        p.source,
        p.payment_id,
        p.account_id,
        p.currency,
        p.customer_id,
        p.amount,
        p.reversed_amount,
        p.value_date,
        p.posted_at,
        p.last_reversed_at,
        p.channel,
        p.matched,
        p.fingerprint,
        now,
    )


def _case_row(c: Case, now: datetime) -> tuple[Any, ...]:
    return (
        c.case_id,
        c.customer_id,
        c.ordinal,
        c.state,
        c.bucket,
        c.policy_version,
        c.opened_at,
        c.reopened_at,
        c.reopenings,
        c.ended_at,
        c.end_reason,
        now,
    )


def _account_row(a: Any, now: Any) -> tuple[Any, ...]:
    return (
        a.account_id,
        a.currency,
        a.customer_id,
        a.product,
        a.card_last4,
        a.credit_limit,
        a.sequence,
        a.cutoff_at,
        a.balances.principal,
        a.balances.interest,
        a.balances.fees,
        a.balances.penalty,
        write_dues(a.reported_dues),
        write_dues(a.standing.dues),
        a.standing.past_due,
        a.standing.oldest_due,
        a.paid_since,
        a.standing.estimated,
        a.status,
        a.closed_reason,
        a.closed_sequence,
        a.charged_off_at,
        a.charged_off_amount,
        a.bucket,
        a.bucket_since,
        now,
        now,
    )
