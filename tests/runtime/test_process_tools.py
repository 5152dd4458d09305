"""Settings, logs, health and metrics."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter
from pydantic import SecretStr, ValidationError

from shared.runtime.health import Health
from shared.runtime.logging import Seldom, configure_logging
from shared.runtime.metrics import REGISTRY, serve_metrics
from shared.runtime.settings import DevelopmentOnly, Environment, ProcessSettings


class ServiceSettings(ProcessSettings):
    signing_key: Annotated[SecretStr, DevelopmentOnly()] = SecretStr("only-for-development")


def test_outside_development_a_development_default_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARREARS_ENVIRONMENT", raising=False)
    with pytest.raises(ValidationError, match="ARREARS_SIGNING_KEY") as caught:
        ServiceSettings()
    assert "only-for-development" not in str(caught.value)
    monkeypatch.setenv("ARREARS_SIGNING_KEY", "another")
    assert ServiceSettings().environment is Environment.PRODUCTION


def test_in_development_the_defaults_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARREARS_ENVIRONMENT", "development")
    assert ServiceSettings().in_development


def test_a_setting_is_read_from_a_secret_file_unless_the_environment_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ARREARS_SIGNING_KEY").write_text("from the file\n")
    monkeypatch.setenv("ARREARS_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("ARREARS_ENVIRONMENT", "production")
    assert ServiceSettings().signing_key.get_secret_value() == "from the file"
    monkeypatch.setenv("ARREARS_SIGNING_KEY", "from the environment")
    assert ServiceSettings().signing_key.get_secret_value() == "from the environment"


def test_an_invalid_setting_is_named_but_its_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARREARS_METRICS_PORT", "not-a-port-4111")
    with pytest.raises(ValidationError, match="metrics_port") as caught:
        ProcessSettings()
    assert "4111" not in str(caught.value)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level, told = root.handlers[:], root.level, structlog.get_config()
    stream = io.StringIO()
    configure_logging("api", stream=stream)
    yield stream
    root.handlers, root.level = before, level
    structlog.configure(**told)


def logged(stream: io.StringIO) -> dict[str, Any]:
    return dict(json.loads(stream.getvalue().splitlines()[-1]))


def test_a_log_line_is_json_and_says_who_speaks(lines: io.StringIO) -> None:
    structlog.get_logger("intake").info("event accepted", customer="C-1", count=3)
    line = logged(lines)
    assert (line["service"], line["event"], line["level"], line["customer"]) == ("api", "event accepted", "info", "C-1")
    assert line["at"].endswith("Z")


def test_confidential_values_are_removed_at_any_depth(lines: io.StringIO) -> None:
    structlog.get_logger().info("sent", phone="13800138000", attempts=[{"to": "13800138000", "code": "ok"}])
    assert "13800138000" not in lines.getvalue()
    assert logged(lines)["attempts"] == [{"to": "[removed]", "code": "ok"}]


def test_an_exception_is_logged_by_kind_and_place_without_the_values_in_its_text(lines: io.StringIO) -> None:
    try:
        raise ValueError("no such mailbox: li@example.com, tel. +86 138 0013 8000\nDETAIL: Key (name)=(Li Lei)")
    except ValueError:
        structlog.get_logger().exception("failed")
    line = logged(lines)
    assert line["error"][0]["kind"] == "ValueError"
    assert "test_process_tools.py" in line["error"][0]["at"][0]
    for personal in ("li@example.com", "138 0013 8000", "Li Lei"):
        assert personal not in lines.getvalue()


def test_other_libraries_logs_go_the_same_way(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("could not reach %s", "li@example.com")
    assert logged(lines)["event"] == "could not reach [removed]"


def test_a_library_that_repeats_itself_is_heard_now_and_then_and_all_others_always(lines: io.StringIO) -> None:
    seconds = iter([0.0, 1.0, 2.0, 11.0])
    (handler,) = (each for each in logging.getLogger().handlers if getattr(each, "stream", None) is lines)
    handler.filters = [Seldom("parrot", every=10, clock=lambda: next(seconds))]
    for number in range(3):
        logging.getLogger("parrot.head").error("cannot connect to node %s", number)
    for _ in range(2):
        logging.getLogger("owl").error("cannot connect")
    logging.getLogger("parrot.head").error("cannot connect to node %s", 9)
    said = [json.loads(line)["event"] for line in lines.getvalue().splitlines()]
    assert said == ["cannot connect to node 0", "cannot connect", "cannot connect", "cannot connect to node 9"]


def test_an_object_is_logged_by_its_kind_only(lines: io.StringIO) -> None:
    structlog.get_logger().info("seen", thing=SecretStr("x"))
    assert logged(lines)["thing"] == "<SecretStr>"


async def test_readiness_names_what_is_not_well_and_does_not_wait_for_it() -> None:
    health = Health()

    async def well() -> None:
        return

    async def refuses() -> None:
        raise ConnectionRefusedError("postgresql://user:password@host")

    async def hangs() -> None:
        await asyncio.Event().wait()

    health.register("database", well)
    assert (await health.check()).ready
    health.register("broker", refuses)
    health.register("gateway", hangs, timeout=0.01)
    readiness = await health.check()
    assert not readiness.ready
    assert {name: check.error for name, check in readiness.checks.items()} == {
        "database": None,
        "broker": "ConnectionRefusedError",
        "gateway": "TimeoutError",
    }


def test_metrics_are_served_on_a_port_of_their_own() -> None:
    registry = CollectorRegistry()
    Counter("events_accepted", "Events accepted", registry=registry).inc(3)
    server = serve_metrics(port=0, registry=registry)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as answer:
            assert b"events_accepted_total 3.0" in answer.read()
    finally:
        server.stop()


def test_the_registry_of_a_process_tells_about_the_process() -> None:
    assert {"process_cpu_seconds", "python_info"} <= {metric.name for metric in REGISTRY.collect()}
