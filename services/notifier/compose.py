"""Put the notifier together from what its process has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from time import monotonic
from typing import Any

from services.notifier import handlers
from services.notifier.sender import SenderLoop
from services.notifier.settings import WordingSettings
from shared.adapters.clock import BusinessClock
from shared.adapters.postgres.shelf import Shelf
from shared.adapters.rendering import Renderer
from shared.adapters.wording import TemplateWording
from shared.application.gateway import Gateway
from shared.application.pipeline import Consumer
from shared.application.reminding import Reminding
from shared.application.sending import LEASE, Sender


def compose(
    work: Any,
    shelf: Shelf,
    gateways: Mapping[str, Gateway],
    clock: BusinessClock,
    *,
    instance: str,
    fence: int,
    poll: float = 1.0,
    lease: timedelta = LEASE,
    ask_first: Callable[[], bool] = lambda: False,
) -> tuple[Consumer, SenderLoop]:
    """``instance`` names this process on its leases, ``fence`` is above that of every process before it;
    ``ask_first`` says whether providers are to be asked before anything is submitted."""
    settings = WordingSettings()
    wording = TemplateWording(shelf, Renderer(), bank=settings.bank_name, hotline=settings.hotline)
    sender = Sender(
        work,
        shelf,
        wording,
        gateways,
        holder=instance,
        fence=fence,
        monotonic=monotonic,
        business_now=clock.now,
        lease=lease,
        ask_first=ask_first,
    )
    return handlers.consumer(Reminding(shelf)), SenderLoop(sender, gateways, poll=poll)
