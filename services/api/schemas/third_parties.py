"""People beside the debtor, as the API takes and shows them: without their names and numbers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Day, Text
from services.api.limits import ShortText
from services.api.schemas.contacts import Reference

Relation = Literal["guarantor", "contact_person", "related_person", "estate", "representative", "other"]
PointKind = Literal["mobile", "phone", "email", "address"]
Source = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
RefusedTo = Literal["call", "sms_reply", "letter", "branch", "regulator", "complaint"]


class ThirdPartyIn(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "relation": "contact_person",
                    "name": "Zhang San",
                    "kind": "mobile",
                    "value": "+8613800009999",
                    "source": "contract",
                }
            ]
        }
    )

    customer_id: Text
    relation: Relation
    name: ShortText | None = None
    kind: PointKind
    value: ShortText = Field(description="Number or address; kept encrypted and not shown again")
    source: Source = Field(description="Where it is from, by the words of the contact rules", examples=["contract"])
    evidence: Reference | None = Field(default=None, description="Record of why they answer for the debt")
    guarantee_until: Day | None = Field(default=None, description="Last day of the guarantee")
    within_estate: bool | None = Field(default=None, description="The claim is limited to what was inherited")


class ThirdPartyRefusal(Body):
    source: RefusedTo = Field(description="How they told us")


class ThirdPartyOut(BaseModel):
    person_id: UUID
    customer_id: str
    relation: Relation
    kind: PointKind
    source: str
    evidence: str | None
    guarantee_until: date | None
    within_estate: bool | None
    refused_at: datetime | None = Field(description="Not to be contacted any more, for good")
    refusal_source: str | None
    recorded_at: datetime
    recorded_by: str
    row_version: int
