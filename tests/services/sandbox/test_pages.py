from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from services.sandbox.__main__ import main
from services.sandbox.knobs import Knobs, KnobsRefused, parse_knobs, set_knob
from tests.services.sandbox.running import Running, message


async def test_the_inbox_shows_text_and_runs_none_of_it(sandbox: Running) -> None:
    await sandbox.send(message("+8613812340000", "您好 <script>alert('短信')</script> & \"再见\""))
    page = await sandbox.client.get("/inbox")
    assert "您好 &lt;script&gt;alert(&#39;短信&#39;)&lt;/script&gt; &amp;" in page.text
    assert "<script>alert" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.findall(r'(?:src|href)="https?:', page.text)


async def test_a_recipient_sees_all_that_was_sent(sandbox: Running) -> None:
    twice = message("+8613812340000", "第一条")
    await sandbox.send(twice)
    await sandbox.send(twice | {"text": "第二条"})
    inbox = await sandbox.client.get("/inbox")
    [link] = re.findall(r'href="(/inbox/[0-9a-f]+)"', inbox.text)
    page = (await sandbox.client.get(link)).text
    assert "第一条" in page
    assert "第二条" in page
    assert "copy 2 of this reference" in page
    assert twice["reference"] in page


@pytest.mark.parametrize("by", ["number", "reference"])
async def test_a_search_keeps_numbers_out_of_the_address(sandbox: Running, by: str) -> None:
    wanted, other = message("+8613812340000", "找到"), message("+8613987650000", "其他")
    await sandbox.send(wanted, other)
    looked_for = "1381234" if by == "number" else wanted["reference"]
    answer = await sandbox.client.post("/inbox/search", data={"wanted": looked_for}, follow_redirects=True)
    assert "找到" in answer.text
    assert "其他" not in answer.text
    assert "1381234" not in str(answer.url)


async def test_a_search_for_nothing_known_says_so_without_markup(sandbox: Running) -> None:
    answer = await sandbox.client.post("/inbox/search", data={"wanted": "<b>x"}, follow_redirects=True)
    assert "Nothing for “&lt;b&gt;x”" in answer.text


async def test_an_unknown_recipient_leads_back_to_the_inbox(sandbox: Running) -> None:
    answer = await sandbox.client.get("/inbox/0123", follow_redirects=True)
    assert "Nothing has come in yet" in answer.text


async def test_the_log_is_read_page_by_page(sandbox: Running) -> None:
    await sandbox.send(*(message(text=f"第{number}条\n次行") for number in range(25)))
    seen: list[int] = []
    after, more = 0, True
    while more:
        page = (await sandbox.client.get("/log", params={"after": after, "limit": 10})).json()
        seen += [entry["seq"] for entry in page["entries"]]
        after, more = page["next"], page["more"]
    assert seen == list(range(1, 26))
    assert (await sandbox.client.get("/log", params={"after": 25})).json() == {
        "entries": [],
        "next": 25,
        "more": False,
    }


@pytest.mark.parametrize("query", ["after=-1", "limit=x", "after=99999999999999999999", "after=١"])
async def test_bad_paging_is_a_problem(sandbox: Running, query: str) -> None:
    assert (await sandbox.client.get(f"/log?{query}")).status_code == 422


async def test_the_log_can_be_read_while_messages_come_in(sandbox: Running) -> None:
    sends = [sandbox.send(*(message() for _ in range(20))) for _ in range(10)]
    reads = [sandbox.log() for _ in range(10)]
    for result in await asyncio.gather(*sends, *reads):
        if isinstance(result, list):
            assert [entry["seq"] for entry in result] == list(range(1, len(result) + 1))


async def test_put_sets_all_knobs_and_patch_only_those_named(sandbox: Running) -> None:
    await sandbox.client.put("/knobs", content='{"sms": {"delay_ms": 5}, "seed": 3}')
    answer = await sandbox.client.patch("/knobs", content='{"sms": {"idempotent": true}}')
    knobs = answer.json()
    assert (knobs["seed"], knobs["sms"]["delay_ms"], knobs["sms"]["idempotent"]) == (3, 5, True)
    assert (await sandbox.client.put("/knobs", content="{}")).json() == (await sandbox.client.get("/knobs")).json()
    assert sandbox.sandbox.panel.knobs == Knobs()


@pytest.mark.parametrize(
    "body", ["", "[]", '{"sms": 1}', '{"smss": {}}', '{"sms": {"delay": 1}}', '{"sms": {"fail_5xx": 2}}', "\ud800"]
)
async def test_unknown_knobs_are_refused_and_nothing_changes(sandbox: Running, body: str) -> None:
    for method in ("PUT", "PATCH"):
        answer = await sandbox.client.request(method, "/knobs", content=body.encode("utf-8", "surrogatepass"))
        assert answer.status_code == 422, method
    assert sandbox.sandbox.panel.knobs == Knobs()


def test_knobs_are_set_on_the_command_line() -> None:
    knobs = set_knob(parse_knobs("{}"), "email.never_answer_mode", "close")
    knobs = set_knob(knobs, "sms.reject", '{"9": "blacklisted"}')
    assert (knobs.email.never_answer_mode, knobs.sms.reject) == ("close", {"9": "blacklisted"})
    with pytest.raises(KnobsRefused):
        set_knob(knobs, "sms.nothing", "1")


def test_a_wrong_knob_ends_the_process_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "--knob", "sms.delay_ms=-1"]) == 1
    assert "sms.delay_ms" in capsys.readouterr().err
