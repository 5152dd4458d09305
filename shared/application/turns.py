"""Two batches of one file in flight: the second is decided and written while the first is still being written.

The order of the file holds all the same. A batch goes ahead only beside one that holds all its locks and shares no
customer, account or key with it; it commits only after that one did, at its first try. Whatever else happens (they
meet, the first fails, it takes too long), the one ahead is undone, waits until the first is dealt with, and is taken
then, as if it had never been begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PATIENCE = 5.0
"""Seconds that a batch holds its locks for the one before it. What takes longer may be waiting for the batch itself,
through a third that the database sees nothing wrong with."""


class OutOfTurn(Exception):
    """The batch can not be taken ahead of the one before it."""


class Abandoned(Exception):
    """The batch before this one could not be taken, so this one is not taken either."""


class Lookahead:
    """How many batches of a process may be in a transaction before their turn.

    Each holds a connection until another batch commits, so ``places`` must leave connections for everybody else."""

    def __init__(self, places: int) -> None:
        self._free = places

    def take(self) -> bool:
        if not self._free:
            return False
        self._free -= 1
        return True

    def give_back(self) -> None:
        self._free += 1


@dataclass(frozen=True, slots=True)
class Touched:
    """What a batch reads and writes under its locks; ``keys`` are those of events, payments and reversals."""

    customers: Set[str] = frozenset()
    accounts: Set[str] = frozenset()
    keys: Set[tuple[str, str]] = frozenset()

    def meets(self, other: Touched) -> bool:
        apart = self.customers.isdisjoint(other.customers) and self.accounts.isdisjoint(other.accounts)
        return not (apart and self.keys.isdisjoint(other.keys))


class Turn:
    """The place of one batch in the order of a file; ``before`` is the place of the batch before it.

    ``async with turn`` for as long as the batch is being taken. Inside: ``start``, then at the first try ``enter``,
    ``holds``, ``may_commit`` and ``committed`` in this order, or ``spoil`` and ``comes`` for another way."""

    def __init__(self, before: Turn | None, lookahead: Lookahead) -> None:
        loop = asyncio.get_running_loop()
        self._before = before
        self._lookahead = lookahead
        self._placed = False
        self._beside: Touched | None = None  # what the batch before holds, while we are ahead of our turn
        self._touched = Touched()
        self._holding: asyncio.Future[Touched | None] = loop.create_future()  # None: nobody may go ahead beside it
        self._at_once: asyncio.Future[bool] = loop.create_future()  # did it commit at its first try?
        self._over: asyncio.Future[bool] = loop.create_future()  # was it taken at all?

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.spoil()
        self._over.set_result(kind is None)
        self._before = None  # else the first turn of a long file would live as long as the last

    async def start(self) -> None:
        """Wait until the batch may be begun: beside the one before, if there is a place, or after it."""
        if self._before is None:
            return
        if not self._before._over.done() and self._lookahead.take():
            self._placed = True
            self._beside = await asyncio.shield(self._before._holding)
        if self._beside is None:
            self._leave()
            await self.comes()

    def enter(self, touched: Touched) -> None:
        """Say what will be locked, before locking it. Raises ``OutOfTurn`` when the batch before has some of it."""
        self._touched = touched
        if self._beside is not None and self._beside.meets(touched):
            raise OutOfTurn

    def holds(self) -> None:
        """All locks are ours. Who comes next may go ahead beside us; but not before it is our own turn."""
        if self._beside is None or self._before is None:
            self._holding.set_result(self._touched)
        else:
            self._before._at_once.add_done_callback(self._is_next)

    def _is_next(self, at_once: asyncio.Future[bool]) -> None:
        if at_once.result() and not self._holding.done():
            self._holding.set_result(self._touched)

    async def may_commit(self) -> None:
        """Wait for the batch before to commit. Raises ``OutOfTurn`` when it did not do so at its first try, or soon."""
        if self._beside is None or self._before is None:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                at_once = await asyncio.shield(self._before._at_once)
        except TimeoutError:
            at_once = False
        if not at_once:
            raise OutOfTurn

    def committed(self) -> None:
        """The first try is committed."""
        self._at_once.set_result(True)
        self._leave()

    def spoil(self) -> None:
        """The first try came to nothing, unless it is committed: who went ahead beside it must wait."""
        if not self._holding.done():
            self._holding.set_result(None)
        if not self._at_once.done():
            self._at_once.set_result(False)
        self._leave()

    async def comes(self) -> None:
        """Wait until the batch before is dealt with. Raises ``Abandoned`` when it could not be taken."""
        if self._before is not None and not await asyncio.shield(self._before._over):
            raise Abandoned

    def _leave(self) -> None:
        if self._placed:
            self._placed = False
            self._lookahead.give_back()
