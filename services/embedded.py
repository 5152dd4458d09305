"""The embedded defaults: the database and the sandbox provider, started where nothing else is configured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from contextlib import AsyncExitStack

import asyncpg
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.api.settings import ApiSettings
from services.database import check_database, migrated
from services.settings import CannotStart
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.postgres.schema import expected_revision, revision_of
from shared.adapters.postgres.shelf import check_read_in_place, check_shipped, seed_documents
from shared.adapters.postgres.workers import interrupt_uploads
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.settings import Port


class LocalSettings(ApiSettings):
    """The embedded suite's own: where the sandbox listens, and whether to start it."""

    model_config = SettingsConfigDict(env_prefix="ARREARS_", extra="ignore", frozen=True)

    sandbox: bool = True
    sandbox_http_port: Port = 8025
    sandbox_smtp_port: Port = 2525
    durable: bool = True
    sample_customers: int = Field(default=60, ge=0, le=5000)


async def open_database(settings: LocalSettings, stack: AsyncExitStack) -> str:
    """The address of a database of our schema: the configured one, which must be migrated, or the embedded one, which
    is migrated and seeded here. Services then take their own roles."""
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        await check_database(dsn, settings)
        check_read_in_place()
        return dsn
    if not settings.in_development:
        raise CannotStart("outside development ARREARS_DATABASE_URL must be set")
    check_shipped()
    postgres = EmbeddedPostgres(settings.home, durable=settings.durable)
    dsn = await asyncio.to_thread(postgres.start)
    stack.callback(postgres.stop)
    await _migrate(dsn)
    await seed_documents(dsn)
    await interrupt_uploads(dsn)
    return dsn


async def _migrate(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        if await revision_of(conn) == expected_revision():
            return
    finally:
        await conn.close()
    await migrated(dsn)


async def open_sandbox(settings: LocalSettings, stack: AsyncExitStack) -> tuple[str, int]:
    """Start the sandbox; its HTTP address and SMTP port. With ``sandbox`` off it, or real gateways, run elsewhere.

    It ends with us, however we end: a killed suite's would keep the log and the ports from the next one.
    It reports deliveries where the API has a port that is known beforehand; on any free one (0) it reports none."""
    if not settings.sandbox:
        return f"http://127.0.0.1:{settings.sandbox_http_port}", settings.sandbox_smtp_port
    callback = f"http://127.0.0.1:{settings.api_port}/v1/callbacks/http_sms"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.sandbox",
        *("--home", str(settings.home / "sandbox")),
        *("--http-port", str(settings.sandbox_http_port)),
        *("--smtp-port", str(settings.sandbox_smtp_port)),
        *(("--callback-url", callback) if settings.api_port else ()),
        "--until-eof",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    stack.push_async_callback(_end, process)
    line = await process.stdout.readline() if process.stdout is not None else b""
    if not line:
        ports = "ARREARS_SANDBOX_HTTP_PORT, ARREARS_SANDBOX_SMTP_PORT"
        raise CannotStart(f"the sandbox did not start, its reason stands above; its ports are set by {ports}")
    ready = json.loads(line)
    return ready["http"], int(ready["smtp"].rsplit(":", 1)[1])


def gateway_settings(settings: LocalSettings, sandbox_url: str, smtp_port: int) -> GatewaySettings:
    """To the sandbox that was started here, or to what the settings name."""
    given = GatewaySettings()
    return given.model_copy(update={"sms_url": sandbox_url, "smtp_port": smtp_port}) if settings.sandbox else given


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()
