"""A client that a front-end's build makes from ``docs/openapi.json``, and people who work through it."""

from __future__ import annotations

import atexit
import functools
import importlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.architecture.source import ROOT

PACKAGE = "arrears_generated_client"


@functools.cache
def generated() -> str:
    """Make the package, once a process; what the generator said of what it left out."""
    home = Path(tempfile.mkdtemp(prefix="arrears-client-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", str(ROOT / "docs/openapi.json"), "--output-path", str(home / PACKAGE)),
            *("--config", str(ROOT / "tests/journeys/generated_client.yaml")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if not (home / PACKAGE / "client.py").exists():
        raise AssertionError(f"no client was made: {made.stdout}{made.stderr}")
    sys.path.insert(0, str(home))
    return made.stdout + made.stderr


class Caller:
    """Somebody with a token: ``do`` calls one of the generated functions with the generated models."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        generated()
        client = importlib.import_module(f"{PACKAGE}.client").Client(base_url=str(http.base_url))
        self._client = client.set_async_httpx_client(http)
        self._models = importlib.import_module(f"{PACKAGE}.models")

    async def do(
        self, operation: str, model: str | None = None, body: Mapping[str, Any] | None = None, **arguments: Any
    ) -> Any:
        """``operation`` as tag and function, ``body`` for ``model``; the answer's model. Anything but success is a
        failure of the test."""
        answer = await self._call(operation, model, body, arguments)
        assert answer.status_code < 300, answer.content
        return answer.parsed

    async def refused(
        self, operation: str, model: str | None = None, body: Mapping[str, Any] | None = None, **arguments: Any
    ) -> Any:
        """The problem that is answered."""
        answer = await self._call(operation, model, body, arguments)
        assert 400 <= answer.status_code < 500, answer.content
        return answer.parsed

    async def create(self, operation: str, model: str, body: Mapping[str, Any]) -> Any:
        return await self.do(operation, model, body, idempotency_key=str(uuid4()))

    async def _call(
        self, operation: str, model: str | None, body: Mapping[str, Any] | None, arguments: dict[str, Any]
    ) -> Any:
        function = importlib.import_module(f"{PACKAGE}.api.{operation}").asyncio_detailed
        if model is not None:
            arguments["body"] = getattr(self._models, model).from_dict(body)
        return await function(client=self._client, **arguments)
