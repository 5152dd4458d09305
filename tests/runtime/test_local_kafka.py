"""The local broker: it answers, keeps what it was given over every way of ending, and touches nobody else's process."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.runtime.kafka_software import LocalKafkaError
from shared.runtime.local_kafka import LocalKafka, free_port
from shared.runtime.processes import alive
from tests.kafka_broker import own_broker, shared_broker

# Brokers are started and started again, beside whatever else the machine does.
pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
TOPIC = "letters"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalKafka]:
    with own_broker(tmp_path / "阿帕奇 卡夫卡") as broker:
        yield broker


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Of a broker that the test starts in its own way; it is put away after the test."""
    yield tmp_path / "kafka"
    LocalKafka(tmp_path / "kafka").wipe()


async def make_topic(bootstrap: str, topic: str = TOPIC) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def topics(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def write(bootstrap: str, *values: bytes, topic: str = TOPIC) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await asyncio.wait_for(producer.send_and_wait(topic, value, key=b"C-1"), 40)
    finally:
        await producer.stop()


async def read(bootstrap: str, count: int, topic: str = TOPIC, group: str = "readers") -> list[bytes | None]:
    """The next ``count`` records for ``group``, which commits them."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        values = [(await asyncio.wait_for(consumer.getone(), 40)).value for _ in range(count)]
        partition = TopicPartition(topic, 0)
        await consumer.commit({partition: await consumer.position(partition)})
        return values
    finally:
        await consumer.stop()


def command(action: str, home: Path, port: int) -> subprocess.Popen[str]:
    arguments = [action, "--home", str(home), "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-m", "shared.runtime.local_kafka", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_what_is_written_is_read_once_by_a_group(kafka: str) -> None:
    await make_topic(kafka, "once")
    await write(kafka, b"one", b"two", b"three", topic="once")
    assert await read(kafka, 2, "once", "first") == [b"one", b"two"]
    assert await read(kafka, 1, "once", "first") == [b"three"]
    assert await read(kafka, 3, "once", "second") == [b"one", b"two", b"three"]


@pytest.mark.faults
async def test_records_and_offsets_outlive_a_pause_a_stop_and_a_kill(broker: LocalKafka) -> None:
    await make_topic(broker.bootstrap)
    broker.pause()
    writing = asyncio.create_task(write(broker.bootstrap, b"one", b"two"))
    await asyncio.sleep(0.3)
    assert not writing.done()
    broker.resume()
    await writing
    assert await read(broker.bootstrap, 1) == [b"one"]
    broker.pause()
    await asyncio.to_thread(broker.stop)  # which a paused one hears too
    assert broker.pid is None
    await asyncio.to_thread(broker.start)
    await write(broker.bootstrap, b"three")
    await asyncio.to_thread(broker.kill)
    assert broker.pid is None
    await asyncio.to_thread(broker.start)
    assert await read(broker.bootstrap, 2) == [b"two", b"three"]


@pytest.mark.faults
async def test_a_wiped_broker_comes_back_empty_at_the_same_address(broker: LocalKafka) -> None:
    bootstrap, before = broker.bootstrap, (broker.home / "data" / "meta.properties").read_text()
    await make_topic(bootstrap)
    await asyncio.to_thread(broker.wipe)
    assert broker.pid is None
    assert await asyncio.to_thread(broker.start) == bootstrap
    assert TOPIC not in await topics(bootstrap)
    assert (broker.home / "data" / "meta.properties").read_text() != before  # another cluster, by its id


@pytest.mark.faults
def test_two_commands_start_one_broker_that_outlives_them(home: Path) -> None:
    port = free_port()
    starts = [command("start", home, port) for _ in range(2)]
    said = [start.communicate() for start in starts]
    assert said[0] == said[1]
    assert f"127.0.0.1:{port}" in said[0][0]
    pid = LocalKafka(home).pid
    assert pid is not None
    assert os.getsid(pid) == pid  # a hang-up of the terminal does not reach it
    assert command("status", home, port).communicate()[0] == f"Kafka runs on port {port} (pid {pid})\n"
    with pytest.raises(LocalKafkaError, match=f"runs on port {port}"):
        LocalKafka(home, port=free_port()).start()
    process = psutil.Process(pid)
    shutil.rmtree(home)  # a careless hand, which does not make it nobody's
    command("stop", home, port).communicate()
    assert not alive(process)
    assert LocalKafka(home).pid is None
    assert command("status", home, port).communicate()[0] == "Kafka is not running\n"


@pytest.mark.faults
def test_the_last_to_leave_a_shared_broker_ends_it(home: Path) -> None:
    with shared_broker(home) as address:
        with shared_broker(home) as again:
            assert again == address
        assert LocalKafka(home).pid is not None
    assert LocalKafka(home).pid is None


def test_a_taken_port_is_told_in_one_line(home: Path, kafka: str) -> None:
    port = int(kafka.rpartition(":")[2])
    start = command("start", home, port)
    assert start.communicate()[1] == f"{kafka} is taken by another program: stop it, or choose another port\n"
    assert start.returncode == 1


def test_a_broker_that_can_not_start_says_why_and_where_its_log_is(home: Path) -> None:
    broker = LocalKafka(home, port=free_port())
    (home / "data").mkdir(parents=True)
    (home / "data" / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=another\n")
    with pytest.raises(LocalKafkaError, match=r"node id 7 .*broker\.log\)$") as caught:
        broker.start()
    assert "\n" not in str(caught.value)
    assert broker.pid is None
