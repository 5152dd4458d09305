"""Put the notifier together from what its process has."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic, time_ns
from typing import Any

from services.notifier import handlers
from services.notifier.sender import SenderLoop
from services.notifier.settings import NotifierSettings
from shared.adapters.clock import BusinessClock
from shared.adapters.postgres.shelf import Shelf
from shared.adapters.rendering import Renderer
from shared.adapters.wording import TemplateWording
from shared.application.gateway import Gateway
from shared.application.pipeline import Consumer
from shared.application.reminding import Reminding
from shared.application.sending import Sender


def compose(
    work: Any,
    shelf: Shelf,
    gateways: Mapping[str, Gateway],
    clock: BusinessClock,
    *,
    instance: str,
    poll: float = 1.0,
) -> tuple[Consumer, SenderLoop]:
    """``instance`` names this process on its leases; its fence is the time it started, which only rises."""
    settings = NotifierSettings()
    wording = TemplateWording(shelf, Renderer(), bank=settings.bank_name, hotline=settings.hotline)
    sender = Sender(
        work,
        shelf,
        wording,
        gateways,
        holder=instance,
        fence=time_ns(),
        monotonic=monotonic,
        business_now=clock.now,
    )
    return handlers.consumer(Reminding(shelf)), SenderLoop(sender, gateways, poll=poll)
