"""What a person meets on the first start: a small portfolio in motion, addresses, and tokens to try them with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import asyncpg
import httpx
import orjson
import structlog

from services.api.dev_issuer import DevIssuer
from services.embedded import LocalSettings
from shared.adapters.clock import BusinessClock
from shared.adapters.postgres.schema import SCHEMA
from shared.adapters.synthetic import portfolio
from shared.application.principal import Role

MONTHS = 6
CHUNK = 500
log = structlog.get_logger(__name__)


async def put_in_motion(settings: LocalSettings, dsn: str, url: str) -> int:
    """Feed an empty database the past half year of a made-up portfolio, through the API; the number of events."""
    if not settings.sample_customers or not settings.in_development or await _holds_something(dsn):
        return 0
    token = DevIssuer(settings.home, audience=settings.auth_audience).make_token(Role.CORE_BANKING)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents-batch+json"}
    lines = list(_past(settings.sample_customers, BusinessClock().now()))
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        for start in range(0, len(lines), CHUNK):
            sent = await client.post("/v1/events", content=b"[" + b",".join(lines[start : start + CHUNK]) + b"]")
            sent.raise_for_status()
    log.info("starter.portfolio_in_motion", customers=settings.sample_customers, events=len(lines))
    return len(lines)


async def _holds_something(dsn: str) -> bool:
    conn = await asyncpg.connect(dsn, server_settings={"search_path": SCHEMA})
    try:
        found: bool = await conn.fetchval("select exists (select from customers)")
    finally:
        await conn.close()
    return found


def _past(customers: int, now: datetime) -> Iterator[bytes]:
    start = date(now.year, now.month, 1)
    for _ in range(MONTHS - 1):
        start = (start - timedelta(days=1)).replace(day=1)
    for line in portfolio(customers, MONTHS, 7, start):
        if datetime.fromisoformat(orjson.loads(line)["time"]).astimezone(UTC) > now:
            return
        yield line.strip()


def welcome(settings: LocalSettings, port: int, sandbox_url: str, metrics: Mapping[str, int]) -> str:
    """Where everything is; ``metrics`` is the port of each process. Tokens only from the development issuer."""
    api = f"http://{settings.api_host}:{port}"
    lines = [
        "",
        "Arrears is running.",
        f"  API            {api}/v1   (to read: {api}/docs, OpenAPI: {api}/openapi.json)",
        f"  health         {api}/readyz",
        *(
            f"  {'metrics':<15}http://{settings.metrics_host}:{number}/metrics{f'   ({name})' if name else ''}"
            for name, number in metrics.items()
        ),
        f"  sandbox inbox  {sandbox_url}/inbox",
        "",
    ]
    if settings.uses_development_issuer:
        issuer = DevIssuer(settings.home, audience=settings.auth_audience)
        lines += [
            "A token of a supervisor to try it with (more: make token ROLE=collector):",
            f"  export TOKEN={issuer.make_token(Role.SUPERVISOR)}",
            f'  curl -H "Authorization: Bearer $TOKEN" "{api}/v1/cases?state=open&limit=3"',
            "",
        ]
    return "\n".join([*lines, "Ctrl-C stops it."])
