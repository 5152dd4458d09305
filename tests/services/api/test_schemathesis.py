"""The whole OpenAPI document against the working suite: what the document allows, what it forbids, and odd things.

Deterministic and short here. ``ATTACK_EXAMPLES=500`` (examples an operation) makes it long, and random.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation

from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.services.api.happy_calls import HAPPY
from tests.services.api.office import EVERYBODY, Office, open_office
from tests.services.api.operations import DOCUMENT

LONG = "ATTACK_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("ATTACK_EXAMPLES", "8"))
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.ignored_auth,
]
# A batch of events is taken whatever is in it, and each event in it refused on its own.
TAKES_ANYTHING = {"receiveEvents"}
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {
            "mode": "all",
            "deterministic": not LONG,
            "max-examples": EXAMPLES,
            "no-shrink": not LONG,
            "with-security-parameters": False,
        },
        "phases": {"coverage": {"enabled": LONG}},
    }
)
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


class Target:
    """The office, and what the calls of each operation are about: by turns something that is there, or is not."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.headers = {"Authorization": f"Bearer {office.token(*EVERYBODY)}"}
        self._turns: dict[str, Iterator[bool]] = defaultdict(lambda: itertools.cycle((True, True, False)))
        # Before anything is attacked: later a lucky guess may have used up the last one of a kind.
        self._known = {name: happy.params(office) for name, happy in HAPPY.items()}

    def aim(self, case: Case) -> None:
        name = case.operation.definition.raw["operationId"]
        bad_path = case.meta is not None and case.meta.is_negative_at(ParameterLocation.PATH)
        if bad_path or not next(self._turns[name]):
            return
        case.path_parameters = {key: self._known[name][key] for key in case.path_parameters}
        bad_header = case.meta is not None and case.meta.is_negative_at(ParameterLocation.HEADER)
        if "If-Match" in case.headers and not bad_header:
            case.headers["If-Match"] = "*"


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schemathesis")]  # what it attacks is made once


@pytest.fixture(scope="module")
def target(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with open_office(postgres, tmp_path_factory.mktemp("office")) as office:
        yield Target(office)


def only_a_header_is_wrong(case: Case) -> bool:
    """Every header is a text by the time it is sent, so that one of the wrong type can not be told."""
    negative = [place for place in ParameterLocation if case.meta is not None and case.meta.is_negative_at(place)]
    return negative == [ParameterLocation.HEADER]


@schemathesis.serializer("application/ndjson", "application/x-ndjson")
def lines(ctx: schemathesis.SerializationContext, value: object) -> bytes:
    data = getattr(value, "data", value)
    return data if isinstance(data, bytes) else str(data).encode(errors="surrogatepass")


@schema.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), derandomize=not LONG)
def test_what_is_answered_is_what_the_document_says(case: Case, target: Target) -> None:
    target.aim(case)
    name = case.operation.definition.raw["operationId"]
    excluded = [checks.negative_data_rejection] if name in TAKES_ANYTHING or only_a_header_is_wrong(case) else []
    case.call_and_validate(base_url=target.office.url, headers=target.headers, checks=CHECKS, excluded_checks=excluded)


def test_each_operation_is_a_test_of_its_own(request: pytest.FixtureRequest) -> None:
    """By its node id: of those that share one, pytest-xdist runs one for all."""
    attacked = [item for item in request.session.items if hasattr(item, "operation_label")]
    assert len(attacked) == len(list(schema.get_all_operations()))
    assert len({item.nodeid for item in attacked}) == len(attacked)
