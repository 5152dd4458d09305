"""What a person meets on the first start: a small portfolio in motion, addresses, and tokens to try them with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import orjson
import structlog

from services.api.dev_issuer import DevIssuer
from services.suite import Suite
from shared.adapters.synthetic import portfolio
from shared.application.facts import InboundEvent, read_event
from shared.application.intake import ingest
from shared.application.principal import Role

MONTHS = 6
CHUNK = 500
log = structlog.get_logger(__name__)


async def put_in_motion(suite: Suite, customers: int) -> int:
    """Feed an empty database the past half year of a made-up portfolio; the number of events."""
    async with suite.deps.work() as tx:
        now = tx.now
        if await tx.conn.fetchval("select exists (select from customers)"):
            return 0
    events = list(_past(customers, now))
    for start in range(0, len(events), CHUNK):
        await ingest(suite.deps.work, suite.deps.shelf, events[start : start + CHUNK])
    log.info("starter.portfolio_in_motion", customers=customers, events=len(events))
    return len(events)


def _past(customers: int, now: datetime) -> Iterator[InboundEvent]:
    start = date(now.year, now.month, 1)
    for _ in range(MONTHS - 1):
        start = (start - timedelta(days=1)).replace(day=1)
    for line in portfolio(customers, MONTHS, 7, start):
        if datetime.fromisoformat(orjson.loads(line)["time"]) > now:
            return
        event = read_event(line.strip(), now)
        if isinstance(event, InboundEvent):
            yield event


def welcome(suite: Suite, metrics_port: int) -> str:
    """Where everything is. Tokens only from the development issuer."""
    api = f"http://{suite.settings.api_host}:{suite.port}"
    lines = [
        "",
        "Arrears is running.",
        f"  API            {api}/v1   (OpenAPI: {api}/openapi.json)",
        f"  health         {api}/readyz",
        f"  metrics        http://{suite.settings.metrics_host}:{metrics_port}/metrics",
        f"  sandbox inbox  {suite.sandbox_url}/inbox",
        "",
    ]
    if suite.settings.uses_development_issuer:
        issuer = DevIssuer(suite.settings.home, audience=suite.settings.auth_audience)
        lines += [
            "A token of a supervisor to try it with (more: make token ROLE=collector):",
            f"  export TOKEN={issuer.make_token(Role.SUPERVISOR)}",
            f'  curl -H "Authorization: Bearer $TOKEN" "{api}/v1/cases?state=open&limit=3"',
            "",
        ]
    return "\n".join([*lines, "Ctrl-C stops it."])
