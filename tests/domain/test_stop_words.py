"""Who answers that they want no more texts is understood, however they write it; who writes of something else is not
taken to have said so."""

from __future__ import annotations

import pytest

from shared.domain.stop_words import asks_to_stop


@pytest.mark.parametrize(
    "text",
    ["STOP", " stop. ", "Stop!", "T", "t", "ＴＤ", "退订", "退订。", "回复退订", "拒收", "opt out", "Opt-Out",
     "UNSUBSCRIBE", "please unsubscribe me", "不要再发短信了", "quit", "End", "cancel"],
)  # fmt: skip
def test_a_stop_is_heard(text: str) -> None:
    assert asks_to_stop(text)


@pytest.mark.parametrize("text", ["", "好的", "I will pay on Tuesday", "the bus stop", "明天还款", "Thanks", "ok t"])
def test_other_words_are_not_a_stop(text: str) -> None:
    assert not asks_to_stop(text)
