"""The compose file: it is one by the specification, and each of its promises holds. Nothing is started here."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
import yaml
from pydantic import TypeAdapter

from tests.architecture.source import ROOT
from tests.deploy.settings import READ_BY

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
PROCESSES = ("api", "scheduler", "notifier")
CLOSING = timedelta(seconds=10)  # the publisher's and the pool's time-outs after ARREARS_GRACE
SECRET_WORDS = re.compile(r"PASSWORD|SECRET|KEYS?$|DATABASE_URL|TOKEN")


def started(service: dict[str, Any]) -> str:
    """The module, or the command, that one of our containers runs."""
    command: list[str] = service["command"]
    return command[2] if command[:2] == ["python", "-m"] else command[0]


def seconds(text: str) -> timedelta:
    return TypeAdapter(timedelta).validate_python(text if text.startswith("P") else f"PT{text.upper()}")


def mounted(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Secrets as (source, name of the file)."""
    for each in service.get("secrets", ()):
        yield (each, each) if isinstance(each, str) else (each["source"], each.get("target", each["source"]))


def test_it_is_a_compose_file() -> None:
    schema = json.loads((ROOT / "tests/deploy/compose_spec/compose-spec.json").read_text())
    found = jsonschema_rs.validator_for(schema).iter_errors(COMPOSE)
    assert [(list(error.instance_path), error.message) for error in found] == []


def test_the_schema_would_find_a_mistake() -> None:
    schema = json.loads((ROOT / "tests/deploy/compose_spec/compose-spec.json").read_text())
    assert not jsonschema_rs.is_valid(schema, {"services": {"api": {"imagine": "arrears"}}})


def test_everything_is_there_that_a_bank_would_run() -> None:
    assert {*PROCESSES, "migrate", "postgres", "kafka", "sandbox", "kafka-ui", "prometheus", "grafana"} == set(SERVICES)
    assert {f"services.{name}" for name in PROCESSES} == {started(SERVICES[name]) for name in PROCESSES}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_container_of_ours_is_told_only_what_it_reads_and_nothing_secret(name: str) -> None:
    service = SERVICES[name]
    told = {each for each in service["environment"] if each.startswith("ARREARS_")}
    assert told - set().union(*READ_BY.values()) == set(), "nobody reads these"
    files = {target for _, target in mounted(service) if target.startswith("ARREARS_")}
    assert files - READ_BY[started(service)] == set(), "this process does not read these"
    assert service["environment"]["ARREARS_SECRETS_DIR"] == "/run/secrets"
    secret = {each for each in told if SECRET_WORDS.search(each)} - {"ARREARS_SECRETS_DIR", "ARREARS_SMS_KEY_ID"}
    assert secret == set(), "secrets come by files"


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_container_of_ours_starts_what_exists_and_can_change_nothing_around_it(name: str) -> None:
    service = SERVICES[name]
    module = started(service)
    assert module == "arrears" or importlib.util.find_spec(f"{module}.__main__") is not None
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service, "the image's is not root"
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_given_the_time_that_it_takes_to_end(name: str) -> None:
    service = SERVICES[name]
    grace = seconds(service["environment"]["ARREARS_GRACE"])
    assert seconds(service["stop_grace_period"]) >= grace + CLOSING
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_starts_after_the_schema_and_the_broker_and_logs_in_as_itself(name: str) -> None:
    service = SERVICES[name]
    waits = {each: how["condition"] for each, how in service["depends_on"].items()}
    assert waits["migrate"] == "service_completed_successfully"
    assert waits["kafka"] == "service_healthy"
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert dict(mounted(service))[f"{name}-url"] == "ARREARS_DATABASE_URL"
    assert not any(source.startswith("owner") for source, _ in mounted(service))
    assert "/readyz" in " ".join(service["healthcheck"]["test"])
    assert service["environment"]["ARREARS_METRICS_HOST"] == "0.0.0.0"


def test_whoever_is_waited_for_has_a_health_check_or_ends() -> None:
    for service in SERVICES.values():
        waits = service.get("depends_on", {})
        for other, how in waits.items() if isinstance(waits, dict) else ():
            assert "healthcheck" in SERVICES[other] or how["condition"] == "service_completed_successfully"
    assert SERVICES["migrate"]["restart"] == "no"


def test_replicas_can_be_set_where_no_port_is_published() -> None:
    for name in ("scheduler", "notifier"):
        assert re.fullmatch(r"\$\{[A-Z]+:-[1-9]\}", SERVICES[name]["deploy"]["replicas"])
        assert "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_image_is_pinned_every_port_is_local_and_memory_has_a_limit(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"]), "pinned by version"
    assert all(re.match(r"127\.0\.0\.1:\d+:\d+$", port) for port in service.get("ports", ()))
    assert re.fullmatch(r"\d+[MG]", service["deploy"]["resources"]["limits"]["memory"])
    assert "restart" in service


def test_every_secret_is_declared_as_a_file_that_the_script_makes() -> None:
    used = {source for service in SERVICES.values() for source, _ in mounted(service)}
    assert used == set(COMPOSE["secrets"])
    script = (DEPLOY / "secrets.sh").read_text()
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
        part = name.removesuffix("-password").removesuffix("-url")
        assert re.search(rf"\b{re.escape(part)}\b", script), name
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_what_is_mounted_is_there_and_named_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume


def test_the_broker_is_the_one_that_was_tested_and_makes_an_id_for_each_log() -> None:
    pom = (DEPLOY / "kafka/pom.xml").read_text()
    (tested,) = re.findall(r"<kafka.version>([\d.]+)<", pom)
    kafka = SERVICES["kafka"]
    assert kafka["image"] == f"apache/kafka:{tested}"
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert "random-uuid" in kafka["command"][-1], (
        "the image's own id is always the same: a wiped log would go unnoticed"
    )
    assert "CLUSTER_ID" not in kafka["environment"]
