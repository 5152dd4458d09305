"""Short lists of words that are kept as jsonb and repeat over the book: written and read as text, each form once."""

from __future__ import annotations

from functools import lru_cache

import orjson


@lru_cache(maxsize=4096)
def listed(words: tuple[str, ...]) -> str:
    """The list as JSON, for an argument of type text that the statement casts to jsonb."""
    return orjson.dumps(words).decode()


@lru_cache(maxsize=4096)
def words_of(stored: str) -> tuple[str, ...]:
    """The words of a jsonb list that was read as text. Decoding it anew for each row would cost more than all the rest
    of the row."""
    return tuple(orjson.loads(stored))
