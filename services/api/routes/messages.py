"""Messages: what was, is and will be said to whom, by what decision, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.fields import Instant, Text
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, Unmasker, answer_page, document, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.messages import (
    Message,
    MessageOut,
    MessageState,
    Resolution,
    UnmaskedMessage,
    UnmaskText,
)
from services.api.security import require
from shared.adapters.postgres import audit
from shared.adapters.postgres.views import messages as view
from shared.application.doubts import decide_doubt
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.domain.contact import Purpose

router = noun_router("messages")


@router.get("", response_model=Page[Message], summary="List messages")
async def list_messages(
    caller: Reader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    state: MessageState | None = None,
    channel: Annotated[
        Literal["sms", "email"] | None, Query(description="By which it went, else the one it will try first")
    ] = None,
    purpose: Purpose | None = None,
    created_from: Annotated[Instant | None, Query(description="Inclusive")] = None,
    created_to: Annotated[Instant | None, Query(description="Exclusive")] = None,
) -> Json:
    """Messages, the newest first."""
    wanted = view.MessageFilter(
        customer_id=customer_id,
        case_id=case_id,
        state=state,
        channel=channel,
        purpose=purpose,
        created_from=created_from,
        created_to=created_to,
    )
    rows = await view.list_messages(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get("/{message_id}", response_model=MessageOut, summary="Read one message", responses=READ)
async def get_message(message_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """The message with its attempts and the decision that let it go, put it off or held it back."""
    found = await view.get_message(deps.pool, message_id, scope_of(caller))
    if found is None:
        raise _no_such_message()
    return document(request, found)


@router.post("/{message_id}/unmask", response_model=UnmaskedMessage, summary="See what was said")
async def unmask_message(message_id: UUID, body: UnmaskText, caller: Unmasker, deps: Deps) -> Json:
    """The text of each attempt, in plain; who read it and why is in the audit trail."""
    async with deps.work() as tx:
        if await view.get_message(tx.conn, message_id, scope_of(caller)) is None:
            raise _no_such_message()
        said = view.plain_texts(await view.load_texts(tx.conn, message_id), deps.cipher)
        await audit.append(
            tx.conn, caller.subject, "message.unmasked", f"message/{message_id}", {"reason": body.reason}, at=tx.now
        )
    return Json({"message_id": message_id, "attempts": said})


@router.post(
    "/{message_id}/resolve",
    response_model=MessageOut,
    summary="Decide a doubt",
    responses={409: {"description": "It is not in doubt"}},
)
async def resolve_message(
    message_id: UUID, body: Resolution, caller: Annotated[Principal, require(Role.OPERATIONS)], deps: Deps
) -> Json:
    """Say what became of a message in doubt. Nothing else sends it again but the word that it was not sent."""
    async with deps.work() as tx:
        await decide_doubt(tx, message_id, sent=body.outcome == "sent", reason=body.reason, actor=caller.subject)
        detail = {"outcome": body.outcome, "reason": body.reason}
        await audit.append(tx.conn, caller.subject, "message.doubt_decided", f"message/{message_id}", detail, at=tx.now)
        found = await view.get_message(tx.conn, message_id, scope_of(caller))
    return Json(found)


def _no_such_message() -> NotFound:
    return NotFound("There is no such message, or it is not among yours.")
