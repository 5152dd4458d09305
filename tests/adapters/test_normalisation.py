"""Equal contact points are spelled equally, however they were typed."""

import pytest

from shared.adapters import normalisation
from tests.domain.seeds import packs


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


@pytest.mark.parametrize(
    ("jurisdiction", "typed", "stored"),
    [
        (None, "138 1234 5678", "+8613812345678"),
        ("HK", "9123 4567", "+85291234567"),
        ("GB", "07700 900123", "+447700900123"),
        ("EU", "+49 30 123456", "+4930123456"),
    ],
)
def test_a_number_without_a_country_is_dialled_where_the_customer_lives(jurisdiction, typed, stored):
    assert normalisation.contact_value("mobile", typed, jurisdiction) == stored
    assert "+" in typed or stored in normalisation.phones(typed)


def test_a_number_without_a_country_is_none_where_that_does_not_tell_it():
    with pytest.raises(normalisation.NotNormalisable):
        normalisation.contact_value("mobile", "030 123456", "EU")


def test_numbers_are_read_wherever_there_are_contact_rules():
    assert set(normalisation.REGIONS) == {pack["jurisdiction"] for pack in packs().values()} - {"EU"}


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
