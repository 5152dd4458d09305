"""Calls that wait together share one statement, and none of them hears another's answer."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.adapters.postgres.gathering import Gathered


class Till:
    """Answers when it is let, and remembers what was asked together."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.open = asyncio.Event()

    async def answer(self, asked: Sequence[int]) -> list[int]:
        self.turns.append(list(asked))
        await self.open.wait()
        if 13 in asked:
            raise ValueError("thirteen")
        return [each * 2 for each in asked]


@pytest.fixture
async def till():
    return Till()


async def _until_asked(till: Till, turns: int) -> None:
    async with asyncio.timeout(20):
        while len(till.turns) < turns:
            await asyncio.sleep(0)


async def test_who_comes_together_is_answered_together(till):
    till.open.set()
    gathered = Gathered(till.answer)
    assert await asyncio.gather(*(gathered.ask(number) for number in (1, 2, 3))) == [2, 4, 6]
    assert till.turns == [[1, 2, 3]]


async def test_who_comes_while_one_is_under_way_is_in_the_next_turn(till):
    gathered = Gathered(till.answer)
    first = asyncio.create_task(gathered.ask(1))
    await _until_asked(till, 1)
    later = [asyncio.create_task(gathered.ask(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    till.open.set()
    assert await asyncio.gather(first, *later) == [2, 4, 6]
    assert till.turns == [[1], [2, 3]]


async def test_a_failure_is_told_to_all_of_its_turn_and_to_nobody_after(till):
    till.open.set()
    gathered = Gathered(till.answer)
    failed = await asyncio.gather(gathered.ask(1), gathered.ask(13), return_exceptions=True)
    assert [type(each) for each in failed] == [ValueError, ValueError]
    assert await gathered.ask(2) == 4


async def test_who_gives_up_takes_nobody_along(till):
    gathered = Gathered(till.answer)
    tasks = [asyncio.create_task(gathered.ask(number)) for number in (1, 2)]
    await _until_asked(till, 1)
    tasks[0].cancel()
    await asyncio.sleep(0)
    till.open.set()
    assert await tasks[1] == 4
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
