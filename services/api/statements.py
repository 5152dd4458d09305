"""Statements of an account in each of its currencies, as its routes answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from services.api.deps import ApiDeps
from services.api.reading import policy_of, scope_of
from shared.adapters.postgres.views.statements import OnRecord, load_on_record
from shared.application.judging import zone_of
from shared.application.principal import Principal
from shared.application.refusals import FieldError, Invalid, NotFound
from shared.domain.calendar import local_date
from shared.domain.statement import Statement, statement_of
from shared.domain.statement_facts import Question

AHEAD = timedelta(days=366)
"""How far ahead a statement may look: beyond it, to say what is due if nothing happens says nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which currency (None: each), which day (None: the customer's today), by what was known when (None: now)."""

    currency: str | None = None
    on: date | None = None
    known_at: datetime | None = None
    entries: bool = True


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement with what we have of its account."""

    of: OnRecord
    zone: str
    statement: Statement


async def statements_of(deps: ApiDeps, caller: Principal, account_id: str, asked: Asked) -> list[Stated]:
    """One for each currency of which something was reported by then. Raises NotFound when there is none, Invalid for a
    day or an instant that makes no sense."""
    found = await load_on_record(deps.pool, account_id, scope_of(caller), asked.currency, asked.known_at)
    if not found:
        raise NotFound("There is no such account, or it is not among yours.")
    stated = []
    for record in found:
        policy = await policy_of(deps, record.policy_version)
        zone = zone_of(record.time_zone, policy)
        question = _question(asked, record.now, zone)
        statement = statement_of(record.subject, record.told, question, policy, with_entries=asked.entries)
        if statement is not None:
            stated.append(Stated(record, zone, statement))
    if not stated:
        raise NotFound("Nothing was known of this account by then.")
    return stated


def _question(asked: Asked, now: datetime, zone: str) -> Question:
    known_at = now if asked.known_at is None else asked.known_at
    if known_at > now:
        raise Invalid("Nobody knows yet what will be known.", errors=[FieldError("known_at", "has not come yet")])
    today = local_date(known_at, zone)
    on = today if asked.on is None else asked.on
    if on > local_date(now, zone) + AHEAD:
        raise Invalid("That is too far ahead.", errors=[FieldError("on", "is more than 366 days ahead")])
    return Question(on, known_at, zone)


def as_json(account_id: str, stated: Sequence[Stated]) -> dict[str, Any]:
    """The encoder reads statements themselves; copies of 700 entries would take longer than all the rest."""
    return {"account_id": account_id, "currencies": [each.statement for each in stated]}
