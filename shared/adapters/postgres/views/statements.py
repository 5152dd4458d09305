"""What a statement of an account is made from: every report, payment, reversal, dispute and waiver that was granted,
each with when it came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson

from shared.adapters.postgres.views.clauses import BUSINESS_NOW, Scope, Where
from shared.domain.account import Due
from shared.domain.allocation_entries import (
    ChargeOffEntry,
    DisputeEndEntry,
    DisputeEntry,
    Part,
    PaymentEntry,
    ReversalEntry,
    SnapshotEntry,
    WaiverEntry,
)
from shared.domain.statement import Subject
from shared.domain.statement_facts import Told


@dataclass(frozen=True, slots=True)
class OnRecord:
    """All we have of one account, with what else its statement takes: the version of the policy, the customer's zone
    and language, the instant."""

    subject: Subject
    told: tuple[Told, ...]
    customer_id: str
    product: str
    card_last4: str
    policy_version: int | None
    time_zone: str | None
    language: str | None
    now: datetime


async def load_on_record(
    conn: Any, account_id: str, scope: Scope, currency: str | None, known_at: datetime | None = None
) -> list[OnRecord]:
    """The account in each of its currencies, by currency; all of it as of one instant of the database. The policy is
    that of the case that was open at ``known_at``, else the newest one there was."""
    where = Where()
    statement = _ON_RECORD.format(known_at=where.arg(known_at))
    where.sees_customer("a.customer_id", scope).add("a.account_id = {}", account_id)
    where.given("a.currency = {}", currency)
    rows = await conn.fetch(f"{statement} {where} order by a.currency", *where.args)
    return [_read(row) for row in rows]


async def load_told(conn: Any, customer_ids: list[str]) -> dict[tuple[str, str], tuple[Told, ...]]:
    """All that was told of the customers' accounts, by account and currency."""
    where = Where()
    statement = _ON_RECORD.format(known_at=where.arg(None))
    where.add("a.customer_id = any({}::text[])", customer_ids)
    found = [_read(row) for row in await conn.fetch(f"{statement} {where}", *where.args)]
    return {(each.subject.account_id, each.subject.currency): each.told for each in found}


_ON_RECORD = f"""
    select a.currency, a.account_id, a.customer_id, a.product, a.card_last4,
        coalesce(
            (select c.policy_version from cases c where c.customer_id = a.customer_id
             and c.opened_at <= coalesce({{known_at}}::timestamptz, {BUSINESS_NOW})
             and (c.state = 'open' or c.ended_at > {{known_at}}) order by c.ordinal desc limit 1),
            (select max(p.version) from policies p where p.created_at <= {{known_at}} and p.state <> 'draft')),
        u.time_zone, u.language, {BUSINESS_NOW}, a.status = 'closed', a.charged_off_at,
        (select json_agg(json_build_array(
                s.sequence, s.cutoff_at, s.received_at, s.stale, s.body->'balances', s.body->'dues'))
         from snapshots s where s.account_id = a.account_id and s.currency = a.currency)::text,
        (select json_agg(json_build_array(
                p.source, p.payment_id, p.amount, p.value_date, p.posted_at, p.received_at))
         from payments p where p.account_id = a.account_id and p.currency = a.currency)::text,
        (select json_agg(json_build_array(
                r.source, r.reversal_id, r.payment_id, r.amount, r.reversed_at, r.received_at,
                case when not r.applied then (select p.received_at from payments p
                    where p.source = r.source and p.payment_id = r.payment_id) end))
         from reversals r where r.account_id = a.account_id and r.currency = a.currency)::text,
        (select json_agg(json_build_array(
                h.hold_id, h.disputed->>'component', (h.disputed->>'amount')::bigint, h.placed_at,
                least(h.released_at, h.ends_at)))
         from holds h where h.customer_id = a.customer_id and h.account_id = a.account_id
         and h.disputed->>'currency' = a.currency)::text,
        (select json_agg(json_build_array(e.kind, e.at) order by e.at) from case_events e
         where e.customer_id = a.customer_id and e.kind in ('account.charged_off', 'account.closed')
         and e.data->>'account_id' = a.account_id and e.data->>'currency' = a.currency)::text,
        (select json_agg(json_build_array(w.waiver_id, w.component, w.amount, w.granted_at))
         from waivers w where w.customer_id = a.customer_id and w.account_id = a.account_id
         and w.currency = a.currency and w.state = 'granted')::text
    from accounts a join customers u on u.customer_id = a.customer_id
"""  # noqa: S608 - built of our own pieces


def _read(row: Any) -> OnRecord:
    now, closed, charged_off_at = row[8:11]
    snapshots, payments, reversals, disputes, events, waivers = (
        orjson.loads(part) if part else [] for part in row[11:17]
    )
    told = [*_snapshots(snapshots), *_payments(payments), *_reversals(reversals), *_disputes(disputes)]
    told += _waivers(waivers)
    learned: dict[str, list[datetime]] = {"account.closed": [], "account.charged_off": []}
    for kind, at in events:
        learned[kind].append(_instant(at))
    if charged_off_at is not None:
        told.append(Told(ChargeOffEntry(charged_off_at), max(learned["account.charged_off"], default=charged_off_at)))
    opened = sorted(_instant(each[2]) for each in snapshots if not each[3])
    spans = tuple(_closed(learned["account.closed"], opened, closed=closed, now=now))
    return OnRecord(Subject(row[1], row[0], spans), tuple(told), *row[2:9])


def _closed(
    at: list[datetime], opened: list[datetime], *, closed: bool, now: datetime
) -> Iterator[tuple[datetime, datetime | None]]:
    """The spans for which it was closed: a newer report opens it. One that changed hands has its closing on the
    timeline of who had it; then it counts for whatever day is asked."""
    last = max(at, default=datetime.min.replace(tzinfo=now.tzinfo))
    for begin in at:
        if begin < last:
            yield begin, next((each for each in opened if each > begin), last)
    if closed:
        yield last, None
    elif at:
        yield last, next((each for each in opened if each > last), last)


def _snapshots(rows: Iterable[list[Any]]) -> Iterator[Told]:
    for sequence, cutoff_at, received_at, _, balances, dues in rows:
        parts = tuple(Part(name, amount) for name, amount in balances.items())
        read = tuple(Due(date.fromisoformat(due[0]), due[1], due[2]) for due in dues)
        yield Told(SnapshotEntry(sequence, _instant(cutoff_at), parts, read), _instant(received_at))


def _payments(rows: Iterable[list[Any]]) -> Iterator[Told]:
    for source, payment_id, amount, value_date, posted_at, received_at in rows:
        entry = PaymentEntry(source, payment_id, amount, date.fromisoformat(value_date), _instant(posted_at))
        yield Told(entry, _instant(received_at))


def _reversals(rows: Iterable[list[Any]]) -> Iterator[Told]:
    """One that waited for its payment and did not fit it was one only until that came."""
    for source, reversal_id, payment_id, amount, reversed_at, received_at, misfit_at in rows:
        entry = ReversalEntry(source, reversal_id, payment_id, amount, _instant(reversed_at))
        yield Told(entry, _instant(received_at), None if misfit_at is None else _instant(misfit_at))


def _disputes(rows: Iterable[list[Any]]) -> Iterator[Told]:
    """The end of one counts when it has come, whether by itself or by a person."""
    for hold_id, component, amount, placed_at, over_at in rows:
        opened_at = _instant(placed_at)
        yield Told(DisputeEntry(hold_id, component, amount, opened_at), opened_at)
        if over_at is not None:
            closed_at = _instant(over_at)
            yield Told(DisputeEndEntry(hold_id, closed_at), closed_at)


def _waivers(rows: Iterable[list[Any]]) -> Iterator[Told]:
    for waiver_id, component, amount, granted_at in rows:
        granted = _instant(granted_at)
        yield Told(WaiverEntry(waiver_id, component, amount, granted), granted)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
