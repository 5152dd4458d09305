"""The committed contracts are those of the code: ``make docs`` writes them."""

import re
from pathlib import Path

import pytest

from services.api.app import VERSION, openapi_document
from services.cli_documents import as_text
from shared.adapters.asyncapi import document
from shared.domain.announcement import TOPICS
from shared.domain.event_types import EVENT_TYPES, FORMS

ROOT = Path(__file__).resolve().parents[2]
STALE = "docs/{} is not what the code makes: run `make docs` and commit it"


def test_the_openapi_document_is_that_of_the_code() -> None:
    assert (ROOT / "docs/openapi.json").read_bytes() == as_text(openapi_document()), STALE.format("openapi.json")


def test_the_asyncapi_document_is_that_of_the_code() -> None:
    assert (ROOT / "docs/asyncapi.json").read_bytes() == as_text(document(VERSION)), STALE.format("asyncapi.json")


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    made = document(VERSION)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', as_text(made).decode())):
        found = made
        for step in reference.split("/"):
            assert step in found, reference
            found = found[step]


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_type_of_ours_names_its_topic_and_its_version(name: str) -> None:
    kind = EVENT_TYPES[name]
    assert kind.topic in TOPICS
    assert re.fullmatch(r"arrears(\.[a-z_]+)+\.v[1-9]", name)
    assert {form.removesuffix("?") for form in kind.fields.values()} <= set(FORMS)


def test_a_consumer_only_waits_for_types_that_are_announced() -> None:
    waited = set()
    for table in ("services/scheduler/handlers.py", "services/notifier/handlers.py"):
        waited |= set(re.findall(r'"(arrears\.[a-z_.]+\.v[1-9])"', (ROOT / table).read_text()))
    assert waited
    assert waited <= set(EVENT_TYPES)
