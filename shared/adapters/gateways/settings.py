"""Settings of the gateways (environment ``ARREARS_*``). The defaults are the sandbox's; its secret is no secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from shared.runtime.settings import FromEnvironment

DEVELOPMENT_KEY_ID = "development"
DEVELOPMENT_SECRET = "development-only-not-a-secret"  # noqa: S105 - refused outside development


class GatewaySettings(FromEnvironment):
    """How the SMS provider and the mail relay are reached. Durations are ISO 8601 (``PT5S``) or seconds."""

    sms_url: str = Field("http://127.0.0.1:8025", pattern=r"^https?://[^/]")
    sms_key_id: str = DEVELOPMENT_KEY_ID
    sms_secret: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    sms_callback_secret: SecretStr | None = Field(None, description="for receipts, when it is not sms_secret")
    sms_batch_size: int = Field(200, ge=1, le=200)
    sms_concurrency: int = Field(4, ge=1, le=64)
    sms_idempotent: bool = False
    sms_query_for: timedelta = timedelta(hours=72)
    sms_query_delay: timedelta = timedelta(seconds=2)
    sms_connect_timeout: timedelta = timedelta(seconds=3)
    sms_answer_timeout: timedelta = timedelta(seconds=10)

    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(2525, ge=1, le=65_535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_ca_file: str | None = None
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_sender: str = "reminders@arrears.example"
    smtp_sender_name: str = "Card Centre"
    smtp_bounce_domain: str = "bounces.arrears.example"
    smtp_concurrency: int = Field(8, ge=1, le=64)
    smtp_batch_size: int = Field(20, ge=1, le=200)
    smtp_connect_timeout: timedelta = timedelta(seconds=5)
    smtp_answer_timeout: timedelta = timedelta(seconds=30)

    @property
    def uses_development_secret(self) -> bool:
        """True when a secret that everybody knows is in use: to be refused outside development."""
        secrets = (self.sms_secret, self.sms_callback_secret, self.smtp_password)
        return any(secret is not None and secret.get_secret_value() == DEVELOPMENT_SECRET for secret in secrets)
