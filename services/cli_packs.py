"""The rule packs that ship with this version, and a bank's own laid over one of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from shared.adapters.postgres.shipped import read_yaml
from shared.domain.contact_overlay import overlay as laid_over
from shared.domain.contact_packs import gather
from shared.domain.contact_rules import RuleSet, parse_rules
from shared.domain.document import DocumentError

__all__ = ["SHIPPED", "documents", "names_of", "pack_of", "read_yaml"]

SHIPPED = Path(__file__).parents[1] / "shared"


def documents(overlay: Path | None) -> list[dict[str, Any]]:
    """The shipped packs; the one that an overlay is for with it laid over."""
    files = sorted((SHIPPED / "rules").glob("*.yaml"))
    packs = gather(read_yaml(path) for path in files)
    if overlay is None:
        return packs
    bank = read_yaml(overlay)
    of = bank.get("overlay_of") if isinstance(bank, Mapping) else None
    if of not in {pack["name"] for pack in packs}:
        raise typer.BadParameter(f"overlay_of: there is no pack {of!r}", param_hint="--overlay")
    try:
        return [laid_over(pack, bank) if pack["name"] == of else pack for pack in packs]
    except DocumentError as error:
        raise typer.BadParameter(str(error), param_hint="--overlay") from None


def pack_of(jurisdiction: str, overlay: Path | None) -> RuleSet:
    """The pack of a jurisdiction. Raises BadParameter when there is none."""
    packs = [parse_rules(document) for document in documents(overlay)]
    for pack in packs:
        if jurisdiction.lower() in names_of(pack):
            return pack
    known = ", ".join(pack.name for pack in packs)
    raise typer.BadParameter(f"there are no rules of {jurisdiction}; there are: {known}", param_hint="--jurisdiction")


def names_of(pack: RuleSet) -> set[str]:
    """What a person may call it: its name without the bank's, and its country's code."""
    return {pack.name.partition("+")[0], pack.jurisdiction.lower()}
