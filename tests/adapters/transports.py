"""Both transports in one hand: events are announced, consumers note what reaches them, tasks are started and stopped.

Consumers write what they see into a table of the test, in the transaction that applies it; so what stands there is what
was applied, in the order in which it was.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka.errors import KafkaError

from shared.adapters.crypto import FieldCipher, load_keys
from shared.adapters.inprocess.relay import InProcessRelay
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.consumer import ConsumerLoop
from shared.adapters.kafka.lag import LagWatch
from shared.adapters.kafka.pairing import EpochWatch
from shared.adapters.kafka.publisher import Publisher
from shared.adapters.kafka.relay import KafkaRelay
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.kafka.taking import own_events
from shared.adapters.normalisation import contact_value
from shared.adapters.own_events import read_parked
from shared.adapters.postgres.epochs import Epochs
from shared.adapters.postgres.outbox import Outbox
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.positions import Positions
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.application import retrying
from shared.application.book import Book
from shared.application.pipeline import Consumer, OurEvent
from shared.application.retrying import Retrier
from shared.domain.announcement import Announcement
from shared.domain.event_types import EVENT_TYPES
from shared.runtime.supervisor import Supervisor
from tests.adapters.records import tell
from tests.conftest import Database

DELINQUENT = "arrears.account.delinquent.v1"
PAID = "arrears.payment.received.v1"
CURED = "arrears.case.cured.v1"
NOBODYS = "arrears.hold.placed.v1"
PATIENCE = 40.0


async def until(true: Callable[[], Awaitable[Any]], *, within: float = PATIENCE, what: str = "it") -> Any:
    """Wait for a condition; the first answer that is true."""
    try:
        async with asyncio.timeout(within):
            while not (answer := await true()):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about within {within:g} s") from None
    return answer


@dataclass
class Office:
    """A database, and consumers that write down what reaches them. ``broken``: (consumer, customer, n) that fails."""

    pool: Pool
    work: PostgresUnitOfWork
    wake: asyncio.Event
    broken: set[tuple[str, str, int]] = field(default_factory=set)
    gates: dict[tuple[str, str, int], asyncio.Event] = field(default_factory=dict)
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # a gate

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, home: Path) -> AsyncIterator[Office]:
        owner = await asyncpg.connect(database.owner_dsn)
        await owner.execute(
            "create table if not exists arrears.noted"
            " (entry bigserial, consumer text, event_id text, type text, customer_id text, n int);"
            "grant all on arrears.noted, arrears.noted_entry_seq to public"
        )
        await owner.close()
        pool = await Pool.open(database.dsn(), size=12)
        cipher = FieldCipher(load_keys(file=None, inline=None, home=home, development=True))
        wake = asyncio.Event()
        yield cls(pool, PostgresUnitOfWork(pool, cipher, contact_value, wake=wake.set), wake)
        await pool.close()

    async def announce(self, *facts: tuple[str, int], kind: str = DELINQUENT, **more: Any) -> None:
        """Events about (customer, n), in this order, in one transaction."""
        async with self.work() as tx:
            book = Book(tx.now)
            await tx.lock_customers(book, {customer for customer, _ in facts}, create=True)
            topic = EVENT_TYPES[kind].topic
            book.changes.announce([Announcement(topic, kind, who, {"n": n, **more}) for who, n in facts])
            await tx.save(book.changes)

    def consumer(self, name: str, *types: str, echo: str | None = None) -> Consumer:
        """Notes events of these types; with ``echo``, announces one of that type for each."""

        async def note(tx: Any, book: Book, events: Sequence[OurEvent]) -> None:
            for event in events:
                await self._pass((name, event.customer_id, event.data["n"]))
                await tx.conn.execute(
                    "insert into noted (consumer, event_id, type, customer_id, n) values ($1, $2, $3, $4, $5)",
                    *(name, event.id, event.type, event.customer_id, event.data["n"]),
                )
                if echo is not None:
                    topic = EVENT_TYPES[echo].topic
                    book.changes.announce([Announcement(topic, echo, event.customer_id, {"n": event.data["n"]})])
            await tx.save(book.changes)

        return Consumer(name, dict.fromkeys(types, note))

    async def _pass(self, key: tuple[str, str, int]) -> None:
        if key in self.broken:
            raise RuntimeError("this one can not be applied")
        if key in self.gates:
            self.reached.set()
            await self.gates[key].wait()

    async def noted(self, consumer: str, kind: str | None = None) -> dict[str, list[int]]:
        """What reached a consumer, by customer, in the order in which it was applied."""
        rows = await self.pool.fetch(
            "select customer_id, n from noted where consumer = $1 and ($2::text is null or type = $2) order by entry",
            *(consumer, kind),
        )
        found: dict[str, list[int]] = {}
        for customer, n in rows:
            found.setdefault(customer, []).append(n)
        return found

    async def parked(self, consumer: str) -> list[tuple[str, int]]:
        """(customer, tries) of what waits there."""
        rows = await self.pool.fetch(
            "select customer_id, tries from parked where consumer = $1 and state in ('parked', 'dead') order by entry",
            consumer,
        )
        return [tuple(row) for row in rows]

    async def retry(self, consumer: Consumer) -> int:
        await self.pool.execute("update parked set not_before = clock_timestamp()")
        return await Retrier(self.work, consumer.name, retrying.own_events(consumer, read_parked)).retry_due()

    def opened(self, sealed: bytes, row: str) -> bytes:
        """What was kept of an unreadable record."""
        return self.work._cipher.decrypt_bytes("unreadable", "raw", row, sealed)

    async def unsent(self) -> int:
        count: int = await self.pool.fetchval("select count(*) from outbox where sent_at is null")
        return count

    async def unmark(self) -> None:
        """As after a crash between the delivery and the mark."""
        await self.pool.execute("update outbox set sent_at = null")
        self.wake.set()


@dataclass
class InProcess:
    """The transport of the embedded suite."""

    office: Office
    consumers: Sequence[Consumer]
    batch: int = 50
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        relay = InProcessRelay(
            self.office.pool, self.office.work, self.consumers, wake=self.office.wake, poll=0.05, batch=self.batch
        )
        await self._stack.enter_async_context(supervised({"relay": relay.run}))

    async def stop(self) -> None:
        await self._stack.aclose()

    async def settled(self) -> None:
        """Everything announced was applied or parked everywhere."""
        await until(self._all_sent, what="an empty outbox")

    async def _all_sent(self) -> bool:
        return await self.office.unsent() == 0

    async def copy_each(self) -> None:
        """Every event lies there a second time, right behind the first."""
        await self.office.pool.execute(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard)"
            " select id, aggregatetype, aggregateid, type, payload, at, shard from outbox order by seq"
        )

    async def forget_places(self) -> None:
        await self.office.unmark()


_numbers = itertools.count(1)


def kafka_settings(bootstrap: str, **changes: Any) -> KafkaSettings:
    """Topics and groups of a test's own."""
    own = f"t{next(_numbers)}-{uuid4().hex[:6]}-"
    given: dict[str, Any] = {
        "partitions": 2,
        "session_ms": 6_000,
        "topic_prefix": own,
        "group_prefix": own,
        "batch": 50,
    }
    return KafkaSettings(bootstrap=bootstrap, **(given | changes))


@dataclass
class OverKafka:
    """The transport of separate services; each consumer is one member of its group, in the test's own loop."""

    office: Office
    consumers: Sequence[Consumer]
    settings: KafkaSettings
    clients: KafkaClients = field(init=False)
    epoch: EpochWatch = field(init=False)
    loops: dict[str, ConsumerLoop] = field(default_factory=dict)
    supervisor: Supervisor | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self.clients = KafkaClients(self.settings, "tests")
        names = [consumer.name for consumer in self.consumers]
        self.epoch = EpochWatch(self.clients, Epochs(self.office.pool), consumers=names)

    async def meet(self) -> None:
        """The topics are there, and the database knows who reads them. A broker just started needs a moment."""
        await until_met(self.epoch)
        async with self.office.work() as tx:
            for consumer in self.consumers:
                topics = {kind: self.settings.topic(topic) for kind, topic in consumer.types.items()}
                await tx.declare_consumer(consumer.name, topics)

    def relay(self, holder: str = "relay-1", **changes: Any) -> tuple[KafkaRelay, Publisher]:
        publisher = Publisher(self.clients, deadline=changes.pop("deadline", 20.0))
        outbox = Outbox(self.office.pool, holder, lease=changes.pop("lease", timedelta(seconds=4)))
        given: dict[str, Any] = {"partitions": self.settings.partitions, "wake": self.office.wake, "beat": 0.2}
        return KafkaRelay(outbox, publisher, self.epoch, **(given | changes)), publisher

    def loop(self, consumer: Consumer, holder: str = "holder-1") -> ConsumerLoop:
        topics = [self.settings.topic(topic) for topic in consumer.topics]
        return ConsumerLoop(
            self.clients, self.office.work, consumer.name, topics, own_events(consumer),
            holder=holder, meet=self.epoch.ensure,
        )  # fmt: skip

    async def start(self) -> None:
        await self.meet()
        relay, publisher = self.relay()
        self._stack.push_async_callback(publisher.close)
        self.loops = {consumer.name: self.loop(consumer) for consumer in self.consumers}
        tasks = {name: loop.run for name, loop in self.loops.items()}
        tasks |= {"relay": relay.run, "epoch": partial(self.epoch.watch, every=0.5)}
        self.supervisor = await self._stack.enter_async_context(supervised(tasks))

    async def stop(self) -> None:
        await self._stack.aclose()

    async def settled(self) -> None:
        """Everything announced was applied or parked everywhere."""
        async with lag_of(self) as lag:
            await until(lambda: self._none_left(lag), what="an empty outbox and no lag")

    async def _none_left(self, lag: LagWatch) -> bool:
        return await self.office.unsent() == 0 and await lag.behind() == 0 and await self.office.unsent() == 0

    async def ship(self) -> None:
        """What is in the outbox is in the topics; nobody reads it yet."""
        await self.meet()
        relay, publisher = self.relay("shipper")
        async with supervised({"relay": relay.run}):
            await until(self._all_sent, what="an empty outbox")
        await publisher.close()

    async def _all_sent(self) -> bool:
        return await self.office.unsent() == 0

    async def copy_each(self) -> None:
        """Every event lies there a second time."""
        await self.ship()
        await self.office.unmark()
        await self.ship()

    async def forget_places(self) -> None:
        """As after a crash between the commit of what was applied and the note of how far that was."""
        await self.office.pool.execute("update consumer_offsets set next_offset = 0")
        for consumer in self.consumers:  # a broker that knows more would mean that the database was restored
            await tell(self.clients, consumer.name, 0)


async def until_met(epoch: EpochWatch) -> None:
    async def met() -> bool:
        try:
            await epoch.ensure()
        except (KafkaError, OSError):
            return False
        return True

    await until(met, what="the broker's answer")


@asynccontextmanager
async def lag_of(wire: OverKafka) -> AsyncIterator[LagWatch]:
    lag = LagWatch(wire.clients, Positions(wire.office.pool))
    try:
        yield lag
    finally:
        await lag.close()


@asynccontextmanager
async def supervised(
    tasks: Mapping[str, Callable[[asyncio.Event], Awaitable[None]]], *, grace: float = 2.0
) -> AsyncIterator[Supervisor]:
    """The tasks as a process runs them; what is still under way ``grace`` seconds after the stop is cut."""
    supervisor = Supervisor(
        grace=timedelta(seconds=grace), backoff=timedelta(milliseconds=50), backoff_limit=timedelta(seconds=1)
    )
    for name, task in tasks.items():
        supervisor.add(name, task)
    running = asyncio.create_task(supervisor.run(signals=False))
    try:
        yield supervisor
    finally:
        supervisor.request_stop()
        await running
