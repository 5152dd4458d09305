"""Who may go ahead beside whom, and what becomes of one that went ahead when the other fails."""

import asyncio
from collections.abc import Callable

import pytest

from shared.application import turns
from shared.application.turns import Abandoned, Lookahead, OutOfTurn, Touched, Turn

NOTHING = Touched()


class Batch:
    """A batch that says what it does: it runs to each ``step`` only when told to."""

    def __init__(self, log: list[str], name: str, turn: Turn, touched: Touched) -> None:
        self.log, self.name, self.turn, self.touched = log, name, turn, touched
        self.may_write, self.fails = asyncio.Event(), False

    async def take(self) -> None:
        async with self.turn as turn:
            await turn.start()
            try:
                turn.enter(self.touched)
                turn.holds()
                self.log.append(f"{self.name} holds")
                await self.may_write.wait()
                if self.fails:
                    raise ValueError
                await turn.may_commit()
            except (OutOfTurn, ValueError) as error:
                self.log.append(f"{self.name} {type(error).__name__}")
                turn.spoil()
                await turn.comes()
                self.log.append(f"{self.name} taken apart")
            else:
                turn.committed()
                self.log.append(f"{self.name} committed")


async def settled() -> None:
    """Let everybody go on who can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def two(log: list[str], places: int = 1, theirs: Touched = NOTHING, ours: Touched = NOTHING):
    lookahead = Lookahead(places)
    first = Batch(log, "first", Turn(None, lookahead), theirs)
    second = Batch(log, "second", Turn(first.turn, lookahead), ours)
    tasks = [asyncio.create_task(batch.take()) for batch in (second, first)]  # whoever is started first
    await settled()
    return first, second, tasks


async def test_a_batch_goes_ahead_beside_one_of_other_customers_and_commits_after_it():
    log: list[str] = []
    first, second, tasks = await two(log, theirs=Touched({"C1"}), ours=Touched({"C2"}))
    second.may_write.set()
    await settled()
    assert log == ["first holds", "second holds"]
    first.may_write.set()
    await asyncio.gather(*tasks)
    assert log[2:] == ["first committed", "second committed"]


@pytest.mark.parametrize(
    "shared",
    [Touched(customers={"C1"}), Touched(accounts={"A1"}), Touched(keys={("core", "e1")})],
    ids=["customer", "account", "key"],
)
async def test_batches_that_meet_are_taken_one_after_the_other(shared: Touched):
    log: list[str] = []
    first, second, tasks = await two(log, theirs=shared, ours=shared)
    assert log == ["first holds", "second OutOfTurn"]
    second.may_write.set()
    first.may_write.set()
    await asyncio.gather(*tasks)
    assert log[2:] == ["first committed", "second taken apart"]


async def test_when_the_first_try_fails_whoever_went_ahead_is_undone_and_waits():
    log: list[str] = []
    first, second, tasks = await two(log)
    second.may_write.set()
    first.fails = True
    first.may_write.set()
    await asyncio.gather(*tasks)
    assert log == [
        "first holds", "second holds", "first ValueError", "first taken apart", "second OutOfTurn",
        "second taken apart",
    ]  # fmt: skip


async def test_without_a_place_a_batch_waits_for_its_turn():
    log: list[str] = []
    first, second, tasks = await two(log, places=0)
    assert log == ["first holds"]
    first.may_write.set()
    second.may_write.set()
    await asyncio.gather(*tasks)
    assert log == ["first holds", "first committed", "second holds", "second committed"]


async def test_a_place_is_given_back():
    log: list[str] = []
    lookahead = Lookahead(1)
    for fails in (False, True):
        first = Batch(log, "first", Turn(None, lookahead), NOTHING)
        second = Batch(log, "second", Turn(first.turn, lookahead), NOTHING)
        first.may_write.set()
        second.may_write.set()
        second.fails = fails
        await asyncio.gather(first.take(), second.take())
        assert lookahead.take()
        lookahead.give_back()


async def test_a_batch_that_could_not_be_taken_stops_those_behind_it():
    lookahead = Lookahead(1)
    turn = Turn(None, lookahead)
    behind = [Turn(turn, lookahead)]
    behind.append(Turn(behind[0], lookahead))
    with pytest.raises(ConnectionError):
        async with turn:
            raise ConnectionError
    for each in behind:
        with pytest.raises(Abandoned):
            async with each:
                await each.start()
    assert lookahead.take()


async def test_who_waits_too_long_lets_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    log: list[str] = []
    first, second, tasks = await two(log)
    second.may_write.set()
    async with asyncio.timeout(20):
        while "second OutOfTurn" not in log:
            await asyncio.sleep(0.005)
    assert "first committed" not in log
    first.may_write.set()
    await asyncio.gather(*tasks)
    assert log[-2:] == ["first committed", "second taken apart"]


async def test_one_that_is_cancelled_while_it_waits_leaves_the_others_alone():
    log: list[str] = []
    first, second, (ahead, behind) = await two(log)
    second.may_write.set()
    await settled()
    ahead.cancel()
    await settled()
    first.may_write.set()
    await behind
    assert log == ["first holds", "second holds", "first committed"]
    assert second.turn._over.result() is False


async def test_nobody_goes_ahead_beside_one_that_is_ahead_itself():
    log: list[str] = []
    batches = chain(3, places=3)(log)
    tasks = [asyncio.create_task(batch.take()) for batch in batches]
    await settled()
    assert log == ["0 holds", "1 holds"]
    batches[0].may_write.set()
    await settled()
    assert log[2:] == ["0 committed", "2 holds"]  # the second still writes, and it is its turn now
    batches[2].may_write.set()
    batches[1].may_write.set()
    await asyncio.gather(*tasks)
    assert log[4:] == ["1 committed", "2 committed"]


def chain(count: int, places: int) -> Callable[[list[str]], list[Batch]]:
    def made(log: list[str]) -> list[Batch]:
        lookahead, batches = Lookahead(places), list[Batch]()
        for number in range(count):
            before = batches[-1].turn if batches else None
            batches.append(Batch(log, str(number), Turn(before, lookahead), Touched({f"C{number % 2}"})))
        return batches

    return made


@pytest.mark.parametrize("places", [0, 1, 3])
@pytest.mark.parametrize("failing", [None, 0, 1, 2])
async def test_a_row_of_batches_ends_in_its_order_whoever_fails(places: int, failing: int | None):
    log: list[str] = []
    batches = chain(4, places)(log)
    for number, batch in enumerate(batches):
        batch.may_write.set()
        batch.fails = number == failing
    await asyncio.gather(*(batch.take() for batch in reversed(batches)))
    ends = [line.split()[0] for line in log if line.endswith(("committed", "taken apart"))]
    assert ends == ["0", "1", "2", "3"]
