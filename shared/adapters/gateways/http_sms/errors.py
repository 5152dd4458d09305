"""THE error table of the HTTP SMS provider: what each code and each HTTP status means for us."""

from __future__ import annotations

from shared.application.gateway import ErrorClass, OutcomeKind

Meaning = tuple[OutcomeKind, ErrorClass | None]

_ADDRESS = (OutcomeKind.REJECTED, ErrorClass.ADDRESS)
_CONTENT = (OutcomeKind.REJECTED, ErrorClass.CONTENT)
_ROUTE = (OutcomeKind.REJECTED, ErrorClass.ROUTE)
_THROTTLED = (OutcomeKind.NOT_SENT, ErrorClass.THROTTLED)
_TRANSIENT = (OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT)
_IN_DOUBT = (OutcomeKind.IN_DOUBT, None)

BY_CODE: dict[str, Meaning] = {
    "invalid_number": _ADDRESS,
    "blacklisted": _ADDRESS,
    "absent_subscriber": _ADDRESS,
    "number_ported_out": _ADDRESS,
    "malformed": _CONTENT,
    "empty_text": _CONTENT,
    "text_too_long": _CONTENT,
    "too_long": _CONTENT,
    "sensitive_word": _CONTENT,
    "template_not_approved": _CONTENT,
    "signature_not_approved": _CONTENT,
    "unknown_key": _ROUTE,
    "bad_signature": _ROUTE,
    "bad_timestamp": _ROUTE,
    "bad_age": _ROUTE,
    "no_balance": _ROUTE,
    "account_suspended": _ROUTE,
    "frequency_limit": _THROTTLED,
    "too_many_requests": _THROTTLED,
    "expired": _TRANSIENT,
    # The provider's own machinery lost track: it may well have the message.
    "internal_error": _IN_DOUBT,
    "internal_timeout": _IN_DOUBT,
    "down": _IN_DOUBT,
}

BY_STATUS: dict[int, Meaning] = {
    400: _CONTENT,
    401: _ROUTE,
    402: _ROUTE,
    403: _ROUTE,
    404: _ROUTE,
    405: _ROUTE,
    413: _CONTENT,
    415: _ROUTE,
    422: _CONTENT,
    429: _THROTTLED,
}

UNKNOWN_CODE: Meaning = _CONTENT  # refused for a reason we do not know: stop the route, a person looks


def of_item(code: str | None) -> Meaning:
    """What a refusal of one message means."""
    return BY_CODE.get(code or "", UNKNOWN_CODE)


def of_answer(status: int, code: str | None) -> Meaning:
    """What an answer to a whole batch that is not 2xx means. What is in neither table is in doubt."""
    if status >= 500:
        return _IN_DOUBT
    if 300 <= status < 400:
        return _ROUTE  # not followed: a request goes where the settings say or nowhere
    if code in BY_CODE:
        return BY_CODE[code]
    return BY_STATUS.get(status, _IN_DOUBT)
