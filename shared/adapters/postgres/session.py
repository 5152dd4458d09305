"""One open transaction as the stores see it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol


class Cipher(Protocol):
    """The part of :class:`shared.adapters.crypto.FieldCipher` that stores need."""

    def encrypt(self, table: str, column: str, row: str, text: str) -> bytes: ...

    def decrypt(self, table: str, column: str, row: str, value: bytes) -> str: ...

    def encrypt_bytes(self, table: str, column: str, row: str, data: bytes) -> bytes: ...

    def decrypt_bytes(self, table: str, column: str, row: str, value: bytes) -> bytes: ...

    def blind(self, index: str, normalised: str) -> bytes: ...


class Normaliser(Protocol):
    """Bring a contact value to the one form that is stored, searched and dialled; a ``name`` to that to search by."""

    def __call__(self, kind: str, value: str, jurisdiction: str | None = None) -> str: ...


class Session:
    """``conn`` is an asyncpg connection inside a transaction; ``now`` the business instant, read once."""

    def __init__(self, conn: Any, now: datetime, cipher: Cipher, normalise: Normaliser) -> None:
        self.conn = conn
        self.now = now
        self.cipher = cipher
        self.normalise = normalise

    async def wait_for_locks(self, milliseconds: int) -> None:
        await self.conn.execute(f"set local lock_timeout = {milliseconds:d}")
