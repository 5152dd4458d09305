"""What a statement is made from: an account's entries with the instant at which we learned of each, and which of them
count for a question.

Two questions about the past differ. "As it was" takes all that is known now and leaves out what had not happened by
then: a payment counts from the day it is for, however late it was posted. "As we knew it" takes only what had reached
us by an instant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from shared.domain.allocation_entries import Entry, PaymentEntry
from shared.domain.calendar import ONE_DAY, at_local, local_date


class Told(NamedTuple):
    """An entry, and when we learned of it. ``until``: when we learned that there is nothing to it, such as a reversal
    that waited for its payment and then did not fit it."""

    entry: Entry
    told_at: datetime
    until: datetime | None = None

    def known(self, at: datetime) -> bool:
        return self.told_at <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Question:
    """How the account stands ``on`` a day, by what was known at ``known_at``; days are those of ``zone``.

    A day before that of ``known_at`` is asked as of its end; that day itself as of that instant; a later one says what
    is due by then if nothing more happens.
    """

    on: date
    known_at: datetime
    zone: str

    @property
    def until(self) -> datetime | None:
        """Where the day asked about ended; None when it had not by ``known_at``."""
        if self.on >= local_date(self.known_at, self.zone):
            return None
        return at_local(self.on + ONE_DAY, time(), self.zone)

    @property
    def as_of(self) -> datetime:
        """Up to when entries count."""
        return self.until or self.known_at


def counting(told: Iterable[Told], question: Question) -> list[Told]:
    """The entries that count for a question."""
    until, known_at, on = question.until, question.known_at, question.on
    return [each for each in told if each.known(known_at) and (until is None or _happened(each.entry, until, on))]


def _happened(entry: Entry, until: datetime, on: date) -> bool:
    return entry.at < until or (isinstance(entry, PaymentEntry) and entry.value_date <= on)
