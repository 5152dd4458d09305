"""How reads answer: a document with its ETag, a page of JSON rows, and whose rows the caller may see."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated, Any

from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import ApiDeps
from services.api.etags import etag, not_modified
from services.api.paging import PageRequest
from services.api.responses import Json, encode
from services.api.security import require
from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.views.clauses import Listed
from shared.application.judging import UnknownVersion
from shared.application.principal import Principal, Role
from shared.application.refusals import Unavailable
from shared.domain.policy import Policy

__all__ = ["READ", "CaseReader", "Reader", "Unmasker", "answer_page", "document", "policy_of", "scope_of"]
READ: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has it already (``If-None-Match``)"}}
"""For the decorator of a route that answers by ``document``."""

CaseReader = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE, Role.AUDITOR)]
Reader = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE, Role.AUDITOR, Role.OPERATIONS)]
Unmasker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


async def policy_of(deps: ApiDeps, version: int | None = None) -> Policy:
    """A version of the policy, the active one by default; read again once when it is not on hand."""
    try:
        return deps.shelf.policy(version)
    except UnknownVersion:
        await deps.shelf.renew()
    try:
        return deps.shelf.policy(version)
    except UnknownVersion:
        raise Unavailable("No policy is in force yet.", retry_after=30) from None


def document(request: Request, content: Any, *, version: int | None = None) -> Response:
    """``content`` with an ETag, or 304 when the caller has it already.

    ``version`` is the row's, where nothing but that row is shown and edits use it; else the content is the version."""
    body = encode(content)
    tag = f'"{blake2b(body, digest_size=9).hexdigest()}"' if version is None else etag(version)
    return not_modified(request, tag) or Json(body, headers={"etag": tag})


def answer_page(page: PageRequest, listed: Listed, item: Callable[[str], Any] | None = None) -> Json:
    """The page that a view found; ``item`` makes of a row's JSON what is shown of it."""
    docs = listed.docs[: page.limit]
    return page.answer_docs(docs if item is None else [encode(item(doc)).decode() for doc in docs], listed.last)
