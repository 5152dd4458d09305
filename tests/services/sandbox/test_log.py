from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from services.sandbox.ledger import Ledger, Taken, text_hash
from services.sandbox.log import DurableLog, LogDamaged, LogInUse
from shared.adapters.gateways.http_sms.signature import signed_headers
from shared.adapters.gateways.settings import DEVELOPMENT_KEY_ID, DEVELOPMENT_SECRET
from tests.services.sandbox.running import message


def taken(number: int) -> Taken:
    return Taken("sms", f"+86{number}", f"text {number}", f"reference-{number}")


async def filled(path: Path, count: int) -> None:
    ledger = Ledger(path)
    await ledger.keep([taken(number) for number in range(count)], time.time(), None)
    await ledger.aclose()


async def test_a_torn_last_line_is_cut_off_and_the_next_message_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    await filled(path, 3)
    with path.open("ab") as file:
        file.write(b'{"seq":4,"at":17')

    ledger = Ledger(path)
    assert len(ledger) == 3
    [entry] = await ledger.keep([taken(9)], time.time(), None)
    await ledger.aclose()

    assert entry.seq == 4
    assert [json.loads(line)["seq"] for line in path.read_bytes().splitlines()] == [1, 2, 3, 4]


async def test_a_log_that_is_one_torn_line_only_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    path.write_bytes(b"x" * 200_000)
    ledger = Ledger(path)
    assert len(ledger) == 0
    await ledger.aclose()
    assert path.read_bytes() == b""


async def test_damage_in_the_middle_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    await filled(path, 2)
    damaged = b"not a line\n" + path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(LogDamaged, match="line 1"):
        Ledger(path)
    assert path.read_bytes() == damaged


async def test_two_sandboxes_do_not_share_a_log(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "log.ndjson")
    with pytest.raises(LogInUse):
        Ledger(tmp_path / "log.ndjson")
    await ledger.aclose()


async def test_appends_at_once_are_told_where_their_own_lines_are(tmp_path: Path) -> None:
    log = DurableLog(tmp_path / "log.ndjson")
    blocks = [f"{number}".encode() * (number + 1) + b"\n" for number in range(50)]
    starts = await asyncio.gather(*(log.append(block) for block in blocks))
    assert [log.read(start, start + len(block)) for start, block in zip(starts, blocks, strict=True)] == blocks
    await log.aclose()


async def test_a_refused_write_leaves_no_byte_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "log.ndjson")

    def full(*_: object) -> int:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="disk full"):
            await ledger.keep([taken(1)], time.time(), None)
    assert len(ledger) == 0
    [entry] = await ledger.keep([taken(1)], time.time(), None)
    assert [found.seq for found in ledger.by_reference("reference-1")] == [entry.seq]
    assert entry.copy == 1
    await ledger.aclose()


def test_the_hash_is_of_the_text_whatever_its_line_ends() -> None:
    assert text_hash("您好\r\n再见\r\n") == text_hash("您好\n再见")


class Process:
    """The sandbox as its users run it."""

    def __init__(self, home: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "services.sandbox",
            "--home",
            str(home),
            "--http-port",
            "0",
            "--smtp-port",
            "0",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


async def _send_until_lost(url: str, answered: list[str]) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while True:
            messages = [message(text="x" * 300) for _ in range(20)]
            body = json.dumps({"messages": messages}).encode()
            headers = signed_headers(DEVELOPMENT_SECRET, DEVELOPMENT_KEY_ID, body, time.time())
            try:
                answer = await client.post("/sms/messages", content=body, headers=headers)
            except httpx.TransportError:
                return
            answered += [item["reference"] for item in answer.json()["messages"]]


async def test_what_was_answered_for_survives_sigkill(tmp_path: Path) -> None:
    first = await asyncio.to_thread(Process, tmp_path)
    answered: list[str] = []
    senders = [asyncio.create_task(_send_until_lost(first.ready["http"], answered)) for _ in range(4)]
    while len(answered) < 400:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(first.end, signal.SIGKILL)
    await asyncio.gather(*senders)

    second = await asyncio.to_thread(Process, tmp_path)
    async with httpx.AsyncClient(base_url=second.ready["http"], trust_env=False) as client:
        entries = (await client.get("/log", params={"limit": 10_000})).json()["entries"]
    assert set(answered) <= {entry["reference"] for entry in entries}
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert await asyncio.to_thread(second.end, signal.SIGTERM) == 0
