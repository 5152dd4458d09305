from __future__ import annotations

import pytest

from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings


async def test_there_is_one_gateway_for_each_channel() -> None:
    gateways = build_gateways(GatewaySettings())
    assert {channel: gateway.facts.name for channel, gateway in gateways.items()} == {
        "sms": "http_sms",
        "email": "smtp",
    }
    assert gateways["sms"].facts.query_for is not None
    assert gateways["email"].facts.query_for is None
    for gateway in gateways.values():
        await gateway.aclose()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GatewaySettings().uses_development_secret
    monkeypatch.setenv("ARREARS_SMS_SECRET", "a real one")
    monkeypatch.setenv("ARREARS_SMS_QUERY_FOR", "PT24H")
    settings = GatewaySettings()
    assert not settings.uses_development_secret
    assert settings.sms_query_for.total_seconds() == 86_400
    assert "a real one" not in repr(settings)
