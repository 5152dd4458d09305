"""One real Kafka broker on this machine, without a container: for local use, and for tests that kill it.

A home directory holds one single-node cluster: its data, its log, its pid file. The broker is a process of its own
that outlives whoever started it. What is believed about it is what the kernel says of the process, never the pid file
alone: a number is reused, and a process that is not this broker is never touched.

``python -m shared.runtime.local_kafka start|stop|status|wipe [--home .arrears/kafka] [--port 9092]``
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from shared.runtime.kafka_software import DEPLOY, KafkaSoftware, LocalKafkaError
from shared.runtime.ownership import LockTimeoutError, file_lock
from shared.runtime.processes import adopt, alive, send, wait_for_end

__all__ = ["LocalKafka", "LocalKafkaError", "broker_homes", "fetch_software", "free_port"]

_HOST = "127.0.0.1"
_STARTED = "Kafka Server started"
_REHEARSAL_SECONDS = 60.0
_STOP_SECONDS = 20.0
_KILL_SECONDS = 10.0
_POLL_SECONDS = 0.02
_HOME_MARK = "-Darrears.kafka.home="
_PORT_MARK = "-Darrears.kafka.port="

# Short runs on few cores: compile quickly and lightly, collect on one thread, end rather than limp without memory.
_JAVA_OPTIONS = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
)


class LocalKafka:
    """The broker of ``home`` on loopback ``port``. Every method blocks; each may be called from any process.

    All raise ``LocalKafkaError`` when they cannot do what they say.
    """

    def __init__(self, home: Path, *, port: int = 9092) -> None:
        self.home = home.expanduser().resolve()
        self._port = port
        self._software = KafkaSoftware.of_checkout()

    @property
    def bootstrap(self) -> str:
        """The address that clients take, running or not."""
        return f"{_HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id of the broker of this home, when one runs (paused or not)."""
        process = self._process()
        return process.pid if process else None

    @property
    def running_port(self) -> int | None:
        """The port of the broker of this home, when one runs; it may have been started with another than ours."""
        process = self._process()
        port = _mark_of(process, _PORT_MARK) if process else None
        return int(port) if port else None

    def prepare(self) -> None:
        """Fetch the software and make the cluster, whichever is not there yet. ``start`` does it by itself."""
        self._software.fetch(_rehearse)
        with self._locked():
            self._format()

    def start(self, deadline: float = 60.0) -> str:
        """See that the broker runs; return its address when it takes clients.

        ``deadline`` is in seconds, from the launch of the process; fetching the software, once, comes on top. A broker
        that was not ready in time is killed.
        """
        self._software.fetch(_rehearse)
        with self._locked():
            process = self._process()
            if process is not None:
                self._refuse_other_port(process)
                self._await_ready(process, deadline)
                return self.bootstrap
            self._refuse_taken_port()
            self._format()
            process = self._spawn()
            try:
                self._await_ready(process, deadline)
            except BaseException:
                self._kill(process)
                raise
        return self.bootstrap

    def stop(self) -> None:
        """Shut down in order, also when paused; one that takes longer than 20 s is killed. Nothing when none runs."""
        if not self.home.is_dir() and self._process() is None:
            return
        with self._locked():
            process = self._own_process()
            if process is None:
                return
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
            if not wait_for_end(process, _STOP_SECONDS):
                self._kill(process)
            self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it with no chance to tidy up, and wait until it is gone. Nothing when none runs."""
        process = self._own_process()
        if process is not None:
            self._kill(process)

    def pause(self) -> None:
        """Freeze the process: its connections stay open and nobody answers, until ``resume``."""
        send(self._needed_process(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused broker go on."""
        send(self._needed_process(), signal.SIGCONT)

    def wipe(self) -> None:
        """Kill the broker and remove its data: the next start is a new, empty cluster on the same port."""
        if not self.home.is_dir() and self._process() is None:
            return
        with self._locked():
            process = self._process()
            if process is not None:
                self._kill(process)
            shutil.rmtree(self._data, ignore_errors=True)
            for file in (self._pid_file, self._settings, self._log, self._log.with_suffix(".log.1")):
                file.unlink(missing_ok=True)

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _log(self) -> Path:
        return self.home / "broker.log"

    @property
    def _settings(self) -> Path:
        return self.home / "server.properties"

    @property
    def _pid_file(self) -> Path:
        return self.home / "broker.pid"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        with file_lock(self.home / "lock"):
            yield

    def _format(self) -> None:
        """Make the cluster with an id of its own, unless it exists; a half-made one is never left behind."""
        if self._data.exists():
            return
        scratch = self._data.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        self._write_settings(scratch, free_port())
        command = self._software.command(
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={secrets.token_urlsafe(16)}",
            f"--config={self._settings}",
            options=_JAVA_OPTIONS,
        )
        made = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if made.returncode != 0:
            shutil.rmtree(scratch, ignore_errors=True)
            raise LocalKafkaError(f"the cluster in {self.home} could not be made: {_reason(made.stdout + made.stderr)}")
        scratch.rename(self._data)

    def _write_settings(self, data: Path, controller_port: int) -> None:
        ours = {
            "listeners": f"BROKER://{self.bootstrap},CONTROLLER://{_HOST}:{controller_port}",
            "advertised.listeners": f"BROKER://{self.bootstrap}",
            "controller.quorum.voters": f"1@{_HOST}:{controller_port}",
            "log.dirs": str(data),
        }
        lines = [(DEPLOY / "server.properties").read_text(encoding="ascii"), "# This broker's own."]
        lines += [f"{name}={_escaped(value)}" for name, value in ours.items()]
        self._settings.write_text("\n".join(lines) + "\n", encoding="ascii")

    def _spawn(self, *options: str) -> psutil.Process:
        self._write_settings(self._data, free_port())
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))
        marks = (f"{_HOME_MARK}{self.home}", f"{_PORT_MARK}{self._port}")
        command = self._software.command("kafka.Kafka", str(self._settings), options=(*_JAVA_OPTIONS, *marks, *options))
        with self._log.open("wb") as log:
            child = subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=self.home,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{child.pid}\n")
        return adopt(child)

    def _await_ready(self, process: psutil.Process, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while _STARTED not in (said := self._log.read_text(errors="replace")):
            if not alive(process):
                raise LocalKafkaError(f"the broker ended while it started: {_reason(said)} (its log is {self._log})")
            if time.monotonic() > deadline:
                raise LocalKafkaError(f"the broker was not ready within {seconds:g} s; its log is {self._log}")
            time.sleep(_POLL_SECONDS)

    def _refuse_other_port(self, process: psutil.Process) -> None:
        if (port := _mark_of(process, _PORT_MARK)) != str(self._port):
            raise LocalKafkaError(f"the broker of {self.home} runs on port {port} (pid {process.pid}): stop it first")

    def _refuse_taken_port(self) -> None:
        if not _can_listen(self._port, beside_the_dead=True):
            raise LocalKafkaError(f"{self.bootstrap} is taken by another program: stop it, or choose another port")

    def _needed_process(self) -> psutil.Process:
        process = self._own_process()
        if process is None:
            raise LocalKafkaError(f"no broker of {self.home} is running")
        return process

    def _own_process(self) -> psutil.Process | None:
        """The broker, when it runs; refuses when the pid file names a living process that is something else."""
        process = self._named_process()
        if process is not None and not self._is_ours(process):
            raise LocalKafkaError(
                f"process {process.pid}, which {self._pid_file} names, is not the broker of {self.home}: left alone"
            )
        return process

    def _process(self) -> psutil.Process | None:
        process = self._named_process()
        return process if process is not None and self._is_ours(process) else None

    def _named_process(self) -> psutil.Process | None:
        """What the pid file names, alive; without a pid file (the home was removed), what says that it is ours."""
        try:
            pid: int | None = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            pid = next((pid for pid, home in broker_homes().items() if home == self.home), None)
        try:
            process = psutil.Process(pid) if pid else None
        except psutil.NoSuchProcess:
            return None
        return process if process and alive(process) else None

    def _is_ours(self, process: psutil.Process) -> bool:
        return _mark_of(process, _HOME_MARK) == str(self.home)

    def _kill(self, process: psutil.Process) -> None:
        send(process, signal.SIGKILL)
        if not wait_for_end(process, _KILL_SECONDS):
            raise LocalKafkaError(f"the broker (pid {process.pid}) does not end; its log is {self._log}")
        self._pid_file.unlink(missing_ok=True)  # its number will be somebody else's


def fetch_software() -> None:
    """Have the software ready ahead of a first start, which would do it otherwise: by Maven, in half a minute or so."""
    KafkaSoftware.of_checkout().fetch(_rehearse)


def broker_homes() -> dict[int, Path]:
    """The home of every broker that runs on this machine, started by whichever checkout, by process id."""
    homes: dict[int, Path] = {}
    for process in psutil.process_iter():
        if home := _mark_of(process, _HOME_MARK):
            homes[process.pid] = Path(home)
    return homes


def free_port() -> int:
    """A loopback port that nobody listens on, below those that the system hands out to outgoing connections.

    So no client's connection can take it while the broker that it is for is down.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        if _can_listen(port):
            return port


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="local_kafka", description="One Kafka broker on this machine.")
    parser.add_argument("action", choices=("start", "stop", "status", "wipe"))
    parser.add_argument("--home", type=Path, default=Path(".arrears/kafka"), help="where its data is (%(default)s)")
    parser.add_argument("--port", type=int, default=9092, help="where it listens (%(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        broker = LocalKafka(chosen.home, port=chosen.port)
        said, code = _act(broker, chosen.action)
    except (LocalKafkaError, LockTimeoutError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return code


def _act(broker: LocalKafka, action: str) -> tuple[str, int]:
    if action == "start":
        return f"Kafka takes clients at {broker.start()} (pid {broker.pid}, log {broker.home / 'broker.log'})", 0
    if action == "stop":
        broker.stop()
        return "Kafka is stopped; its data is kept", 0
    if action == "wipe":
        broker.wipe()
        return "Kafka is stopped and its data removed", 0
    running = broker.running_port
    return (f"Kafka runs on port {running} (pid {broker.pid})", 0) if running else ("Kafka is not running", 3)


def _rehearse(home: Path, option: str) -> None:
    """Start a broker once and stop it, as the real ones are; ``option`` has Java remember which classes it took."""
    broker = LocalKafka(home, port=free_port())
    home.mkdir(parents=True)
    broker._format()
    process = broker._spawn(option)
    try:
        broker._await_ready(process, _REHEARSAL_SECONDS)
        send(process, signal.SIGTERM)
        if not wait_for_end(process, _REHEARSAL_SECONDS):  # it writes the archive at its end: half of one is none
            raise LocalKafkaError(f"the broker of the rehearsal did not end within {_REHEARSAL_SECONDS:g} s")
    finally:
        send(process, signal.SIGKILL)


def _environment() -> dict[str, str]:
    # A UTF-8 locale, or Java cannot open a path that is not ASCII.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _escaped(value: str) -> str:
    """As Java reads a value of a properties file, which is Latin-1 with UTF-16 escapes."""
    wide = value.replace("\\", "\\\\").encode("utf-16-be")
    units = (int.from_bytes(wide[at : at + 2], "big") for at in range(0, len(wide), 2))
    return "".join(chr(unit) if unit < 0x7F else f"\\u{unit:04x}" for unit in units)


def _can_listen(port: int, *, beside_the_dead: bool = False) -> bool:
    """Whether we could; ``beside_the_dead``: whatever connections of an earlier listener have not faded out yet."""
    with socket.socket() as probe:
        if beside_the_dead:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _mark_of(process: psutil.Process, mark: str) -> str | None:
    """What our command line says after ``mark``; ``None`` for a process that is no broker of ours."""
    try:
        return next((each.removeprefix(mark) for each in process.cmdline() if each.startswith(mark)), None)
    except psutil.Error:
        return None


def _reason(said: str) -> str:
    """The line of a log that most likely says why: the innermost cause, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by:") or "Exception" in line.split(" ", 1)[0]]
    return (causes or lines or ["it said nothing"])[-1]


if __name__ == "__main__":
    raise SystemExit(main())
