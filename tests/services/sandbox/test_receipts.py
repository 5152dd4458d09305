from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings
from shared.application.gateway import ErrorClass, Receipt, ReceiptStatus, Reply
from shared.domain.stop_words import asks_to_stop
from tests.services.sandbox.running import Running, message, running_sandbox


class Listener:
    """Takes callbacks as the API would, and reads them by the adapter."""

    def __init__(self) -> None:
        self.status = b"204 No Content"
        self.posts = 0
        self.receipts: list[Receipt] = []
        self.replies: list[Reply] = []
        self._gateway = build_gateways(GatewaySettings())["sms"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(next(v for k, v in headers.items() if k.lower() == "content-length")))
        self.posts += 1
        if self.status.startswith(b"2"):
            told = self._gateway.callback(body, headers)
            self.receipts += told.receipts
            self.replies += told.replies
        writer.write(b"HTTP/1.1 " + self.status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def wait_for(self, count: int) -> list[Receipt]:
        async with asyncio.timeout(30):
            while len(self.receipts) < count:
                await asyncio.sleep(0.02)
        return self.receipts


@asynccontextmanager
async def listening(tmp_path: Path) -> AsyncIterator[tuple[Running, Listener]]:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running_sandbox(tmp_path, f"http://127.0.0.1:{port}/v1/callbacks/http_sms") as sandbox:
        yield sandbox, listener
    server.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Running, Listener]]:
    async with listening(tmp_path) as both:
        yield both


async def test_receipts_come_signed_and_say_what_became_of_the_message(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    await sandbox.turn(receipts={"delay_ms": 10})
    reached, missed = message(), message("+8613800000003")
    await sandbox.send(reached, missed, headers={"X-Business-Time": "2026-03-01T10:00:00+00:00"})
    receipts = {receipt.reference: receipt for receipt in await listener.wait_for(2)}
    assert receipts[reached["reference"]].status is ReceiptStatus.DELIVERED
    assert receipts[reached["reference"]].at.isoformat().startswith("2026-03-01T10:00:0")
    lost = receipts[missed["reference"]]
    assert (lost.status, lost.code, lost.error) == (
        ReceiptStatus.UNDELIVERED,
        "absent_subscriber",
        ErrorClass.ADDRESS,
    )


async def test_receipts_come_in_batches(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    await sandbox.turn(receipts={"delay_ms": 10})
    await sandbox.send(*(message() for _ in range(200)))
    assert len(await listener.wait_for(200)) == 200
    assert listener.posts <= 10


async def test_a_receipt_may_come_twice(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    await sandbox.turn(receipts={"delay_ms": 10, "twice": 1})
    await sandbox.send(message())
    receipts = await listener.wait_for(2)
    assert [receipt.status for receipt in receipts] == [ReceiptStatus.DELIVERED] * 2
    assert len({receipt.reference for receipt in receipts}) == 1


async def test_receipts_may_come_out_of_order(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    await sandbox.turn(receipts={"delay_ms": 50, "accepted_too": True, "reorder": True})
    await sandbox.send(message())
    assert [receipt.status for receipt in await listener.wait_for(2)] == [
        ReceiptStatus.DELIVERED,
        ReceiptStatus.ACCEPTED,
    ]


async def test_a_receipt_may_come_late(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    await sandbox.turn(receipts={"delay_ms": 10, "late": 1, "late_ms": 300})
    began = time.monotonic()
    await sandbox.send(message())
    await listener.wait_for(1)
    assert time.monotonic() - began >= 0.3


async def test_a_push_that_fails_is_tried_again(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    listener.status = b"503 Service Unavailable"
    await sandbox.turn(receipts={"delay_ms": 10, "retry_seconds": [0.05, 0.3]})
    await sandbox.send(message())
    while listener.posts < 2:
        await asyncio.sleep(0.01)
    listener.status = b"204 No Content"
    assert len(await listener.wait_for(1)) == 1


async def test_a_push_that_keeps_failing_is_given_up(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    listener.status = b"503 Service Unavailable"
    await sandbox.turn(receipts={"delay_ms": 10, "retry_seconds": [0.01]})
    await sandbox.send(message())
    while not (given_up := (await sandbox.stats())["receipts"].get("given_up")):
        await asyncio.sleep(0.02)
    assert (given_up, listener.posts) == (1, 2)


async def test_without_a_callback_url_nothing_is_pushed(sandbox: Running) -> None:
    await sandbox.send(message())
    assert (await sandbox.stats())["receipts"]["waiting"] == 0


async def test_somebody_answers_stop(world: tuple[Running, Listener]) -> None:
    """Signed like a receipt, and taken for what it is before the sandbox says so."""
    sandbox, listener = world
    answer = await sandbox.client.post("/replies", json={"from": "+8613800001777", "text": "STOP"})
    assert (answer.status_code, answer.json()) == (200, {"status": "pushed"})
    (reply,) = listener.replies
    assert (reply.sender, reply.text, listener.receipts) == ("+8613800001777", "STOP", [])
    assert asks_to_stop(reply.text)


async def test_a_reply_that_nobody_takes_is_not_said_to_be_taken(world: tuple[Running, Listener]) -> None:
    sandbox, listener = world
    listener.status = b"403 Forbidden"
    answer = await sandbox.client.post("/replies", json={"from": "+8613800001777", "text": "STOP"})
    assert (answer.status_code, listener.replies) == (502, [])


@pytest.mark.parametrize("body", ["{}", "STOP", '{"from": "1", "text": "STOP", "when": "now"}'])
async def test_what_is_no_reply_is_refused(world: tuple[Running, Listener], body: str) -> None:
    sandbox, listener = world
    answer = await sandbox.client.post("/replies", content=body)
    assert (answer.status_code, listener.posts) == (422, 0)
