"""What people enter may be late, but not of before anything could be on record: one bound, that of events."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import services.api.schemas
from services.api.fields import Body
from tests.application.bank import report, updated
from tests.services.api.people import COLLECTOR, office
from tests.services.api.test_contacts import MORNING

BEFORE = {"date-time": "1969-12-31T23:59:59+08:00", "date": "1969-12-31"}
FIRST = {"date-time": "1970-01-01T00:00:00+08:00", "date": "1970-01-01"}


def kinds(schema: Any) -> set[str]:
    """The formats of time that a value may have."""
    return {each["format"] for each in (schema, *schema.get("anyOf", ())) if each.get("format") in BEFORE}


def bodies(model: type[Body] = Body) -> Iterator[type[Body]]:
    for each in model.__subclasses__():
        yield each
        yield from bodies(each)


def entered() -> list[Any]:
    """Each field of a body that holds an instant or a day."""
    for module in pkgutil.iter_modules(services.api.schemas.__path__, "services.api.schemas."):
        importlib.import_module(module.name)
    found = []
    for body in sorted(bodies(), key=lambda each: each.__name__):
        for name, about in body.model_fields.items():
            taken = TypeAdapter(about.rebuild_annotation())
            found += [pytest.param(taken, kind, id=f"{body.__name__}.{name}") for kind in kinds(taken.json_schema())]
    return found


@pytest.mark.parametrize(("taken", "kind"), entered())
def test_what_a_person_enters_is_not_of_before_anything_could_be_on_record(taken: TypeAdapter[Any], kind: str) -> None:
    taken.validate_python(FIRST[kind])
    with pytest.raises(ValidationError, match="believable"):
        taken.validate_python(BEFORE[kind])


async def test_a_contact_of_1969_is_refused_at_its_instant(database, tmp_path):
    async with office(database, tmp_path) as desk:
        await desk.bank.say(updated(), report(due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"))
        await desk.move_to(MORNING)
        async with desk.person(COLLECTOR) as caller:
            told = {"customer_id": "C1", "channel": "phone", "outcome": "no_answer", "at": BEFORE["date-time"]}
            refused = await caller.create("/v1/contact-attempts", **told)
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/at"]
