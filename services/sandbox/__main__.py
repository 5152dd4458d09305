"""``python -m services.sandbox``: runs until it is told to stop; prints one JSON line when it is ready."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import uvloop
from pydantic import ValidationError

from services.sandbox.app import Sandbox
from services.sandbox.knobs import Knobs, KnobsRefused, parse_knobs, set_knob
from services.sandbox.log import LogDamaged, LogInUse
from services.sandbox.settings import SandboxSettings
from services.settings import CannotStart
from services.variables import refuse_unknown
from shared.runtime.settings import complaint


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.sandbox", description=__doc__)
    parser.add_argument("--home", help="where the log is kept (default .arrears/sandbox)")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--http-port", type=int, help="SMS provider, /inbox, /log, /knobs (default 8025)")
    parser.add_argument("--smtp-port", type=int, help="mail server (default 2525)")
    parser.add_argument(
        "--callback-url",
        help="push receipts there, e.g. http://127.0.0.1:8000/v1/callbacks/http_sms (default: no receipts)",
    )
    parser.add_argument("--seed", type=int, help="of the dice (default 1)")
    parser.add_argument(
        "--until-eof", action="store_true", help="end when standard input does: with whoever holds its other end"
    )
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="e.g. sms.delay_ms=50")
    return parser.parse_args(argv)


def _settings(arguments: argparse.Namespace) -> SandboxSettings:
    names = ("home", "host", "http_port", "smtp_port", "callback_url")
    given: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    return SandboxSettings(**{name: value for name, value in given.items() if value is not None})


def _knobs(arguments: argparse.Namespace, start: str) -> Knobs:
    knobs = parse_knobs(start)
    if arguments.seed is not None:
        knobs = set_knob(knobs, "seed", str(arguments.seed))
    for setting in arguments.knob:
        name, _, value = setting.partition("=")
        knobs = set_knob(knobs, name, value)
    return knobs


async def _serve(settings: SandboxSettings, knobs: Knobs, *, until_eof: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _stop_at_end, stopped)
    sandbox = Sandbox(settings, knobs)
    await sandbox.start()
    ready = {
        "http": f"http://{settings.host}:{sandbox.http_port}",
        "smtp": f"{settings.host}:{sandbox.smtp_port}",
        "log": str(sandbox.ledger.path),
        "taken": len(sandbox.ledger),
    }
    print(msgspec.json.encode(ready).decode(), flush=True)
    await stopped.wait()
    await sandbox.stop()


def _stop_at_end(stopped: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stopped.set()


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        refuse_unknown()
        settings = _settings(arguments)
        knobs = _knobs(arguments, settings.knobs)
        uvloop.run(_serve(settings, knobs, until_eof=arguments.until_eof))
    except (CannotStart, KnobsRefused, LogDamaged, LogInUse, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        print(f"sandbox: {complaint(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
