"""The repayment policy is data, refused with its place when it makes no sense; what is announced has its row."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from shared.domain.authority import Ask, rule_on
from shared.domain.document import DocumentError
from shared.domain.event_types import EVENT_TYPES
from shared.domain.plan_terms import LEGAL_MONTHS, PlanKind
from shared.domain.repayment_policy import parse_repayment
from tests.domain.repayment_news import everything_announced
from tests.domain.seeds import POLICY, REPAYMENT, load

DOCUMENT = load("policies/repayment/card-cn.yaml")


def edited(*path: Any, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


KINDS, OFFERS, AUTHORITIES = ("plans", "kinds"), ("plans", "offers"), ("plans", "authorities")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (edited("version", value=0), r"repayment\.version: must be between 1"),
        (edited("promise", value={}), r"repayment\.promise: is not a known key"),
        (edited("promises", "latest", value=None), r"repayment\.promises\.latest: is missing"),
        (
            edited("promises", "tolerance_amount", value={"RMB": 1}),
            r"promises\.tolerance_amount: 'RMB' is not an active",
        ),
        (edited("promises", "broken", value=0), r"promises\.broken: must be between 1"),
        (edited("plans", "rounding", "mode", value="bankers"), r"plans\.rounding\.mode: 'bankers' is not one of"),
        (edited("plans", "rounding", "unit", value=0), r"plans\.rounding\.unit: must be between 1"),
        (edited(*KINDS, value=[]), r"plans\.kinds: needs kinds"),
        (edited(*KINDS, 1, "kind", value="equal"), r"plans\.kinds: needs kinds of plans, each of them once"),
        (edited(*KINDS, 0, "kind", value="balloon"), r"plans\.kinds\[0\]\.kind: 'balloon' is not one of"),
        (edited(*KINDS, 5, "months", value=61), r"plans\.kinds\[5\]\.months: the law allows .* 60 months at most"),
        (edited(*KINDS, 5, "needs", value=["assessment"]), r"plans\.kinds\[5\]\.needs: .* the contents that the law"),
        (edited(*KINDS, 4, "breaks", "days_late", value=6), r"kinds\[4\]\.breaks\.days_late: is inside the 7 days"),
        (edited(*KINDS, 4, "breaks", "missed", value=0), r"kinds\[4\]\.breaks\.missed: must be between 1"),
        (edited(*KINDS, 0, "frequencies", value=["daily"]), r"kinds\[0\]\.frequencies: 'daily' is not one of"),
        (edited(*OFFERS, 1, "most", value=3), r"plans\.offers\[1\]\.most: must be between 4 and 24"),
        (edited(*OFFERS, 1, "annual_bps", value=1_826), r"plans\.offers\[1\]\.annual_bps: must be between 0 and 1825"),
        (edited(*OFFERS, 1, "kind", value="step_up"), r"offers\[1\]\.kind: is worked out with the customer"),
        (edited(*KINDS, 3, "frequencies", value=["weekly"]), r"offers\[0\]\.kind: is not paid by the month"),
        (edited("plans", "usual_bps", value=300), r"plans\.offers: hardship asks for less than usual_bps"),
        (edited(*AUTHORITIES, 0, "role", value="admin"), r"authorities\[0\]\.role: 'admin' is not one of"),
        (edited(*AUTHORITIES, 1, "role", value="collector"), r"plans\.authorities: needs roles, each of them once"),
        (edited(*AUTHORITIES, 0, "alone", 0, "kinds", value=["x"]), r"authorities\[0\]\.alone\[0\]\.kinds: 'x' is not"),
        (
            edited(*AUTHORITIES, 0, "alone", 0, "amout", value={}),
            r"authorities\[0\]\.alone\[0\]\.amout: is not a known",
        ),
        (edited("settlements", "order", value=["penalty"]), r"settlements\.order: must order all of"),
        (edited("waivers", "components", value=[]), r"waivers\.components: names no component"),
        (edited("approval_days", value="5"), r"repayment\.approval_days: must be a whole number"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_its_place(document: dict[str, Any], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        parse_repayment(document)


def test_the_seed_is_a_value_and_covers_every_kind() -> None:
    assert parse_repayment(copy.deepcopy(DOCUMENT)) == REPAYMENT
    assert set(REPAYMENT.plans.kinds) == set(PlanKind)
    assert REPAYMENT.plans.kinds[PlanKind.PERSONALISED].months == LEGAL_MONTHS


def test_the_buckets_that_limits_name_are_those_of_the_collection_policy() -> None:
    known = {bucket.name for bucket in POLICY.buckets} | {"*"}
    for authorities in (REPAYMENT.settlements.authorities, REPAYMENT.plans.authorities, REPAYMENT.waivers.authorities):
        named = {name for row in authorities for bound in (*row.alone, *row.second) for name in bound.buckets}
        assert named <= known


def test_what_somebody_may_grant_alone_somebody_may_also_approve() -> None:
    for authorities in (REPAYMENT.settlements.authorities, REPAYMENT.plans.authorities, REPAYMENT.waivers.authorities):
        for row in authorities:
            for bound in row.alone:
                for currency, amount in bound.amount.items():
                    for kind in bound.kinds:
                        ask = Ask(kind, {currency: amount}, bound.buckets[0], bound.share_bps or 0, bound.months or 1)
                        assert rule_on(ask, {row.role}, authorities).alone
                        assert rule_on(ask, (), authorities).approvers, "somebody may approve it for a colleague"


def test_what_no_row_covers_is_forbidden() -> None:
    ruling = rule_on(Ask("charges", {"JPY": 1}), {"supervisor"}, REPAYMENT.settlements.authorities)
    assert ruling.forbidden


CHECKS: dict[str, Any] = {
    "uuid": lambda value: str(UUID(value)) == value,
    "text": lambda value: isinstance(value, str),
    "code": lambda value: isinstance(value, str) and value == value.strip() and len(value) <= 40,
    "amount": lambda value: type(value) is int,
    "count": lambda value: type(value) is int and value >= 0,
    "date": lambda value: date.fromisoformat(value).isoformat() == value,
    "instant": lambda value: value.endswith("+00:00"),
    "texts": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "amounts": lambda value: all(set(each) == {"currency", "amount"} for each in value),
}


def test_everything_that_is_announced_has_its_row_with_its_fields_and_no_row_is_idle() -> None:
    seen = set()
    for news in everything_announced():
        row = EVENT_TYPES[news.type]
        seen.add(news.type)
        assert news.topic == row.topic
        assert set(news.data) == set(row.fields), news.type
        assert news.data["customer_id"] == news.customer_id
        for field, form in row.fields.items():
            value = news.data[field]
            assert (value is None and form.endswith("?")) or CHECKS[form.removesuffix("?")](value), (news.type, field)
    about = ("arrears.promise.", "arrears.plan.", "arrears.settlement.", "arrears.waiver.", "arrears.approval.")
    assert {name for name in EVENT_TYPES if name.startswith(about)} - seen == set()
