"""What may come of a contact that a person or a dialler makes, and what each outcome says about who was reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from shared.domain.contact_facts import AnsweredBy, Channel


class ContactOutcome(StrEnum):
    RIGHT_PARTY = "right_party"
    OTHER_PERSON = "other_person"
    VOICEMAIL = "voicemail"
    MACHINE = "machine"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    BUSY = "busy"
    SWITCHED_OFF = "switched_off"
    INVALID_NUMBER = "invalid_number"
    SENT = "sent"
    RETURNED = "returned"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reached:
    """None: not known, and then it counts wherever it might. ``connected``: the dialled number was reached, whoever
    answered; ``point_dead``: the number or address is out of use."""

    answered_by: str | None
    connected: bool | None
    point_dead: bool = False


MEANS: Mapping[ContactOutcome, Reached] = MappingProxyType(
    {
        ContactOutcome.RIGHT_PARTY: Reached(AnsweredBy.RIGHT_PARTY.value, True),
        ContactOutcome.OTHER_PERSON: Reached(AnsweredBy.OTHER_PERSON.value, True),
        ContactOutcome.VOICEMAIL: Reached(AnsweredBy.VOICEMAIL.value, True),
        ContactOutcome.MACHINE: Reached(AnsweredBy.MACHINE.value, True),
        ContactOutcome.NO_ANSWER: Reached(AnsweredBy.NOBODY.value, None),
        ContactOutcome.REJECTED: Reached(AnsweredBy.NOBODY.value, None),
        ContactOutcome.BUSY: Reached(AnsweredBy.NOBODY.value, False),
        ContactOutcome.SWITCHED_OFF: Reached(AnsweredBy.NOBODY.value, False),
        ContactOutcome.INVALID_NUMBER: Reached(AnsweredBy.NOBODY.value, False, point_dead=True),
        ContactOutcome.SENT: Reached(None, None),
        ContactOutcome.RETURNED: Reached(AnsweredBy.NOBODY.value, False, point_dead=True),
        ContactOutcome.UNKNOWN: Reached(None, None),
    }
)

_SPOKEN = frozenset(
    {
        ContactOutcome.RIGHT_PARTY,
        ContactOutcome.OTHER_PERSON,
        ContactOutcome.VOICEMAIL,
        ContactOutcome.MACHINE,
        ContactOutcome.NO_ANSWER,
        ContactOutcome.REJECTED,
        ContactOutcome.BUSY,
        ContactOutcome.SWITCHED_OFF,
        ContactOutcome.INVALID_NUMBER,
        ContactOutcome.UNKNOWN,
    }
)
_WRITTEN = frozenset({ContactOutcome.SENT, ContactOutcome.RETURNED, ContactOutcome.UNKNOWN})
_MET = frozenset(
    {ContactOutcome.RIGHT_PARTY, ContactOutcome.OTHER_PERSON, ContactOutcome.NO_ANSWER, ContactOutcome.UNKNOWN}
)

OUTCOMES: Mapping[str, frozenset[ContactOutcome]] = MappingProxyType(
    {
        Channel.PHONE.value: _SPOKEN,
        Channel.VOICE_BOT.value: _SPOKEN,
        Channel.VISIT.value: _MET,
        Channel.SMS.value: _WRITTEN,
        Channel.EMAIL.value: _WRITTEN,
        Channel.LETTER.value: _WRITTEN,
        Channel.LEGAL.value: _WRITTEN,
    }
)
"""How a contact by each channel may end."""

TALKED = frozenset({ContactOutcome.RIGHT_PARTY, ContactOutcome.OTHER_PERSON, ContactOutcome.UNKNOWN})
"""Outcomes with which there may have been a talk, and so its length and whether it was about the debt."""
