"""Waivers: who may let a customer off how much of which charges."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.domain.waiver import Waiver, WaiverRefused, WaiverState, grant, propose, withdraw
from tests.domain.agreements import RECKONED_AT, TODAY, debt
from tests.domain.seeds import REPAYMENT
from tests.domain.test_settlement import OLD_DEBT, words


def waiver(component: str = "penalty", amount: int = 10_000) -> Waiver:
    return Waiver(
        waiver_id=UUID(int=5),
        customer_id="C1",
        debt=OLD_DEBT,
        component=component,
        amount=amount,
        cause="bank_error",
        proposed_by="u-7",
        proposed_on=TODAY,
    )


def granted(**more: Any) -> Waiver:
    return replace(waiver(), state=WaiverState.GRANTED, granted_by="u-7", granted_at=RECKONED_AT, **more)


def test_a_small_waiver_is_granted_at_once() -> None:
    outcome = propose(waiver(), {"collector"}, REPAYMENT.waivers, RECKONED_AT)
    assert words(outcome) == ["proposed", "granted"]
    assert (outcome.state.state, outcome.state.granted_by) == (WaiverState.GRANTED, "u-7")


def test_a_larger_one_waits_for_a_second_person() -> None:
    outcome = propose(waiver(amount=10_001), {"collector"}, REPAYMENT.waivers, RECKONED_AT)
    assert (outcome.state.state, outcome.state.approvers) == (WaiverState.PROPOSED, ("supervisor", "compliance"))
    assert words(grant(outcome.state, "u-9", RECKONED_AT, OLD_DEBT)) == ["granted"]
    refused = withdraw(outcome.state, "refused")
    assert words(refused) == ["withdrawn"]
    with pytest.raises(WaiverRefused, match="withdrawn can not be granted"):
        grant(refused.state, "u-9", RECKONED_AT, OLD_DEBT)


def test_a_limit_is_not_passed_in_small_steps() -> None:
    half = waiver(amount=5_000)
    again = propose(half, {"collector"}, REPAYMENT.waivers, RECKONED_AT, earlier=[granted(amount=5_001)])
    assert again.state.state is WaiverState.PROPOSED
    elsewhere = [
        granted(amount=5_001, component="fees"),
        granted(amount=5_001, debt=replace(OLD_DEBT, account_id="A9")),
        granted(amount=5_001, proposed_on=TODAY - timedelta(days=REPAYMENT.waivers.within_days)),
        replace(withdraw(waiver(), "mistake").state, amount=5_001),
    ]
    assert (
        propose(half, {"collector"}, REPAYMENT.waivers, RECKONED_AT, earlier=elsewhere).state.granted_at == RECKONED_AT
    )


def test_one_waits_at_a_time() -> None:
    waiting = propose(waiver(amount=10_001), {"collector"}, REPAYMENT.waivers, RECKONED_AT).state
    with pytest.raises(WaiverRefused, match="waits for a second person"):
        propose(waiver(amount=1), {"collector"}, REPAYMENT.waivers, RECKONED_AT, earlier=[waiting])


def test_what_was_paid_meanwhile_is_not_waived_any_more() -> None:
    waiting = propose(waiver(amount=20_000), {"collector"}, REPAYMENT.waivers, RECKONED_AT).state
    with pytest.raises(WaiverRefused, match="between 1 and the 19999 that are owed"):
        grant(waiting, "u-9", RECKONED_AT, debt(1, penalty=19_999))


@pytest.mark.parametrize(
    ("component", "amount", "code"),
    [
        ("principal", 1, "component"),
        ("penalty", 30_001, "amount"),
        ("penalty", 0, "amount"),
    ],
)
def test_what_is_not_owed_or_not_waived_is_refused(component: str, amount: int, code: str) -> None:
    with pytest.raises(WaiverRefused) as refused:
        propose(waiver(component, amount), {"supervisor"}, REPAYMENT.waivers, RECKONED_AT)
    assert refused.value.code == code


def test_what_nobody_may_waive_is_refused() -> None:
    huge = replace(waiver("interest", 6_000_000), debt=debt(1, interest=9_000_000))
    with pytest.raises(WaiverRefused, match="nobody's limit"):
        propose(huge, {"supervisor"}, REPAYMENT.waivers, RECKONED_AT)
    assert waiver().fingerprint != waiver(amount=9_999).fingerprint
