"""Find the approved text for a message and fill it: names masked, amounts and dates as the language writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Protocol

from shared.adapters.rendering import MessageTemplate, Renderer, RenderError
from shared.application.sending_desk import Desk, Spoken, Text, WordingError
from shared.application.template_life import as_draft
from shared.domain.contact import RuleSet
from shared.domain.money import minor_digits
from shared.domain.template_lint import lint_text
from shared.domain.templates import VARIABLES, Template

FALLBACK_LANGUAGES = ("zh-CN", "en")
_OPT_OUT = MappingProxyType({"zh-CN": "退订回T", "en": "Reply T to stop"})
MOST_KEPT = 512
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class TemplateShelf(Protocol):
    def rules(self, jurisdiction: str) -> RuleSet | None: ...

    def template(self, key: str, language: str, channel: str) -> Template | None: ...


class TemplateWording:
    """``bank`` and ``hotline`` sign every text."""

    def __init__(self, shelf: TemplateShelf, renderer: Renderer, *, bank: str, hotline: str) -> None:
        self._shelf = shelf
        self._renderer = renderer
        self._bank = bank
        self._hotline = hotline
        self._read: dict[
            tuple[int, str, date], tuple[Template, str | None]
        ] = {}  # by the text's identity, which the value keeps alive
        self._renderable: dict[int, tuple[Template, MessageTemplate]] = {}  # by identity, which the first keeps alive

    def compose(self, template: str, channel: str, desk: Desk, today: date, spoken: Spoken | None = None) -> Text:
        found = self._find(template, channel, desk.language)
        if found is None:
            raise WordingError(f"no approved text of {template} for {channel} in {desk.language}")
        broken = self._broken(found, desk.jurisdiction, today)
        if broken is not None:
            raise WordingError(f"{found.key} v{found.version} in {found.language} breaks {broken}")
        try:
            rendered = self._renderer.render(self._made(found), self._values(found.language, desk, today, spoken))
        except RenderError as error:
            raise WordingError(str(error)) from None
        return Text(rendered.subject, rendered.body, found.version)

    def _broken(self, template: Template, jurisdiction: str | None, today: date) -> str | None:
        """A rule of the customer's place that an approved text breaks since it was changed; None for a good one."""
        rules = None if jurisdiction is None else self._shelf.rules(jurisdiction)
        if rules is None:
            return None
        key = (id(template), rules.hash, today)
        if key not in self._read:
            if len(self._read) >= MOST_KEPT:
                self._read.clear()
            found = lint_text(as_draft(template), rules.texts, today)
            self._read[key] = (template, found[0].rule_id if found else None)
        return self._read[key][1]

    def _made(self, template: Template) -> MessageTemplate:
        known = self._renderable.get(id(template))
        if known is None:
            if len(self._renderable) >= MOST_KEPT:
                self._renderable.clear()
            known = self._renderable[id(template)] = (template, _renderable(template))
        return known[1]

    def _find(self, key: str, channel: str, language: str) -> Template | None:
        for wanted in (language, language.partition("-")[0], *FALLBACK_LANGUAGES):
            found = self._shelf.template(key, wanted, channel)
            if found is not None:
                return found
        return None

    def _values(self, language: str, desk: Desk, today: date, spoken: Spoken | None) -> Mapping[str, str]:
        values = {
            "name": masked_name(desk.name),
            "bank": self._bank,
            "hotline": self._hotline,
            "opt_out": _OPT_OUT[language],
            "card_last4": desk.debt.card_last4 if desk.debt else desk.card_last4,
        }
        if desk.debt is not None:
            values |= {
                "past_due": amount_text(desk.debt.past_due, desk.debt.currency, language),
                "due_date": date_text(desk.debt.oldest_due, language),
                "days_past_due": str(max((today - desk.debt.oldest_due).days, 0)),
            }
        if spoken is not None:  # it speaks of its own amount and day, not of the debt as a whole
            amounts = [amount_text(amount, currency, language) for currency, amount in spoken.amounts]
            values["past_due"] = ("、" if language == "zh-CN" else " and ").join(amounts)
            values["card_last4"] = next(
                (desk.cards[each] for each in spoken.account_ids if each in desk.cards), values["card_last4"]
            )
            if spoken.day is not None:
                values["due_date"] = date_text(spoken.day, language)
        return values


def _renderable(template: Template) -> MessageTemplate:
    return MessageTemplate(
        key=f"{template.key}/{template.channel}",
        version=template.version,
        language=template.language,
        body=template.body,
        variables=VARIABLES,
        subject=template.subject,
    )


def masked_name(name: str) -> str:
    """The first character (a Chinese surname) or first word; a stranger who reads the text learns no full name."""
    first = name.split(" ", 1)[0] if name.isascii() else name[:1]
    return f"{first}**" if name else ""


def amount_text(amount: int, currency: str, language: str) -> str:
    """Minor units as people write them, without a float in between."""
    digits = minor_digits(currency)
    whole, part = divmod(amount, 10**digits)
    number = f"{whole:,}.{part:0{digits}d}" if digits else f"{whole:,}"
    return f"¥{number}" if (currency, language) == ("CNY", "zh-CN") else f"{currency} {number}"


def date_text(day: date, language: str) -> str:
    if language == "zh-CN":
        return f"{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
