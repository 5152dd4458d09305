"""Whose font a document is set in."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import reportlab
from pypdf import PdfReader

from services.api.deps import make_deps
from services.api.settings import ApiSettings
from services.settings import CannotStart
from shared.adapters.postgres.pool import Pool
from shared.adapters.statement_pdf import carried_font, statement_pdf
from shared.domain.statement_words import Sheet
from tests.conftest import Database

VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"  # no Chinese, but letters that are not ASCII
SHEET = Sheet(title="Relevé de compte", facts=(("Zoë", "Ünal"),), tables=(), answer=(), notes=(), history=None)


def fonts_of(document: bytes) -> dict[str, bool]:
    """Font to whether the document carries it."""
    (page,) = PdfReader(BytesIO(document)).pages
    fonts: dict[str, bool] = {}
    for each in page["/Resources"]["/Font"].values():
        font: Any = each.get_object()
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        fonts[str(font["/BaseFont"])] = "/FontFile2" in inner.get("/FontDescriptor", {})
    return fonts


def test_a_document_names_the_standards_font_and_carries_none() -> None:
    found = fonts_of(statement_pdf([SHEET], "en"))
    assert "/STSong-Light" in found
    assert not any(found.values())


def test_a_banks_own_font_goes_into_the_document_with_what_is_used_of_it() -> None:
    document = statement_pdf([SHEET], "en", carried_font(VERA))
    found = fonts_of(document)
    assert any(carried and "Vera" in name for name, carried in found.items())
    assert "/STSong-Light" not in found
    (page,) = PdfReader(BytesIO(document)).pages
    assert {"Relevé de compte", "Zoë", "Ünal"} <= set(page.extract_text().split("\n")[:-1])
    assert len(document) < VERA.stat().st_size / 2
    assert document == statement_pdf([SHEET], "en", carried_font(VERA))


@pytest.mark.parametrize("content", [None, b"", b"no font at all"])
def test_what_is_no_font_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "song.ttf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"song\.ttf is no TrueType font"):
        carried_font(path)


async def test_a_process_whose_font_can_not_be_read_says_so_and_does_not_start(
    database: Database, tmp_path: Path
) -> None:
    pool = await Pool.open(database.dsn(), size=1)
    settings = ApiSettings(environment="development", home=tmp_path, statement_font=tmp_path / "none.ttf")
    with pytest.raises(CannotStart, match=r"ARREARS_STATEMENT_FONT: .*none\.ttf"):
        make_deps(settings, pool)
    await pool.close()
