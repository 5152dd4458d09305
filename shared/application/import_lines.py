"""Cut a stream into lines in flat memory: a line that is too long is passed over to its end without being kept."""

from __future__ import annotations

from shared.application.facts import MAX_EVENT_BYTES

Line = bytes | None
"""A line without its line break; None in the place of one that was too long to keep."""


class LineCutter:
    """Feed it slices of any size; it hands out whole lines. Keeps at most one line, of at most the largest event."""

    def __init__(self) -> None:
        self._rest = b""
        self._passed_over = 0  # bytes of the too long line at hand that were not kept
        self.consumed = 0  # bytes of all lines handed out, their line breaks included

    @property
    def rest(self) -> Line:
        """What came after the last line break."""
        return None if self._passed_over else self._rest

    @property
    def rest_bytes(self) -> int:
        return len(self._rest) + self._passed_over

    def feed(self, data: bytes) -> list[Line]:
        """The lines that end in ``data``."""
        pieces = data.split(b"\n")
        lines: list[Line] = list(pieces[:-1])
        if lines:
            lines[0] = None if self._passed_over else self._rest + pieces[0]
            self.consumed += self.rest_bytes + len(data) - len(pieces[-1])
            self._rest, self._passed_over = b"", 0
        if self._passed_over:
            self._passed_over += len(pieces[-1])
        else:
            self._rest += pieces[-1]
            if len(self._rest) > MAX_EVENT_BYTES + 1:  # a carriage return may belong to the line break
                self._rest, self._passed_over = b"", len(self._rest)
        return lines
