"""``arrears rules``: the contact rules as a person asks them. Works on the shipped packs; no database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from services.cli_packs import SHIPPED, documents, names_of, pack_of, read_yaml
from shared.adapters.clock import BusinessClock
from shared.domain.contact import Channel, Decision, Outcome, Proposal, Purpose, Target, decide
from shared.domain.contact_record import history_from_document
from shared.domain.contact_rules import Rule, RuleSet, parse_rules
from shared.domain.contact_vectors import failing, incomplete, ordinary_facts, ordinary_proposal
from shared.domain.document import DocumentError
from shared.domain.template_lint import Draft, TextRule, lint_text
from shared.domain.templates import Template, parse_templates

LINE = "%Y-%m-%d %H:%M:%S%z %a"

rules = typer.Typer(no_args_is_help=True, help="The contact rules: check them, list them, ask them.")

Jurisdiction = Annotated[str, typer.Option(help="A pack's name or a country's code: cn, us, uk or GB, ...")]
OverlayFile = Annotated[
    Path | None, typer.Option("--overlay", help="A bank's own rules over the pack (YAML).", exists=True)
]


class Collecting(StrEnum):
    BANK = "bank"
    AGENCY = "agency"
    DEBT_BUYER = "debt_buyer"


@rules.command()
def check(overlay: OverlayFile = None) -> None:
    """Read every pack, run every example, list what nobody has verified; exit 1 when something does not hold."""
    broken = 0
    for document in documents(overlay):
        try:
            pack = parse_rules(document)
        except DocumentError as error:
            typer.echo(f"{document.get('name', '?'):<4} can not be read: {error}")
            broken += 1
            continue
        # A pack that a bank's rules were laid over keeps the bank's examples alone, so none is missed there.
        problems = [*failing(pack), *(() if "+" in pack.name else incomplete(pack))]
        broken += len(problems)
        every: list[Rule | TextRule] = [*pack.rules, *pack.texts]
        examples = sum(len(rule.vectors) for rule in every)
        typer.echo(
            f"{pack.label:<24} {len(pack.rules)} rules, {len(pack.texts)} text rules, {examples} examples:"
            f" {f'{len(problems)} do not hold' if problems else 'all hold'}"
        )
        for problem in problems:
            typer.echo(f"  FAILS {problem}")
        for rule in every:
            if not rule.verified:
                typer.echo(f"  unverified {rule.rule_id} ({rule.strength}): {rule.note or 'our own figure, no source'}")
    raise typer.Exit(1 if broken else 0)


@rules.command("list")
def list_rules(
    jurisdiction: Annotated[str | None, typer.Option(help="One pack only.")] = None, overlay: OverlayFile = None
) -> None:
    """List the rules: what each is about, how strong, since when, and what has to be known."""
    for pack in map(parse_rules, documents(overlay)):
        if jurisdiction is not None and jurisdiction.lower() not in names_of(pack):
            continue
        table = Table("rule", "strength", "verified", "in force", "mandatory facts", "text", title=pack.label)
        for rule in pack.rules:
            spell = f"{rule.valid_from} to {rule.valid_to}" if rule.valid_to else f"since {rule.valid_from}"
            verified = "yes" if rule.verified else "NO"
            table.add_row(rule.rule_id, rule.strength, verified, spell, ", ".join(rule.mandatory), rule.text)
        for text in pack.texts:
            verified = "yes" if text.verified else "NO"
            table.add_row(text.rule_id, text.strength, verified, f"since {text.valid_from}", "", text.text)
        _console().print(table)
        for note in pack.notes:
            typer.echo(f"note: {note}")


@rules.command()
def explain(
    jurisdiction: Jurisdiction,
    channel: Annotated[Channel, typer.Option()],
    at: Annotated[str, typer.Option(help="The planned instant, with its offset: 2026-11-24T22:30:00+08:00.")],
    purpose: Annotated[Purpose, typer.Option()] = Purpose.DUNNING,
    target: Annotated[Target, typer.Option(help="Who is to be contacted.")] = Target.DEBTOR,
    collector: Annotated[Collecting | None, typer.Option(help="Who collects; else as the facts say.")] = None,
    zone: Annotated[str | None, typer.Option(help="Where the person is, if not where the ordinary one is.")] = None,
    history: Annotated[Path | None, typer.Option(help="Past contacts, a JSON list.", exists=True)] = None,
    facts: Annotated[Path | None, typer.Option(help="Other facts, a JSON object.", exists=True)] = None,
    contact: Annotated[Path | None, typer.Option(help="More on the contact, a JSON object.", exists=True)] = None,
    overlay: OverlayFile = None,
) -> None:
    """Say whether a contact may be made, which rules objected and why, and what would have to change."""
    pack = pack_of(jurisdiction, overlay)
    try:
        given = _object(facts)
        given |= {"zone": zone} if zone else {}
        given |= {"collector": collector.value} if collector else {}
        known = ordinary_facts(pack, given)
        if history is not None:
            past = history_from_document(_read_json(history))
            known = ordinary_facts(pack, given | {"history": [*given.get("history", ()), *_read_json(history)]})
            typer.echo(f"history: {len(past)} contacts")
        about = {"target": target.value, **_object(contact)}
        proposal = ordinary_proposal(pack, channel.value, purpose.value, at, about)
    except DocumentError as error:
        raise typer.BadParameter(str(error)) from None
    _tell(proposal, decide(proposal, known, pack), pack, known.zone, given)


def _tell(proposal: Proposal, decision: Decision, pack: RuleSet, zone: str | None, given: Mapping[str, Any]) -> None:
    where = _zone_of(zone)
    local = proposal.at.astimezone(where)
    typer.echo(f"{proposal.channel}, {proposal.purpose}, to the {proposal.target}, {local:{LINE}} ({zone})")
    ordinary = pack.ordinary["facts"] | {f"contact {key}": value for key, value in pack.ordinary["proposal"].items()}
    assumed = (f"{key} {json.dumps(value)}" for key, value in ordinary.items() if key not in given)
    typer.echo(f"rules {pack.label}; taken as ordinary: {', '.join(assumed) or 'nothing'}; nothing else on record")
    typer.echo(_verdict(decision, where))
    if decision.fired:
        table = Table("rule", "says", "strength", "text", "citation", "verified")
        for fired in decision.fired:
            rule = _rule_of(pack, fired.rule_id, local.date())
            says = (
                f"not before {fired.until.astimezone(where):{LINE}}" if fired.until else f"not until: {fired.release}"
            )
            verified = "yes" if rule.verified else "NO"
            table.add_row(fired.rule_id, says, fired.strength, rule.text, fired.citation, verified)
        _console().print(table)
    if any(fired.strength == "g" for fired in decision.fired):
        typer.echo('A rule of strength g is "preferably not": it may be set aside once, with a reason and an approver.')
    if decision.lift is not None:
        lift = decision.lift
        typer.echo("the smallest change that would lift it:")
        for release in lift.releases:
            typer.echo(f"  - {release}")
        if lift.until is not None:
            typer.echo(f"  {'then ' if lift.releases else ''}not before {lift.until.astimezone(where):{LINE}}")
        if not lift.complete:
            typer.echo("  what comes after that is not known yet")


def _rule_of(pack: RuleSet, rule_id: str, on: date) -> Rule:
    try:
        return pack.rule(rule_id, on)
    except KeyError:  # one that comes into force while it waits
        return pack.rule(rule_id)


def _verdict(decision: Decision, where: ZoneInfo) -> str:
    if decision.outcome is Outcome.ALLOW:
        return "ALLOW"
    if decision.outcome is Outcome.DEFER and decision.until is not None:
        return f"DEFER until {decision.until.astimezone(where):{LINE}}"
    return f"FORBID; release: {decision.release}"


@rules.command("lint-templates")
def lint_templates(
    jurisdiction: Jurisdiction = "cn",
    folder: Annotated[Path, typer.Option(help="Template documents (YAML).", exists=True)] = SHIPPED / "templates",
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="By the rules of this date.")] = None,
    collector: Annotated[Collecting, typer.Option(help="In whose name they are sent.")] = Collecting.BANK,
) -> None:
    """Read every template with the eyes of a pack; exit 1 when one says what it must not, or lacks what it must say."""
    pack = pack_of(jurisdiction, None)
    day = on.date() if on else BusinessClock().now().date()
    read = found = 0
    for path in sorted(folder.glob("*.yaml")):
        try:
            templates = parse_templates(read_yaml(path))
        except DocumentError as error:
            typer.echo(f"{path.name}: {error}")
            found += 1
            continue
        read += len(templates)
        for line in (line for template in templates for line in _lint(template, collector, pack.texts, day)):
            typer.echo(line)
            found += 1
    typer.echo(f"{read} texts by {pack.label}: {f'{found} findings' if found else 'nothing found'}")
    raise typer.Exit(1 if found else 0)


def _lint(template: Template, collector: Collecting, texts: tuple[TextRule, ...], day: date) -> Iterator[str]:
    draft = Draft(
        template.language,
        template.channel,
        template.purpose,
        template.body,
        template.subject,
        collector=collector.value,
    )
    for finding in lint_text(draft, texts, day):
        named = f" {{{{ {finding.placeholder} }}}}" if finding.placeholder else ""
        text = f"{template.key} {template.language} {template.channel} {finding.place}{named}"
        yield f"{text}: {finding.message} ({finding.rule_id}; {finding.citation})"


def _object(path: Path | None) -> dict[str, Any]:
    value = {} if path is None else _read_json(path)
    if not isinstance(value, dict):
        raise DocumentError(str(path), "must be a JSON object")
    return value


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DocumentError(path.name, f"is not JSON: {error}") from None


def _zone_of(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _console() -> Console:
    """As wide as the terminal; in a file or a pipe wide enough to be read there."""
    console = Console()
    return console if console.is_terminal else Console(width=160)
