"""What the core-banking system may tell us: the seven inbound facts and the answer each gets.

Amounts are integers in minor units; instants carry an offset; dates are the bank's business dates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal
from zoneinfo import available_timezones

from shared.domain.money import KNOWN_CURRENCIES, MAX_AMOUNT

EARLIEST = date(1970, 1, 1)
CLOCK_SKEW = timedelta(minutes=10)  # how far ahead of ours the core's clock may be
MAX_SEQUENCE = 2**53  # every JSON reader can hold it
MAX_TEXT = 200
_ZONES = frozenset(available_timezones())


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
class ReportedDue:
    due_date: date
    minimum_due: int
    unpaid: int


@dataclass(frozen=True, slots=True)
class ReportedBalances:
    principal: int
    interest: int
    fees: int
    penalty: int


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
    balances: ReportedBalances
    dues: tuple[ReportedDue, ...]
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
    return list(_problems(fact, now))


def _problems(fact: Fact, now: datetime) -> Iterator[Problem]:
    return _CHECKS[type(fact)](fact, now + CLOCK_SKEW)


def _report(fact: DelinquencyReported, latest: datetime) -> Iterator[Problem]:
    yield from _identifiers(fact, "account_id", "customer_id", "product")
    yield from _past("/data/cutoff_at", fact.cutoff_at, latest)
    yield from _sequence(fact.sequence)
    yield from _currency(fact.currency)
    if not (len(fact.card_last4) == 4 and fact.card_last4.isascii() and fact.card_last4.isdigit()):
        yield Problem("/data/card_last4", "must be four digits")
    yield from _amount("/data/credit_limit", fact.credit_limit)
    for part in ("principal", "interest", "fees", "penalty"):
        yield from _amount(f"/data/balances/{part}", getattr(fact.balances, part))
    yield from _dues(fact)
    if fact.customer is not None:
        yield from _customer(fact.customer)


def _payment(fact: PaymentPosted, latest: datetime) -> Iterator[Problem]:
    yield from _identifiers(fact, "payment_id", "account_id", "channel")
    yield from _amount("/data/amount", fact.amount, least=1)
    yield from _currency(fact.currency)
    yield from _past("/data/posted_at", fact.posted_at, latest)
    if not EARLIEST <= fact.value_date <= (latest + timedelta(days=370)).date():
        yield Problem("/data/value_date", "is not a believable date")


def _reversal(fact: PaymentReversed, latest: datetime) -> Iterator[Problem]:
    yield from _identifiers(fact, "reversal_id", "payment_id", "account_id", "reason")
    yield from _amount("/data/amount", fact.amount, least=1)
    yield from _currency(fact.currency)
    yield from _past("/data/reversed_at", fact.reversed_at, latest)


def _update(fact: CustomerUpdated, _latest: datetime) -> Iterator[Problem]:
    yield from _identifiers(fact, "customer_id")
    yield from _customer(fact.customer)


def _charge_off(fact: AccountChargedOff, latest: datetime) -> Iterator[Problem]:
    yield from _identifiers(fact, "account_id")
    yield from _currency(fact.currency)
    yield from _past("/data/charged_off_at", fact.charged_off_at, latest)
    yield from _amount("/data/amount", fact.amount)


def _closing(fact: AccountClosed, _latest: datetime) -> Iterator[Problem]:
    yield from _identifiers(fact, "account_id")
    yield from _currency(fact.currency)
    yield from _sequence(fact.sequence)


def _merger(fact: CustomerMerged, _latest: datetime) -> Iterator[Problem]:
    yield from _identifiers(fact, "from_customer_id", "into_customer_id")
    if fact.from_customer_id == fact.into_customer_id:
        yield Problem("/data/into_customer_id", "must not be the customer that is merged away")


_CHECKS: dict[type, Callable[[Any, datetime], Iterator[Problem]]] = {
    DelinquencyReported: _report,
    PaymentPosted: _payment,
    PaymentReversed: _reversal,
    CustomerUpdated: _update,
    AccountChargedOff: _charge_off,
    AccountClosed: _closing,
    CustomerMerged: _merger,
}


def _text(field: str, value: str, longest: int = MAX_TEXT) -> Iterator[Problem]:
    if not value or value.isspace():
        yield Problem(field, "must not be empty")
    elif len(value) > longest:
        yield Problem(field, f"must not be longer than {longest} characters")
    elif not value.isprintable():
        yield Problem(field, "must not contain control characters")


def _identifiers(fact: object, *names: str) -> Iterator[Problem]:
    for name in names:
        yield from _text(f"/data/{name}", getattr(fact, name))


def _amount(field: str, amount: int, least: int = 0) -> Iterator[Problem]:
    if not least <= amount <= MAX_AMOUNT:
        yield Problem(field, f"must be between {least} and {MAX_AMOUNT} minor units")


def _sequence(sequence: int) -> Iterator[Problem]:
    if not 0 < sequence <= MAX_SEQUENCE:
        yield Problem("/data/sequence", f"must be between 1 and {MAX_SEQUENCE}")


def _currency(currency: str) -> Iterator[Problem]:
    if currency not in KNOWN_CURRENCIES:
        yield Problem("/data/currency", "is not an ISO 4217 currency code")


def _past(field: str, at: datetime, latest: datetime) -> Iterator[Problem]:
    if at.tzinfo is None:
        yield Problem(field, "must carry an offset from UTC")
    elif at > latest:
        yield Problem(field, "lies in the future")
    elif at.year < EARLIEST.year:
        yield Problem(field, "is not a believable instant")


def _dues(fact: DelinquencyReported) -> Iterator[Problem]:
    if len(fact.dues) > 120:
        yield Problem("/data/dues", "must not hold more than 120 dues")
    before = EARLIEST
    for index, due in enumerate(fact.dues):
        if not before <= due.due_date <= fact.cutoff_at.date() + timedelta(days=370):
            yield Problem(f"/data/dues/{index}/due_date", "must be a believable date, and dues must be oldest first")
        elif index and due.due_date == before:
            yield Problem(f"/data/dues/{index}/due_date", "must not appear twice")
        before = max(before, due.due_date)
        yield from _amount(f"/data/dues/{index}/minimum_due", due.minimum_due)
        yield from _amount(f"/data/dues/{index}/unpaid", due.unpaid)
        if due.unpaid > due.minimum_due:
            yield Problem(f"/data/dues/{index}/unpaid", "must not be more than the minimum due")


def _customer(customer: ReportedCustomer) -> Iterator[Problem]:
    at = "/data/customer"
    if not 0 < customer.version <= MAX_SEQUENCE:
        yield Problem(f"{at}/version", f"must be between 1 and {MAX_SEQUENCE}")
    yield from _text(f"{at}/name", customer.name)
    yield from _text(f"{at}/segment", customer.segment)
    if len(customer.language) > 35 or not customer.language.isascii():
        yield Problem(f"{at}/language", "is not a language tag")
    if customer.time_zone is not None and customer.time_zone not in _ZONES:
        yield Problem(f"{at}/time_zone", "is not a zone of the IANA database")
    if customer.jurisdiction is not None and not (customer.jurisdiction.isalpha() and len(customer.jurisdiction) == 2):
        yield Problem(f"{at}/jurisdiction", "must be a two-letter country code")
    if len(customer.contact_points) > 50:
        yield Problem(f"{at}/contact_points", "must not hold more than 50 points")
    for index, point in enumerate(customer.contact_points):
        here = f"{at}/contact_points/{index}"
        yield from _text(f"{here}/value", point.value, 500)
        yield from _text(f"{here}/source", point.source)
        if point.kind == "email" and ("@" not in point.value or " " in point.value):
            yield Problem(f"{here}/value", "is not an e-mail address")
        if point.kind in ("mobile", "phone") and sum(c.isdigit() for c in point.value) < 5:
            yield Problem(f"{here}/value", "is not a telephone number")
