"""Money is whole minor units and an ISO 4217 code; nothing adds across currencies, no float comes near it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

MAX_AMOUNT = 10**15

_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
        "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG "
        "YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

KNOWN_CURRENCIES: Mapping[str, int] = MappingProxyType(
    {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()}
)
"""Active ISO 4217 codes (list one, published 2026-01-01) to their minor digits. Codes for metals, funds without a
minor unit and testing (XAU, XDR, XTS, XXX and the like) are not money that an account can be kept in."""


class CurrencyMismatch(ValueError):
    """Two currencies met in one sum."""


def minor_digits(currency: str) -> int:
    """Digits after the decimal point: 2 for CNY, 0 for JPY, 3 for KWD. Raises ValueError for an unknown code."""
    try:
        return KNOWN_CURRENCIES[currency]
    except KeyError:
        raise ValueError(f"{currency!r} is not an active ISO 4217 currency") from None


@dataclass(frozen=True, slots=True)
class Money:
    """``amount`` in minor units, at most MAX_AMOUNT either way. Raises ValueError for anything else."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise ValueError(f"amount must be a whole number of minor units, not {type(self.amount).__name__}")
        if not -MAX_AMOUNT <= self.amount <= MAX_AMOUNT:
            raise ValueError(f"amount is beyond {MAX_AMOUNT} minor units")
        minor_digits(self.currency)

    def add(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def sub(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    __add__ = add
    __sub__ = sub

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not add up")

    def decimal(self) -> str:
        """``1234567`` CNY is ``12345.67``: digits only, for people and files; never to be parsed back as a float."""
        return decimal_text(self.amount, self.currency)


def decimal_text(amount: int, currency: str, separator: str = "") -> str:
    """Minor units as a decimal number with the currency's own digits, thousands apart by ``separator``."""
    digits = minor_digits(currency)
    units, rest = divmod(abs(amount), 10**digits)
    whole = f"{units:,}".replace(",", separator)
    return f"{'-' if amount < 0 else ''}{whole}{f'.{rest:0{digits}d}' if digits else ''}"


def allocate_in_order(amount: int, parts: Sequence[tuple[str, int]]) -> tuple[dict[str, int], int]:
    """Give ``amount`` to ``parts`` (name, open minor units) one after the other.

    Returns what each part took (every name is present) and what is left over; the two always sum to ``amount``.
    Raises ValueError for a negative amount or part, or a name given twice.
    """
    if amount < 0:
        raise ValueError("an amount to allocate is not negative")
    taken: dict[str, int] = {}
    for name, open_amount in parts:
        if open_amount < 0:
            raise ValueError(f"{name} is owed a negative amount")
        if name in taken:
            raise ValueError(f"{name} is named twice")
        taken[name] = min(amount, open_amount)
        amount -= taken[name]
    return taken, amount
