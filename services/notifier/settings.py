"""What the notifier process can be told (``ARREARS_*``)."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from services.settings import ServiceSettings
from shared.runtime.settings import FromEnvironment


class WordingSettings(FromEnvironment):
    """What signs every message."""

    bank_name: str = "示范银行"
    hotline: str = "400-600-8000"


class NotifierSettings(ServiceSettings):
    """``lease`` must be longer than the send window and any gateway's time-outs together."""

    notifier_pool_size: int = Field(default=6, ge=2, le=200)
    lease: timedelta = timedelta(seconds=60)
