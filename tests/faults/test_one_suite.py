"""Two suites on one home would each take the other's attempts for a dead process's: the second does not start."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.chores import HomeInUse, be_alone


async def test_a_second_suite_on_the_same_home_is_refused_and_the_next_one_is_known_as_the_same(tmp_path: Path) -> None:
    async with AsyncExitStack() as first:
        name = be_alone(first, tmp_path)
        async with AsyncExitStack() as second:
            with pytest.raises(HomeInUse, match="another suite runs"):
                be_alone(second, tmp_path)
    async with AsyncExitStack() as later:
        assert be_alone(later, tmp_path) == name


async def test_suites_of_other_homes_are_nobodys_predecessors(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        assert be_alone(stack, tmp_path / "a") != be_alone(stack, tmp_path / "b")
