"""The sandbox as a whole: one event loop, two listening sockets, one log."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from services.sandbox.desk import ControlDesk
from services.sandbox.knobs import Knobs, Panel, parse_knobs
from services.sandbox.ledger import Ledger
from services.sandbox.pages import InboxPages
from services.sandbox.receipts import ReceiptPusher
from services.sandbox.settings import SandboxSettings
from services.sandbox.sms import SmsDesk
from services.sandbox.smtp import MailDesk, SmtpConnection

KEEP_ALIVE_SECONDS = 75


class _Connection(HttpToolsProtocol):
    """Shows the application its transport, so that it can drop a client in the middle of a request."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class Sandbox:
    """Start it, use it, stop it. ``http_port`` and ``smtp_port`` are the ports taken, once started."""

    def __init__(self, settings: SandboxSettings, knobs: Knobs | None = None) -> None:
        self._settings = settings
        self.panel = Panel(_with_callback(knobs or parse_knobs(settings.knobs), settings.callback_url))
        self.ledger = Ledger(settings.home / "log.ndjson")
        secret = settings.secret.get_secret_value()
        self.receipts = ReceiptPusher(self.panel, settings.key_id, secret)
        self.mail = MailDesk(self.ledger, self.panel)
        self.sms = SmsDesk(self.ledger, self.panel, self.receipts, {settings.key_id: secret})
        self.http_port = 0
        self.smtp_port = 0
        self._servers: list[asyncio.Server] = []
        self._http = ServerState()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.receipts.start()
        config = self._http_config()
        http = await loop.create_server(
            lambda: _Connection(config=config, server_state=self._http, app_state={}),
            self._settings.host,
            self._settings.http_port,
            backlog=512,
        )
        self._servers.append(http)
        smtp = await loop.create_server(
            lambda: SmtpConnection(self.mail), self._settings.host, self._settings.smtp_port, backlog=512
        )
        self._servers.append(smtp)
        self.http_port = http.sockets[0].getsockname()[1]
        self.smtp_port = smtp.sockets[0].getsockname()[1]

    def _http_config(self) -> uvicorn.Config:
        pages, desk = (
            InboxPages(self.ledger, self.panel),
            ControlDesk(self.ledger, self.panel, self.stats, self.receipts.push_reply),
        )
        app = Starlette(routes=[*self.sms.routes(), *desk.routes(), *pages.routes()])
        config = uvicorn.Config(
            app,
            http=_Connection,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        config.load()
        return config

    def stats(self) -> dict[str, Any]:
        """What was taken since the log began, and what happened since this process began."""
        return {
            "taken": {"sms": self.ledger.totals["sms"], "email": self.ledger.totals["email"]},
            "second_copies": self.ledger.totals["second_copies"],
            "recipients": self.ledger.recipients,
            "sms": dict(self.sms.counts),
            "email": dict(self.mail.counts),
            "receipts": {**self.receipts.counts, "waiting": self.receipts.waiting},
            "connections": {"http": len(self._http.connections), "smtp": len(self.mail.connections)},
        }

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        self.mail.close()
        for connection in list(self._http.connections):
            connection.shutdown()
        await self.receipts.aclose()
        for task in list(self._http.tasks):
            task.cancel()
        await asyncio.gather(*self._http.tasks, return_exceptions=True)
        await self.ledger.aclose()


def _with_callback(knobs: Knobs, callback_url: str | None) -> Knobs:
    if callback_url is None:
        return knobs
    return msgspec.structs.replace(knobs, receipts=msgspec.structs.replace(knobs.receipts, callback_url=callback_url))
