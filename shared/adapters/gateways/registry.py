"""THE table of gateways: channel -> the adapter that carries it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.adapters.gateways.http_sms.gateway import HttpSmsGateway
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.gateways.smtp.gateway import SmtpGateway
from shared.application.gateway import Gateway


def no_business_time() -> datetime | None:
    return None


def build_gateways(
    settings: GatewaySettings, business_time: Callable[[], datetime | None] = no_business_time
) -> dict[str, Gateway]:
    """The gateways by channel (``sms``, ``email``). No connection is made before the first submission.

    ``business_time`` is asked at each submission: under the manual clock its instant goes along in a header, so that
    the sandbox's log can be read in business time; None (a real provider) sends none.
    """
    gateways: list[Gateway] = [HttpSmsGateway(settings, business_time), SmtpGateway(settings, business_time)]
    return {gateway.facts.channel: gateway for gateway in gateways}
