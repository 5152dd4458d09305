"""The facts that a rule pack may name, in conditions and demands: where each is, and what kind of value it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from shared.domain.contact_facts import Collector, ContactFacts, DebtorState, Proposal


class Form(StrEnum):
    WORD = "word"
    FLAG = "flag"
    NUMBER = "number"
    WORDS = "words"
    OTHER = "other"  # may be asked for, not compared


@dataclass(frozen=True, slots=True)
class NamedFact:
    """Read from ``path``. ``words`` are the values a word may have; empty when the bank names them."""

    path: str
    form: Form
    words: frozenset[str]
    read: Callable[[Any], Any]
    of_facts: bool

    def value(self, proposal: Proposal, facts: ContactFacts) -> Any:
        """None when it is not known."""
        return self.read(facts if self.of_facts else proposal)


def _at(path: str, form: Form, words: frozenset[str] = frozenset()) -> NamedFact:
    root, _, rest = path.partition(".")
    return NamedFact(path, form, words, attrgetter(rest), root == "facts")


NAMED: Mapping[str, NamedFact] = MappingProxyType(
    {
        "zone": _at("facts.zone", Form.OTHER),
        "jurisdiction": _at("facts.jurisdiction", Form.OTHER),
        "point_source": _at("facts.point_source", Form.WORD),
        "collector": _at("facts.collector", Form.WORD, frozenset(Collector)),
        "places": _at("facts.places", Form.WORDS),
        "debtor_state": _at("facts.debtor_state", Form.WORD, frozenset(DebtorState)),
        "point_place": _at("facts.point_place", Form.WORD),
        "permissions": _at("facts.permissions", Form.WORDS),
        "parts": _at("proposal.content.parts", Form.WORDS),
        "says_debt": _at("proposal.content.says_debt", Form.FLAG),
        "automated": _at("proposal.manner.automated", Form.FLAG),
        "account_registered": _at("proposal.manner.account_registered", Form.FLAG),
        "staff": _at("proposal.manner.staff", Form.NUMBER),
        "recorded": _at("proposal.manner.recorded", Form.FLAG),
        "entry": _at("proposal.manner.entry", Form.FLAG),
        "public_posting": _at("proposal.manner.public_posting", Form.FLAG),
        "announced": _at("proposal.manner.announced", Form.FLAG),
        "legal_step": _at("proposal.manner.legal_step", Form.WORD),
        "addressee_refused": _at("facts.addressee.refused", Form.FLAG),
        "addressee_evidence": _at("facts.addressee.evidence", Form.FLAG),
        "guarantee_in_force": _at("facts.addressee.guarantee_in_force", Form.FLAG),
        "within_estate": _at("facts.addressee.within_estate", Form.FLAG),
        "collector_listed": _at("facts.mandate.listed", Form.FLAG),
        "collector_announced": _at("facts.mandate.announced", Form.FLAG),
        "collector_licensed": _at("facts.mandate.licensed", Form.FLAG),
        "assignment_notified": _at("facts.mandate.assignment_notified", Form.FLAG),
        "limitation_ends_on": _at("facts.standing.limitation_ends_on", Form.OTHER),
        "legal_approval": _at("facts.standing.legal_approval", Form.FLAG),
        "ombudsman_open": _at("facts.standing.ombudsman_open", Form.FLAG),
        "military_checked": _at("facts.standing.military_checked", Form.FLAG),
        "notice_days": _at("facts.standing.notice_days", Form.NUMBER),
        "principal": _at("facts.standing.principal", Form.OTHER),
        "effective_collections": _at("facts.standing.effective_collections", Form.OTHER),
    }
)


def missing(names: tuple[str, ...], proposal: Proposal, facts: ContactFacts) -> list[str]:
    """Those of the named facts that are not known; an empty text is not known either."""
    values = ((name, NAMED[name].value(proposal, facts)) for name in names)
    return [name for name, value in values if value is None or value == ""]


def changed(path: str, to: Any, proposal: Proposal, facts: ContactFacts) -> tuple[Proposal, ContactFacts]:
    """The same with the value at ``path`` (``proposal.`` or ``facts.`` and the names below) being ``to``."""
    root, *names = path.split(".")
    if root == "facts":
        return proposal, _with(facts, names, to)
    return _with(proposal, names, to), facts


def _with(whole: Any, names: list[str], to: Any) -> Any:
    name, *rest = names
    return replace(whole, **{name: _with(getattr(whole, name), rest, to) if rest else to})
