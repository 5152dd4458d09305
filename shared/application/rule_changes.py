"""A bank's own contact rules: proposed by one person, tried on what was decided before, signed off by another.

What is signed is laid over the rules in force, and the whole becomes the rule set by which everything is judged from
then on: each change waits in it for its date, so that what is planned for later is judged by the rules of that day.
Nothing is changed in place: a decision names its rule set by the hash, and finds it for good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from shared.application.editing import Expected
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid, NotFound
from shared.domain.calendar import local_date
from shared.domain.contact_overlay import Laid, Loosening, lay
from shared.domain.contact_vectors import failing
from shared.domain.document import DocumentError

BANK = "bank"
"""What a pack with the bank's changes is called: ``cn+bank``."""
PROPOSED, SIGNED, WITHDRAWN = "proposed", "signed", "withdrawn"
_INDEX = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOverlay:
    """``changes``, ``add`` and ``add_texts`` as ``shared/domain/contact_overlay.py`` reads them, without their date:
    all take effect on ``starts``, a local date where the customer lives."""

    overlay_id: UUID
    jurisdiction: str
    starts: date
    changes: Sequence[Mapping[str, Any]]
    add: Sequence[Mapping[str, Any]]
    add_texts: Sequence[Mapping[str, Any]]
    reason: str


@dataclass(frozen=True, slots=True)
class RulesOnRecord:
    """The ``pack`` as it ships, and the rule set ``in_force`` (of hash ``sha256``), which has all that was signed."""

    pack: Mapping[str, Any]
    in_force: Mapping[str, Any]
    sha256: str


@dataclass(frozen=True, slots=True)
class OverlayOnFile:
    """``base`` is the hash of the rule set that it was proposed over."""

    overlay_id: UUID
    jurisdiction: str
    document: Mapping[str, Any]
    starts: date
    state: str
    base: str
    proposed_by: str
    row_version: int


class RuleChangeStore(Protocol):
    @property
    def now(self) -> datetime: ...

    async def take_release_turn(self) -> None:
        """Wait for others who release something: theirs is seen then, and numbers rise in the order of commits."""

    async def rules_on_record(self, jurisdiction: str) -> RulesOnRecord | None: ...

    async def next_overlay_version(self, jurisdiction: str) -> int: ...

    async def add_overlay(
        self, new: NewOverlay, document: Mapping[str, Any], base: str, loosened: Sequence[Loosening], by: str
    ) -> None: ...

    async def find_overlay(self, overlay_id: UUID) -> OverlayOnFile | None: ...

    async def sign_overlay(self, overlay: OverlayOnFile, document: Mapping[str, Any], by: str, reason: str) -> None: ...

    async def release_rules(self, overlay: OverlayOnFile, laid: Laid, by: str) -> None: ...

    async def withdraw_overlay(self, overlay_id: UUID, by: str, reason: str) -> None: ...


async def propose(tx: RuleChangeStore, new: NewOverlay, who: Principal, zone: str) -> None:
    """Enter a proposal. Refuses one that can not be read, begins before tomorrow, permits what the law forbids, or
    whose own examples do not come out. ``zone`` is the bank's."""
    await tx.take_release_turn()
    record = await tx.rules_on_record(new.jurisdiction)
    if record is None:
        where = [FieldError("/jurisdiction", "there are no contact rules of it")]
        raise Invalid("There is no pack to lay the changes over.", errors=where)
    if new.starts <= local_date(tx.now, zone):
        raise Invalid("It can not be in force from this date.", errors=[FieldError("/from", "is not in the future")])
    document = _document(new, record, await tx.next_overlay_version(new.jurisdiction))
    laid = laid_over(document, record)
    wrong = list(failing(laid.rules))
    if wrong:
        raise Invalid(f"An example does not come out: {wrong[0]}.", code="example-fails")
    await tx.add_overlay(new, document, record.sha256, laid.loosened, who.subject)


async def sign_off(
    tx: RuleChangeStore, overlay_id: UUID, reason: str, loosening: bool, who: Principal, expected: Expected, zone: str
) -> OverlayOnFile:
    """A second person's yes: from now on the rule set has the changes in it. ``loosening`` says that they have seen
    what is permitted by it that was not before."""
    overlay = await _open(tx, overlay_id, expected)
    if who.subject == overlay.proposed_by:
        raise Forbidden("Nobody signs off what they proposed themselves.")
    if overlay.starts <= local_date(tx.now, zone):
        raise Conflict("The date that it was to be in force from has come; propose it anew.", code="overlay-too-late")
    record = await tx.rules_on_record(overlay.jurisdiction)
    if record is None or record.sha256 != overlay.base:
        raise _rules_changed()
    laid = laid_over(overlay.document, record)
    if laid.loosened and not loosening:
        where = [FieldError("/accepts_loosening", "is needed: it permits what is not permitted now")]
        raise Invalid("What it loosens has to be signed for in so many words.", code="loosening-unsigned", errors=where)
    signed = _signed(overlay.document, laid.loosened, who.subject, local_date(tx.now, zone), reason)
    await tx.sign_overlay(overlay, signed, who.subject, reason)
    await tx.release_rules(overlay, laid, who.subject)  # a signature changes no rule
    return overlay


async def withdraw(
    tx: RuleChangeStore, overlay_id: UUID, reason: str, who: Principal, expected: Expected
) -> OverlayOnFile:
    """A proposal is taken back or turned down. What is signed stays on record: another proposal changes it."""
    overlay = await _open(tx, overlay_id, expected)
    await tx.withdraw_overlay(overlay_id, who.subject, reason)
    return overlay


async def to_try(tx: RuleChangeStore, overlay_id: UUID) -> tuple[OverlayOnFile, RulesOnRecord]:
    """A proposal, and the rules in force that it is tried against."""
    overlay = await tx.find_overlay(overlay_id)
    if overlay is None:
        raise NotFound("There is no such proposal.")
    if overlay.state != PROPOSED:
        raise Conflict(f"It is {overlay.state}.", code="overlay-state")
    record = await tx.rules_on_record(overlay.jurisdiction)
    if record is None or record.sha256 != overlay.base:
        raise _rules_changed()
    return overlay, record


def laid_over(document: Mapping[str, Any], record: RulesOnRecord) -> Laid:
    """The rule set with the changes in it. Raises Invalid with the place in the proposal, also for what the law
    forbids."""
    try:
        laid = lay(record.in_force, document, record.pack)
    except DocumentError as error:
        where = [FieldError(_pointer(error.path), error.problem)]
        raise Invalid("The rules can not be read so.", code="rules-unreadable", errors=where) from None
    lawless = [
        FieldError(_pointer(each.path), f"loosens {', '.join(each.what)} of {each.rule_id}, which is the law")
        for each in laid.loosened
        if each.law
    ]
    if lawless:
        raise Invalid("A bank may not permit what the law forbids.", code="loosens-the-law", errors=lawless)
    return laid


def tried_on_the_past(document: Mapping[str, Any], record: RulesOnRecord, since: date) -> Laid:
    """The rule set as if the changes had been in force on every date from ``since`` on."""
    early = since.isoformat()
    return laid_over(
        {
            **document,
            "changes": [{**change, "from": early, "signed_off": None} for change in document["changes"]],
            "add": [{**rule, "valid_from": early} for rule in document["add"]],
            "add_texts": [{**text, "valid_from": early} for text in document["add_texts"]],
        },
        record,
    )


def compose(pack: Mapping[str, Any], signed: Sequence[Mapping[str, Any]]) -> Laid | None:
    """A pack with everything that was signed, in its order; None when nothing was. Raises DocumentError when the pack
    does not bear it: a rule is gone, or has become law and is loosened."""
    laid = None
    for document in signed:
        laid = lay(pack if laid is None else laid.document, document, pack)
        for each in laid.loosened:
            if each.law:
                raise DocumentError(each.path, f"loosens {', '.join(each.what)} of {each.rule_id}, which is the law")
    return laid


async def _open(tx: RuleChangeStore, overlay_id: UUID, expected: Expected) -> OverlayOnFile:
    await tx.take_release_turn()
    overlay = await tx.find_overlay(overlay_id)
    if overlay is None:
        raise NotFound("There is no such proposal.")
    expected.check(overlay.row_version)
    if overlay.state != PROPOSED:
        raise Conflict(f"It is {overlay.state}.", code="overlay-state")
    return overlay


def _rules_changed() -> Conflict:
    return Conflict("The rules it was proposed over are not in force any more; propose it anew.", code="rules-changed")


def _document(new: NewOverlay, record: RulesOnRecord, version: int) -> dict[str, Any]:
    starts = new.starts.isoformat()
    return {
        "overlay_of": record.pack["name"],
        "name": BANK,
        "version": version,
        "changes": [{"why": new.reason, **change, "from": starts} for change in new.changes],
        "add": [{"vectors": [], **rule, "valid_from": starts} for rule in new.add],
        "add_texts": [{"vectors": [], **text, "valid_from": starts} for text in new.add_texts],
    }


def _signed(document: Mapping[str, Any], loosened: Sequence[Loosening], by: str, on: date, why: str) -> dict[str, Any]:
    """With the signature at each change that loosens something."""
    paths = {each.path for each in loosened}
    signature = {"by": by, "on": on.isoformat(), "why": why}
    changes = [
        {**change, "signed_off": signature} if f"overlay.changes[{place}]" in paths else change
        for place, change in enumerate(document["changes"])
    ]
    return {**document, "changes": changes}


def _pointer(path: str) -> str:
    """``overlay.changes[0].parameters.max`` as a pointer into the body."""
    steps = _INDEX.sub(r".\1", path).split(".")
    return "/" + "/".join(steps[1:])
