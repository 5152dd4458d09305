"""A process is told apart from the next one with its number, and is gone only when that is known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from shared.runtime import process_identity
from shared.runtime.process_identity import birth_of, is_gone, this_process
from shared.runtime.processes import wait_for_end


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, start_new_session=True
    )
    yield process
    process.kill()
    process.communicate()


def test_this_process_is_not_gone() -> None:
    me = this_process()
    assert me is not None
    assert me.pid == os.getpid()
    assert not is_gone(me.pid, me.birth)


def test_a_process_that_was_killed_is_gone_before_its_parent_has_buried_it(child: subprocess.Popen[bytes]) -> None:
    birth = birth_of(child.pid)
    assert birth is not None
    child.kill()
    assert wait_for_end(psutil.Process(child.pid), 10)
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert is_gone(child.pid, birth)
    child.wait()
    assert is_gone(child.pid, birth)


def test_a_process_that_was_stopped_is_not_gone(child: subprocess.Popen[bytes]) -> None:
    birth = birth_of(child.pid)
    assert birth is not None
    child.send_signal(signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    assert psutil.Process(child.pid).status() == psutil.STATUS_STOPPED
    assert not is_gone(child.pid, birth)


def test_the_next_process_with_its_number_is_another_one(child: subprocess.Popen[bytes]) -> None:
    birth = birth_of(child.pid)
    assert birth is not None
    assert is_gone(child.pid, str(int(birth) - 1))


def test_a_process_that_is_hidden_from_us_is_not_gone_until_nobody_has_its_number(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As other users' processes are, on a hardened machine."""
    birth = birth_of(child.pid)
    assert birth is not None
    monkeypatch.setattr(process_identity, "_stat", lambda pid: None)
    assert birth_of(child.pid) is None
    assert not is_gone(child.pid, birth)
    child.kill()
    child.wait()
    assert is_gone(child.pid, birth)


def test_one_that_we_may_not_signal_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(process_identity, "_stat", lambda pid: None)
    monkeypatch.setattr(os, "kill", forbidden)
    assert not is_gone(4711, "1")
