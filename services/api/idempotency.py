"""Doing it once, however often it is asked: ``Idempotency-Key`` (IETF draft), inside the business transaction.

    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        payment = await record_payment(tx, ...)
        return await once.keep(tx.conn, created(payment, location=...))

Leaving the block commits, before the answer is sent. The key and the answer are in the same commit as the effect, so a
crash or a refusal leaves nothing and the request may be tried again. While one runs, the lock is held by its
transaction and goes with it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from hashlib import blake2b
from typing import Annotated, Any, Protocol

import orjson
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from services.api.errors import BadRequest
from services.api.limits import MAX_IDEMPOTENCY_KEY
from services.api.middleware import route_of
from services.api.security import principal_of
from shared.adapters.crypto import FieldCipher
from shared.application.refusals import Conflict, Invalid

REPLAYED = "idempotency-replayed"
_TABLE = "idempotency_keys"
_KEPT_HEADERS = ("content-type", "location", "etag")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')

# The lock is tried in the statement that looks for the answer; a transaction that committed between the two is caught
# by the primary key when the answer is kept.
_LOOK = """
select pg_try_advisory_xact_lock($1) as locked, k.fingerprint, k.status, k.headers::text as headers, k.body
  from (values (1)) as one (row) left join idempotency_keys k on k.scope = $2 and k.key = $3
"""
_KEEP = """
insert into idempotency_keys (scope, key, fingerprint, status, headers, body, created_at)
values ($1, $2, $3, $4, $5::text::jsonb, $6, now()) on conflict do nothing returning 1
"""


class Connection(Protocol):
    """What is needed of the transaction: asyncpg's own names."""

    async def fetchrow(self, query: str, /, *args: Any) -> Any: ...


class Once:
    """One request under its key. Ask ``replay`` first in the transaction, and ``keep`` the answer last."""

    def __init__(self, request: Request, key: str, cipher: FieldCipher) -> None:
        self._request = request
        self._key = key
        self._cipher = cipher

    async def replay(self, connection: Connection) -> Response | None:
        """The answer given before; None when this is the first time. Refuses other content, and while one runs."""
        found = await connection.fetchrow(_LOOK, self._lock(), self._scope(), self._key)
        if found["status"] is not None:
            return await self._again(found)
        if not found["locked"]:
            raise _still_running()
        return None

    async def keep(self, connection: Connection, answer: Response) -> Response:
        """Store ``answer`` with the effect, and hand it back. Its body is encrypted: it may hold personal data."""
        scope = self._scope()
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        body = self._cipher.encrypt_bytes(_TABLE, "body", f"{scope} {self._key}", bytes(answer.body))
        stored = await connection.fetchrow(
            _KEEP, scope, self._key, await self._fingerprint(), answer.status_code, orjson.dumps(headers).decode(), body
        )
        if stored is None:
            raise _still_running()
        return answer

    async def _again(self, found: Any) -> Response:
        if found["fingerprint"] != await self._fingerprint():
            raise Invalid(
                "This Idempotency-Key was used for another request; take a new key.", code="idempotency-key-reused"
            )
        body = self._cipher.decrypt_bytes(_TABLE, "body", f"{self._scope()} {self._key}", found["body"])
        answer = Response(body, found["status"], orjson.loads(found["headers"]))
        answer.headers[REPLAYED] = "true"
        return answer

    def _scope(self) -> str:
        scope = self._request.scope
        return f"{principal_of(scope).subject} {scope['method']} {route_of(scope)}"

    def _lock(self) -> int:
        digest = blake2b(f"idempotency\0{self._scope()}\0{self._key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    async def _fingerprint(self) -> bytes:
        """Path, query and body; JSON counts by its meaning, not its spelling. Keyed, since a body may be guessable."""
        body = await self._request.body()
        with suppress(orjson.JSONDecodeError):  # what is not JSON counts as it was sent
            body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
        url = self._request.url
        return self._cipher.blind("idempotency", f"{url.path}\0{url.query}\0{body.hex()}")


async def _once(request: Request) -> Once:
    given = request.headers.getlist("idempotency-key")
    if not given:
        raise BadRequest("idempotency-key-missing", "Send an Idempotency-Key: one value for one intended effect.")
    return Once(request, _key(",".join(given)), request.app.state.deps.cipher)


Idempotent = Annotated[Once, Depends(_once)]


def requires_key(call: object) -> bool:
    return call is _once


def _key(given: str) -> str:
    """The key, quoted (a structured-field string) or bare."""
    text = given.strip()
    quoted = _QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY or not key.isascii() or not key.isprintable():
        raise BadRequest(
            "idempotency-key-malformed",
            f"An Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters.",
        )
    return key


def _still_running() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still running; ask again shortly.",
        code="idempotency-key-in-use",
        retry_after=1,
    )
