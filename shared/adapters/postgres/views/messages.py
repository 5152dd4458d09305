"""Messages, their attempts at providers, and the decision that let them go or held them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.session import Cipher
from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_COLUMNS = """
    m.message_id, m.customer_id, m.case_id, m.follow_up_id, m.about, m.step, m.anchor, m.policy_version, m.purpose,
    m.template, m.channels, m.channel, m.state, m.not_before, m.reason, m.tries, m.created_at, m.updated_at,
    m.row_version
"""
_ATTEMPTS = """
    m.decision,
    coalesce((select json_agg(json_build_object(
                'attempt_id', t.attempt_id, 'channel', t.channel, 'gateway', t.gateway, 'point_id', t.point_id,
                'state', t.state, 'marked_at', t.marked_at, 'outcome_at', t.outcome_at, 'asked_at', t.asked_at,
                'provider_id', t.provider_id, 'code', t.code, 'error', t.error, 'template_version', t.template_version,
                'text_sha256', encode(t.text_sha256, 'hex')) order by t.marked_at, t.attempt_id)
              from attempts t where t.message_id = m.message_id), '[]'::json) as attempts
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """``created_from`` is in, ``created_to`` is not."""

    customer_id: str | None = None
    case_id: UUID | None = None
    state: str | None = None
    channel: str | None = None
    purpose: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


async def get_message(conn: Any, message_id: UUID, scope: Scope) -> str | None:
    """JSON of a message with its attempts and the newest decision on it; without its text."""
    where = Where().sees_customer("m.customer_id", scope).add("m.message_id = {}", message_id)
    rows = await page(conn, f"{_COLUMNS}, {_ATTEMPTS}", "messages m", where, ("m.message_id",), after=None, limit=1)
    return rows.docs[0] if rows.docs else None


async def list_messages(
    conn: Any, wanted: MessageFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By created_at, message_id, newest first."""
    where = Where().sees_customer("m.customer_id", scope)
    where.matching(
        m__customer_id=wanted.customer_id, m__case_id=wanted.case_id, m__state=wanted.state, m__purpose=wanted.purpose
    )
    where.given("m.attention = {}", wanted.state if wanted.state in ("in_doubt", "failed") else None)  # has an index
    where.given("coalesce(m.channel, m.channels->>0) = {}", wanted.channel)
    where.given("m.created_at >= {}", wanted.created_from).given("m.created_at < {}", wanted.created_to)
    keys = ("m.created_at", "m.message_id")
    return await page(conn, _COLUMNS, "messages m", where, keys, after=after, limit=limit)


async def load_texts(conn: Any, message_id: UUID) -> list[Any]:
    """What was said in each attempt, encrypted: (attempt_id, channel, subject_enc, body_enc), oldest first."""
    rows: list[Any] = await conn.fetch(
        "select attempt_id, channel, subject_enc, body_enc from attempts where message_id = $1"
        " order by marked_at, attempt_id",
        message_id,
    )
    return rows


def plain_texts(rows: Sequence[Any], cipher: Cipher) -> list[dict[str, Any]]:
    """What ``load_texts`` found, decrypted; None for what was erased."""
    return [
        {
            "attempt_id": attempt_id,
            "channel": channel,
            "subject": None if subject is None else cipher.decrypt("attempts", "subject", str(attempt_id), subject),
            "body": None if body is None else cipher.decrypt("attempts", "body", str(attempt_id), body),
        }
        for attempt_id, channel, subject, body in rows
    ]
