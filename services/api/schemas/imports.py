"""Imports: a file of events, announced, streamed, resumed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.api.fields import Body
from services.api.limits import ShortText
from shared.domain.inbound import FACT_TYPES

ImportState = Literal["created", "receiving", "interrupted", "done", "failed"]
EventType = Literal[
    "delinquency.reported.v1",
    "payment.posted.v1",
    "payment.reversed.v1",
    "customer.updated.v1",
    "account.charged_off.v1",
    "account.closed.v1",
    "customer.merged.v1",
]
assert set(EventType.__args__) == set(FACT_TYPES)  # type: ignore[attr-defined]  # noqa: S101 - checked as it is loaded

_LINES = Field(default=None, ge=0, le=10**12, strict=True, description="Lines of the file, the header of CSV included")


class ImportIn(Body):
    """A file to come. CSV holds one ``event_type`` a file and names its ``source``; events in NDJSON carry both.

    ``sha256`` and ``lines`` are checked when the content has come; without them a file cut at a line break is taken
    for whole.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "2026-09-25 nightly", "format": "ndjson", "lines": 86016}}
    )

    name: ShortText
    format: Literal["ndjson", "csv"] = "ndjson"
    event_type: EventType | None = None
    source: ShortText | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    lines: Annotated[int | None, _LINES] = None

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        if self.format == "csv" and (self.event_type is None or self.source is None):
            raise ValueError("a CSV import needs event_type and source")
        if self.format == "ndjson" and not (self.event_type is None and self.source is None):
            raise ValueError("events in NDJSON carry their own type and source")
        if self.source is not None and not self.source.isprintable():
            raise ValueError("source must be printable")
        return self


class ImportOut(BaseModel):
    """How far an import has come. ``lines_done`` and ``bytes_done`` end at the last line that was taken."""

    id: UUID
    name: str
    format: Literal["ndjson", "csv"]
    event_type: EventType | None
    source: str | None
    sha256: str | None
    lines: int | None
    state: ImportState
    reason: str | None = Field(description="Why it was interrupted or failed")
    lines_done: int
    bytes_done: int
    counts: dict[str, int] = Field(description="Events by answer", examples=[{"accepted": 85000, "duplicate": 16}])
    percent: int | None = Field(description="Of the announced lines")
    lines_per_second: int | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class RejectionOut(BaseModel):
    """A refused line. The line itself is not kept: it may hold personal data."""

    line: int
    field: str = Field(description="JSON pointer or column; empty when it is the line as a whole")
    reason: str
