"""An instant is the same by whatever clock it is told; what was taken before that was so is known as it was told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shared.application.facts import InboundEvent, fingerprint, read_event, typed_fact
from tests.application.bank import NOW, Bank, charge_off, event, payment, report, reversal

Fact = tuple[str, dict[str, Any]]

FACTS = [
    (payment(posted="2026-06-26T10:00:00+08:00"), "posted_at", "2026-06-26T02:00:00Z"),
    (reversal(at="2026-06-28T10:00:00+08:00"), "reversed_at", "2026-06-28T02:00:00Z"),
    (report(cutoff="2026-06-25T02:00:00+08:00"), "cutoff_at", "2026-06-24T18:00:00Z"),
    (charge_off(), "charged_off_at", "2026-06-29T02:00:00Z"),
]
NAMES = ["payment", "reversal", "report", "charge-off"]


def elsewhere(fact: Fact, field: str, instant: str) -> Fact:
    """The same, told by another clock."""
    return fact[0], fact[1] | {field: instant}


@pytest.mark.parametrize(("fact", "field", "instant"), FACTS, ids=NAMES)
async def test_one_instant_by_another_clock_is_the_same_content(bank: Bank, fact: Fact, field: str, instant: str):
    (first,) = bank.made(fact)
    await bank.send([first])
    again = elsewhere(fact, field, instant)
    (verdict,) = await bank.send([first | {"data": again[1]}])
    assert verdict.answer == "duplicate"
    assert await bank.say(again) == ["duplicate"]
    assert await bank.say(elsewhere(fact, field, instant.replace("00:00Z", "00:01Z"))) == ["conflict"]


@pytest.mark.parametrize(("fact", "field", "instant"), FACTS[:3], ids=NAMES[:3])
async def test_what_was_taken_before_instants_were_compared_is_known_as_it_was_told(
    bank: Bank, fact: Fact, field: str, instant: str
):
    (first,) = bank.made(fact)
    await bank.send([first])
    as_told = fingerprint(fact[0], typed_fact(fact[0], msgspec.json.encode(fact[1])))
    for table in ("inbox", "payments", "reversals", "snapshots"):
        await bank.pool.execute(f"update {table} set fingerprint = $1", as_told)
    (verdict,) = await bank.send([first])
    assert verdict.answer == "duplicate"
    assert await bank.say(fact) == ["duplicate"]
    assert await bank.say((fact[0], fact[1] | {field: instant.replace("00:00Z", "00:01Z")})) == ["conflict"]


@pytest.mark.parametrize(("fact", "field", "instant"), FACTS, ids=NAMES)
def test_the_fingerprint_of_what_is_told_by_utc_stays_what_it_was(fact: Fact, field: str, instant: str):
    kind, data = elsewhere(fact, field, instant)
    read = read_event(msgspec.json.encode(event(kind, data, event_id="e1")), NOW)
    assert isinstance(read, InboundEvent)
    assert read.fingerprint == fingerprint(kind, typed_fact(kind, msgspec.json.encode(data)))
