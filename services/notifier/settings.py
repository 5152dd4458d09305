"""What the notifier process can be told (``ARREARS_*``)."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class NotifierSettings(BaseSettings):
    """``bank_name`` and ``hotline`` sign every message."""

    model_config = SettingsConfigDict(env_prefix="ARREARS_", extra="ignore", frozen=True)

    bank_name: str = "示范银行"
    hotline: str = "400-600-8000"
