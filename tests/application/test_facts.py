"""Whatever bytes come, reading an event answers; it never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.application.facts import InboundEvent, Refused, read_event
from tests.application.bank import NOW, event, updated

DEEP = 20_000
HEAD = b'{"specversion":"1.0","id":"e1","source":"/core","type":"payment.posted.v1","data":'


@pytest.mark.parametrize("body", [b'{"a":' * DEEP, HEAD + b'{"a":' * DEEP, HEAD + b'{"amount":' + b"[" * DEEP])
def test_an_event_that_is_nested_without_end_is_refused(body: bytes) -> None:
    read = read_event(body[:60_000], NOW)
    assert isinstance(read, Refused)
    assert "nested too deeply" in read.problems[0].reason


def read_customer(**about: Any) -> InboundEvent | Refused:
    return read_event(json.dumps(event(*updated(**about), event_id="e1")).encode(), NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_zone", "localtime"),  # whatever the host is set to, and unknown to the database
        ("time_zone", "Factory"),
        ("jurisdiction", "cn"),  # no pack would be found for it, and nobody be told why
        ("jurisdiction", "中国"),
        ("language", ""),
        ("language", "z"),
        ("language", "Chinese, simplified"),
        ("language", "zh-"),
        ("language", "86"),
        ("language", "zh-CN\n"),
        ("language", "中文"),
        ("language", "a" * 36),
        ("language", "zh-" + "-".join(["a"] * 17)),
        ("name", "王\n小明"),
        ("name", "王\u202e小明"),
        ("name", "\u3000"),
    ],
)
def test_what_is_no_place_and_no_name_is_refused(field: str, value: str) -> None:
    read = read_customer(**{field: value})
    assert isinstance(read, Refused)
    assert [problem.field for problem in read.problems] == [f"/data/customer/{field}"]


@pytest.mark.parametrize(
    "language",
    ["zh", "zh-CN", "zh_CN", "zh-Hant-HK", "en", "yue", "de-DE-1996", "x-our-own", "en-x-" + "-".join(["a"] * 15)],
)
def test_a_language_is_a_tag_whether_or_not_we_speak_it(language: str) -> None:
    assert isinstance(read_customer(language=language), InboundEvent)


@pytest.mark.parametrize("name", ["王\u3000小明", "Anne\u00a0Marie", "\u0915\u094d\u200d\u0937", "می\u200cخواهم"])
def test_names_are_taken_as_their_scripts_write_them(name: str) -> None:
    assert isinstance(read_customer(name=name), InboundEvent)
