"""Run a server that refuses root, when we are root, without loosening anybody's permissions.

PostgreSQL will not run as root. As root we hand it to an unprivileged account that exists on every system, and where
that account cannot reach a directory (a home below ``/root``, a private temporary directory) we use a place of our own
that it can reach. No account is made, and no permission is changed on a directory that we did not make.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ACCOUNTS = ("postgres", "nobody")
_GROUNDS = (Path("/var/lib/arrears"), Path("/var/tmp/arrears"))  # noqa: S108 - made by us, 0755, owned by root


@dataclass(frozen=True, slots=True)
class Account:
    """Who a child process runs as. ``None`` in its place means: as ourselves."""

    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` that make the child run as this account, with no other groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(existing: Path) -> Account | None:
    """The account to run as: none when we are not root; the owner of ``existing`` data, else an unprivileged one."""
    if os.geteuid() != 0:
        return None
    if existing.exists() and (uid := existing.stat().st_uid) != 0:
        return _account(pwd.getpwuid(uid))
    for name in _ACCOUNTS:
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise RuntimeError(f"running as root, and none of the accounts {', '.join(_ACCOUNTS)} exists to run the server as")


def reachable(path: Path, account: Account | None) -> bool:
    """Whether ``account`` can walk down to ``path`` and into it."""
    if account is None:
        return True
    resolved = path.resolve()
    return all(_may_enter(step.stat(), account) for step in (resolved, *resolved.parents) if step.is_dir())


def private_directory(path: Path, account: Account | None, *, mode: int = 0o700) -> Path:
    """Make ``path`` with ``mode`` for ``account``, or check that it is a real directory that is already theirs."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise RuntimeError(f"{path} is not a directory")
    wanted = account.uid if account else os.geteuid()
    if account and found.st_uid == 0:
        os.chown(path, account.uid, account.gid)
    elif found.st_uid != wanted:
        raise RuntimeError(f"{path} belongs to another user (uid {found.st_uid})")
    path.chmod(mode)
    return path


def new_ground(account: Account) -> Path:
    """A new directory outside everybody's home that ``account`` can reach and owns."""
    made = Path(tempfile.mkdtemp(prefix="data-", dir=_ground()))
    os.chown(made, account.uid, account.gid)
    return made


def is_ground(path: Path) -> bool:
    """Whether ``path`` is a directory that ``new_ground`` made."""
    return path.parent in _GROUNDS and path.name.startswith("data-")


def reachable_copy(root: Path, parts: Iterable[str], *, label: str) -> Path:
    """A copy of the directories ``parts`` of ``root``, at the same places below it, that everybody can read and run.

    Made once for each ``label``.
    """
    target = _ground() / label
    if target.is_dir():
        return target
    scratch = Path(tempfile.mkdtemp(prefix="copy-", dir=target.parent))
    for part in parts:
        shutil.copytree(root / part, scratch / "tree" / part, symlinks=True)
    for path in (scratch / "tree", *(scratch / "tree").rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        (scratch / "tree").rename(target)
    except OSError:
        if not target.is_dir():  # else another process was quicker, and its copy is as good as ours
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _ground() -> Path:
    for ground in _GROUNDS:
        try:
            ground.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError:
            continue
        if ground.lstat().st_uid == 0 and not ground.is_symlink() and os.access(ground, os.W_OK):
            ground.chmod(0o755)
            return ground
    raise RuntimeError(f"none of {', '.join(map(str, _GROUNDS))} can be made")


def _may_enter(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
