"""Does a text that somebody sent us ask for no more texts?

The words are those of 47 CFR 64.1200(a)(10) (stop, quit, end, revoke, opt out, cancel, unsubscribe) and what Chinese
providers ask recipients to answer (T, TD, 退订, 拒收: trade custom, not verified in a source). When in doubt, yes: one
text less does less harm than one that was refused. So each word counts in every country, whoever sends it.
"""

from __future__ import annotations

import unicodedata

_WORDS = frozenset(
    {"stop", "stopall", "quit", "end", "revoke", "optout", "cancel", "unsubscribe", "t", "td", "退订", "拒收", "停止"}
)
_INSIDE = ("退订", "拒收", "unsubscribe", "不要再发", "别再发", "stop texting", "do not text", "don't text")


def asks_to_stop(text: str) -> bool:
    """The whole text is such a word, however it is spelled or punctuated, or it holds one that means nothing else."""
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    word = "".join(each for each in plain if each.isalnum())
    return word in _WORDS or any(each in plain for each in _INSIDE)
