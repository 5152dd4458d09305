"""Two people for what needs two: nobody decides about their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.approval import Approval, ApprovalRefused, ApprovalState, decide, expire, request, withdraw

ASKED_AT = datetime(2026, 3, 2, 3, tzinfo=UTC)
EXPIRES = ASKED_AT + timedelta(days=5)
PENDING = Approval(
    approval_id=UUID(int=1),
    subject="settlement",
    subject_id="s-1",
    content="abc",
    requested_by="u-7",
    requested_at=ASKED_AT,
    expires_at=EXPIRES,
    approvers=("supervisor", "compliance"),
    customer_id="C1",
    involved=frozenset({"u-8"}),
)


def decided(approval: Approval = PENDING, **changes: Any) -> Any:
    how = {
        "granted": True,
        "by": "u-9",
        "roles": {"supervisor"},
        "at": ASKED_AT + timedelta(hours=1),
        "content": "abc",
        "reason": "fits",
    }
    return decide(approval, **(how | changes))


def test_a_second_person_approves_or_refuses() -> None:
    yes, no = decided(), decided(granted=False, reason="too_much")
    assert (yes.state.state, yes.state.decided_by) == (ApprovalState.APPROVED, "u-9")
    assert (no.state.state, no.state.reason) == (ApprovalState.REFUSED, "too_much")
    assert [news.type for news in yes.announcements] == ["arrears.approval.approved.v1"]
    assert no.announcements[0].data["decided_by"] == "u-9"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"by": "u-7"}, "own-request"),
        ({"by": "u-7", "granted": False}, "own-request"),
        ({"by": "u-8"}, "own-request"),  # who prepared it
        ({"by": " "}, "nobody"),
        ({"roles": {"collector", "admin"}}, "wrong-role"),
        ({"roles": ()}, "wrong-role"),
        ({"at": EXPIRES}, "expired"),
        ({"content": "abd"}, "changed-since"),
    ],
)
def test_who_may_not_decide_does_not(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ApprovalRefused) as refused:
        decided(**changes)
    assert refused.value.code == code


def test_what_was_changed_since_may_be_refused_all_the_same() -> None:
    assert decided(granted=False, content="abd").state.state is ApprovalState.REFUSED


def test_it_is_decided_once() -> None:
    done = decided().state
    for again in (lambda: decided(done), lambda: withdraw(done, "u-7", ASKED_AT, "x"), lambda: request(done)):
        with pytest.raises(ApprovalRefused, match="it is approved"):
            again()


def test_nobodys_decision_expires_it_and_only_in_time() -> None:
    assert expire(PENDING, EXPIRES - timedelta(seconds=1)).announcements == ()
    expired = expire(PENDING, EXPIRES + timedelta(days=3))
    assert (expired.state.state, expired.state.decided_at) == (ApprovalState.EXPIRED, EXPIRES)
    assert expire(expired.state, EXPIRES + timedelta(days=9)).announcements == ()
    assert expire(decided().state, EXPIRES).state.state is ApprovalState.APPROVED


def test_who_asked_may_take_it_back() -> None:
    assert withdraw(PENDING, "u-7", ASKED_AT, "mistake").state.state is ApprovalState.WITHDRAWN
    with pytest.raises(ApprovalRefused, match="by who made it"):
        withdraw(PENDING, "u-9", ASKED_AT, "mistake")


def test_a_request_says_who_asks_and_can_be_decided() -> None:
    assert [news.type for news in request(PENDING).announcements] == ["arrears.approval.requested.v1"]
    for wrong, code in [
        (replace(PENDING, requested_by=""), "nobody"),
        (replace(PENDING, approvers=()), "no-approver"),
        (replace(PENDING, expires_at=ASKED_AT), "expired"),
    ]:
        with pytest.raises(ApprovalRefused) as refused:
            request(wrong)
        assert refused.value.code == code


def test_what_concerns_no_customer_is_not_announced_under_one() -> None:
    release = replace(PENDING, subject="policy", customer_id=None)
    assert request(release).announcements == decided(release).announcements == ()


people = st.sampled_from(["u-1", "u-2", "u-3", "u-4"])


@given(
    asker=people,
    decider=people,
    involved=st.frozensets(people),
    roles=st.sets(st.sampled_from(["collector", "supervisor"])),
)
def test_two_different_people_stand_behind_whatever_is_approved(
    asker: str, decider: str, involved: frozenset[str], roles: set[str]
) -> None:
    asked = replace(PENDING, requested_by=asker, involved=involved)
    try:
        done = decided(asked, by=decider, roles=roles).state
    except ApprovalRefused:
        assert decider == asker or decider in involved or "supervisor" not in roles
        return
    assert done.decided_by not in {asker, *involved}
