"""``arrears digest``, ``laws``, ``replay``, ``audit``: what the book holds, and whether it can be trusted. ``synth``,
``keys``."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli_home import reading
from services.cli_packs import pack_of, read_yaml
from services.settings import CannotStart
from shared.adapters.crypto import new_keys, write_once
from shared.adapters.postgres import audit as audit_trail
from shared.adapters.postgres import digest as digests
from shared.adapters.postgres import invariants
from shared.adapters.postgres.replay import newest_decisions, replay_newest
from shared.adapters.synthetic import portfolio
from shared.application.replaying import Different, under


def digest(
    outcome: Annotated[bool, typer.Option("--outcome/--facts", help="Follow-ups and messages too.")] = False,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Days past due on this date.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="What is hashed, to compare two runs line by line.")] = False,
) -> None:
    """Hash what the book holds: the same events, however they came, give the same digest."""
    day = None if on is None else on.date()
    try:
        asyncio.run(_print_lines(outcome, day) if lines else _print_digest(outcome, day))
    except digests.NoPolicy as error:
        raise CannotStart(str(error)) from None


async def _print_digest(outcome: bool, on: date | None) -> None:
    async with reading() as conn:
        typer.echo(await (digests.outcome_digest(conn, on) if outcome else digests.facts_digest(conn, on)))


async def _print_lines(outcome: bool, on: date | None) -> None:
    async with reading() as conn, digests.snapshot(conn):
        async for line in digests.outcome_lines(conn, on) if outcome else digests.facts_lines(conn, on):
            sys.stdout.buffer.write(line)


def laws() -> None:
    """Ask the whole database whether our laws hold; exit 1 when one is broken."""
    found = asyncio.run(_ask_laws())
    broken = Counter(finding.law for finding in found)
    for law in invariants.LAWS:
        typer.echo(f"{law:<4} {'broken' if broken[law] else 'holds'}")
        for finding in (each for each in found if each.law == law):
            typer.echo(f"     {finding.count} x {finding.what}: {', '.join(finding.sample)}")
    raise typer.Exit(1 if found else 0)


async def _ask_laws() -> list[invariants.Finding]:
    async with reading() as conn:
        return await invariants.check(conn)


def replay(
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest decisions.")] = 1000,
    overlay: Annotated[Path | None, typer.Option(help="Ask them of a bank's own rules (YAML).", exists=True)] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Decided on this date or later.")] = None,
) -> None:
    """Take stored contact decisions again, from the facts and rules they were taken from; exit 1 when one differs. With
    ``--overlay``: what those rules would have changed, before anybody signs them."""
    if overlay is not None:
        asyncio.run(_try_out(overlay, limit, since))
        return
    taken, different = asyncio.run(_replay(limit))
    typer.echo(f"{taken} decisions taken again, {len(different)} came out otherwise")
    for each in different[:20]:
        typer.echo(f"  {each.stored.about} {each.stored.key}: {each.why}")
    raise typer.Exit(1 if different else 0)


async def _try_out(overlay: Path, limit: int, since: datetime | None) -> None:
    of = str(read_yaml(overlay).get("overlay_of", ""))
    pack = pack_of(of, overlay)
    async with reading() as conn:
        decisions = await newest_decisions(conn, limit, since=since and since.replace(tzinfo=UTC))
    about = [each for each in decisions if str(each.decision["rule_set"]).partition("@")[0].partition("+")[0] == of]
    changed = [found for each in about if (found := under(each, pack)) is not None]
    typer.echo(f"{pack.label}: {len(about)} decisions asked, {len(changed)} come out otherwise")
    ways = Counter((each.before, each.after, ", ".join(each.rule_ids) or "no rule") for each in changed)
    for (before, after, rule_ids), count in ways.most_common():
        typer.echo(f"  {count} x {before} -> {after}: {rule_ids}")


async def _replay(limit: int) -> tuple[int, list[Different]]:
    async with reading() as conn:
        return await replay_newest(conn, limit)


def synth(
    customers: Annotated[int, typer.Option(min=1, max=99_999_999)] = 1000,
    months: Annotated[int, typer.Option(min=1, max=120)] = 6,
    seed: int = 1,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="The first month.")] = datetime(2026, 4, 1),  # noqa: DTZ001
    out: Annotated[Path | None, typer.Option(help="A file; else standard output.")] = None,
) -> None:
    """Make up a portfolio: our inbound feed as NDJSON, in the order of time, the same for the same seed."""
    feed = portfolio(customers, months, seed, start.date())
    with out.open("wb") if out is not None else nullcontext(sys.stdout.buffer) as file:
        for line in feed:
            file.write(line)


def audit() -> None:
    """Check the audit trail's chain of hashes from its first entry; exit 1 at the first that was changed or is gone."""
    broken, last = asyncio.run(_check_audit())
    if broken is not None:
        typer.echo(f"entry {broken} is not what was written")
        raise typer.Exit(1)
    typer.echo(f"holds up to entry {last.entry}, {last.hash.hex()}" if last is not None else "holds: it is empty")


async def _check_audit() -> tuple[int | None, audit_trail.Head | None]:
    async with reading() as conn:
        return await audit_trail.verify_chain(conn), await audit_trail.head(conn)


def keys(
    out: Annotated[Path, typer.Argument(help="A file that does not exist yet; it is made with mode 0600.")],
) -> None:
    """Make a new deployment's encryption keys (ARREARS_KEY_FILE). Without them nothing personal can be read again."""
    if out.exists():
        raise typer.BadParameter(f"{out} exists; keys are never overwritten")
    write_once(out, new_keys(development=False))
    typer.echo(f"wrote {out}: keep a copy where the database's backups are not")
