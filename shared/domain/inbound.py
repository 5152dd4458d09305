"""What the core-banking system may tell us: the seven inbound facts and the answer each gets.

Amounts are integers in minor units; instants carry an offset; dates are the bank's business dates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal
from unicodedata import category
from zoneinfo import available_timezones

from shared.domain.account import Balances, Due
from shared.domain.money import KNOWN_CURRENCIES, MAX_AMOUNT

EARLIEST = date(1970, 1, 1)  # nothing that anybody tells of was on record before
CLOCK_SKEW = timedelta(minutes=10)  # how far ahead of ours the core's clock may be
MAX_SEQUENCE = 2**53  # every JSON reader can hold it
MAX_TEXT = 200
_ZONES = frozenset(available_timezones()) - {"localtime", "Factory"}  # a host's own setting, and none: no places
_COUNTRY = re.compile(r"[A-Z]{2}")
# As BCP 47 writes them, known or not; or with the underscores of locales, which many systems write for hyphens.
_LANGUAGE = re.compile(r"(?=.{2,35}\Z)[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*")
_JOINERS = frozenset("\u200c\u200d")  # zero width; names of several scripts can not be spelled without them


class Answer(StrEnum):
    """What became of an inbound event. All but ``parked`` are final."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CONFLICT = "conflict"
    UNMATCHED = "unmatched"
    PARKED = "parked"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an event: ``field`` is a JSON pointer or a column name."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportedPoint:
    kind: Literal["mobile", "phone", "email", "address"]
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class ReportedCustomer:
    version: int
    name: str
    language: str = "zh-CN"
    time_zone: str | None = None
    jurisdiction: str | None = None
    segment: str = "standard"
    contact_points: tuple[ReportedPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class DelinquencyReported:
    account_id: str
    customer_id: str
    cutoff_at: datetime
    sequence: int
    currency: str
    product: str
    card_last4: str
    credit_limit: int
    balances: Balances
    dues: tuple[Due, ...]
    customer: ReportedCustomer | None = None


@dataclass(frozen=True, slots=True)
class PaymentPosted:
    payment_id: str
    account_id: str
    amount: int
    currency: str
    value_date: date
    posted_at: datetime
    channel: str


@dataclass(frozen=True, slots=True)
class PaymentReversed:
    reversal_id: str
    payment_id: str
    account_id: str
    amount: int
    currency: str
    reason: str
    reversed_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerUpdated:
    customer_id: str
    customer: ReportedCustomer


@dataclass(frozen=True, slots=True)
class AccountChargedOff:
    account_id: str
    currency: str
    charged_off_at: datetime
    amount: int


@dataclass(frozen=True, slots=True)
class AccountClosed:
    account_id: str
    currency: str
    sequence: int
    reason: Literal["paid", "sold", "fraud"]


@dataclass(frozen=True, slots=True)
class CustomerMerged:
    from_customer_id: str
    into_customer_id: str


Fact = (
    DelinquencyReported
    | PaymentPosted
    | PaymentReversed
    | CustomerUpdated
    | AccountChargedOff
    | AccountClosed
    | CustomerMerged
)

FACT_TYPES: dict[str, type] = {
    "delinquency.reported.v1": DelinquencyReported,
    "payment.posted.v1": PaymentPosted,
    "payment.reversed.v1": PaymentReversed,
    "customer.updated.v1": CustomerUpdated,
    "account.charged_off.v1": AccountChargedOff,
    "account.closed.v1": AccountClosed,
    "customer.merged.v1": CustomerMerged,
}


def problems_of(fact: Fact, now: datetime) -> list[Problem]:
    """Everything that is wrong with a well-typed fact at business time ``now``; empty when it may be applied."""
    found: list[Problem] = []
    _CHECKS[type(fact)](found, fact, now + CLOCK_SKEW)
    return found


# Each check adds what it finds to ``found``: events come by the million, and generators inside generators cost more
# than what they look at.


def _report(found: list[Problem], fact: DelinquencyReported, latest: datetime) -> None:
    _identifiers(found, fact, "account_id", "customer_id", "product")
    _past(found, "/data/cutoff_at", fact.cutoff_at, latest)
    _sequence(found, fact.sequence)
    _currency(found, fact.currency)
    if not (len(fact.card_last4) == 4 and fact.card_last4.isascii() and fact.card_last4.isdigit()):
        found.append(Problem("/data/card_last4", "must be four digits"))
    _amount(found, "/data/credit_limit", fact.credit_limit)
    balances = fact.balances
    _amount(found, "/data/balances/principal", balances.principal)
    _amount(found, "/data/balances/interest", balances.interest)
    _amount(found, "/data/balances/fees", balances.fees)
    _amount(found, "/data/balances/penalty", balances.penalty)
    _dues(found, fact)
    if fact.customer is not None:
        _customer(found, fact.customer)


def _payment(found: list[Problem], fact: PaymentPosted, latest: datetime) -> None:
    _identifiers(found, fact, "payment_id", "account_id", "channel")
    _amount(found, "/data/amount", fact.amount, least=1)
    _currency(found, fact.currency)
    _past(found, "/data/posted_at", fact.posted_at, latest)
    if not EARLIEST <= fact.value_date <= (latest + timedelta(days=370)).date():
        found.append(Problem("/data/value_date", "is not a believable date"))


def _reversal(found: list[Problem], fact: PaymentReversed, latest: datetime) -> None:
    _identifiers(found, fact, "reversal_id", "payment_id", "account_id", "reason")
    _amount(found, "/data/amount", fact.amount, least=1)
    _currency(found, fact.currency)
    _past(found, "/data/reversed_at", fact.reversed_at, latest)


def _update(found: list[Problem], fact: CustomerUpdated, _latest: datetime) -> None:
    _identifiers(found, fact, "customer_id")
    _customer(found, fact.customer)


def _charge_off(found: list[Problem], fact: AccountChargedOff, latest: datetime) -> None:
    _identifiers(found, fact, "account_id")
    _currency(found, fact.currency)
    _past(found, "/data/charged_off_at", fact.charged_off_at, latest)
    _amount(found, "/data/amount", fact.amount)


def _closing(found: list[Problem], fact: AccountClosed, _latest: datetime) -> None:
    _identifiers(found, fact, "account_id")
    _currency(found, fact.currency)
    _sequence(found, fact.sequence)


def _merger(found: list[Problem], fact: CustomerMerged, _latest: datetime) -> None:
    _identifiers(found, fact, "from_customer_id", "into_customer_id")
    if fact.from_customer_id == fact.into_customer_id:
        found.append(Problem("/data/into_customer_id", "must not be the customer that is merged away"))


_CHECKS: dict[type, Callable[[list[Problem], Any, datetime], None]] = {
    DelinquencyReported: _report,
    PaymentPosted: _payment,
    PaymentReversed: _reversal,
    CustomerUpdated: _update,
    AccountChargedOff: _charge_off,
    AccountClosed: _closing,
    CustomerMerged: _merger,
}


def _text(
    found: list[Problem], at: str, name: str, value: str, longest: int = MAX_TEXT, *, prose: bool = False
) -> None:
    if not value or value.isspace():
        found.append(Problem(f"{at}/{name}", "must not be empty"))
    elif len(value) > longest:
        found.append(Problem(f"{at}/{name}", f"must not be longer than {longest} characters"))
    elif not value.isprintable() and not (prose and all(map(_is_prose, value))):
        found.append(Problem(f"{at}/{name}", "must not contain control or format characters"))


def _is_prose(char: str) -> bool:
    """May stand in what people write: printable, a blank of any script, or a joiner."""
    return char.isprintable() or char in _JOINERS or category(char) == "Zs"


def _identifiers(found: list[Problem], fact: object, *names: str) -> None:
    for name in names:
        _text(found, "/data", name, getattr(fact, name))


def _amount(found: list[Problem], field: str, amount: int, least: int = 0) -> None:
    if not least <= amount <= MAX_AMOUNT:
        found.append(Problem(field, f"must be between {least} and {MAX_AMOUNT} minor units"))


def _sequence(found: list[Problem], sequence: int) -> None:
    if not 0 < sequence <= MAX_SEQUENCE:
        found.append(Problem("/data/sequence", f"must be between 1 and {MAX_SEQUENCE}"))


def _currency(found: list[Problem], currency: str) -> None:
    if currency not in KNOWN_CURRENCIES:
        found.append(Problem("/data/currency", "is not an ISO 4217 currency code"))


def too_early(at: date) -> bool:
    """Is the day, or the instant by its own clock, of before anything could be on record? Whoever tells of it."""
    return at.year < EARLIEST.year


def _past(found: list[Problem], field: str, at: datetime, latest: datetime) -> None:
    if at.tzinfo is None:
        found.append(Problem(field, "must carry an offset from UTC"))
    elif at > latest:
        found.append(Problem(field, "lies in the future"))
    elif too_early(at):
        found.append(Problem(field, "is not a believable instant"))


def _dues(found: list[Problem], fact: DelinquencyReported) -> None:
    if len(fact.dues) > 120:
        found.append(Problem("/data/dues", "must not hold more than 120 dues"))
    if not fact.dues:
        return
    before, latest = EARLIEST, fact.cutoff_at.date() + timedelta(days=370)
    for index, due in enumerate(fact.dues):
        if not before <= due.due_date <= latest:
            wrong = "must be a believable date, and dues must be oldest first"
            found.append(Problem(f"/data/dues/{index}/due_date", wrong))
        elif index and due.due_date == before:
            found.append(Problem(f"/data/dues/{index}/due_date", "must not appear twice"))
        before = max(before, due.due_date)
        if not 0 <= due.unpaid <= due.minimum_due <= MAX_AMOUNT:
            _due_amounts(found, f"/data/dues/{index}", due)


def _due_amounts(found: list[Problem], at: str, due: Due) -> None:
    _amount(found, f"{at}/minimum_due", due.minimum_due)
    _amount(found, f"{at}/unpaid", due.unpaid)
    if due.unpaid > due.minimum_due:
        found.append(Problem(f"{at}/unpaid", "must not be more than the minimum due"))


def _customer(found: list[Problem], customer: ReportedCustomer) -> None:
    at = "/data/customer"
    if not 0 < customer.version <= MAX_SEQUENCE:
        found.append(Problem(f"{at}/version", f"must be between 1 and {MAX_SEQUENCE}"))
    _text(found, at, "name", customer.name, prose=True)
    _text(found, at, "segment", customer.segment)
    if not _LANGUAGE.fullmatch(customer.language):
        found.append(Problem(f"{at}/language", "must be a language tag, as zh-CN or en"))
    if customer.time_zone is not None and customer.time_zone not in _ZONES:
        found.append(Problem(f"{at}/time_zone", "is not a zone of the IANA database"))
    if customer.jurisdiction is not None and not _COUNTRY.fullmatch(customer.jurisdiction):
        found.append(Problem(f"{at}/jurisdiction", "must be a country code of two capital letters"))
    if len(customer.contact_points) > 50:
        found.append(Problem(f"{at}/contact_points", "must not hold more than 50 points"))
    for index, point in enumerate(customer.contact_points):
        _point(found, f"{at}/contact_points/{index}", point)


def _point(found: list[Problem], at: str, point: ReportedPoint) -> None:
    _text(found, at, "value", point.value, 500, prose=True)
    _text(found, at, "source", point.source)
    if point.kind == "email" and ("@" not in point.value or " " in point.value):
        found.append(Problem(f"{at}/value", "is not an e-mail address"))
    if point.kind in ("mobile", "phone") and sum(map(str.isdigit, point.value)) < 5:
        found.append(Problem(f"{at}/value", "is not a telephone number"))
