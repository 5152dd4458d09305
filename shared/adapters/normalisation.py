"""One spelling for each contact point, so that equal ones are equal: E.164 for numbers, lower case for addresses; and
one for each name, to find it by."""

from __future__ import annotations

import re
from unicodedata import normalize

import phonenumbers

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,255}")


class NotNormalisable(ValueError):
    """The text is not a number or an address. The message says why, and does not repeat it."""


HOME = "CN"
REGIONS = (HOME, "GB", "HK", "IN", "SG", "US")
"""Where we have contact rules for, and so customers with numbers as they are dialled there."""


def phone(text: str, region: str = HOME) -> str:
    """``text`` in E.164. What is E.164 already is taken as it is; else it is read as dialled in ``region``."""
    if _E164.fullmatch(text):
        return text
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise NotNormalisable(f"not a phone number in {region}: {_reason(error)}") from None
    if not phonenumbers.is_possible_number(number):
        raise NotNormalisable(f"not a possible phone number in {region}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email(text: str) -> str:
    """``text`` in lower case without surrounding blanks. Receivers may tell case apart before the @; none do."""
    stripped = text.strip().lower()
    if len(stripped) > 254 or not _EMAIL.fullmatch(stripped):
        raise NotNormalisable("not an e-mail address")
    return stripped


def _reason(error: phonenumbers.NumberParseException) -> str:
    reasons = {
        phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: "unknown country code",
        phonenumbers.NumberParseException.TOO_LONG: "too long",
        phonenumbers.NumberParseException.TOO_SHORT_NSN: "too short",
        phonenumbers.NumberParseException.TOO_SHORT_AFTER_IDD: "too short",
    }
    return reasons.get(error.error_type, "no number in it")


def phones(text: str) -> frozenset[str]:
    """All that ``text`` may mean to somebody who does not know where it was dialled."""
    found, problem = set(), None
    for region in REGIONS:
        try:
            found.add(phone(text, region))
        except NotNormalisable as error:
            problem = problem or error
    if problem is not None and not found:
        raise problem
    return frozenset(found)


def readings(text: str) -> dict[str, frozenset[str | None]]:
    """Each number that ``text`` may mean, with the jurisdictions in which it is dialled so: None is that of customers
    without one, and an empty set says that only the plus is missing. Nothing when it is no number anywhere."""
    found: dict[str, set[str | None]] = {}
    for region in REGIONS:
        try:
            found.setdefault(phone(text, region), set()).update({region, None} if region == HOME else {region})
        except NotNormalisable:
            continue
    try:
        number = phonenumbers.parse(f"+{text}")
        if phonenumbers.is_valid_number(number):
            found.setdefault(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), set())
    except phonenumbers.NumberParseException:
        pass
    return {number: frozenset(regions) for number, regions in found.items()}


def name(text: str) -> str:
    """``text`` composed, in characters of the usual width, with single blanks: what a name is indexed by."""
    return " ".join(normalize("NFKC", text).split())


def names(text: str) -> frozenset[str]:
    """All that a name may be indexed by that is ``text``: rows of earlier releases are, as core banking wrote it."""
    return frozenset({name(text), text, normalize("NFC", text), normalize("NFD", text)})


def contact_value(kind: str, value: str, jurisdiction: str | None = None) -> str:
    """The one form of a contact point of ``kind`` (mobile, phone, email, address): stored, searched and dialled. That
    of a ``name`` is only searched.

    A number without a country is of the ``jurisdiction``: in another one it is a stranger's."""
    if kind in {"mobile", "phone"}:
        return phone(value, jurisdiction or HOME)
    if kind == "email":
        return email(value)
    if kind == "name":
        return name(value)
    return " ".join(value.split())
