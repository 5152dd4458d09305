"""What the scheduler process can be told (``ARREARS_*``)."""

from __future__ import annotations

from pydantic import Field

from services.settings import ServiceSettings


class SchedulerSettings(ServiceSettings):
    scheduler_pool_size: int = Field(default=4, ge=2, le=200)
