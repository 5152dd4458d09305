"""Every environment variable that a process of ours reads."""

from __future__ import annotations

from services.api.settings import ApiSettings
from services.notifier.settings import NotifierSettings, WordingSettings
from services.sandbox.settings import SandboxSettings
from services.scheduler.settings import SchedulerSettings
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.kafka.settings import KafkaSettings
from shared.runtime.settings import FromEnvironment, ProcessSettings

SHARED = {"ARREARS_SECRETS_DIR"}


def variables(*settings: type[FromEnvironment]) -> set[str]:
    return SHARED | {
        f"{each.model_config.get('env_prefix', '')}{name.upper()}" for each in settings for name in each.model_fields
    }


READ_BY = {
    "services.api": variables(ApiSettings, KafkaSettings, GatewaySettings),
    "services.scheduler": variables(SchedulerSettings, KafkaSettings),
    "services.notifier": variables(NotifierSettings, WordingSettings, KafkaSettings, GatewaySettings),
    "services.sandbox": variables(SandboxSettings),
    "arrears": variables(ProcessSettings),
}
"""What is started to the variables that it reads."""
