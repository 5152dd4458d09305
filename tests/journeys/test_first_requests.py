"""The first requests of ``docs/api.md``, pasted into a shell: each is answered as the page shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.journeys.pasted import ROOT, blocks, paste

END = "=== end of an answer ==="
# What is another at each run, by what stands for it on both sides.
OTHERWISE = {
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "instant": r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)",
    "day": r"\d{4}-\d\d-\d\d",
    "trace": r"\b[0-9a-f]{32}\b",
    "number": r"\b1\d{9}\b",
    "cursor": r'(?<="next": ")[^"]+',
}


def section() -> str:
    return (ROOT / "docs/api.md").read_text().partition("## First requests\n")[2].partition("\n## ")[0]


def alike(text: str) -> str:
    for name, pattern in OTHERWISE.items():
        text = re.sub(pattern, f"({name})", text)
    return text.strip()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.timeout(180)  # a score of programs, one after the other, beside whatever else the machine does
async def test_the_first_requests_are_answered_as_the_page_shows(tmp_path: Path) -> None:
    script = "".join(f"{block}echo '{END}'\n" for block in blocks(section()))
    answers = (await paste(script, tmp_path)).split(END)[:-1]
    assert [alike(each) for each in answers] == [alike(each) for each in blocks(section(), "json")]
