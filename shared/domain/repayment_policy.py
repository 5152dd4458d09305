"""The repayment policy: promises, plans, settlements, waivers and approvals, read from one document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.document import Section, content_hash
from shared.domain.plan_terms import PlanPolicy, read_plan_policy
from shared.domain.promise import PromisePolicy, read_promise_policy
from shared.domain.settlement_policy import (
    SettlementPolicy,
    WaiverPolicy,
    read_settlement_policy,
    read_waiver_policy,
)


@dataclass(frozen=True, slots=True)
class RepaymentPolicy:
    """One version. ``approval_days`` a request waits for a second person; ``hash`` is the document's SHA-256."""

    version: int
    name: str
    promises: PromisePolicy
    plans: PlanPolicy
    settlements: SettlementPolicy
    waivers: WaiverPolicy
    approval_days: int
    hash: str = ""


def parse_repayment(document: Mapping[str, Any]) -> RepaymentPolicy:
    """Raises DocumentError, for example ``repayment.plans.kinds[2].months: must be between 1 and 600``."""
    root = Section(document, "repayment")
    version = root.whole("version", low=1)
    policy = RepaymentPolicy(
        version=version,
        name=root.text("name"),
        promises=read_promise_policy(root.section("promises"), version),
        plans=read_plan_policy(root.section("plans"), version),
        settlements=read_settlement_policy(root.section("settlements"), version),
        waivers=read_waiver_policy(root.section("waivers"), version),
        approval_days=root.whole("approval_days", low=1, high=90),
        hash=content_hash(document),
    )
    root.finish()
    return policy
