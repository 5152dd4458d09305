"""Whatever bytes come, reading an event answers; it never raises."""

from __future__ import annotations

import pytest

from shared.application.facts import Refused, read_event
from tests.application.bank import NOW

DEEP = 20_000
HEAD = b'{"specversion":"1.0","id":"e1","source":"/core","type":"payment.posted.v1","data":'


@pytest.mark.parametrize("body", [b'{"a":' * DEEP, HEAD + b'{"a":' * DEEP, HEAD + b'{"amount":' + b"[" * DEEP])
def test_an_event_that_is_nested_without_end_is_refused(body: bytes) -> None:
    read = read_event(body[:60_000], NOW)
    assert isinstance(read, Refused)
    assert "nested too deeply" in read.problems[0].reason
