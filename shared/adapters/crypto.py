"""How personal data is kept unreadable: field encryption, blind indexes for search, and where the keys come from.

A stored value is ``version (1) | key id (2, big endian) | nonce (12) | ciphertext | tag (16)``. The associated data is
the version, the key id, the table, the column and the row key, so a value copied to another row, column or table does
not decrypt. Random 96-bit nonces are sound for 2**32 values a key (NIST SP 800-38D, 8.3): rotate well before.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_VERSION = 1
_NONCE_BYTES = 12
_HEADER_BYTES = 3
_TAG_BYTES = 16
_DEVELOPMENT_FILE = "keys.json"


class CryptoError(Exception):
    """A stored value or a key can not be used. The message never holds plain text or key material."""


class BadKeys(CryptoError):
    """The keys are missing, malformed, or not allowed here."""


class UnknownKey(CryptoError):
    """The value was encrypted with a key that is not loaded."""


class Tampered(CryptoError):
    """The value was changed, or belongs to another table, column or row."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every data key by its id (1..65535), which of them encrypts, and the root from which all other keys derive.

    The root must outlive rotation: blind indexes, cursors and the like are derived from it.
    """

    current: int
    data_keys: Mapping[int, bytes] = field(repr=False)
    root: bytes = field(repr=False)
    development: bool = False

    def __post_init__(self) -> None:
        if self.current not in self.data_keys:
            raise BadKeys(f"the current key {self.current} is not among the keys {sorted(self.data_keys)}")
        for key_id, key in self.data_keys.items():
            if not 1 <= key_id <= 0xFFFF:
                raise BadKeys(f"key id {key_id} is not in 1..65535")
            if len(key) != KEY_BYTES:
                raise BadKeys(f"key {key_id} has {len(key)} bytes, {KEY_BYTES} are needed")
        if len(self.root) != KEY_BYTES:
            raise BadKeys(f"the root key has {len(self.root)} bytes, {KEY_BYTES} are needed")

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key of its own for one purpose (HKDF-SHA256, RFC 5869)."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"arrears/" + purpose.encode()).derive(
            self.root
        )


class FieldCipher:
    """Encrypts one field of one row at a time, and makes blind indexes. Safe to share between tasks and threads."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.data_keys.items()}
        self._seal = self._ciphers[keys.current].encrypt
        self._header = _header(keys.current)
        self._contexts: dict[tuple[int, str, str], bytes] = {}
        self._indexes: dict[str, HMAC] = {}

    @property
    def keys(self) -> Keyring:
        return self._keys

    def encrypt(self, table: str, column: str, row: str, text: str) -> bytes:
        """``text`` sealed for this one place. ``row`` is the row's primary key as text."""
        return self.encrypt_bytes(table, column, row, text.encode())

    def encrypt_bytes(self, table: str, column: str, row: str, data: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        context = self._context(self._keys.current, table, column) + row.encode()
        return self._header + nonce + self._seal(nonce, data, context)

    def decrypt(self, table: str, column: str, row: str, value: bytes) -> str:
        """The text sealed in ``value``; ``UnknownKey`` or ``Tampered`` name the place, not the data."""
        return self.decrypt_bytes(table, column, row, value).decode()

    def decrypt_bytes(self, table: str, column: str, row: str, value: bytes) -> bytes:
        key_id = key_id_of(value)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownKey(f"{table}.{column} was encrypted with key {key_id}, loaded are {sorted(self._ciphers)}")
        nonce = value[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        context = self._context(key_id, table, column) + row.encode()
        try:
            return cipher.decrypt(nonce, value[_HEADER_BYTES + _NONCE_BYTES :], context)
        except InvalidTag:
            raise Tampered(f"{table}.{column} does not belong to its row, or was changed") from None

    def is_current(self, value: bytes) -> bool:
        """False when the value should be encrypted again because the key was rotated."""
        return key_id_of(value) == self._keys.current

    def reencrypt(self, table: str, column: str, row: str, value: bytes, *, new_row: str | None = None) -> bytes:
        """The same text under the current key, and for ``new_row`` when the row's key changed (a merged customer)."""
        return self.encrypt_bytes(table, column, new_row or row, self.decrypt_bytes(table, column, row, value))

    def blind(self, index: str, normalised: str) -> bytes:
        """32 bytes to search by: equal for equal text within one index, unrelated between indexes (HMAC-SHA256).

        Normalise first (``normalisation.py``): what is hashed must be spelled in one way only.
        """
        keyed = self._indexes.get(index)
        if keyed is None:
            keyed = self._indexes[index] = HMAC(self._keys.derive(f"blind/{index}"), SHA256())
        digest = keyed.copy()  # a third of the cost of setting the key up again
        digest.update(normalised.encode())
        return digest.finalize()

    def _context(self, key_id: int, table: str, column: str) -> bytes:
        context = self._contexts.get((key_id, table, column))
        if context is None:
            context = _header(key_id) + f"{table}\0{column}\0".encode()
            self._contexts[(key_id, table, column)] = context
        return context


def key_id_of(value: bytes) -> int:
    """Which key a stored value was encrypted with."""
    if len(value) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES:
        raise CryptoError(f"an encrypted value of {len(value)} bytes is too short to be one")
    if value[0] != _VERSION:
        raise CryptoError(f"an encrypted value has format version {value[0]}, known is {_VERSION}")
    return int.from_bytes(value[1:_HEADER_BYTES], "big")


def _header(key_id: int) -> bytes:
    return bytes([_VERSION]) + key_id.to_bytes(2, "big")


def parse_keys(document: str | bytes, *, development_allowed: bool) -> Keyring:
    """A keyring from its JSON: ``{"current": 2, "keys": {"1": base64, "2": base64}, "root": base64}``."""
    try:
        raw = orjson.loads(document)
        keyring = Keyring(
            current=int(raw["current"]),
            data_keys={int(key_id): _unbase64(text) for key_id, text in raw["keys"].items()},
            root=_unbase64(raw["root"]),
            development=bool(raw.get("development", False)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # The cause is cut off: its text may quote key material.
        raise BadKeys(f"the keys are not in the expected form ({type(error).__name__})") from None
    if keyring.development and not development_allowed:
        raise BadKeys("these are development keys: they are refused outside development")
    return keyring


def load_keys(*, file: Path | None, inline: str | None, home: Path, development: bool) -> Keyring:
    """The keys from ``inline`` JSON, else from ``file``, else, in development only, made once under ``home``."""
    if inline:
        return parse_keys(inline, development_allowed=development)
    if file is not None:
        try:
            document = file.read_bytes()
        except OSError as error:
            raise BadKeys(f"the key file can not be read: {error.strerror}") from None
        return parse_keys(document, development_allowed=development)
    if not development:
        raise BadKeys("no encryption keys are configured; outside development they are never made up")
    return _development_keys(home / _DEVELOPMENT_FILE)


def new_keys(*, development: bool) -> bytes:
    """A fresh key document, for a new deployment or for development."""
    document = {
        "development": development,
        "current": 1,
        "keys": {"1": base64.b64encode(os.urandom(KEY_BYTES)).decode()},
        "root": base64.b64encode(os.urandom(KEY_BYTES)).decode(),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def write_once(path: Path, content: bytes) -> bytes:
    """Write ``path`` with mode 0600 unless it exists; whoever comes second gets what the first wrote."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mkstemp makes the file 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)  # atomic: never a half-written file, never one over another
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
    return path.read_bytes()


def _development_keys(path: Path) -> Keyring:
    document = path.read_bytes() if path.exists() else write_once(path, new_keys(development=True))
    return parse_keys(document, development_allowed=True)


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
