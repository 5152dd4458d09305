"""How the broker is reached (``ARREARS_KAFKA_*``)."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import FromEnvironment


class KafkaSettings(FromEnvironment):
    """``partitions`` and ``replication`` are for topics that are made; an existing topic must have as many partitions,
    because a shard of the outbox goes to one partition."""

    model_config = SettingsConfigDict(
        env_prefix="ARREARS_KAFKA_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    bootstrap: str | None = None
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    partitions: int = Field(default=16, ge=1, le=64)
    replication: int = Field(default=1, ge=1, le=7)
    create_topics: bool = True
    group_prefix: str = "arrears-"
    topic_prefix: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9._-]*$")
    session_ms: int = Field(default=30_000, ge=1_000, le=300_000)
    batch: int = Field(default=500, ge=1, le=5_000)

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if self.security.startswith("SASL") and not (self.username and self.password):
            raise ValueError("with SASL, ARREARS_KAFKA_USERNAME and ARREARS_KAFKA_PASSWORD must be set")
        return self

    def topic(self, name: str) -> str:
        """What a topic of ours is called at this broker, which others may use, too."""
        return f"{self.topic_prefix}{name}"

    def connection(self) -> dict[str, Any]:
        """What every client is given to connect with."""
        given: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self.security}
        if self.security in ("SSL", "SASL_SSL"):
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
            given["ssl_context"] = context
        if self.security.startswith("SASL"):
            given |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password.get_secret_value() if self.password else None,
            }
        return given
