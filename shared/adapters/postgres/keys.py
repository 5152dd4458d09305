"""Many keys as one argument."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def as_lines(keys: Iterable[str]) -> str:
    """Ids of ours or of core banking, for ``any((select string_to_array($1, chr(10)))::text[])``.

    The driver spends 0.4 us on each text of an array, most of it on the question whether it is an array itself, and a
    batch asks ten tables about the same hundreds of customers. No id has a line feed in it: intake takes none that is
    not printable. The ``select`` has the text taken apart once, and not for each row where a table is read through."""
    return "\n".join(keys)


def texts(values: Collection[str | None]) -> str:
    """Texts of a batch for ``string_to_array($1, chr(10), '')``, None as an empty line. Raises ValueError for one with
    a line feed, of which two would come out."""
    joined = "\n".join([value or "" for value in values])
    if values and joined.count("\n") != len(values) - 1:
        raise ValueError("a text with a line feed can not be one of several lines")
    return joined
