"""Kinds of text and instants that requests carry, each checked the same way wherever it stands."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from services.api.limits import no_nul
from shared.domain.inbound import too_early

_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RFC_3339 = re.compile(_DAY.pattern + "[Tt ]")
# Nine digits in a row, however they are spaced, or an @: somebody's number or address.
_PERSONAL = re.compile(r"@|(?:\d[ \-.]?){8}\d")


def _believable(instant: datetime) -> datetime:
    if too_early(instant) or instant >= _LATEST:
        raise ValueError("is not a believable instant")
    return instant


def _written_out(value: object) -> object:
    if not isinstance(value, str) or not _RFC_3339.match(value):  # a bare number would be taken for a Unix time
        raise ValueError("write it out, as in 2026-07-06T10:00:00+08:00")
    return value


def _day_written_out(value: object) -> object:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("write it out, as in 2026-07-06")
    return value


def _believable_day(day: date) -> date:
    if too_early(day) or day >= _LATEST.date():
        raise ValueError("is not a believable day")
    return day


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("contains a control character")
    return text


def _telling(text: str) -> str:
    if not any(map(str.isalnum, text)):
        raise ValueError("say why: there is no word in it")
    return text


def _impersonal(text: str) -> str:
    if _PERSONAL.search(text):
        raise ValueError("leave numbers and addresses of people out: the reason is kept for good")
    return text


CoreId = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(_one_line)]
"""An id that the core-banking system gave, in a path; as there, any printable text."""

Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
"""What a list can be filtered by: an id or a code."""

Instant = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_believable)]
"""An instant with its offset: not of before anything could be on record, as in events, and near enough to our time that
the database can hold it in any zone."""

Day = Annotated[date, BeforeValidator(_day_written_out), AfterValidator(_believable_day)]
"""A date without a time, bounded as instants are, so that instants can be made of it."""

Reason = Annotated[
    str,
    Field(min_length=3, max_length=500),
    AfterValidator(no_nul),
    AfterValidator(_telling),
    AfterValidator(_impersonal),
]
"""Why somebody did something that is audited; holds nothing personal, because the audit trail is never erased."""


class Body(BaseModel):
    """What is sent to us. A field that we do not know is refused: it may be one we know, misspelt."""

    model_config = ConfigDict(extra="forbid")
