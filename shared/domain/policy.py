"""The collection policy: buckets, grace, order of allocation and the ladders of steps. Data, read once, then asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from shared.domain.calendar import zone
from shared.domain.document import DocumentError, Section, content_hash
from shared.domain.ladder import (
    MESSAGE_CHANNELS,
    Bucket,
    Conditions,
    DayKind,
    Ladder,
    Step,
    StepKind,
    currency_amounts,
    read_ladder,
    rising,
)

__all__ = [
    "ANY_SEGMENT",
    "COMPONENTS",
    "CURRENT",
    "AllocationOrder",
    "Bucket",
    "Conditions",
    "DayKind",
    "Grace",
    "Ladder",
    "Policy",
    "Step",
    "StepKind",
    "Thanks",
    "parse_policy",
]

ANY_SEGMENT = "*"
CURRENT = "M0"
COMPONENTS = ("principal", "interest", "fees", "penalty")


@dataclass(frozen=True, slots=True)
class Grace:
    """A due is covered if it is so within ``days``, or up to ``amount`` (minor units by currency) is missing."""

    days: int
    amount: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class AllocationOrder:
    """The order of components while days past due are at most ``till_dpd`` (None: from there on)."""

    till_dpd: int | None
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thanks:
    """The template that thanks for a payment that cures the case, or None."""

    on_cure: str | None
    channels: tuple[str, ...] = ("sms",)


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy. ``hash`` is the SHA-256 of the document it was read from.

    ``bucket_starts`` gives the first day past due of each bucket, in their order."""

    version: int
    name: str
    default_zone: str
    calendar: str
    grace: Grace
    buckets: tuple[Bucket, ...]
    allocation: tuple[AllocationOrder, ...]
    reopen_days: int
    thanks: Thanks
    ladders: tuple[Ladder, ...]
    hash: str = ""
    bucket_starts: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _by_segment: Mapping[str, tuple[Step, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = {bucket.name: bucket.from_dpd for bucket in self.buckets}
        object.__setattr__(self, "bucket_starts", MappingProxyType(starts))
        object.__setattr__(self, "_starts", tuple(bucket.from_dpd for bucket in self.buckets))
        by_segment = {segment: ladder.steps for ladder in self.ladders for segment in ladder.segments}
        object.__setattr__(self, "_by_segment", MappingProxyType(by_segment))

    def ladder_for(self, segment: str) -> tuple[Step, ...]:
        """The steps of a segment by rank; one that no ladder names gets the ladder of ``*``."""
        steps = self._by_segment.get(segment)
        return self._by_segment[ANY_SEGMENT] if steps is None else steps

    def bucket_of(self, dpd: int) -> str:
        """The bucket of so many days past due; ``M0`` below the first."""
        index = bisect_right(self._starts, dpd)
        return self.buckets[index - 1].name if index else CURRENT

    def next_bucket(self, dpd: int) -> tuple[str, int] | None:
        """The bucket after that of ``dpd`` and the day it begins; None in the last."""
        index = bisect_right(self._starts, dpd)
        if index == len(self.buckets):
            return None
        return self.buckets[index].name, self.buckets[index].from_dpd

    def allocation_order(self, dpd: int) -> tuple[str, ...]:
        """Components in the order a payment covers them at so many days past due."""
        return next(each.order for each in self.allocation if each.till_dpd is None or dpd <= each.till_dpd)

    def templates(self) -> frozenset[str]:
        """Every template key that the policy may send."""
        keys = {step.template for ladder in self.ladders for step in ladder.steps if step.template}
        return frozenset(keys | ({self.thanks.on_cure} if self.thanks.on_cure else set()))


def parse_policy(document: Mapping[str, Any]) -> Policy:
    """Raises DocumentError, for example ``policy.ladders[0].steps[2].day: must be a whole number``."""
    root = Section(document, "policy")
    buckets = _buckets(root)
    policy = Policy(
        version=root.whole("version", low=1),
        name=root.text("name"),
        default_zone=_zone(root),
        calendar=root.text("calendar"),
        grace=_grace(root.section("grace")),
        buckets=buckets,
        allocation=_allocation(root),
        reopen_days=root.whole("reopen_days", high=3650),
        thanks=_thanks(root.section("thanks", {})),
        ladders=tuple(read_ladder(section, buckets) for section in root.sections("ladders")),
        hash=content_hash(document),
    )
    root.finish()
    _check_segments(policy.ladders)
    return policy


def _zone(root: Section) -> str:
    name = root.text("default_zone")
    try:
        zone(name)
    except ValueError as wrong:
        raise DocumentError(root.at("default_zone"), str(wrong)) from None
    return name


def _grace(section: Section) -> Grace:
    grace = Grace(section.whole("days", high=60), currency_amounts(section, "amount"))
    section.finish()
    return grace


def _thanks(section: Section) -> Thanks:
    channels = section.words("channels", MESSAGE_CHANNELS, default=("sms",))
    thanks = Thanks(section.optional_line("on_cure"), channels)
    section.finish()
    return thanks


def _buckets(root: Section) -> tuple[Bucket, ...]:
    buckets = []
    for section in root.sections("buckets"):
        buckets.append(Bucket(section.text("name"), section.whole("from_dpd", low=1, high=100_000)))
        section.finish()
    names = [bucket.name for bucket in buckets]
    if not buckets or CURRENT in names or len(set(names)) != len(names):
        raise DocumentError(root.at("buckets"), f"needs buckets with names of their own; {CURRENT} is the current one")
    rising(root.at("buckets"), "from_dpd", [bucket.from_dpd for bucket in buckets])
    return tuple(buckets)


def _allocation(root: Section) -> tuple[AllocationOrder, ...]:
    orders = []
    for section in root.sections("allocation"):
        till = section.whole("till_dpd") if section.raw("till_dpd", None) is not None else None
        order = section.words("order", COMPONENTS)
        if len(order) != len(COMPONENTS):
            raise DocumentError(section.at("order"), f"must order all of {', '.join(COMPONENTS)}")
        section.finish()
        orders.append(AllocationOrder(till, order))
    tills = [each.till_dpd for each in orders]
    if not orders or tills[-1] is not None or None in tills[:-1]:
        raise DocumentError(root.at("allocation"), "needs till_dpd on every order but the last")
    rising(root.at("allocation"), "till_dpd", [till for till in tills if till is not None])
    return tuple(orders)


def _check_segments(ladders: tuple[Ladder, ...]) -> None:
    segments = [segment for ladder in ladders for segment in ladder.segments]
    if len(set(segments)) != len(segments):
        raise DocumentError("policy.ladders", "names a segment twice")
    if ANY_SEGMENT not in segments:
        raise DocumentError(
            "policy.ladders", f'needs a ladder for "{ANY_SEGMENT}", for segments that nobody thought of'
        )
