"""Where every process reads its settings: the environment (``ARREARS_*``), then secret files, then defaults.

A default that only suits development is marked ``DevelopmentOnly``; outside development a process that would run on one
refuses to start. A process is in production unless it is told otherwise, so that forgetting is safe.
"""

from __future__ import annotations

import os
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65_535)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)]


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class DevelopmentOnly:
    """Marks a field, by ``Annotated[..., DevelopmentOnly()]``, whose default must not be used outside development."""


class FromEnvironment(BaseSettings):
    """Settings read from ``ARREARS_X``, else from the file ``ARREARS_X`` in the directory that ``ARREARS_SECRETS_DIR``
    names. Errors name the field, never the value."""

    model_config = SettingsConfigDict(env_prefix="ARREARS_", extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's; we read no .env file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by the directory named at run time
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = os.environ.get("ARREARS_SECRETS_DIR")
        there = folder and Path(folder).is_dir()
        secrets: tuple[Any, ...] = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if there else ()
        return (init_settings, env_settings, *secrets)

    @model_validator(mode="before")
    @classmethod
    def _check_secrets(cls, given: Any) -> Any:
        folder = os.environ.get("ARREARS_SECRETS_DIR")
        if folder and not Path(folder).is_dir():
            raise ValueError(f"ARREARS_SECRETS_DIR: {folder} is no directory")
        return given


def complaint(error: ValidationError) -> str:
    """What is wrong with the settings, in one line that names the variables as a person sets them."""
    kinds = [FromEnvironment]
    for kind in kinds:
        kinds += kind.__subclasses__()
    prefix = next((kind.model_config["env_prefix"] for kind in kinds if kind.__name__ == error.title), "ARREARS_")
    return "; ".join(_complaint(prefix, one["loc"], one["msg"]) for one in error.errors())


def _complaint(prefix: str, place: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ")
    return f"{prefix}{str(place[0]).upper()}: {said}" if place else said


class ProcessSettings(FromEnvironment):
    """What every process of the suite needs; each service adds its own in a subclass."""

    environment: Environment = Environment.PRODUCTION
    home: Path = Path(".arrears")
    database_url: SecretStr | None = None
    log_level: LogLevel = "INFO"
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 9100
    grace: timedelta = timedelta(seconds=10)

    @property
    def in_development(self) -> bool:
        return self.environment is Environment.DEVELOPMENT

    @model_validator(mode="after")
    def _refuse_development_defaults(self) -> Self:
        if self.in_development:
            return self
        refused = [name for name in type(self).model_fields if self._is_development_default(name)]
        if refused:
            variables = ", ".join(f"ARREARS_{name.upper()}" for name in refused)
            raise ValueError(f"outside development (ARREARS_ENVIRONMENT) these must be set: {variables}")
        return self

    def _is_development_default(self, name: str) -> bool:
        field = type(self).model_fields[name]
        marked = any(isinstance(each, DevelopmentOnly) or each is DevelopmentOnly for each in field.metadata)
        return marked and bool(getattr(self, name) == field.get_default(call_default_factory=True, validated_data={}))
