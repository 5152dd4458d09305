"""The form of a question."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """``sql`` selects (``subject`` text, ``at`` timestamptz) of each row that breaks ``law``.

    ``at`` is the business instant at which the row came to be as it is; null where the passing of time breaks the law,
    so that it is looked at in every run. The relation ``clock`` is there: ``now``, the business instant; ``manual``;
    ``slack``, how far the instants of two transactions may be out of the order of their commits (each reads its instant
    before it waits for the customer's lock); none when the clock stands still.
    """

    law: str
    what: str
    sql: str
