import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import (
    KNOWN_CURRENCIES,
    MAX_AMOUNT,
    CurrencyMismatch,
    Money,
    allocate_in_order,
    decimal_text,
    minor_digits,
)


def test_adds_and_subtracts_in_one_currency():
    assert Money(500, "CNY").add(Money(250, "CNY")) == Money(750, "CNY")
    assert Money(500, "CNY") - Money(750, "CNY") == Money(-250, "CNY")


@pytest.mark.parametrize("operation", [Money.add, Money.sub])
def test_never_mixes_currencies(operation):
    with pytest.raises(CurrencyMismatch, match="CNY and USD"):
        operation(Money(1, "CNY"), Money(1, "USD"))


@pytest.mark.parametrize("amount", [1.0, "1", True, None, MAX_AMOUNT + 1, -MAX_AMOUNT - 1, 2**63])
def test_refuses_what_is_no_amount(amount):
    with pytest.raises(ValueError, match="amount"):
        Money(amount, "CNY")


@pytest.mark.parametrize("currency", ["", "cny", "XXX", "DEM", "¥", "CNY "])
def test_refuses_what_is_no_currency(currency):
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, currency)


def test_knows_the_digits_of_each_currency():
    assert [minor_digits(code) for code in ("CNY", "JPY", "KWD", "CLF")] == [2, 0, 3, 4]
    assert len(KNOWN_CURRENCIES) == 165


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1234567, "CNY", "12,345.67"),
        (-5, "CNY", "-0.05"),
        (1234567, "JPY", "1,234,567"),
        (1500, "KWD", "1.500"),
        (0, "USD", "0.00"),
    ],
)
def test_writes_minor_units_with_the_currencys_digits(amount, currency, text):
    assert decimal_text(amount, currency, ",") == text
    assert Money(amount, currency).decimal() == text.replace(",", "")


parts = st.lists(st.tuples(st.text(min_size=1), st.integers(0, 10**12)), max_size=6, unique_by=lambda part: part[0])


@given(amount=st.integers(0, 10**13), parts=parts)
def test_an_allocation_sums_to_the_payment_and_fills_in_order(amount, parts):
    taken, rest = allocate_in_order(amount, parts)
    assert sum(taken.values()) + rest == amount
    assert all(0 <= taken[name] <= owed for name, owed in parts)
    started = [taken[name] < owed for name, owed in parts]
    after_the_first_short = [taken[name] for name, _ in parts][started.index(True) + 1 :] if True in started else []
    assert not any(after_the_first_short)
    assert rest == 0 or all(taken[name] == owed for name, owed in parts)


def test_an_allocation_refuses_nonsense():
    for amount, wrong in [(-1, []), (1, [("fees", -1)]), (1, [("fees", 1), ("fees", 1)])]:
        with pytest.raises(ValueError, match=r"negative|twice"):
            allocate_in_order(amount, wrong)
