"""Pieces of statements that every view needs: filters with their arguments, row scope, business time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

BUSINESS_NOW = "coalesce((select clock.now from business_clock clock where clock.id = 1), now())"
"""The instant to judge by; a row of the manual clock wins, wherever there is one."""


def in_force(alias: str) -> str:
    """A condition: what was noted has begun, has not ended and was not withdrawn."""
    return (
        f"({alias}.withdrawn_at is null and {alias}.starts_at <= {BUSINESS_NOW}"
        f" and ({alias}.ends_at is null or {alias}.ends_at > {BUSINESS_NOW}))"
    )


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose cases may be seen: everybody's when ``subject`` is None, else their own, their teams' and nobody's."""

    subject: str | None = None
    teams: tuple[str, ...] = ()


EVERYTHING = Scope()


class Where:
    """Conditions of one statement, and the arguments that their ``{}`` stand for."""

    def __init__(self, *conditions: str) -> None:
        self._conditions = list(conditions)
        self.args: list[Any] = []

    def arg(self, value: Any) -> str:
        """A placeholder for ``value``."""
        self.args.append(value)
        return f"${len(self.args)}"

    def add(self, condition: str, *values: Any) -> Where:
        """``condition`` with ``values`` in its braces."""
        self._conditions.append(condition.format(*map(self.arg, values)))
        return self

    def given(self, condition: str, value: Any) -> Where:
        """``condition`` on ``value``, unless that is None: nobody asked."""
        return self if value is None else self.add(condition, value)

    def matching(self, **columns: Any) -> Where:
        """``table__column=value``: equal, where a value is given."""
        for column, value in columns.items():
            self.given(column.replace("__", ".") + " = {}", value)
        return self

    def sees_case(self, alias: str, scope: Scope) -> Where:
        """Only cases (``alias``) in ``scope``."""
        if scope.subject is None:
            return self
        return self.add(_IN_SCOPE.format(case=alias), scope.subject, list(scope.teams))

    def sees_customer(self, customer_id: str, scope: Scope) -> Where:
        """Only customers (an expression) whose newest case is in ``scope``."""
        if scope.subject is None:
            return self
        visible = _IN_SCOPE.format(case="seen")
        return self.add(_NEWEST_CASE.format(customer_id=customer_id, visible=visible), scope.subject, list(scope.teams))

    def after(self, keys: Iterable[str], values: Sequence[Any] | None, *, descending: bool) -> Where:
        """Only rows past the last one of the page before."""
        if values is None:
            return self
        left = ", ".join(keys)
        right = ", ".join(map(self.arg, values))
        self._conditions.append(f"({left}) {'<' if descending else '>'} ({right})")
        return self

    def __str__(self) -> str:
        return "where " + " and ".join(self._conditions) if self._conditions else ""


_IN_SCOPE = (
    "({case}.owner = {{0}} or {case}.team = any({{1}}::text[]) or ({case}.owner is null and {case}.team is null))"
)
_NEWEST_CASE = (
    "exists (select from customers holder join cases seen"
    " on seen.customer_id = holder.customer_id and seen.ordinal = holder.cases_opened"
    " where holder.customer_id = {customer_id} and {visible})"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows of a list as JSON texts, one more than a page shows when there are more; ``last`` are then the sort keys of
    the last one shown."""

    docs: list[str]
    last: tuple[Any, ...] | None


async def page(
    conn: Any,
    columns: str,
    source: str,
    where: Where,
    keys: Sequence[str],
    *,
    after: Sequence[Any] | None,
    limit: int,
    descending: bool = True,
) -> Listed:
    """At most ``limit`` rows of ``columns``, sorted by ``keys``, from ``after`` on; all but the last are shown.

    They come as one row: to decode them one by one takes as long as all the rest. The limit stands in the statement,
    because a plan for any limit looks so bad to the database that it would plan anew each time."""
    where.after(keys, after, descending=descending)
    direction = " desc" if descending else ""
    order = ", ".join(key + direction for key in keys)
    shown = int(limit) - 1
    last = "".join(f", (array_agg(found.{key.rpartition('.')[2]}))[{shown}]" for key in keys)
    statement = "\n".join(
        (
            f"select array_agg(to_json(found)::text){last} from (",  # noqa: S608 - columns are ours, values are arguments
            f"select {columns}",
            f"from {source} {where}",
            f"order by {order} limit {shown + 1}",
            ") found",
        )
    )
    row: Any = await conn.fetchrow(statement, *where.args)
    docs = row[0] or []
    return Listed(docs, tuple(row)[1:] if len(docs) > shown else None)
