"""What a policy says about giving up a part of the debt: by whom, how much, how long an offer stands."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.authority import Authority, read_authorities
from shared.domain.document import DocumentError, Section
from shared.domain.plan_coverage import BreakRule, read_break_rule
from shared.domain.policy import COMPONENTS

GIVES_UP = ("charges", "principal")
"""What a row of limits is about: a settlement that leaves the principal whole, or one that does not."""


@dataclass(frozen=True, slots=True)
class SettlementPolicy:
    """``offer_days`` an offer stands, ``first_within`` days the first payment is due in, ``months`` it lasts at most.
    ``order`` names the components in the order in which they are given up. After ``breached`` broken settlements no
    new one is offered unless somebody with the right to waives it."""

    offer_days: int
    first_within: int
    months: int
    order: tuple[str, ...]
    breached: int
    breaks: BreakRule
    authorities: tuple[Authority, ...]
    version: int = 1


@dataclass(frozen=True, slots=True)
class WaiverPolicy:
    """Who may let a customer off how much of a component without a settlement. ``components`` may be waived at all;
    what was waived ``within_days`` before counts towards the limits."""

    components: tuple[str, ...]
    within_days: int
    authorities: tuple[Authority, ...]
    version: int = 1


def read_settlement_policy(section: Section, version: int) -> SettlementPolicy:
    """Raises DocumentError naming the place."""
    policy = SettlementPolicy(
        offer_days=section.whole("offer_days", low=1, high=366),
        first_within=section.whole("first_within", low=1, high=366),
        months=section.whole("months", low=1, high=120),
        order=section.words("order", COMPONENTS),
        breached=section.whole("breached", low=1, high=100),
        breaks=read_break_rule(section.section("breaks")),
        authorities=read_authorities(section, GIVES_UP),
        version=version,
    )
    section.finish()
    if len(policy.order) != len(COMPONENTS):
        raise DocumentError(section.at("order"), f"must order all of {', '.join(COMPONENTS)}")
    return policy


def read_waiver_policy(section: Section, version: int) -> WaiverPolicy:
    """Raises DocumentError naming the place."""
    policy = WaiverPolicy(
        section.words("components", COMPONENTS),
        section.whole("within_days", low=1, high=3660),
        read_authorities(section, COMPONENTS),
        version,
    )
    section.finish()
    if not policy.components:
        raise DocumentError(section.at("components"), "names no component")
    return policy
