"""The life of a text: drafted and put to review by one person, approved by another, retired by a third if need be.

What a text must and must not say is asked of the rules of the places it is for. They may change: an approved text that
breaks a rule is not used from the rule's date on, and is listed for whoever has to write a better one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from shared.application.editing import Expected
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid, NotFound
from shared.domain.contact import RuleSet
from shared.domain.template_lint import Draft, lint_text
from shared.domain.templates import Template, lint

DRAFT, REVIEW, APPROVED, RETIRED = "draft", "review", "approved", "retired"
FORM = "form"
"""What stands for a rule where a text is wrong by its form: variables, length, signature, subject."""


@dataclass(frozen=True, slots=True)
class TextKey:
    key: str
    language: str
    channel: str
    version: int


@dataclass(frozen=True, slots=True)
class TextOnFile:
    """``jurisdictions`` are those whose rules it was written for."""

    template: Template
    jurisdictions: tuple[str, ...]
    state: str
    created_by: str
    row_version: int


class RulesOf(Protocol):
    def rules(self, jurisdiction: str) -> RuleSet | None: ...


class TemplateStore(Protocol):
    @property
    def now(self) -> datetime: ...

    async def take_release_turn(self) -> None: ...

    async def next_text_version(self, key: str, language: str, channel: str) -> int: ...

    async def add_text(self, text: Template, jurisdictions: Sequence[str], by: str) -> None: ...

    async def find_text(self, key: TextKey) -> TextOnFile | None: ...

    async def move_text(self, key: TextKey, state: str, by: str, reason: str | None) -> None: ...

    async def supersede_texts(self, key: TextKey, by: str) -> None:
        """Retire the approved texts that this one follows."""

    async def release_texts(self, key: TextKey, by: str) -> None: ...


async def draft(tx: TemplateStore, text: Template, jurisdictions: Sequence[str], shelf: RulesOf, who: Principal) -> int:
    """Enter a new version of a text; ``text.version`` is not looked at. Nothing is sent by it yet."""
    await tx.take_release_turn()
    unknown = [name for name in jurisdictions if shelf.rules(name) is None]
    if unknown:
        raise Invalid(
            "A place is not known.", errors=[FieldError("/jurisdictions", "there are no contact rules of one")]
        )
    version = await tx.next_text_version(text.key, text.language, text.channel)
    made = Template(text.key, version, text.language, text.channel, text.purpose, text.subject, text.body,
                    text.variables)  # fmt: skip
    await tx.add_text(made, jurisdictions, who.subject)
    return version


async def submit(tx: TemplateStore, key: TextKey, who: Principal, expected: Expected) -> None:
    """Put a draft to review; nothing is changed in it any more."""
    await _open(tx, key, expected, DRAFT)
    await tx.move_text(key, REVIEW, who.subject, None)


async def approve(
    tx: TemplateStore, key: TextKey, reason: str, shelf: RulesOf, who: Principal, expected: Expected, on: date
) -> None:
    """A second person's yes: it is sent from now on, in the place of the version before. What the rules object to, now
    or from a date to come on, has to be put right first."""
    text = await _open(tx, key, expected, REVIEW)
    if who.subject == text.created_by:
        raise Forbidden("Nobody approves what they wrote themselves.")
    found = list(objections(text.template, text.jurisdictions, shelf, on))
    if found:
        errors = [FieldError("/subject" if each["where"] == "subject" else "/body", said(each)) for each in found]
        raise Conflict("The rules object to the text.", code="template-findings", errors=errors)
    await tx.move_text(key, APPROVED, who.subject, reason)
    await tx.supersede_texts(key, who.subject)
    await tx.release_texts(key, who.subject)


async def retire(tx: TemplateStore, key: TextKey, reason: str, who: Principal, expected: Expected) -> None:
    """It is not sent any more, or never was."""
    text = await _open(tx, key, expected, DRAFT, REVIEW, APPROVED)
    await tx.move_text(key, RETIRED, who.subject, reason)
    if text.state == APPROVED:
        await tx.release_texts(key, who.subject)


async def _open(tx: TemplateStore, key: TextKey, expected: Expected, *states: str) -> TextOnFile:
    await tx.take_release_turn()
    text = await tx.find_text(key)
    if text is None:
        raise NotFound("There is no such text: template, language, channel or version.")
    expected.check(text.row_version)
    if text.state not in states:
        raise Conflict(f"It is {text.state}.", code="template-state")
    return text


def objections(template: Template, jurisdictions: Sequence[str], shelf: RulesOf, on: date) -> Iterator[dict[str, Any]]:
    """What is wrong with a text, by its form and by the rules of each place on a date: rule, place and words."""
    for problem in lint(template):
        yield _objection(None, FORM, None, None, None, problem, None)
    for jurisdiction in jurisdictions:
        rules = shelf.rules(jurisdiction)
        if rules is None:
            yield _objection(jurisdiction, FORM, None, None, None, "there are no contact rules of this place", None)
            continue
        for one in lint_text(as_draft(template), rules.texts, on):
            message = one.message + (f" {{{{ {one.placeholder} }}}}" if one.placeholder else "")
            yield _objection(jurisdiction, one.rule_id, one.where, one.line, one.column, message, one.citation)


def _objection(
    jurisdiction: str | None,
    rule: str,
    where: str | None,
    line: int | None,
    column: int | None,
    message: str,
    citation: str | None,
) -> dict[str, Any]:
    return {
        "jurisdiction": jurisdiction,
        "rule": rule,
        "where": where,
        "line": line,
        "column": column,
        "message": message,
        "citation": citation,
    }


def as_draft(template: Template) -> Draft:
    return Draft(template.language, template.channel, template.purpose, template.body, template.subject)


def said(found: dict[str, Any]) -> str:
    place = "" if found["where"] is None else f" at {found['where']} {found['line']}:{found['column']}"
    return f"{found['rule']}{place}: {found['message']}"
