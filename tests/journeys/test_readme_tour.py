"""The README's tour, pasted into a shell: what it promises is what happens."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.journeys.pasted import ROOT, blocks, paste


def tour(readme: str) -> str:
    return "\n".join(blocks((ROOT / readme).read_text()))


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.timeout(180)  # a score of programs, one after the other, beside whatever else the machine does
async def test_the_tour_does_what_it_says(tmp_path: Path) -> None:
    said = await paste(tour("README.md"), tmp_path)
    assert said.count('"answer": "accepted"') == 2
    reported, paid = said.split('"answer": "accepted"')[1:]
    assert '"state": "open"' in reported
    assert re.search(r'"step": "m1-first-sms",.*?"state": "done"', reported, re.DOTALL)
    assert re.search(r'"step": "m1-second-sms",.*?"state": "planned"', reported, re.DOTALL)
    assert "1234" in reported.partition("【")[2]
    assert '"step": "m1-second-sms"' not in paid
    assert '"to_bring_current": 0' in paid
    assert '"template": "thanks-cured"' in paid
    assert '"what": "case.cured"' in paid
    assert '"name": "outbox"' in paid


def test_the_tour_is_the_same_in_chinese() -> None:
    assert without_comments(tour("README.zh-CN.md")) == without_comments(tour("README.md"))


def without_comments(script: str) -> list[str]:
    return [line.partition(" # ")[0].rstrip() for line in script.splitlines() if not line.startswith("#")]
