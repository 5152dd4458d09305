"""What alerts and dashboards name is what processes show, and every alert says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import yaml

from shared.adapters.postgres.shards import SHARDS
from tests.architecture.source import ROOT
from tests.deploy.exposed import exposed, queues
from tests.deploy.promql import Selector, groupings, selectors
from tests.deploy.test_compose import PROCESSES, SERVICES

PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")}
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]


def expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of every alert, panel and annotation."""
    for rule in RULES:
        yield f"alert {rule['alert']}", rule["expr"]
    for name, board in DASHBOARDS.items():
        for panel in board["panels"]:
            for each in panel.get("targets", ()):
                yield f"{name}: {panel['title']}", each["expr"]
        for note in board["annotations"]["list"]:
            if "expr" in note:
                yield f"{name}: {note['name']}", note["expr"]


def test_an_expression_is_taken_apart_as_prometheus_would() -> None:
    found = list(
        selectors(
            'histogram_quantile(0.9, sum by (le, x) (rate(a_bucket{r=~"/v1/(i|o).*", s!="{5}"}[5m]))) > 1e3 '
            "and on (job) b_total offset 1h unless absent(c) or vector(0) * inf"
        )
    )
    assert found == [
        Selector("a_bucket", (("r", "=~", "/v1/(i|o).*"), ("s", "!=", "{5}"))),
        Selector("b_total", ()),
        Selector("c", ()),
    ]
    assert groupings("sum by (le, x) (a) * on (job) group_left (v) b") == {"le", "x", "job", "v"}


async def test_every_series_that_is_named_is_shown_by_some_process(pool: asyncpg.Pool) -> None:
    known = await exposed(pool)
    named = [(where, each) for where, text in expressions() for each in selectors(text)]
    assert len(named) > 60
    assert {(where, each.name) for where, each in named if each.name not in known} == set()
    wrong = [
        (where, each.name, label)
        for where, each in named
        for label, _, _ in each.matchers
        if label not in known[each.name]
    ]
    assert wrong == []
    blind = [
        (where, label)
        for where, text in expressions()
        for label in groupings(text)
        if not any(label in known[each.name] for each in selectors(text))
    ]
    assert blind == [], "nothing has this label"


def test_every_queue_that_is_named_is_measured() -> None:
    names, beginnings = queues()
    asked = {
        value
        for _, text in expressions()
        for each in selectors(text)
        for label, how, value in each.matchers
        if label == "queue" and how in ("=", "=~")
    }
    assert {"outbox", "timers", "messages"} <= names
    for value in asked:
        begins = re.match(r"\(?([\w|]+)\)?", value)
        parts = begins[1].split("|") if begins else [value]
        for part in parts:
            assert part in names or f"{part.rstrip('_')}_".startswith(beginnings), value


async def test_what_operations_would_miss_is_on_the_dashboard_or_in_an_alert(pool: asyncpg.Pool) -> None:
    shown = {each.name for _, text in expressions() for each in selectors(text)}
    ours = {
        name for name in await exposed(pool) if name.startswith("arrears_") and not name.endswith(("_sum", "_count"))
    }
    assert ours - shown == set()


def test_alerts_cover_what_must_not_go_unseen_and_say_how_urgent_they_are() -> None:
    alerts = {rule["alert"]: rule for rule in RULES}
    assert len(alerts) == len(RULES)
    assert {
        "LawBroken", "LagUnknown", "EventsWait", "DoubtOld", "DeadLetters", "OutboxStuck", "SchedulerStands",
        "NoWorker", "RoutePausedLong", "ImportInterrupted",
    } <= set(alerts)  # fmt: skip
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
    (shards,) = re.findall(r"< (\d+)", alerts["ShardsUnheld"]["expr"])
    assert int(shards) == SHARDS
    assert str(SHARDS) in alerts["ShardsUnheld"]["annotations"]["summary"]


def test_every_alert_has_its_row_in_the_operations_page_and_no_row_is_left_over() -> None:
    table = (ROOT / "docs/operations.md").read_text().partition("### Alerts")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(rule["alert"] for rule in RULES)


def test_prometheus_scrapes_every_kind_of_process_where_it_serves_its_metrics() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
    found = {job["job_name"]: job["dns_sd_configs"][0] for job in config["scrape_configs"]}
    assert set(found) == set(PROCESSES)
    for name, where in found.items():
        assert where["names"] == [name]
        assert str(where["port"]) == SERVICES[name]["environment"]["ARREARS_METRICS_PORT"]


def test_the_dashboard_asks_the_data_source_that_is_provisioned_and_its_panels_do_not_overlap() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/arrears.yml").read_text())["providers"][0]
    assert "prometheus" in SERVICES
    assert source["url"] == "http://prometheus:9090"
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]
    for board in DASHBOARDS.values():
        assert board["templating"]["list"][0]["current"]["value"] == source["uid"]
        cells = [
            (x, y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: rules are not run by Prometheus"
)
def test_prometheus_itself_takes_the_rules_and_they_fire_when_they_should() -> None:
    for command in (
        ["check", "config", PROMETHEUS / "prometheus.yml"],
        ["test", "rules", ROOT / "tests/deploy/alerts_test.yml"],
    ):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
