"""Settings of the sandbox: ``ARREARS_SANDBOX_*``; the command line goes before them."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.adapters.gateways.settings import DEVELOPMENT_KEY_ID, DEVELOPMENT_SECRET
from shared.runtime.settings import FromEnvironment, Port


class SandboxSettings(FromEnvironment):
    """Where the sandbox listens and what it keeps. Port 0 takes a free one; the ready line says which."""

    model_config = SettingsConfigDict(env_prefix="ARREARS_SANDBOX_", extra="ignore", populate_by_name=True)

    home: Path = Path(".arrears/sandbox")
    host: str = "127.0.0.1"
    http_port: Port = 8025
    smtp_port: Port = 2525
    key_id: str = DEVELOPMENT_KEY_ID
    secret: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    callback_url: str | None = None
    knobs: str = "{}"
