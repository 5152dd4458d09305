"""In which order a payment covers what is owed: the issuer's order, as data.

China's switch is part of it (Measures for credit-card business, CBRC order 2011 no. 2): interest and fees come before
principal up to the 90th day past due, principal first from the 91st. The order inside each group is the issuer's own,
written in its card terms. Billed parts come before unbilled ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.document import DocumentError, Section
from shared.domain.ladder import rising
from shared.domain.policy import COMPONENTS, AllocationOrder, Policy


@dataclass(frozen=True, slots=True)
class AllocationScheme:
    """``components`` are all parts that a balance may have; every order names each of them once.

    ``orders`` are asked by days past due, ``recovery`` holds for an account that was charged off. ``billed_first``: all
    billed parts in their order, then all unbilled ones; otherwise each component's billed part is followed by its
    unbilled one. ``verified`` says whether somebody read the order in the issuer's terms, ``source`` where.
    """

    issuer: str
    components: tuple[str, ...]
    orders: tuple[AllocationOrder, ...]
    recovery: tuple[str, ...]
    billed_first: bool = True
    verified: bool = False
    source: str = ""

    def order_at(self, dpd: int, *, charged_off: bool = False) -> tuple[str, ...]:
        if charged_off:
            return self.recovery
        return next(each.order for each in self.orders if each.till_dpd is None or dpd <= each.till_dpd)


def scheme_of(policy: Policy) -> AllocationScheme:
    """The order of the policy itself, over the four parts that core banking reports; what was charged off is followed
    in the policy's last order."""
    last = policy.allocation[-1].order
    return AllocationScheme("*", COMPONENTS, policy.allocation, last, verified=True, source=f"policy {policy.name}")


def parse_allocation(document: Mapping[str, Any]) -> Mapping[str, AllocationScheme]:
    """Issuers' own schemes, by issuer. Raises DocumentError naming the place, for example
    ``allocation.issuers[0].orders[1].order: must order all of ...``."""
    root = Section(document, "allocation")
    root.text("name")
    root.whole("version", low=1)
    schemes = [_scheme(section) for section in root.sections("issuers")]
    root.finish()
    by_issuer = {scheme.issuer: scheme for scheme in schemes}
    if not schemes or len(by_issuer) != len(schemes):
        raise DocumentError(root.at("issuers"), "needs issuers, each of them once")
    return by_issuer


def _scheme(section: Section) -> AllocationScheme:
    components = section.words("components")
    if not components:
        raise DocumentError(section.at("components"), "names no component")
    scheme = AllocationScheme(
        issuer=section.text("issuer"),
        components=components,
        orders=_orders(section, components),
        recovery=_order(section, "recovery", components),
        billed_first=section.flag("billed_first", default=True),
        verified=section.flag("verified"),
        source=section.text("source"),
    )
    section.finish()
    return scheme


def _orders(section: Section, components: tuple[str, ...]) -> tuple[AllocationOrder, ...]:
    orders = []
    for each in section.sections("orders"):
        till = each.whole("till_dpd") if each.raw("till_dpd", None) is not None else None
        orders.append(AllocationOrder(till, _order(each, "order", components)))
        each.finish()
    tills = [each.till_dpd for each in orders]
    if not orders or tills[-1] is not None or None in tills[:-1]:
        raise DocumentError(section.at("orders"), "needs till_dpd on every order but the last")
    rising(section.at("orders"), "till_dpd", [till for till in tills if till is not None])
    return tuple(orders)


def _order(section: Section, key: str, components: tuple[str, ...]) -> tuple[str, ...]:
    order = section.words(key, components)
    if len(order) != len(components):
        raise DocumentError(section.at(key), f"must order all of {', '.join(components)}")
    return order
