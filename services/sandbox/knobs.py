"""The knobs by which the sandbox misbehaves, and the dice it throws.

Chance is a hash of the seed, the purpose and the reference of the message, so that a run repeats whatever the order in
which connections were served.
"""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Any, Literal

import msgspec

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Rate = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]

NUMBERS_REFUSED = {"0001": "invalid_number", "0002": "blacklisted", "0004": "frequency_limit"}
NUMBERS_NOT_REACHED = {"0003": "absent_subscriber"}
MAILBOXES_REFUSED = {
    "bounce": "550 5.1.1 No such user here",
    "full": "452 4.2.2 Mailbox full",
    "spam": "554 5.7.1 Message refused by policy",
}


class ChannelKnobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What both channels can do wrong. Times are milliseconds; a rate of 0 is no limit.

    ``never_answer`` (a probability) and ``never_answer_next`` (the next N requests or mails) take the message, log
    it, and then leave the client waiting (``hang``) or drop the connection (``close``).
    """

    down: bool = False
    delay_ms: Count = 0
    throttle_per_second: Rate = 0
    never_answer: Probability = 0
    never_answer_next: Count = 0
    never_answer_mode: Literal["hang", "close"] = "hang"


class SmsKnobs(ChannelKnobs, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``reject`` and ``undeliverable`` map the last digits of a number to the code it gets; ``fail_5xx`` answers 500,
    after having taken the messages with probability ``fail_5xx_takes``."""

    idempotent: bool = False
    query_delay_ms: Count = 0
    fail_5xx: Probability = 0
    fail_5xx_takes: Probability = 0
    reject: dict[str, str] = msgspec.field(default_factory=NUMBERS_REFUSED.copy)
    undeliverable: dict[str, str] = msgspec.field(default_factory=NUMBERS_NOT_REACHED.copy)


class EmailKnobs(ChannelKnobs, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``reject`` maps the local part of a recipient to the whole SMTP reply it gets."""

    reject: dict[str, str] = msgspec.field(default_factory=MAILBOXES_REFUSED.copy)


class ReceiptKnobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Delivery reports, pushed only when there is a callback URL. ``late_ms`` is added to ``delay_ms`` with
    probability ``late``; ``reorder`` spreads reports so that the final one may come before the first."""

    callback_url: str | None = None
    delay_ms: Count = 200
    accepted_too: bool = False
    twice: Probability = 0
    late: Probability = 0
    late_ms: Count = 5_000
    reorder: bool = False
    retry_seconds: list[Annotated[float, msgspec.Meta(ge=0, le=3600)]] = msgspec.field(
        default_factory=lambda: [1.0, 5.0, 10.0]
    )


class Knobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    seed: int = 1
    sms: SmsKnobs = SmsKnobs()
    email: EmailKnobs = EmailKnobs()
    receipts: ReceiptKnobs = ReceiptKnobs()


class KnobsRefused(ValueError):
    """An unknown knob or a value out of range; the message names it."""


def parse_knobs(raw: bytes | str) -> Knobs:
    """A whole set of knobs from JSON; what is not named has its default."""
    try:
        return msgspec.json.decode(raw, type=Knobs)
    except msgspec.DecodeError as error:
        raise KnobsRefused(str(error)) from error


def merge_knobs(knobs: Knobs, raw: bytes | str) -> Knobs:
    """The knobs named in ``raw`` (JSON) laid over ``knobs``."""
    try:
        change = msgspec.json.decode(raw, type=dict[str, Any])
        return msgspec.convert(_merged(msgspec.to_builtins(knobs), change), type=Knobs)
    except msgspec.DecodeError as error:
        raise KnobsRefused(str(error)) from error


def set_knob(knobs: Knobs, name: str, value: str) -> Knobs:
    """One knob from the command line, ``sms.delay_ms`` and ``50``; the value is JSON or else a plain string."""
    try:
        change: Any = msgspec.json.decode(value)
    except msgspec.DecodeError:
        change = value
    for part in reversed(name.split(".")):
        change = {part: change}
    return merge_knobs(knobs, msgspec.json.encode(change))


def _merged(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for name, value in change.items():
        # Tables (reject, undeliverable) are values of their own: replaced whole, so an entry can be taken away.
        nested = isinstance(value, dict) and name in ("sms", "email", "receipts") and isinstance(old.get(name), dict)
        result[name] = _merged(old[name], value) if nested else value
    return result


class Panel:
    """The knobs as they stand, shared by all parts of the sandbox; counts down the ``next N`` ones."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs

    def chance(self, probability: float, purpose: str, reference: str) -> bool:
        if probability <= 0:
            return False
        return self.share(purpose, reference) < probability

    def share(self, purpose: str, reference: str) -> float:
        """A number in [0, 1) that depends on the seed, the purpose and the reference alone."""
        text = f"{self.knobs.seed}|{purpose}|{reference}"
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=7).digest()
        return int.from_bytes(digest, "big") / (1 << 56)

    def never_answers(self, channel: Literal["sms", "email"], reference: str) -> bool:
        knobs: SmsKnobs | EmailKnobs = getattr(self.knobs, channel)
        if knobs.never_answer_next > 0:
            fewer = msgspec.structs.replace(knobs, never_answer_next=knobs.never_answer_next - 1)
            self.knobs = msgspec.structs.replace(self.knobs, **{channel: fewer})
            return True
        return self.chance(knobs.never_answer, "never_answer", reference)


class Throttle:
    """A token bucket of one second's worth. A batch larger than the bucket is let through and paid for after."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._at = 0.0
        self._rate = 0.0

    def wait(self, rate: float, messages: int, now: float) -> int:
        """0 when ``messages`` may pass at ``now`` (monotonic seconds), else after how many seconds to ask again."""
        if rate <= 0:
            return 0
        bucket = max(1.0, rate)
        if rate != self._rate:
            self._rate, self._tokens = rate, bucket
        else:
            self._tokens = min(bucket, self._tokens + (now - self._at) * rate)
        self._at = now
        wanted = min(float(messages), bucket)
        if self._tokens < wanted:
            return math.ceil((wanted - self._tokens) / rate)
        self._tokens -= messages
        return 0
