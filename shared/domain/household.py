"""A statement of income and expenses, and what of it is left for debts: a month, in minor units, on the careful side.

Incomes that do not come month by month count in part; fixed costs count as stated; flexible costs are held against
guide figures for the household: what is far off needs an explanation, above because it could be less, below because a
plan that leaves too little to live on is broken. Amounts for other spans are turned into months: incomes rounded down,
costs up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from shared.domain.document import DocumentError, Section, content_hash
from shared.domain.money import KNOWN_CURRENCIES

T = TypeVar("T")


class StatementError(ValueError):
    """The statement names something that the guide does not know, or a negative amount."""


class Span(StrEnum):
    WEEK = "week"
    FORTNIGHT = "fortnight"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_A_YEAR: Mapping[Span, int] = MappingProxyType(
    {Span.WEEK: 52, Span.FORTNIGHT: 26, Span.MONTH: 12, Span.QUARTER: 4, Span.YEAR: 1}
)


@dataclass(frozen=True, slots=True)
class Item:
    """``amount`` minor units in each ``per``."""

    kind: str
    amount: int
    per: Span = Span.MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a household says it gets and spends. ``explained`` are kinds of flexible cost for which there is
    a reason on record; ``pay_day`` is the day of the month on which most of the income comes."""

    adults: int
    children: int
    incomes: tuple[Item, ...]
    fixed: tuple[Item, ...]
    flexible: tuple[Item, ...]
    pay_day: int
    explained: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GuideFigure:
    adult: int
    child: int

    def of(self, adults: int, children: int) -> int:
        return self.adult * adults + self.child * children


@dataclass(frozen=True, slots=True)
class Guide:
    """``incomes``: kind to the share of it that counts. ``flexible``: kind to its guide figure. ``above_bps`` over the
    figure may be spent unexplained, ``floor_bps`` of it must be; ``reserve_bps`` of the income stays in hand, at
    least ``reserve_least``; ``hash`` is the document's SHA-256."""

    name: str
    version: int
    currency: str
    source: str
    verified: bool
    incomes: Mapping[str, int] = field(hash=False)
    fixed: tuple[str, ...]
    flexible: Mapping[str, GuideFigure] = field(hash=False)
    above_bps: int
    floor_bps: int
    reserve_bps: int
    reserve_least: int
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Where what counts is not what was stated: ``above_guide``, ``below_floor`` or ``counted_in_part``."""

    code: str
    kind: str
    stated: int
    counted: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A month: ``available = income - fixed - flexible - reserve``, which may be less than nothing."""

    currency: str
    income: int
    fixed: int
    flexible: int
    reserve: int
    pay_day: int
    findings: tuple[Finding, ...]

    @property
    def available(self) -> int:
        return self.income - self.fixed - self.flexible - self.reserve


def budget_of(statement: Statement, guide: Guide) -> Budget:
    """Raises StatementError."""
    if statement.adults < 1 or statement.children < 0:
        raise StatementError("a household has an adult, and no fewer than no children")
    if not 1 <= statement.pay_day <= 31:
        raise StatementError(f"there is no {statement.pay_day}th of a month to be paid on")
    stated = {
        "income": _monthly(statement.incomes, guide.incomes, up=False),
        "fixed": _monthly(statement.fixed, guide.fixed, up=True),
        "flexible": _monthly(statement.flexible, guide.flexible, up=True),
    }
    findings: list[Finding] = []
    income = 0
    for kind, amount in stated["income"].items():
        counted = amount * guide.incomes[kind] // 10_000
        income += counted
        if counted != amount:
            findings.append(Finding("counted_in_part", kind, amount, counted))
    flexible = 0
    for kind, figure in guide.flexible.items():
        guided = figure.of(statement.adults, statement.children)
        amount = stated["flexible"].get(kind, 0)
        counted, code = _counted(amount, guided, guide, explained=kind in statement.explained)
        flexible += counted
        if code:
            findings.append(Finding(code, kind, amount, counted))
    reserve = max(guide.reserve_least, income * guide.reserve_bps // 10_000)
    fixed = sum(stated["fixed"].values())
    return Budget(guide.currency, income, fixed, flexible, reserve, statement.pay_day, tuple(findings))


def unknown_kinds(statement: Statement, guide: Guide) -> Iterator[tuple[str | int, ...]]:
    """Where the statement names a kind that the guide does not know: the path in it."""
    lists = {"incomes": guide.incomes, "fixed": guide.fixed, "flexible": guide.flexible}
    for name, known in lists.items():
        for number, item in enumerate(getattr(statement, name)):
            if item.kind not in known:
                yield name, number, "kind"
    if not statement.explained <= guide.flexible.keys():
        yield ("explained",)


def _counted(amount: int, guided: int, guide: Guide, *, explained: bool) -> tuple[int, str]:
    most = guided * (10_000 + guide.above_bps) // 10_000
    floor = guided * guide.floor_bps // 10_000
    if explained or floor <= amount <= most:
        return amount, ""
    return (most, "above_guide") if amount > most else (floor, "below_floor")


def _monthly(items: tuple[Item, ...], known: Mapping[str, Any] | tuple[str, ...], *, up: bool) -> dict[str, int]:
    months: dict[str, int] = {}
    for item in items:
        if item.kind not in known:
            raise StatementError(f"{item.kind!r} is not one of {', '.join(known)}")
        if item.amount < 0:
            raise StatementError(f"{item.kind} is a negative amount")
        a_year = item.amount * _A_YEAR[item.per]
        months[item.kind] = months.get(item.kind, 0) + (-(-a_year // 12) if up else a_year // 12)
    return months


def parse_guide(document: Mapping[str, Any]) -> Guide:
    """Raises DocumentError, for example ``affordability.flexible[0].adult: must be a whole number``."""
    root = Section(document, "affordability")
    guide = Guide(
        name=root.text("name"),
        version=root.whole("version", low=1),
        currency=root.word("currency", KNOWN_CURRENCIES),
        source=root.text("source"),
        verified=root.flag("verified"),
        incomes=_table(root, "incomes", lambda row: row.whole("counted_bps", high=10_000)),
        fixed=root.words("fixed"),
        flexible=_table(root, "flexible", lambda row: GuideFigure(row.whole("adult"), row.whole("child"))),
        above_bps=root.whole("above_bps", high=100_000),
        floor_bps=root.whole("floor_bps", high=10_000),
        reserve_bps=root.whole("reserve_bps", high=10_000),
        reserve_least=root.whole("reserve_least"),
        hash=content_hash(document),
    )
    root.finish()
    return guide


def _table(root: Section, key: str, read: Callable[[Section], T]) -> Mapping[str, T]:
    table: dict[str, T] = {}
    for row in root.sections(key):
        kind, value = row.text("kind"), read(row)
        row.finish()
        if kind in table:
            raise DocumentError(row.at("kind"), f"{kind!r} is there twice")
        table[kind] = value
    if not table:
        raise DocumentError(root.at(key), "names no kind")
    return MappingProxyType(table)
