"""The gateways of a process, by channel."""

from __future__ import annotations

from contextlib import AsyncExitStack

from services.settings import CannotStart
from shared.adapters.clock import BusinessClock
from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings
from shared.application.gateway import Gateway
from shared.runtime.settings import ProcessSettings


def open_gateways(
    given: GatewaySettings, settings: ProcessSettings, clock: BusinessClock, stack: AsyncExitStack
) -> dict[str, Gateway]:
    """The gateways by channel. Raises CannotStart for a development secret outside development."""
    if given.uses_development_secret and not settings.in_development:
        raise CannotStart("outside development the gateways' secrets must be set (ARREARS_SMS_SECRET)")
    gateways = build_gateways(given, clock.business_time)
    for gateway in gateways.values():
        stack.push_async_callback(gateway.aclose)
    return gateways
