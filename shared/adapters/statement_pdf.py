"""Statements as PDF. The same sheets give the same bytes.

Chinese is set in STSong-Light, one of the Asian fonts that the PDF standard lets a document name without carrying it:
viewers have it or put their own Song face in its place. So no font of many megabytes is shipped. It has the characters
of Adobe-GB1 only. A bank that has a font of its own gets documents that carry what they use of it. What lies outside
the Basic Multilingual Plane is shown as a box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from shared.domain.statement_words import Sheet, Table

NAMED_FONT = "STSong-Light"
_CARRIED_FONT = "Arrears-Carried"
_PLAIN, _STRONG = "Helvetica", "Helvetica-Bold"
_WIDTH, _HEIGHT = A4
_MARGIN, _LINE = 56, 16
_INNER = _WIDTH - 2 * _MARGIN
_SIZE, _HEADING, _TITLE = 10, 12, 16
pdfmetrics.registerFont(UnicodeCIDFont(NAMED_FONT))


def carried_font(path: Path) -> str:
    """The name, for ``statement_pdf``, of a TrueType font (.ttf, or the first of a .ttc) whose used characters go into
    the document. Once a process. Raises ValueError: no such file, or no TrueType outlines."""
    try:
        pdfmetrics.registerFont(TTFont(_CARRIED_FONT, str(path)))
    except (TTFError, OSError) as error:
        raise ValueError(f"{path} is no TrueType font that can be put into documents: {error}") from None
    return _CARRIED_FONT


def statement_pdf(sheets: Sequence[Sheet], language: str, wide: str = NAMED_FONT) -> bytes:
    """One document, each sheet from a new page on. ``wide`` is the font of what is not ASCII."""
    page = _Page(language, wide)
    for sheet in sheets:
        page.sheet(sheet)
    return page.done()


class _Page:
    """A canvas with the place of the next line. ``invariant``: neither the time nor an id of this run goes in."""

    def __init__(self, language: str, wide: str) -> None:
        self._wide = wide
        self._out = BytesIO()
        self._canvas = Canvas(self._out, pagesize=A4, invariant=1, pageCompression=1, lang=language)
        self._canvas.setAuthor("Arrears")
        self._top, self._number = _HEIGHT - _MARGIN, 0

    def sheet(self, sheet: Sheet) -> None:
        if self._number:
            self._turn()
        self._number = self._number or 1
        self._canvas.setTitle(sheet.title)
        self._line(sheet.title, size=_TITLE, strong=True, after=_LINE)
        for label, value in sheet.facts:
            self._pair(label, value)
        for table in sheet.tables:
            self._table(table)
        self._space(_LINE)
        for label, value in sheet.answer:
            self._pair(label, value, strong=True)
        for note in sheet.notes:
            self._line(note)
        if sheet.history is not None:
            self._table(sheet.history)

    def done(self) -> bytes:
        self._foot()
        self._canvas.save()
        return self._out.getvalue()

    def _turn(self) -> None:
        self._foot()
        self._canvas.showPage()
        self._top, self._number = _HEIGHT - _MARGIN, self._number + 1

    def _foot(self) -> None:
        self._put(str(self._number), _WIDTH - _MARGIN, _MARGIN / 2, right=True)

    def _space(self, height: float) -> None:
        if self._top - height < _MARGIN:
            self._turn()
        else:
            self._top -= height

    def _line(self, text: str, *, size: int = _SIZE, strong: bool = False, after: float = 0) -> None:
        for part in self._wrapped(text, _INNER, size):
            self._space(_LINE)
            self._put(part, _MARGIN, self._top, size=size, strong=strong)
        if after:
            self._space(after)

    def _pair(self, label: str, value: str, *, strong: bool = False) -> None:
        """A label with its value beside it; a long value goes on below itself."""
        left = _MARGIN + _INNER * 0.5
        for number, part in enumerate(self._wrapped(value, _INNER * 0.5, _SIZE)):
            self._space(_LINE)
            if not number:
                self._put(label, _MARGIN, self._top, strong=strong)
            self._put(part, left, self._top, strong=strong)

    def _table(self, table: Table) -> None:
        self._space(_LINE)
        self._line(table.title, size=_HEADING, strong=True)
        texts = 2 if len(table.head) > 3 else 1
        width = _INNER / (len(table.head) + texts - 1)
        rights = [_MARGIN + _INNER - width * place for place in reversed(range(len(table.head) - texts))]
        lefts = [_MARGIN, _MARGIN + width * 0.8][:texts]
        rows = [table.head, *table.rows] if any(table.head) else list(table.rows)
        for number, row in enumerate(rows):
            self._space(_LINE)
            strong = (number == 0 and any(table.head)) or (table.strong and number == len(rows) - 1)
            for left, text in zip(lefts, row, strict=False):
                self._put(text, left, self._top, strong=strong)
            for right, text in zip(rights, row[texts:], strict=True):
                self._put(text, right, self._top, right=True, strong=strong)

    def _put(
        self, text: str, x: float, y: float, *, size: int = _SIZE, strong: bool = False, right: bool = False
    ) -> None:
        text = _settable(text)
        self._canvas.setFont(self._font(text, strong=strong), size)
        (self._canvas.drawRightString if right else self._canvas.drawString)(x, y, text)

    def _font(self, text: str, *, strong: bool) -> str:
        if not text.isascii():
            return self._wide
        return _STRONG if strong else _PLAIN

    def _wrapped(self, text: str, width: float, size: int) -> Iterator[str]:
        """Lines that fit; broken at a space where there is one, else anywhere, as Chinese is."""
        text = _settable(text)
        font = self._font(text, strong=True)
        while text:
            fits = len(text)
            while fits > 1 and pdfmetrics.stringWidth(text[:fits], font, size) > width:
                fits -= 1
            if fits < len(text) and text.isascii():
                fits = text.rfind(" ", 0, fits) + 1 or fits
            yield text[:fits].rstrip()
            text = text[fits:]


def _settable(text: str) -> str:
    return "".join(each if each.isprintable() and ord(each) < 0x10000 else "\N{WHITE SQUARE}" for each in text)
