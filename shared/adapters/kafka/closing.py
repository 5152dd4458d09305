"""The end of a client: in order within a few seconds, or else cut.

The library waits for answers of the broker, one that hangs included, and once told to stop it does not do so again.
What it leaves behind would go on: a heartbeat for a member that reads nothing any more, a socket, a waiting task.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import structlog
from aiokafka.errors import ProducerClosed

WITHIN = 3.0  # seconds
log = structlog.get_logger(__name__)


async def end_consumer(consumer: Any, within: float = WITHIN) -> None:
    """Leave the group, so that the others need not wait for the session to run out."""
    ended = False
    try:
        async with asyncio.timeout(within):
            await consumer.stop()
        ended = True
    except Exception as error:  # noqa: BLE001 - it is thrown away, whatever state it is in
        log.warning("kafka.consumer_cut", error=type(error).__name__)
    finally:
        if not ended:
            await _cut_consumer(consumer)


async def end_producer(producer: Any, within: float = WITHIN) -> None:
    """Ship what is on its way; who waits for what can not be shipped any more is told so at once."""
    ended = False
    try:
        async with asyncio.timeout(within):
            await producer.stop()
        ended = True
    except Exception as error:  # noqa: BLE001 - it is thrown away, whatever state it is in
        log.warning("kafka.producer_cut", error=type(error).__name__)
    finally:
        if not ended:
            await _cut_producer(producer)


async def _cut_consumer(consumer: Any) -> None:
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    tasks = [
        getattr(coordinator, name, None) for name in ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    ]
    if fetcher is not None:
        tasks += [fetcher._fetch_task, *fetcher._pending_tasks]
    await _cut_tasks([task for task in tasks if task is not None])
    with contextlib.suppress(Exception):
        await consumer._client.close()


async def _cut_producer(producer: Any) -> None:
    if producer._sender.sender_task is not None:
        await _cut_tasks([producer._sender.sender_task])
    accumulator = producer._message_accumulator
    # A batch that was tried before is looked for among those under way when it ends.
    accumulator._pending_batches.update(batch for batches in accumulator._batches.values() for batch in batches)
    failed = list(accumulator._pending_batches)
    accumulator.fail_all(ProducerClosed())
    for batch in failed:
        batch._drain_waiter.exception()  # nobody need wait for that one, and then it would be reported as forgotten
    with contextlib.suppress(Exception):
        await producer.client.close()


async def _cut_tasks(tasks: list[Any]) -> None:
    """Cancelled once, a sender waits for the answers to what it has sent; cancelled again, it does not."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.05)
