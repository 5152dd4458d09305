"""A collector of another team reaches nothing of a customer, whichever operation is tried."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.services.api.happy_calls import HAPPY
from tests.services.api.office import Office, open_office
from tests.services.api.operations import operations

ABOUT_NOBODY = ("Template", "Text", "Polic", "ContactRules", "ContactOverlay", "AffordabilityGuide")
NOT_FOR_COLLECTORS = {
    "takePromise"
}  # with the waiver that the happy call asks for; refused before anything is looked up


def test_a_stranger_reaches_nothing_of_a_customer(postgres: EmbeddedPostgres, tmp_path) -> None:  # type: ignore[no-untyped-def]
    reached = []
    with open_office(postgres, tmp_path) as office:
        for operation in operations():
            if "collector" not in operation.roles or any(word in operation.id for word in ABOUT_NOBODY):
                continue
            answer = _as_a_stranger(office, operation.id, operation.method, operation.path)
            hidden = answer.status_code == (403 if operation.id in NOT_FOR_COLLECTORS else 404)
            if not hidden and not answer.text.startswith('{"items":[],'):
                reached.append(f"{operation.id}: {answer.status_code} {answer.text[:200]}")
    assert not reached, "\n".join(reached)


def _as_a_stranger(office: Office, name: str, method: str, path: str) -> httpx.Response:
    """What is asked for is there and may be edited; only then every case is another team's."""
    happy = HAPPY[name]
    office.sql("update cases set owner = null, team = null")
    params = {key: quote(value, safe="") for key, value in happy.params(office).items()}
    headers = dict(happy.headers())
    if happy.edits is not None:
        headers["if-match"] = office.tag(happy.edits.format(**params))
    office.sql("update cases set owner = 'somebody', team = 'others'")
    request = {"params": happy.query, "headers": headers}
    if happy.body is not None:
        request["json"] = happy.body
    return office.call(method, path.format(**params), Role.COLLECTOR, subject="stranger", **request)
