"""Which way a rule's parameter is tight: how a bank's own value is judged against the pack's.

Each function is asked with the parameter's name and both sets of parameters, and says whether the new ones are at
least as tight. What can not be compared counts as looser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from typing import Any

Parameters = Mapping[str, Any]
Direction = Callable[[str, Parameters, Parameters], bool]
_DAY = 24 * 3600


def fixed(key: str, old: Parameters, new: Parameters) -> bool:
    """Says what the rule is about; another value would make it another rule."""
    return bool(old.get(key) == new.get(key))


def at_most(key: str, old: Parameters, new: Parameters) -> bool:
    """The smaller, the tighter; absent is without limit."""
    before, after = old.get(key), new.get(key)
    return before is None or (after is not None and bool(after <= before))


def at_least(key: str, old: Parameters, new: Parameters) -> bool:
    """The greater, the tighter; absent is nothing."""
    before, after = old.get(key) or 0, new.get(key) or 0
    return bool(after >= before)


def each_at_least(key: str, old: Parameters, new: Parameters) -> bool:
    """A mapping (of currency to amount) of which no value falls and no entry is added: each is a way to pass."""
    before, after = old.get(key) or {}, new.get(key) or {}
    return all(name in before and after[name] >= before[name] for name in after)


def fewer(key: str, old: Parameters, new: Parameters) -> bool:
    """A list of what is permitted, or of what is needed to be counted: nothing may be added."""
    return set(new.get(key) or ()) <= set(old.get(key) or ())


def more(key: str, old: Parameters, new: Parameters) -> bool:
    """A list of what is forbidden or demanded: nothing may be taken away."""
    return set(new.get(key) or ()) >= set(old.get(key) or ())


def free(_key: str, _old: Parameters, _new: Parameters) -> bool:
    """Only words for people."""
    return True


def towards(*words: str | None) -> Direction:
    """A word that may become one of these and nothing else: what lifts a rule may be taken away, not put there."""

    def judge(key: str, old: Parameters, new: Parameters) -> bool:
        return new.get(key) in words or new.get(key) == old.get(key)

    return judge


def wider_key(key: str, old: Parameters, new: Parameters) -> bool:
    """Whose contacts are summed: everybody's together is tighter than any other."""
    return new.get(key) in (old.get(key), "customer")


def window(_key: str, old: Parameters, new: Parameters) -> bool:
    """``from`` and ``to`` of hours in which nothing may be done: the new ones cover the old."""
    (start, end), (new_start, new_end) = (_span(each) for each in (old, new))
    return (start - new_start) % _DAY + (end - start) % _DAY <= (new_end - new_start) % _DAY


def _span(parameters: Parameters) -> tuple[int, int]:
    start, end = (time.fromisoformat(str(parameters[key])) for key in ("from", "to"))
    return _seconds(start), _seconds(end)


def _seconds(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second
