"""What is written down about a person can be read only with the key, in its own place."""

import os
import stat
from pathlib import Path

import orjson
import pytest

from shared.adapters.crypto import (
    BadKeys,
    CryptoError,
    FieldCipher,
    Keyring,
    Tampered,
    UnknownKey,
    load_keys,
    new_keys,
    parse_keys,
)

ROOT = os.urandom(32)
OLD, NEW = os.urandom(32), os.urandom(32)


def cipher(current: int = 1, **keys: bytes) -> FieldCipher:
    return FieldCipher(
        Keyring(current=current, data_keys={1: OLD} | {int(k[1:]): v for k, v in keys.items()}, root=ROOT)
    )


def test_a_value_comes_back_in_its_own_place():
    box = cipher()
    sealed = box.encrypt("customers", "name", "C1", "王小明")
    assert "王小明".encode() not in sealed
    assert box.decrypt("customers", "name", "C1", sealed) == "王小明"


def test_the_same_text_is_never_sealed_alike():
    box = cipher()
    assert box.encrypt("t", "c", "1", "x") != box.encrypt("t", "c", "1", "x")


@pytest.mark.parametrize("place", [("orders", "name", "C1"), ("customers", "city", "C1"), ("customers", "name", "C2")])
def test_a_value_moved_elsewhere_is_refused(place):
    sealed = cipher().encrypt("customers", "name", "C1", "x")
    with pytest.raises(Tampered):
        cipher().decrypt(*place, sealed)


def test_a_changed_byte_is_refused():
    sealed = bytearray(cipher().encrypt("t", "c", "1", "text"))
    for position in (3, 15, len(sealed) - 1):
        changed = bytes(sealed[:position]) + bytes([sealed[position] ^ 1]) + bytes(sealed[position + 1 :])
        with pytest.raises(Tampered):
            cipher().decrypt("t", "c", "1", changed)


def test_short_and_foreign_values_are_named_as_such():
    with pytest.raises(CryptoError, match="too short"):
        cipher().decrypt("t", "c", "1", b"\x01\x00\x01")
    with pytest.raises(CryptoError, match="version 9"):
        cipher().decrypt("t", "c", "1", b"\x09" + bytes(40))


def test_after_rotation_old_values_are_readable_and_can_be_moved_to_the_new_key():
    sealed = cipher().encrypt("t", "c", "1", "x")
    rotated = cipher(current=2, k2=NEW)
    assert rotated.decrypt("t", "c", "1", sealed) == "x"
    assert not rotated.is_current(sealed)
    again = rotated.reencrypt("t", "c", "1", sealed)
    assert rotated.is_current(again)
    assert rotated.decrypt("t", "c", "1", again) == "x"
    with pytest.raises(UnknownKey, match="key 2"):
        cipher().decrypt("t", "c", "1", again)


def test_a_merged_customers_value_moves_to_the_other_row():
    box = cipher()
    moved = box.reencrypt("t", "c", "1", box.encrypt("t", "c", "1", "x"), new_row="2")
    assert box.decrypt("t", "c", "2", moved) == "x"


def test_a_blind_index_outlives_rotation_and_differs_between_indexes():
    assert cipher().blind("mobile", "+8613800000000") == cipher(current=2, k2=NEW).blind("mobile", "+8613800000000")
    assert cipher().blind("mobile", "x") != cipher().blind("email", "x")
    assert len(cipher().blind("mobile", "x")) == 32


def test_development_keys_are_made_once_and_only_for_the_owner(tmp_path: Path):
    first = load_keys(file=None, inline=None, home=tmp_path, development=True)
    second = load_keys(file=None, inline=None, home=tmp_path, development=True)
    assert first == second
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["keys.json"]


def test_outside_development_keys_are_neither_made_up_nor_borrowed(tmp_path: Path):
    with pytest.raises(BadKeys, match="never made up"):
        load_keys(file=None, inline=None, home=tmp_path, development=False)
    load_keys(file=None, inline=None, home=tmp_path, development=True)
    with pytest.raises(BadKeys, match="development keys"):
        load_keys(file=tmp_path / "keys.json", inline=None, home=tmp_path, development=False)
    real = load_keys(file=None, inline=new_keys(development=False).decode(), home=tmp_path, development=False)
    assert not real.development


def test_malformed_keys_are_refused_without_being_quoted():
    document = orjson.loads(new_keys(development=False))
    for broken in ("{", "[]", {**document, "root": "c2hvcnQ="}, {**document, "current": 7}, {**document, "keys": {}}):
        text = broken if isinstance(broken, str) else orjson.dumps(broken)
        with pytest.raises(BadKeys) as refused:
            parse_keys(text, development_allowed=True)
        assert document["root"] not in str(refused.value)


def test_a_keyring_shows_no_key():
    assert repr(ROOT) not in repr(cipher().keys)
