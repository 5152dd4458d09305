"""What the API process can be told (``ARREARS_*``)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from services.settings import CannotStart, ServiceSettings
from shared.adapters.statement_pdf import NAMED_FONT, carried_font


class ApiSettings(ServiceSettings):
    """Settings of the API. Without a JWKS the built-in development issuer vouches for tokens, in development only."""

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    api_log_reads: bool = False
    statement_font: Path | None = None
    # On two cores six to eight connections are best; more of them only wait for each other.
    api_pool_size: int = Field(default=8, ge=1, le=200)

    auth_issuer: str | None = None
    auth_audience: str = "arrears"
    auth_roles_claim: str = "roles"
    auth_jwks_url: str | None = Field(default=None, pattern=r"^https?://[^/]")
    auth_jwks_file: Path | None = None

    @property
    def uses_development_issuer(self) -> bool:
        return self.auth_jwks_url is None and self.auth_jwks_file is None

    @model_validator(mode="after")
    def _check_issuer(self) -> Self:
        if self.uses_development_issuer:
            if not self.in_development:
                raise ValueError("outside development ARREARS_AUTH_JWKS_URL or ARREARS_AUTH_JWKS_FILE must be set")
        elif not self.auth_issuer:
            raise ValueError("ARREARS_AUTH_ISSUER must be set: the issuer of tokens is pinned")
        if not self.in_development and self.auth_jwks_url and not self.auth_jwks_url.startswith("https://"):
            raise ValueError("outside development ARREARS_AUTH_JWKS_URL must be https")
        return self


def font_of_documents(settings: ApiSettings) -> str:
    """The name of the font that Chinese in documents is set in. Raises CannotStart when the bank's can not be read."""
    if settings.statement_font is None:
        return NAMED_FONT
    try:
        return carried_font(settings.statement_font)
    except ValueError as error:
        raise CannotStart(f"ARREARS_STATEMENT_FONT: {error}") from None
