"""How large a request may be, and the field types that keep what the database can not store out of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

MIB = 1024 * 1024
DEFAULT_BODY_BYTES = 1 * MIB
# First prefix that fits wins. None: the route reads the body as a stream and bounds what it keeps.
BODY_LIMITS: tuple[tuple[str, int | None], ...] = (
    ("/v1/imports/", None),
    ("/v1/events", 8 * MIB),
    ("/v1/callbacks/", 4 * MIB),
)
MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_IDEMPOTENCY_KEY = 255
MAX_CURSOR = 4096  # two ids of the bank's, of 200 characters outside ASCII each, and what lies around them

_BIGINT = 2**63


def no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains the NUL character")
    return text


Int64 = Annotated[int, Field(strict=True, ge=-_BIGINT, lt=_BIGINT)]
"""An integer of a JSON body that fits a bigint; text and fractions are refused."""

MinorUnits = Annotated[int, Field(strict=True, ge=0, le=10**15, description="Amount in minor units of its currency")]
"""Money: not negative, and far enough below 2**63 that sums fit too."""

QueryInt = Annotated[int, Field(ge=-_BIGINT, lt=_BIGINT)]
"""An integer from a path or a query, where everything arrives as text."""

Identifier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
"""A bank's or our own id: nothing that needs escaping in a path."""

ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(no_nul)]
LongText = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(no_nul)]

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]


def body_limit(path: str) -> int | None:
    """How many bytes a request to ``path`` may carry; None is without limit."""
    for prefix, limit in BODY_LIMITS:
        if path.startswith(prefix):
            return limit
    return DEFAULT_BODY_BYTES
