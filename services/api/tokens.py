"""Bearer tokens: a JWT signed by the one issuer we trust, meant for us, not expired, becomes a ``Principal``.

A signature costs more than the whole of a keyed read, so a token found good is remembered for a short while under its
hash; a key that was withdrawn is therefore honoured for at most ``REMEMBERED_SECONDS`` more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import structlog
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from shared.adapters.wall_clock import wall_seconds
from shared.application.principal import Principal, Role
from shared.application.refusals import Unavailable

REMEMBERED_SECONDS = 60.0
_REMEMBERED = 10_000
_LEEWAY = 30
_MAX_TOKEN = 8192
_END_OF_TIME = 2**53
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
_REFRESH_SECONDS = 600.0
_REFRESH_AT_MOST = 10.0
_ROLES = {role.value: role for role in Role}
_log = structlog.get_logger(__name__)

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]


class InvalidToken(Exception):
    """The token proves nothing. The message is for its bearer and does not repeat it."""


class KeySource:
    """The issuer's public keys, fetched when first needed, when old, and when a token names one that is not among them.

    Fetches are never more often than every ten seconds; while the issuer can not be reached the old keys stay good.
    """

    def __init__(self, fetch: Fetch, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._tried_at = float("-inf")
        self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def current(self) -> KeySet:
        if self._keys is None or self._monotonic() - self._fetched_at > _REFRESH_SECONDS:
            await self.refresh()
        if self._keys is None:
            raise Unavailable("The token issuer's keys can not be fetched.", retry_after=int(_REFRESH_AT_MOST))
        return self._keys

    async def refresh(self) -> None:
        async with self._lock:
            if self._monotonic() - self._tried_at < _REFRESH_AT_MOST:
                return
            self._tried_at = self._monotonic()
            try:
                keys = KeySet.import_key_set(dict(await self._fetch()))  # type: ignore[arg-type]
            except (OSError, httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
                _log.warning("issuer keys not fetched", kind=type(error).__name__)
                return
            self._keys = keys
            self._fetched_at = self._monotonic()


def keys_from_file(path: Path) -> KeySource:
    async def fetch() -> Mapping[str, Any]:
        return _key_set(await asyncio.to_thread(path.read_bytes))

    return KeySource(fetch)


def keys_from_url(url: str) -> KeySource:
    async def fetch() -> Mapping[str, Any]:
        async with httpx.AsyncClient(timeout=5.0) as client:
            answer = await client.get(url)
            answer.raise_for_status()
            return _key_set(answer.content)

    return KeySource(fetch)


def keys_given(keys: Mapping[str, Any]) -> KeySource:
    async def fetch() -> Mapping[str, Any]:
        return keys

    return KeySource(fetch)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a token must say. ``roles_claim`` may lead into objects by dots (``realm_access.roles``)."""

    issuer: str
    audience: str
    roles_claim: str = "roles"


class TokenVerifier:
    """Makes principals of tokens."""

    def __init__(
        self,
        keys: KeySource,
        expected: Expectation,
        *,
        now: Callable[[], float] = wall_seconds,
    ) -> None:
        self._keys = keys
        self._expected = expected
        self._now = now
        self._remembered: dict[bytes, tuple[Principal, float]] = {}
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": expected.issuer},
            aud={"essential": True, "value": expected.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def recall(self, token: str) -> Principal | None:
        """The principal of a token found good a short while ago."""
        found = self._remembered.get(sha256(token.encode(errors="replace")).digest())
        return found[0] if found is not None and found[1] > self._now() else None

    async def verify(self, token: str) -> Principal:
        """The principal of ``token``, or ``InvalidToken``; ``Unavailable`` when the issuer's keys can not be had."""
        known = self.recall(token)
        if known is not None:
            return known
        if len(token) > _MAX_TOKEN:
            raise InvalidToken("the token is too long")
        claims = await self._claims_of(token)
        principal = self._principal(claims)
        self._remember(token, principal, float(claims["exp"]))
        return principal

    async def _claims_of(self, token: str) -> dict[str, Any]:
        keys = await self._keys.current()
        try:
            decoded = _decode(token, keys)
        except InvalidKeyIdError:
            await self._keys.refresh()
            decoded = _decode(token, await self._keys.current(), last_try=True)
        try:
            self._claims.validate(decoded.claims)
        except JoseError as error:
            raise InvalidToken(error.description or error.error) from None
        if not 0 < decoded.claims["exp"] < _END_OF_TIME:
            raise InvalidToken("its expiry is not an instant")
        return decoded.claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        named: Any = claims
        for step in self._expected.roles_claim.split("."):
            named = named.get(step) if isinstance(named, Mapping) else None
        subject = claims["sub"]
        if not 1 <= len(subject) <= 255 or not subject.isprintable():
            raise InvalidToken("the subject is not usable")
        return Principal(
            subject=subject,
            roles=frozenset(_ROLES[name] for name in _texts(named) if name in _ROLES),
            teams=_texts(claims.get("teams")),
            portfolios=_texts(claims.get("portfolios")),
        )

    def _remember(self, token: str, principal: Principal, expires: float) -> None:
        if len(self._remembered) >= _REMEMBERED:
            del self._remembered[next(iter(self._remembered))]  # the oldest
        until = min(expires, self._now() + REMEMBERED_SECONDS)
        self._remembered[sha256(token.encode(errors="replace")).digest()] = (principal, until)


def _decode(token: str, keys: KeySet, *, last_try: bool = False) -> jwt.Token:
    try:
        return jwt.decode(token.encode(), keys, algorithms=_ALGORITHMS)
    except InvalidKeyIdError:
        if last_try:
            raise InvalidToken("the token is signed with an unknown key") from None
        raise
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise InvalidToken("the token is malformed or its signature is wrong") from None


def _texts(value: Any) -> frozenset[str]:
    """A claim that lists texts, as an array or as one text with blanks between."""
    if isinstance(value, str):
        return frozenset(value.split())
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()


def _key_set(document: bytes) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = orjson.loads(document)
    return parsed
