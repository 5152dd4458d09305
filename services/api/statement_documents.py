"""Statements as documents for the customer: made from the same figures, on the audit trail before they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import blake2b, sha256

from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import ApiDeps
from services.api.etags import not_modified
from services.api.reading import scope_of
from services.api.statements import Stated
from shared.adapters.postgres import audit
from shared.adapters.postgres.views import customers
from shared.adapters.statement_pdf import statement_pdf
from shared.application.principal import Principal
from shared.domain.statement_words import LANGUAGES, sheet_of


async def answer_document(
    deps: ApiDeps, caller: Principal, request: Request, stated: Sequence[Stated], language: str | None
) -> Response:
    """The statements as one PDF in ``language``, else in the customer's, with its entry in the audit trail."""
    of = stated[0].of
    language = language or _language(of.language)
    sealed = await customers.get_customer(deps.pool, of.customer_id, scope_of(caller))
    name = None if sealed is None else customers.masked(sealed, deps.cipher)["name"]
    sheets = [
        sheet_of(each.statement, language, zone_name=each.zone, name=name, card_last4=each.of.card_last4)
        for each in stated
    ]
    document = await asyncio.to_thread(statement_pdf, sheets, language, deps.statement_font)
    told = stated[0].statement
    detail = {
        "language": language,
        "currencies": [each.statement.currency for each in stated],
        "on": told.on.isoformat(),
        "known_at": told.known_at.isoformat(),
        "sha256": sha256(document).hexdigest(),
    }
    async with deps.work() as tx:
        subject = f"account/{told.account_id}"
        await audit.append(tx.conn, caller.subject, "statement.document_made", subject, detail, at=tx.now)
    tag = f'"{blake2b(document, digest_size=9).hexdigest()}"'
    headers = {"etag": tag, "content-disposition": f'inline; filename="statement-{told.on}.pdf"'}
    return not_modified(request, tag) or Response(document, headers=headers, media_type="application/pdf")


def _language(spoken: str | None) -> str:
    chinese, english = LANGUAGES
    return chinese if spoken is None or spoken.startswith("zh") else english
