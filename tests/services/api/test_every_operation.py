"""Every operation of the OpenAPI document: it can be made to go well by a role that may, and by no other."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.api.app import create_app
from services.api.deps import make_deps
from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from shared.adapters.postgres.pool import Pool
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.services.api.happy_calls import HAPPY
from tests.services.api.office import Office, open_office
from tests.services.api.operations import operations
from tests.services.framing import client_of

OPEN = {"checkAlive", "checkReady", "takeDeliveryReports"}  # the last is secured by the provider's signature
ABOUT_NOBODY = ("Template", "Text", "Polic", "ContactRules", "ContactOverlay", "AffordabilityGuide")
NOT_FOR_COLLECTORS = {"takePromise"}  # the waiver that the happy call asks for is refused before anything is looked up
ANY_UUID = "7b0f1c1e-0000-4000-8000-000000000000"


def test_every_operation_has_a_call_that_goes_well_and_no_call_is_left_over() -> None:
    assert set(HAPPY) == {operation.id for operation in operations()}


@pytest.mark.timeout(120)  # each operation twice
def test_every_operation_goes_well_for_a_permitted_role_and_shows_a_stranger_nothing_of_a_customer(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    known = {operation.id: operation for operation in operations()}
    with open_office(postgres, tmp_path) as office:
        failed, reached = [], []
        for name, happy in HAPPY.items():
            operation = known[name]
            assert not operation.roles or happy.role.value in operation.roles, f"{name}: choose a permitted role"
            send = happy.prepared(office, operation.method, operation.path)
            if "collector" in operation.roles and not any(word in name for word in ABOUT_NOBODY):
                with _every_case_anothers(office):
                    answer = send(Role.COLLECTOR, "stranger")
                if not _is_hidden(name, answer):
                    reached.append(f"{name}: {answer.status_code} {answer.text[:300]}")
            answer = send(happy.role, happy.subject)
            if not answer.is_success or str(answer.status_code) not in operation.about["responses"]:
                failed.append(f"{name}: {answer.status_code} {answer.text[:300]}")
        assert not failed, "\n".join(failed)
        assert not reached, "\n".join(reached)


@contextlib.contextmanager
def _every_case_anothers(office: Office) -> Iterator[None]:
    """Each case is another team's; then it is whose it was."""
    before = office.sql("select case_id, owner, team from cases")
    office.sql("update cases set owner = 'somebody', team = 'others'")
    yield
    office.sql(
        "update cases c set owner = k.owner, team = k.team"
        " from unnest($1::uuid[], $2::text[], $3::text[]) as k(case_id, owner, team) where c.case_id = k.case_id",
        *([row[column] for row in before] for column in ("case_id", "owner", "team")),
    )


def _is_hidden(name: str, answer: httpx.Response) -> bool:
    if name in NOT_FOR_COLLECTORS:
        return answer.status_code == 403
    return answer.status_code == 404 or answer.json().get("items") == []


def test_only_these_operations_ask_for_no_token() -> None:
    assert {operation.id for operation in operations() if not operation.roles} == OPEN
    assert {operation.id for operation in operations() if "security" not in operation.about} == OPEN


@pytest.fixture
def guarded(tmp_path: Path):  # type: ignore[no-untyped-def]
    """The application without a database: whoever may not call must be refused before one is asked."""
    deps = make_deps(ApiSettings(environment="development", home=tmp_path), Pool(None, 1))  # type: ignore[arg-type]
    return create_app(deps), DevIssuer(tmp_path, audience="arrears")


async def test_nobody_is_let_in_without_a_token(guarded) -> None:  # type: ignore[no-untyped-def]
    app, _ = guarded
    async with client_of(app) as client:
        for operation in operations():
            if operation.id in OPEN:
                continue
            answer = await client.request(operation.method, _address(operation.path), content=b"{")
            assert answer.status_code == 401, operation.id
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer"), operation.id


@pytest.mark.parametrize("role", Role)
async def test_no_role_opens_what_is_not_its_own(guarded, role: Role) -> None:  # type: ignore[no-untyped-def]
    app, issuer = guarded
    async with client_of(app, issuer.make_token(role)) as client:
        for operation in operations():
            if operation.id in OPEN or role.value in operation.roles:
                continue
            answer = await client.request(operation.method, _address(operation.path), content=b"{")
            assert answer.status_code == 403, (operation.id, answer.text)
            assert answer.json()["type"].endswith("/forbidden"), operation.id
            assert all(allowed in answer.json()["detail"] for allowed in operation.roles), operation.id


def _address(template: str) -> str:
    return re.sub(r"\{[^}]+\}", ANY_UUID, template)
