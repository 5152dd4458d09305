"""One PostgreSQL server process over one data directory: make it, find it, start it, stop it.

What is believed about a running server is what the kernel says of the process, never a pid file alone: a pid is reused,
a zombie still has one, and a data directory may have been moved under a living server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from shared.runtime.processes import adopt, alive, send, wait_for_end
from shared.runtime.unprivileged import Account, private_directory

PORT = 5432

_MAJOR = "18"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.005
_LOG_LIMIT = 16 * 2**20
_STATUS_LINE = 7  # of postmaster.pid, counted from 0

# Two cores, one machine, nothing to replicate to.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "100",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_lock_waits": "on",
    "log_parameter_max_length": "0",  # values are personal data
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "128MB"}


class EmbeddedPostgresError(RuntimeError):
    """The server could not be made, started or stopped; the message says why, and where the log is."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where a server lives and whom it runs as. Calls must be made under one lock for each data directory."""

    binaries: Path
    data: Path
    sockets: Path
    log: Path
    account: Account | None
    durable: bool

    def initialise(self, owner: str) -> None:
        """Make the cluster, with ``owner`` as its superuser, unless it exists; a half-made one is never left behind."""
        if (self.data / "PG_VERSION").exists():
            self._refuse_other_version()
            return
        scratch = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        private_directory(scratch, self.account)
        command = [
            str(self.binaries / "initdb"),
            "-D",
            str(scratch),
            "-U",
            owner,
            "-E",
            "UTF8",
            "--locale=C",
            "-A",
            "trust",
        ]
        if not self.durable:
            command.append("--no-sync")
        made = subprocess.run(command, **self._child_options(scratch), capture_output=True, text=True, check=False)  # noqa: S603 - our own binary
        if made.returncode != 0:
            shutil.rmtree(scratch, ignore_errors=True)
            raise EmbeddedPostgresError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        scratch.rename(self.data)

    def process(self) -> psutil.Process | None:
        """The living server over this data directory, found by its pid file and confirmed by the kernel."""
        lines = self._pid_file()
        if not lines:
            return None
        try:
            process = psutil.Process(int(lines[0]))
        except (psutil.NoSuchProcess, ValueError):
            return None
        return process if self._serves_us(process) else None

    def ensure_running(self) -> None:
        """Attach to the running server, or start one; return when it takes connections."""
        process = self.process()
        if process and self._becomes_ready(process) and (self.sockets / f".s.PGSQL.{PORT}").exists():
            return
        if process:  # it is on its way out, or somebody swept its socket away
            self.shut_down()
        self._start()

    def shut_down(self) -> None:
        """Stop at once, rolling back what is open; a server that hangs is stopped the hard way, and recovers later."""
        process = self.process()
        if process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            send(process, how)
            if wait_for_end(process, _STOP_SECONDS if how is signal.SIGINT else 5.0):
                return
        raise EmbeddedPostgresError(f"the server (pid {process.pid}) does not stop; its log is {self.log}")

    def _start(self) -> None:
        self._clear_stale_pid_file()
        private_directory(self.sockets, self.account)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        settings = _SETTINGS | {"unix_socket_directories": str(self.sockets), "shared_buffers": _buffers()}
        settings |= {} if self.durable else _NOT_DURABLE
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            options = self._child_options(self.data)
            child = subprocess.Popen(  # noqa: S603 - our own binary
                command, **options, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if not self._becomes_ready(adopt(child)):
            raise EmbeddedPostgresError(f"the server did not start; the end of {self.log}:\n{self._log_tail()}")

    def _becomes_ready(self, process: psutil.Process) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and alive(process):
            lines = self._pid_file()
            if len(lines) > _STATUS_LINE and lines[0].strip() == str(process.pid):
                status = lines[_STATUS_LINE].strip()
                if status in ("ready", "stopping"):
                    return status == "ready"
            time.sleep(_POLL_SECONDS)
        return False

    def _clear_stale_pid_file(self) -> None:
        """Remove a pid file whose pid now belongs to somebody else; the server itself sees through a dead one."""
        lines = self._pid_file()
        if not lines:
            return
        self._wait_for_orphans()
        with contextlib.suppress(ValueError):
            if psutil.pid_exists(int(lines[0])):
                (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _wait_for_orphans(self) -> None:
        """Backends of a killed server must be gone before a new one touches their files. They notice by themselves."""
        deadline = time.monotonic() + _STOP_SECONDS
        while orphans := [each for each in psutil.process_iter() if self._serves_us(each)]:
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"{len(orphans)} processes of an earlier server still use {self.data}")
            time.sleep(_POLL_SECONDS)

    def _serves_us(self, process: psutil.Process) -> bool:
        try:
            command = process.cmdline()
            if not alive(process) or not command or not Path(command[0].split(":")[0]).name.startswith("postgres"):
                return False
            if str(self.data) in command:
                return True
            return os.path.samefile(process.cwd(), self.data)  # the directory may have been moved since
        except (psutil.Error, OSError):
            return False

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _refuse_other_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != _MAJOR:
            raise EmbeddedPostgresError(
                f"{self.data} was made by PostgreSQL {found}, this is {_MAJOR}: dump and reload it"
            )

    def _child_options(self, directory: Path) -> dict[str, Any]:
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        return {"cwd": directory, "env": environment} | (self.account.popen_options() if self.account else {})

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:]) if self.log.exists() else "(empty)"


def _buffers() -> str:
    """A quarter of the machine's memory, as the manual advises: it is only taken as the book grows into it."""
    quarter = psutil.virtual_memory().total // 4 >> 20
    return f"{min(max(quarter, 128), 2048)}MB"
