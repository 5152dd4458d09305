"""A stream becomes lines however it is sliced, and no line, however long, is kept whole beyond what an event may be."""

import random

from hypothesis import given
from hypothesis import strategies as st

from shared.application.facts import MAX_EVENT_BYTES
from shared.application.import_lines import LineCutter


def cut(content: bytes, sizes: list[int]) -> tuple[list[bytes | None], LineCutter]:
    cutter, lines, at, turn = LineCutter(), [], 0, 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        lines += cutter.feed(content[at : at + size])
        at, turn = at + size, turn + 1
    return lines, cutter


@given(
    st.lists(st.binary(max_size=8).map(lambda b: b.replace(b"\n", b" ")), max_size=8),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_slices_make_no_difference(pieces, sizes):
    content = b"\n".join(pieces)
    lines, cutter = cut(content, sizes)
    assert [*lines, cutter.rest] == (content.split(b"\n"))
    assert cutter.consumed == len(content) - len(content.split(b"\n")[-1])


def test_a_line_that_is_too_long_is_passed_over_and_the_next_one_is_whole():
    long = b"x" * (10 * 1024 * 1024)
    lines, cutter = cut(b"a\n" + long + b"\nb\nrest", [64 * 1024])
    assert lines == [b"a", None, b"b"]
    assert cutter.rest == b"rest"
    assert cutter.consumed == 2 + len(long) + 1 + 2


def test_a_long_line_is_not_kept_while_it_comes():
    cutter = LineCutter()
    for _ in range(200):
        assert cutter.feed(b"x" * 65_536) == []
        assert len(cutter.rest or b"") <= MAX_EVENT_BYTES + 65_536
    assert cutter.rest is None
    assert cutter.rest_bytes == 200 * 65_536


def test_lines_up_to_the_largest_event_are_kept():
    line = b"x" * MAX_EVENT_BYTES
    for size in (1_000, 65_536, random.Random(1).randrange(1, 65_536)):
        lines, _ = cut(line + b"\r\n" + line + b"\n", [size])
        assert lines == [line + b"\r", line]
