"""A token issuer for trying things out: its key lies under the home directory, and anybody who reads it is anybody.

It exists in development only; ``settings.py`` refuses to start with it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

from services.api.tokens import KeySource, keys_given
from shared.adapters.crypto import write_once
from shared.adapters.wall_clock import wall_seconds
from shared.application.principal import Role

ISSUER = "https://issuer.arrears.invalid/development"
DEFAULT_LIFE = 12 * 3600
_FILE = "issuer.json"
_ALGORITHM = "ES256"


class DevIssuer:
    """Makes and vouches for development tokens. The same home gives the same key to every process."""

    def __init__(
        self,
        home: Path,
        *,
        audience: str,
        now: Callable[[], float] = wall_seconds,
    ) -> None:
        path = home / _FILE
        document = path.read_bytes() if path.exists() else write_once(path, _new_key())
        self._key = ECKey.import_key(orjson.loads(document))
        self._audience = audience
        self._now = now

    def keys(self) -> KeySource:
        return keys_given({"keys": [self._key.as_dict(private=False)]})

    def make_token(
        self,
        *roles: Role,
        subject: str | None = None,
        teams: Iterable[str] = (),
        portfolios: Iterable[str] = (),
        seconds: int = DEFAULT_LIFE,
    ) -> str:
        """A token for ``roles``; the subject is named after the first of them unless given."""
        issued = int(self._now())
        claims = {
            "iss": ISSUER,
            "aud": self._audience,
            "sub": subject or (f"dev-{roles[0].value}" if roles else "dev-nobody"),
            "iat": issued,
            "exp": issued + seconds,
            "roles": [role.value for role in roles],
            "teams": sorted(teams),
            "portfolios": sorted(portfolios),
        }
        header = {"alg": _ALGORITHM, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])


def _new_key() -> bytes:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": _ALGORITHM}, auto_kid=True)
    return orjson.dumps(key.as_dict(private=True))
