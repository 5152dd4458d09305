"""What every route can reach: made once by whoever starts the process, kept on ``app.state.deps``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import Request

from services.api.dev_issuer import ISSUER, DevIssuer
from services.api.paging import CursorSigner
from services.api.settings import ApiSettings, font_of_documents
from services.api.taking import Intake
from services.api.tokens import Expectation, KeySource, TokenVerifier, keys_from_file, keys_from_url
from services.settings import make_cipher
from shared.adapters.crypto import FieldCipher
from shared.adapters.normalisation import contact_value
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.shelf import Shelf
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.adapters.rendering import Renderer
from shared.application.gateway import Gateway
from shared.runtime.health import Health

if TYPE_CHECKING:
    from shared.adapters.kafka.lag import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    settings: ApiSettings
    pool: Pool
    work: PostgresUnitOfWork
    cipher: FieldCipher
    verifier: TokenVerifier
    cursors: CursorSigner
    health: Health
    shelf: Shelf
    intake: Intake
    renderer: Renderer = field(default_factory=Renderer)
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    lag: Callable[[], Reading | None] | None = None
    statement_font: str


async def _deps(request: Request) -> ApiDeps:
    deps: ApiDeps = request.app.state.deps
    return deps


Deps = Annotated[ApiDeps, Depends(_deps)]


def make_deps(
    settings: ApiSettings,
    pool: Pool,
    *,
    health: Health | None = None,
    wake: Callable[[], None] = lambda: None,
    gateways: Mapping[str, Gateway] | None = None,
    shelf: Shelf | None = None,
    lag: Callable[[], Reading | None] | None = None,
) -> ApiDeps:
    """The parts of the API on top of an open pool, as the settings say; ``/readyz`` asks the database.

    ``wake`` is called after each commit that left news in the outbox; ``gateways`` are by channel;
    ``lag`` answers the newest reading of how far behind consumers are, None where no broker lies between.
    """
    cipher = make_cipher(settings)
    health = health or Health()
    health.register("database", pool.ping)
    work = PostgresUnitOfWork(pool, cipher, contact_value, manual_clock=settings.manual_clock, wake=wake)
    shelf = shelf or Shelf(pool)
    return ApiDeps(
        settings=settings,
        pool=pool,
        work=work,
        cipher=cipher,
        verifier=make_verifier(settings),
        cursors=CursorSigner(cipher.keys.derive("cursor")),
        health=health,
        shelf=shelf,
        intake=Intake.on(work, shelf, pool.size),
        gateways=gateways or {},
        lag=lag,
        statement_font=font_of_documents(settings),
    )


def make_verifier(settings: ApiSettings) -> TokenVerifier:
    """Trusts the configured issuer; in development, without one, the built-in issuer."""
    return TokenVerifier(
        _key_source(settings),
        Expectation(
            issuer=ISSUER if settings.uses_development_issuer else settings.auth_issuer or "",
            audience=settings.auth_audience,
            roles_claim="roles" if settings.uses_development_issuer else settings.auth_roles_claim,
        ),
    )


def _key_source(settings: ApiSettings) -> KeySource:
    if settings.auth_jwks_url is not None:
        return keys_from_url(settings.auth_jwks_url)
    if settings.auth_jwks_file is not None:
        return keys_from_file(settings.auth_jwks_file)
    return DevIssuer(settings.home, audience=settings.auth_audience).keys()
