"""Keys of a batch as one argument: what goes in comes out, or it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.adapters.postgres.keys import as_lines

_ids = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(ids=st.lists(_ids, max_size=8))
async def test_lines_are_the_keys_again(pool: Any, ids: list[str]) -> None:
    assert await pool.fetchval("select (select string_to_array($1, chr(10)))::text[]", as_lines(ids)) == ids


@pytest.mark.parametrize("values", [[], ["a"], [None, "b"], ["a", None], ["甲", None, "b"]])
async def test_a_missing_text_is_null(pool: Any, values: Sequence[str | None]) -> None:
    assert await pool.fetchval("select string_to_array($1, chr(10), '')", as_lines(values)) == values


@pytest.mark.parametrize("values", [["a\nb"], ["a", "b\n"], ["\n"]])
def test_a_text_with_a_line_feed_is_refused(values: list[str]) -> None:
    with pytest.raises(ValueError, match="line feed"):
        as_lines(values)
