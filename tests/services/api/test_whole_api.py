"""Every operation of the OpenAPI: reachable, guarded, and never at a loss for an answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.application.principal import Role
from tests.services.api.whole_api import HAPPY, World, whole_api

EXAMPLES = int(os.environ.get("ARREARS_FUZZ_EXAMPLES", "6"))  # an operation; more of them for a long night
SIGNED = {"takeDeliveryReports"}  # secured by the provider's signature, tested with the gateway
CHECKS = (
    checks.not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home: Path = tmp_path_factory.mktemp("whole-api")
    with whole_api(home) as made:
        yield made


def operations(world: World) -> dict[str, dict[str, Any]]:
    paths = world.client.get("/openapi.json").json()["paths"]
    return {operation["operationId"]: operation for path in paths.values() for operation in path.values()}


@pytest.mark.timeout(120)
def test_every_operation_succeeds_for_a_permitted_role_and_only_for_one(world: World) -> None:
    described = operations(world)
    assert set(HAPPY) | SIGNED == set(described), "an operation without a call, or a call without an operation"
    taken = []
    for operation, call in HAPPY.items():
        request = call(world)
        roles = described[operation].get("x-roles")
        if roles:
            wrong = next(role for role in Role if role.value not in roles)
            taken.append((operation, "no token", world.client.send(request).status_code == 401))
            request.headers["authorization"] = f"Bearer {world.token(wrong)}"
            taken.append((operation, f"as {wrong}", world.client.send(request).status_code == 403))
            request.headers["authorization"] = f"Bearer {world.token(Role(roles[0]), Role(roles[-1]))}"
        answer = world.client.send(request)
        taken.append((operation, answer.text[:300], 200 <= answer.status_code < 300))
    failed = [f"{operation}: {what}" for operation, what, well in taken if not well]
    assert not failed, "\n" + "\n".join(failed)


@pytest.mark.timeout(280)
def test_nothing_that_fits_or_breaks_the_schema_makes_the_api_fail(world: World) -> None:
    schema = schemathesis.openapi.from_url(f"{world.url}/openapi.json")
    headers = world.everything()
    failures: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()

        def attack(case: Any) -> None:
            try:
                case.call_and_validate(headers=headers, checks=CHECKS)
            except FailureGroup as group:
                failures.extend(f"{case.method} {case.path}: {str(failure)[:700]}" for failure in group.exceptions)

        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)
            _bounded(strategy, attack)
    assert not failures, "\n" + "\n\n".join(failures)


def _bounded(strategy: Any, attack: Any) -> None:
    from hypothesis import given
    from hypothesis.errors import Unsatisfiable

    runner = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(attack))
    try:
        runner()
    except Unsatisfiable:  # nothing can be wrong with an operation that takes no input
        return
