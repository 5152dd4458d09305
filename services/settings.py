"""What every service can be told (``ARREARS_*``), and what keeps one from starting."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.adapters.crypto import BadKeys, FieldCipher, load_keys
from shared.runtime.settings import ProcessSettings

QUICK = 0.02  # seconds between looks when the manual clock drives


class CannotStart(RuntimeError):
    """Something that the process needs can not be had; the message says what, and how to put it right."""


class ServiceSettings(ProcessSettings):
    """Every service's. ``worker_name`` is a name that the orchestrator lets one process at a time have (a StatefulSet's
    ordinal): whoever comes with it knows that its predecessor is dead."""

    key_file: Path | None = None
    keys: SecretStr | None = None
    manual_clock: bool = False
    worker_name: str | None = Field(default=None, max_length=200)

    @property
    def poll(self) -> float:
        """Seconds between looks at what nobody wakes us for."""
        return QUICK if self.manual_clock else 0.5

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if not self.in_development and self.key_file is None and self.keys is None:
            raise ValueError("outside development ARREARS_KEY_FILE or ARREARS_KEYS must be set")
        return self

    @model_validator(mode="after")
    def _check_clock(self) -> Self:
        if self.manual_clock and not self.in_development:
            raise ValueError("ARREARS_MANUAL_CLOCK is for development only")
        return self


def make_cipher(settings: ServiceSettings) -> FieldCipher:
    """Raises CannotStart when the keys can not be read."""
    try:
        keys = load_keys(
            file=settings.key_file,
            inline=settings.keys.get_secret_value() if settings.keys else None,
            home=settings.home,
            development=settings.in_development,
        )
    except BadKeys as error:
        raise CannotStart(f"{_place_of_keys(settings)}: {error}") from None
    return FieldCipher(keys)


def _place_of_keys(settings: ServiceSettings) -> str:
    if settings.keys:
        return "ARREARS_KEYS"
    return f"ARREARS_KEY_FILE ({settings.key_file})" if settings.key_file else f"the keys under {settings.home}"
