"""Why a use case says no. Each refusal carries its outward meaning; ``services/api/errors.py`` turns it into an answer.

Refusal
├── Invalid                what was asked makes no sense by a rule of ours
├── NotFound               there is no such thing, or not for this caller
├── Forbidden              this caller may not
├── Conflict               not in this state
├── PreconditionFailed     somebody changed it since it was read
├── PreconditionRequired   say which version you read
├── TooMany                later, the caller asks too often
└── Unavailable            later, a part is missing for now
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong: where (JSON pointer into the body, or a parameter's name), and why. No values."""

    pointer: str
    reason: str
    code: str = "invalid"


class Refusal(Exception):
    """No, with a reason.

    ``code`` is stable (lower case, hyphens) and becomes the problem's type; a caller may give a narrower one than the
    class's. ``detail`` is a sentence for a person and holds no personal data. ``retry_after`` is in seconds.
    """

    code: ClassVar[str] = "refused"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.slug = code or type(self).code
        self.errors = tuple(errors)
        self.retry_after = retry_after


class Invalid(Refusal):
    code = "invalid"


class NotFound(Refusal):
    code = "not-found"


class Forbidden(Refusal):
    code = "forbidden"


class Conflict(Refusal):
    code = "conflict"


class PreconditionFailed(Refusal):
    code = "precondition-failed"


class PreconditionRequired(Refusal):
    code = "precondition-required"


class TooMany(Refusal):
    code = "too-many-requests"


class Unavailable(Refusal):
    code = "unavailable"
