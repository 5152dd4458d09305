"""When a debtor counts as lost: the state without which no third person may be asked for them.

Source of the triggers: China Banking Association, Guideline on collecting personal consumer loans (trial), 2026-01-30;
the list as reported in the press is not complete. Pure; what is not known never makes anybody lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from itertools import groupby

from shared.domain.calendar import ONE_DAY, at_local, local_date
from shared.domain.contact_facts import AnsweredBy, Channel, PastContact, Target

_VOICE = frozenset({Channel.PHONE.value, Channel.VOICE_BOT.value})
_RANG_OUT = frozenset({AnsweredBy.NOBODY.value, AnsweredBy.VOICEMAIL.value})


class Trigger(StrEnum):
    NUMBER_INVALID = "number_invalid"
    UNANSWERED_IN_A_ROW = "unanswered_in_a_row"
    DAYS_IN_A_ROW = "days_in_a_row"


@dataclass(frozen=True, slots=True)
class Triggers:
    """So many calls in a row that nobody answered, or so many calendar dates in a row on each of which it was tried
    and the debtor not reached; each makes lost from the start of the next day."""

    unanswered_in_a_row: int
    days_in_a_row: int


@dataclass(frozen=True, slots=True)
class Lost:
    """From ``since`` (UTC) on, because of ``trigger``."""

    since: datetime
    trigger: Trigger


def lost_contact(
    history: Iterable[PastContact],
    number_invalid_at: datetime | None,
    zone_name: str,
    triggers: Triggers,
    as_of: datetime,
) -> Lost | None:
    """From when the debtor counts as lost, judged by what had happened until ``as_of``; None when they do not.

    Whenever the debtor is reached, or gets in touch, all counting starts anew. A call of unknown outcome may have
    reached them, so it starts the counting anew as well. The earliest trigger since then counts; ``since`` may lie
    after ``as_of``, for a row of today makes lost tomorrow.
    """
    made = sorted((each for each in history if each.at <= as_of and each.target == Target.DEBTOR), key=_when)
    reached = [each.at for each in made if _reached(each)]
    since_reached = [each for each in made if not reached or each.at > reached[-1]]
    found: list[Lost] = []
    if (
        number_invalid_at is not None
        and number_invalid_at <= as_of
        and not any(at > number_invalid_at for at in reached)
    ):
        found.append(Lost(number_invalid_at, Trigger.NUMBER_INVALID))
    tries = [each for each in since_reached if each.outbound and each.channel in _VOICE]
    calls = [(local_date(each.at, zone_name), each) for each in tries]
    reached_on = local_date(reached[-1], zone_name) if reached else None
    for trigger, last in (
        (Trigger.UNANSWERED_IN_A_ROW, _row_of_calls(calls, triggers.unanswered_in_a_row)),
        (Trigger.DAYS_IN_A_ROW, _row_of_days((day for day, _ in calls if day != reached_on), triggers.days_in_a_row)),
    ):
        if last is not None:
            found.append(Lost(at_local(last + ONE_DAY, time.min, zone_name), trigger))
    return min(found, key=lambda lost: lost.since, default=None)


def _when(past: PastContact) -> datetime:
    return past.at


def _reached(past: PastContact) -> bool:
    """Was it the debtor, or can it not be ruled out?"""
    if not past.outbound:
        return True
    if past.channel in _VOICE or past.channel == Channel.VISIT:
        return past.answered_by is None or past.answered_by == AnsweredBy.RIGHT_PARTY
    return past.answered_by == AnsweredBy.RIGHT_PARTY


def _row_of_calls(calls: Iterable[tuple[date, PastContact]], length: int) -> date | None:
    """The date of the call that completes the row."""
    row = 0
    for day, each in calls:
        row = row + 1 if each.answered_by in _RANG_OUT else 0
        if row == length:
            return day
    return None


def _row_of_days(days: Iterable[date], length: int) -> date | None:
    """The last of so many calendar dates in a row on which it was tried; ``days`` rise and may repeat."""
    row, before = 0, None
    for day, _ in groupby(days):
        row = row + 1 if before is not None and day == before + ONE_DAY else 1
        before = day
        if row == length:
            return day
    return None
