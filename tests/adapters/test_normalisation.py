"""Equal contact points are spelled equally, however they were typed."""

import pytest

from shared.adapters import normalisation


@pytest.mark.parametrize(
    ("typed", "region", "stored"),
    [
        ("+8613812345678", "CN", "+8613812345678"),
        ("138 1234 5678", "CN", "+8613812345678"),
        ("(010) 6552-9988", "CN", "+861065529988"),
        ("0086 138-1234-5678", "CN", "+8613812345678"),
        ("(202) 456-1111", "US", "+12024561111"),
    ],
)
def test_a_number_is_stored_as_e164(typed, region, stored):
    assert normalisation.phone(typed, region) == stored


@pytest.mark.parametrize("typed", ["", "hello", "12", "+99912345678901234567", "+0123456789"])
def test_what_is_no_number_is_refused_and_not_repeated(typed):
    with pytest.raises(normalisation.NotNormalisable) as refused:
        normalisation.phone(typed)
    assert not typed or typed not in str(refused.value)


def test_an_address_is_lower_case():
    assert normalisation.email(" Wang.Xiaoming@Example.COM ") == "wang.xiaoming@example.com"


@pytest.mark.parametrize("typed", ["", "a@", "@b", "a b@c.d", "a@b\0", "a@b@c", "x" * 65 + "@b.c", "a@" + "b" * 300])
def test_what_is_no_address_is_refused(typed):
    with pytest.raises(normalisation.NotNormalisable):
        normalisation.email(typed)
