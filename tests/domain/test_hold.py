from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.contact import HoldFact
from shared.domain.hold import EFFECTS, Hold, HoldKind, hold_facts

PLACED = datetime(2026, 11, 20, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def hold(kind=HoldKind.COMPLAINT, account=None, ends=None, released=None):
    return Hold("h-1", "c-1", account, kind, "said so", PLACED, ends, released)


@pytest.mark.parametrize(
    ("ends", "released", "last"),
    [(None, None, None), (PLACED + DAY, None, DAY), (None, PLACED + DAY, DAY), (PLACED + 3 * DAY, PLACED + DAY, DAY)],
)
def test_a_hold_is_in_force_from_its_placing_to_its_end_or_release(ends, released, last):
    one = hold(ends=ends, released=released)
    assert not one.active_at(PLACED - timedelta(microseconds=1))
    assert one.active_at(PLACED)
    if last is None:
        assert one.active_at(PLACED + 1000 * DAY)
    else:
        assert one.active_at(PLACED + last - timedelta(microseconds=1))
        assert not one.active_at(PLACED + last)


def test_every_kind_says_what_it_allows_and_none_allows_dunning():
    assert set(EFFECTS) == set(HoldKind)
    assert not any("dunning" in effect.allowed_purposes for effect in EFFECTS.values())


def test_a_performing_plan_leaves_the_reminder_of_the_next_instalment():
    assert "due_reminder" in EFFECTS[HoldKind.PLAN].allowed_purposes
    assert EFFECTS[HoldKind.DECEASED].allowed_purposes == frozenset()


def test_the_gate_is_told_of_holds_in_force_only():
    ended, lasting = hold(ends=PLACED + DAY), hold(HoldKind.ATTORNEY)
    facts = hold_facts([ended, lasting], PLACED + 2 * DAY)
    assert facts == (HoldFact("attorney", frozenset({"answer", "statutory_notice"}), None),)
    assert hold_facts([ended], PLACED)[0].until == PLACED + DAY


def test_a_hold_stops_the_ladder_of_what_it_covers_while_it_is_in_force():
    of_one_account = hold(HoldKind.DISPUTE, account="a-1")
    assert of_one_account.effect.stops_ladder
    assert of_one_account.covers("a-1")
    assert not of_one_account.covers("a-2")
    assert hold().covers("a-2")
    assert not hold(HoldKind.LEGAL_ONLY).effect.stops_ladder
    assert not hold(released=PLACED).active_at(PLACED)
