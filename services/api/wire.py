"""HTTP/1.1 on the wire, with an end to how long a request's head may be: the parser itself would read on for ever."""

from __future__ import annotations

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.api.errors import MEDIA_TYPE, PROBLEM_BASE

MAX_HEAD = 64 * 1024
_PROBLEM = orjson.dumps(
    {
        "type": PROBLEM_BASE + "head-too-large",
        "title": "Too large",
        "status": 431,
        "detail": f"Request line and headers together may have {MAX_HEAD} bytes.",
    }
)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
) % (MEDIA_TYPE.encode(), len(_PROBLEM), _PROBLEM)


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 and hangs up when a head goes on beyond ``MAX_HEAD``.

    The piece in which a head begins is not counted, because a body may fill most of it; one read bounds it.
    """

    _head: int | None = 0  # bytes of the head so far; None while there is none to read
    _begins = False

    def data_received(self, data: bytes) -> None:
        self._begins = False
        super().data_received(data)
        if self._head is None or self._begins:
            return
        self._head += len(data)
        if self._head > MAX_HEAD:
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._head, self._begins = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()
