"""Short answers from lists: what is kept in clear must not be able to hold personal data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

ReasonCode = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]{1,63}$",
        description="A code in lower case; what needs words goes into a note",
        examples=["customer_request"],
    ),
]

Subject = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,99}$",
        description="A person or a team, by the name that access tokens give",
        examples=["li.na"],
    ),
]
