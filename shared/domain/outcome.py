"""What a decision makes: the new state, and what to announce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.domain.announcement import Announcement

S = TypeVar("S")


class Refused(ValueError):
    """Something that was asked for is not granted. ``code`` is stable; the text says in words what stands against it,
    with figures and without personal data."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """Save ``state``, announce the rest, in this order. Nothing to announce means that nothing changed.

    The timeline's line is the announcement's type without ``arrears.`` and version, with the same data."""

    state: S
    announcements: tuple[Announcement, ...] = ()
