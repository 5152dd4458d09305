"""What we tell the rest of the house and the bank: one topic per noun, ids and amounts only, never personal data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event of ours about one customer. ``data`` is JSON-ready: strings, integers, lists, mappings."""

    topic: str
    type: str
    customer_id: str
    data: Mapping[str, Any]


TOPICS = (
    "arrears.reminder",
    "arrears.payment",
    "arrears.account",
    "arrears.case",
    "arrears.promise",
    "arrears.plan",
    "arrears.settlement",
    "arrears.message",
    "arrears.complaint",
    "arrears.hold",
)
