"""Message templates: what a text may hold. Rendering is elsewhere; here a text is read, checked and measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from shared.domain.contact_facts import Purpose
from shared.domain.document import DocumentError, Section

SMS_UNITS: Mapping[str, int] = MappingProxyType({"zh-CN": 70, "en": 134})
"""UTF-16 units a text message may take: one part in Chinese, two (67 each) in English."""

SAMPLE_VALUES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "zh-CN": MappingProxyType(
            {
                "name": "王**",
                "card_last4": "1234",
                "past_due": "¥12,345.67",
                "due_date": "11月20日",
                "days_past_due": "128",
                "bank": "示范银行",
                "hotline": "400-600-8000",
                "opt_out": "退订回T",
            }
        ),
        "en": MappingProxyType(
            {
                "name": "Wang **",
                "card_last4": "1234",
                "past_due": "CNY 12,345.67",
                "due_date": "20 Nov 2026",
                "days_past_due": "128",
                "bank": "Demo Bank",
                "hotline": "400-600-8000",
                "opt_out": "Reply T to stop",
            }
        ),
    }
)
"""An ordinary customer's values, for previews and for measuring: about as long as they get."""

VARIABLES = frozenset(SAMPLE_VALUES["en"])

REQUIRED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Purpose.DUNNING.value: frozenset({"bank", "card_last4", "past_due", "hotline"}),
        Purpose.DUE_REMINDER.value: frozenset({"bank", "card_last4", "past_due", "due_date", "hotline"}),
        Purpose.STATUTORY_NOTICE.value: frozenset({"bank", "hotline"}),
        Purpose.ANSWER.value: frozenset({"bank", "hotline"}),
        Purpose.SERVICE.value: frozenset({"bank", "card_last4"}),
        Purpose.LOCATE.value: frozenset({"bank", "hotline"}),
    }
)
"""Variables a text of the purpose can not do without."""

_PLACEHOLDER = re.compile(r"\{\{ ?([a-z_0-9]+) ?\}\}")
_DEBT_IN_SUBJECT = re.compile(
    r"逾期|欠|催|债|还款|失信|\d|overdue|past.due|arrears|debt|owe|collect|pay(ment)?.(due|late|miss)|delinquen", re.I
)
_NOT_SAID = re.compile(
    r"黑名单|失信|坐牢|拘留|逮捕|刑事|诈骗|家人|亲友|单位同事|上门|法院|公安|派出所|最后通牒|后果自负"
    r"|blacklist|jail|arrest|prison|criminal|police|court|your (family|employer|relatives)|final warning|or else",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Template:
    """One text in one language for one channel. ``variables`` are those the subject and body use, sorted."""

    key: str
    version: int
    language: str
    channel: str
    purpose: str
    subject: str | None
    body: str
    variables: tuple[str, ...]


def parse_templates(document: Mapping[str, Any]) -> tuple[Template, ...]:
    """Read ``{key, version, purpose, texts: [{language, channel, subject?, body}]}``.

    Raises DocumentError naming the path, also for a text that ``lint`` objects to.
    """
    root = Section(document, "template")
    key, version = root.text("key"), root.whole("version", low=1)
    purpose = root.word("purpose", REQUIRED.keys())
    templates = tuple(_text(section, key, version, purpose) for section in root.sections("texts"))
    root.finish()
    if not templates:
        raise DocumentError("template.texts", "holds no text")
    if len({(each.language, each.channel) for each in templates}) != len(templates):
        raise DocumentError("template.texts", "has two texts for one language and channel")
    return templates


def _text(section: Section, key: str, version: int, purpose: str) -> Template:
    language = section.word("language", SAMPLE_VALUES.keys())
    channel = section.word("channel", {"sms", "email"})
    subject = section.optional_text("subject")
    body = section.text("body").strip("\n")
    section.finish()
    variables = tuple(sorted(placeholders(body) | placeholders(subject or "")))
    template = Template(key, version, language, channel, purpose, subject, body, variables)
    problems = lint(template)
    if problems:
        raise DocumentError(section.path, "; ".join(problems))
    return template


def placeholders(text: str) -> set[str]:
    """Names in ``{{ name }}``."""
    return set(_PLACEHOLDER.findall(text))


def lint(template: Template) -> tuple[str, ...]:
    """What is wrong with a text, in sentences; empty when nothing is."""
    threats = (found.group() for found in _NOT_SAID.finditer(template.body))
    return (
        *_lint_variables(template),
        *_lint_subject(template),
        *(_lint_sms(template) if template.channel == "sms" else ()),
        *(f"says {words!r}, which is a threat or a false claim" for words in threats),
    )


def _lint_variables(template: Template) -> Iterable[str]:
    used = placeholders(template.body) | placeholders(template.subject or "")
    yield from (f"uses {name}, which is no variable" for name in sorted(used - VARIABLES))
    yield from (f"lacks {name}" for name in sorted(REQUIRED[template.purpose] - used))
    rest = _PLACEHOLDER.sub("", template.body + (template.subject or ""))
    if any(mark in rest for mark in ("{{", "}}", "{%", "{#")):
        yield "holds template syntax other than {{ name }}"


def _lint_subject(template: Template) -> Iterable[str]:
    if template.channel != "email":
        if template.subject is not None:
            yield "has a subject, which only an e-mail has"
        return
    if template.subject is None:
        yield "has no subject"
        return
    if placeholders(template.subject) - {"bank"}:
        yield "puts something about the customer into the subject, which others can see"
    found = _DEBT_IN_SUBJECT.search(template.subject)
    if found:
        yield f"speaks of the debt in the subject: {found.group()!r}"
    if "\n" in template.subject:
        yield "has a subject of two lines"


def _lint_sms(template: Template) -> Iterable[str]:
    if not template.body.startswith("【{{ bank }}】"):
        yield "does not begin with the signature 【{{ bank }}】"
    if "\n" in template.body:
        yield "is a text message of two lines"
    units, most = sms_units(_filled(template)), SMS_UNITS[template.language]
    if units > most:
        yield f"takes {units} units as a text message, {most} are allowed"


def sms_units(text: str) -> int:
    """Length of a text message in UTF-16 units, as carriers count what is not plain GSM 7-bit."""
    return len(text.encode("utf-16-le")) // 2


def _filled(template: Template) -> str:
    values = SAMPLE_VALUES[template.language]
    return _PLACEHOLDER.sub(lambda found: values.get(found.group(1), ""), template.body)
