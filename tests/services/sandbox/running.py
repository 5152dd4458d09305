"""A sandbox on free ports inside the test's own loop, and what the tests of it and of the adapters ask of it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from services.sandbox.app import Sandbox
from services.sandbox.settings import SandboxSettings
from shared.adapters.gateways.http_sms.signature import signed_headers
from shared.adapters.gateways.settings import DEVELOPMENT_KEY_ID, DEVELOPMENT_SECRET
from shared.application.gateway import Submission


@dataclass
class Running:
    sandbox: Sandbox
    client: httpx.AsyncClient

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox.http_port}"

    @property
    def smtp_port(self) -> int:
        return self.sandbox.smtp_port

    async def turn(self, **knobs: Any) -> None:
        answer = await self.client.patch("/knobs", content=json.dumps(knobs))
        assert answer.status_code == 200, answer.text

    async def log(self) -> list[dict[str, Any]]:
        return (await self.client.get("/log", params={"limit": 10_000})).json()["entries"]

    async def stats(self) -> dict[str, Any]:
        return (await self.client.get("/stats")).json()

    async def post(self, path: str, content: object, **changed: Any) -> httpx.Response:
        """A signed request; ``secret``, ``key_id``, ``now`` and ``headers`` may be changed."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = signed_headers(
            changed.get("secret", DEVELOPMENT_SECRET),
            changed.get("key_id", DEVELOPMENT_KEY_ID),
            body,
            changed.get("now", time.time()),
        )
        return await self.client.post(path, content=body, headers=headers | changed.get("headers", {}))

    async def send(self, *messages: dict[str, Any], **changed: Any) -> httpx.Response:
        return await self.post("/sms/messages", {"messages": messages}, **changed)


@asynccontextmanager
async def running_sandbox(home: Path, callback_url: str | None = None) -> AsyncIterator[Running]:
    sandbox = Sandbox(SandboxSettings(home=home, http_port=0, smtp_port=0, callback_url=callback_url))
    await sandbox.start()
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{sandbox.http_port}", trust_env=False, verify=False, timeout=20
    ) as client:
        yield Running(sandbox, client)
    await sandbox.stop()


def message(to: str = "+8613812345678", text: str = "您好", reference: str | None = None) -> dict[str, Any]:
    """An SMS as the provider's JSON has it."""
    return {
        "reference": reference or str(uuid.uuid4()),
        "to": to,
        "text": text,
        "valid_until": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }


def submission(
    to: str = "+8613812345678", body: str = "您好", subject: str | None = None, reference: str | None = None
) -> Submission:
    return Submission(
        reference=reference or str(uuid.uuid4()),
        message_group=str(uuid.uuid4()),
        to=to,
        body=body,
        subject=subject,
        valid_until=datetime.now(UTC) + timedelta(hours=1),
    )


def mail_to(to: str = "li@example.test", body: str = "您好", subject: str = "还款提醒") -> Submission:
    return submission(to, body, subject)
