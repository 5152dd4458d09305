"""What stands in the way of a step, written out."""

from __future__ import annotations

from typing import Any

from shared.application.holds import releasers
from shared.domain.follow_up import Stop
from shared.domain.hold import HoldKind
from shared.domain.prospect import Obstacle


def obstacle_line(obstacle: Obstacle) -> dict[str, Any]:
    """The fields of ``services/api/schemas/cases.py``; those that its code does not name are empty."""
    stop = obstacle.stop
    return {
        "code": obstacle.code.value,
        "until": obstacle.until,
        "step": obstacle.step,
        "anchor": obstacle.anchor,
        "state": None if obstacle.state is None else obstacle.state.value,
        "hold_id": None if stop is None else stop.hold_id,
        "cause": None if stop is None else stop.cause,
        "released_by": [] if stop is None else _released_by(stop),
        "past_due": [
            {
                "currency": short.currency,
                "past_due": short.past_due,
                "minimum": short.minimum,
                "missing": short.missing,
            }
            for short in obstacle.short
        ],
    }


def _released_by(stop: Stop) -> list[str]:
    """Roles; nobody lifts by hand what ends with a promise, a complaint, a plan or a settlement."""
    if stop.hold_id is None:
        return []
    return sorted(role.value for role in releasers(HoldKind(stop.cause)))
