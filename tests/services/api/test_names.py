"""A name is found however Unicode lets it be written; what is shown of it is what core banking wrote last."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from shared.application.principal import Role
from tests.services.api.portfolio import wang

REASON = "customer asked how we write the name"
COMPOSED, DECOMPOSED = normalize("NFC", "Zoë Müller"), normalize("NFD", "Zoë Müller")
WIDE = "".join("\u3000" if each == " " else chr(ord(each) + 0xFEE0) for each in "WANG Fang")


async def named(portfolio, name, *, version=1):
    customer = wang() | {"name": name, "version": version}
    await portfolio.overdue(customer=customer, sequence=version)


async def found(portfolio, name):
    async with portfolio.as_(Role.SUPERVISOR) as client:
        answer = await client.post("/v1/customers/search", json={"name": name})
    assert answer.status_code == 200, answer.text
    return [each["customer_id"] for each in answer.json()["items"]]


async def written(portfolio):
    async with portfolio.as_(Role.COLLECTOR) as client:
        shown = await client.post("/v1/customers/C-1/unmask", json={"fields": ["name"], "reason": REASON})
    return shown.json()["name"]


PAIRS = [
    (COMPOSED, DECOMPOSED),
    (DECOMPOSED, COMPOSED),
    ("WANG Fang", WIDE),
    (WIDE, "WANG Fang"),
    ("王\u3000小明", "王 小明"),
    ("山田\uff80\uff9b\uff73", "山田タロウ"),
]


@pytest.mark.parametrize(("stored", "typed"), PAIRS)
async def test_a_name_is_found_in_any_form_of_the_same_letters(portfolio, stored, typed):
    await named(portfolio, stored)
    assert await found(portfolio, typed) == await found(portfolio, stored) == ["C-1"]
    assert await found(portfolio, typed[:-1]) == []
    assert await written(portfolio) == stored


@pytest.mark.parametrize("stored", [COMPOSED, DECOMPOSED, WIDE])
async def test_a_name_that_was_indexed_as_it_was_written_is_still_found(portfolio, owner, stored):
    await named(portfolio, stored)
    as_written = portfolio.deps.cipher.blind("customer-name", stored)
    await owner.execute("update customers set name_bidx = $1", as_written)
    assert await found(portfolio, stored) == ["C-1"]
    for other in {normalize("NFC", stored), normalize("NFD", stored)}:
        assert await found(portfolio, other) == ["C-1"]


async def test_another_form_of_a_name_is_news_to_show_and_the_same_to_find(portfolio):
    await named(portfolio, WIDE)
    await named(portfolio, "WANG Fang", version=2)
    assert await written(portfolio) == "WANG Fang"
    assert await found(portfolio, WIDE) == ["C-1"]
