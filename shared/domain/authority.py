"""Who may grant how much alone, and who as the second person. Limits are data; what no row covers is not allowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.document import DocumentError, Section
from shared.domain.ladder import currency_amounts

ROLES = ("collector", "supervisor", "compliance")
ANY = "*"


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody would grant: ``amounts`` in minor units by currency, ``share_bps`` of the debt that is given up,
    ``months`` it lasts, in which ``bucket`` the worst account is."""

    kind: str
    amounts: Mapping[str, int] = field(hash=False)
    bucket: str = ANY
    share_bps: int = 0
    months: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """Up to where. A currency that is not named is not covered; a figure that is None is not bounded."""

    kinds: tuple[str, ...]
    buckets: tuple[str, ...]
    amount: Mapping[str, int] = field(hash=False)
    share_bps: int | None
    months: int | None

    def covers(self, ask: Ask) -> bool:
        return (
            (ANY in self.kinds or ask.kind in self.kinds)
            and (ANY in self.buckets or ask.bucket in self.buckets)
            and all(amount <= self.amount.get(currency, 0) for currency, amount in ask.amounts.items())
            and (self.share_bps is None or ask.share_bps <= self.share_bps)
            and (self.months is None or ask.months <= self.months)
        )


@dataclass(frozen=True, slots=True)
class Authority:
    """What a role may grant ``alone``, and what it may approve as the ``second`` person."""

    role: str
    alone: tuple[Bound, ...]
    second: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """``alone``: the asker's own limit covers it. Else one of ``approvers`` decides; none means that nobody may."""

    alone: bool
    approvers: tuple[str, ...] = ()

    @property
    def forbidden(self) -> bool:
        return not self.alone and not self.approvers


def rule_on(ask: Ask, roles: Collection[str], authorities: Sequence[Authority]) -> Ruling:
    """What somebody with ``roles`` may do about ``ask``."""
    if any(bound.covers(ask) for each in authorities if each.role in roles for bound in each.alone):
        return Ruling(alone=True)
    return Ruling(False, tuple(each.role for each in authorities if any(bound.covers(ask) for bound in each.second)))


def read_authorities(section: Section, kinds: Collection[str]) -> tuple[Authority, ...]:
    """The rows under ``authorities``; ``kinds`` are the words a row may name, besides ``*``."""
    rows = []
    for row in section.sections("authorities"):
        rows.append(Authority(row.word("role", ROLES), _bounds(row, "alone", kinds), _bounds(row, "second", kinds)))
        row.finish()
    roles = [row.role for row in rows]
    if not rows or len(set(roles)) != len(roles):
        raise DocumentError(section.at("authorities"), "needs roles, each of them once")
    return tuple(rows)


def _bounds(row: Section, key: str, kinds: Collection[str]) -> tuple[Bound, ...]:
    bounds = []
    for each in row.sections(key, []):
        bounds.append(
            Bound(
                kinds=each.words("kinds", (*kinds, ANY), default=(ANY,)),
                buckets=each.words("buckets", default=(ANY,)),
                amount=currency_amounts(each, "amount"),
                share_bps=each.whole("share_bps", None, high=10_000),
                months=each.whole("months", None, low=1, high=600),
            )
        )
        each.finish()
    return tuple(bounds)
