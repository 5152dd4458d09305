"""What a broker runs on is fetched once, and what stands in the way is said in one line. No Java runs here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared.runtime import kafka_software
from shared.runtime.kafka_software import KafkaSoftware, LocalKafkaError
from shared.runtime.local_kafka import LocalKafka

JAVA = "echo 'openjdk version \"17.0.1\" 2021-10-19' >&2"
OLD_JAVA = "echo 'openjdk version \"11.0.1\" 2018-10-16' >&2"
MAVEN = """
echo "$@" >> "$0.calls"
for argument; do
  case $argument in -Dlibraries=*) mkdir -p "${argument#*=}" && touch "${argument#*=}/kafka.jar" ;; esac
done
"""
FAILING_MAVEN = """
echo "[INFO] Scanning for projects..."
echo "[ERROR] Could not transfer artifact org.apache.kafka:kafka_2.13:pom:4.4.0: Network is unreachable"
echo "[ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch."
exit 1
"""


class Machine:
    """A PATH with what the test puts there, and a place for the software."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        for tool in ("sh", "mkdir", "touch"):
            (self.programs / tool).symlink_to(shutil.which(tool) or tool)

    def install(self, name: str, script: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    @property
    def maven_calls(self) -> int:
        calls = self.programs / "mvn.calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(machine.programs))
    monkeypatch.setenv("ARREARS_KAFKA_HOME", str(tmp_path / "software"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return machine


@pytest.fixture
def bystander() -> Iterator[psutil.Process]:
    """A process of somebody else."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def rehearse(home: Path, option: str) -> None:
    Path(option.partition("=")[2]).write_text("classes")


def test_maven_is_asked_once_for_each_pom(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.install("java", JAVA)
    machine.install("mvn", MAVEN)
    for _ in range(2):
        KafkaSoftware.of_checkout().fetch(rehearse)
    assert machine.maven_calls == 1
    (tmp_path / "pom.xml").write_text("<project><!-- another --></project>")
    monkeypatch.setattr(kafka_software, "DEPLOY", tmp_path)
    KafkaSoftware.of_checkout().fetch(rehearse)
    assert machine.maven_calls == 2


def test_what_is_fetched_needs_no_maven(machine: Machine) -> None:
    machine.install("java", JAVA)
    machine.install("mvn", MAVEN)
    KafkaSoftware.of_checkout().fetch(rehearse)
    (machine.programs / "mvn").unlink()
    software = KafkaSoftware.of_checkout()
    software.fetch(rehearse)
    command = software.command("kafka.Kafka")
    assert str(software.folder / "kafka.jar") in command
    assert any(option.startswith("-XX:SharedArchiveFile=") for option in command)


def test_a_rehearsal_that_fails_only_costs_its_gain(machine: Machine) -> None:
    def fail(home: Path, option: str) -> None:
        raise LocalKafkaError("this Java makes no archives")

    machine.install("java", JAVA)
    machine.install("mvn", MAVEN)
    software = KafkaSoftware.of_checkout()
    software.fetch(fail)
    assert not any("SharedArchiveFile" in option for option in software.command("kafka.Kafka"))


def test_without_java_or_maven_that_is_said(machine: Machine) -> None:
    with pytest.raises(
        LocalKafkaError, match=r"^Java 17 or newer is needed to run Kafka, and there is none on the PATH$"
    ):
        KafkaSoftware.of_checkout().fetch(rehearse)
    machine.install("java", JAVA)
    with pytest.raises(
        LocalKafkaError, match=r"^Maven \(mvn\) is needed once, to fetch Kafka, and is not on the PATH$"
    ):
        KafkaSoftware.of_checkout().fetch(rehearse)


def test_an_old_java_is_refused_before_anything_is_fetched(machine: Machine) -> None:
    machine.install("java", OLD_JAVA)
    machine.install("mvn", MAVEN)
    with pytest.raises(LocalKafkaError, match=r"^Java 17 or newer is needed to run Kafka; .*java is 11$"):
        KafkaSoftware.of_checkout().fetch(rehearse)
    assert machine.maven_calls == 0


def test_what_maven_could_not_do_is_said_in_one_line_and_leaves_nothing_half_made(machine: Machine) -> None:
    machine.install("java", JAVA)
    machine.install("mvn", FAILING_MAVEN)
    software = KafkaSoftware.of_checkout()
    with pytest.raises(LocalKafkaError, match="Network is unreachable") as caught:
        software.fetch(rehearse)
    assert str(caught.value).count("\n") == 0
    assert not software.folder.exists()
    machine.install("mvn", MAVEN)
    software.fetch(rehearse)
    assert (software.folder / "kafka.jar").exists()


def test_a_process_that_is_not_this_broker_is_left_alone(tmp_path: Path, bystander: psutil.Process) -> None:
    broker = LocalKafka(tmp_path)
    (tmp_path / "broker.pid").write_text(f"{bystander.pid}\n")
    assert broker.pid is None
    for act in (broker.stop, broker.kill, broker.pause, broker.resume):
        with pytest.raises(LocalKafkaError, match=f"^process {bystander.pid}, .* is not the broker of"):
            act()
    broker.wipe()
    assert bystander.status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    assert not (tmp_path / "broker.pid").exists()


def test_outside_a_checkout_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_software, "DEPLOY", tmp_path)
    with pytest.raises(LocalKafkaError, match=r"pom\.xml is missing: a local broker is run from a checkout$"):
        LocalKafka(tmp_path)
    assert os.listdir(tmp_path) == []
