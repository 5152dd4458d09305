"""Identities that follow from what a thing is about."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.identity import derive, derive_text

_parts = st.lists(st.text(max_size=8) | st.integers() | st.uuids() | st.dates(), max_size=4)


@given(st.text(min_size=1, max_size=8), _parts)
def test_the_text_is_that_of_the_identity(kind: str, parts: list[object]) -> None:
    made = derive(kind, *parts)
    assert derive_text(kind, *parts) == str(made)
    assert UUID(str(made)) == made
    assert (made.version, made.variant) == (8, RFC_4122)


def test_an_identity_is_the_same_for_good() -> None:
    """It stands in databases and in logs of providers."""
    assert derive_text("case", "CUS00000001", 3) == "5f84da6d-c192-8856-8503-b7bd1a45f185"
    assert derive_text("case", "CUS00000001", 33) != derive_text("case", "CUS00000001", 3)
