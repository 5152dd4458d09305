"""Who may call a route: ``caller: Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]``.

The guard runs before the body is read (``routing.py``), documents itself (security requirement, ``x-roles``, 401, 403:
``openapi.py``), and tells 401 (we do not know you) from 403 (you may not).
"""

from __future__ import annotations

from typing import Any

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import Request
from starlette.types import Scope

from services.api.errors import BadRequest
from services.api.tokens import InvalidToken, TokenVerifier
from shared.application.principal import Principal, Role
from shared.application.refusals import Forbidden

SCHEME = "bearer"
PRINCIPAL = "arrears.principal"
_REALM = 'Bearer realm="arrears"'


class Guard(SecurityBase):
    """Lets principals with one of ``roles`` pass; the admin role alone opens nothing."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self.model = BearerModel(bearerFormat="JWT", description="OAuth2 access token (JWT) with roles in a claim")
        self.scheme_name = SCHEME
        self.roles = roles

    async def __call__(self, request: Request) -> Principal:
        """FastAPI's entry; the route class has usually run the guard already."""
        scope = request.scope
        known: Principal | None = scope.get(PRINCIPAL)
        if known is not None and scope.get("arrears.guard") is self:
            return known
        return await self.admit(scope)

    async def admit(self, scope: Scope) -> Principal:
        """The verified caller, or 401, or 403."""
        token = _bearer(scope)
        verifier: TokenVerifier = scope["app"].state.deps.verifier
        principal = verifier.recall(token)
        if principal is None:
            try:
                principal = await verifier.verify(token)
            except InvalidToken as error:
                raise _unauthenticated(f"The token is not accepted: {error}.", "invalid_token") from None
        scope[PRINCIPAL] = principal
        scope["arrears.guard"] = self
        if self.roles.isdisjoint(principal.roles):
            raise Forbidden(f"This needs one of the roles: {', '.join(sorted(self.roles))}.")
        return principal


def require(*roles: Role) -> Any:
    """A dependency that admits callers with one of ``roles``."""
    if not roles:
        raise ValueError("name at least one role")
    return Depends(Guard(frozenset(roles)))


def principal_of(scope: Scope) -> Principal:
    """The caller of a guarded route. ``RuntimeError`` when the route has no guard: that is a mistake of ours."""
    principal: Principal | None = scope.get(PRINCIPAL)
    if principal is None:
        raise RuntimeError("the route has no guard: add require(...) to it")
    return principal


def _bearer(scope: Scope) -> str:
    found: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    if not found:
        raise _unauthenticated("Send an access token as 'Authorization: Bearer ...'.", None)
    scheme, _, token = found[0].decode("latin-1").partition(" ")
    token = token.strip()
    if len(found) > 1 or scheme.lower() != "bearer" or not token or not token.isascii():
        raise _unauthenticated("The Authorization header is not a bearer token.", "invalid_request")
    return token


def _unauthenticated(detail: str, error: str | None) -> BadRequest:
    challenge = _REALM if error is None else f'{_REALM}, error="{error}"'
    return BadRequest("unauthenticated", detail, status=401, headers={"www-authenticate": challenge})
