"""``arrears rules``: a person asks the rules, and the packs are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from services import cli_packs
from services.cli import app_for


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app_for("rules"), ["rules", *arguments])
    return result.exit_code, result.output


def written(path: Path, value: object) -> str:
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


NIGHT = ("explain", "--jurisdiction", "cn", "--channel", "phone", "--at", "2026-11-24T22:30:00+08:00")


def test_a_person_asks_and_is_told_until_when_and_why() -> None:
    code, told = run(*NIGHT)
    assert code == 0
    assert "DEFER until 2026-11-25 08:00:00+0800 Wed" in told
    assert "cn-quiet-hours-cba" in told
    assert "GB/T 45251-2025" in told
    assert 'taken as ordinary: zone "Asia/Shanghai"' in told


def test_history_facts_and_zone_come_from_files_and_options(tmp_path: Path) -> None:
    talk = {"channel": "phone", "answered_by": "right_party", "effective_talk": True}
    history = [{**talk, "at": f"2026-11-24T{hour}:00:00+08:00"} for hour in ("09", "11", "15")]
    path = written(tmp_path / "history.json", history)
    at_four = (*NIGHT[:-1], "2026-11-24T16:00:00+08:00")
    code, told = run(*at_four, "--history", path)
    assert (code, "cn-effective-call-cap-3" in told) == (0, True)
    assert run(*at_four)[1].endswith("ALLOW\n")
    sydney = run(*NIGHT[:-1], "2026-11-24T20:00:00+08:00", "--zone", "Australia/Sydney")[1]
    assert "DEFER until 2026-11-25 11:00:00+1100 Wed" in sydney  # eight in Beijing, where the bank is
    held = written(tmp_path / "facts.json", {"holds": [{"kind": "complaint"}]})
    code, told = run(*at_four, "--facts", held)
    assert "FORBID; release: hold released: complaint" in told
    assert "the smallest change that would lift it:\n  - hold released: complaint" in told


def test_the_contact_itself_is_described_in_a_file(tmp_path: Path) -> None:
    visit = ("explain", "--jurisdiction", "CN", "--channel", "visit", "--at", "2026-11-24T15:00:00+08:00")
    alone = written(
        tmp_path / "c.json", {"manner": {"staff": 1, "recorded": True, "entry": False, "public_posting": False}}
    )
    code, told = run(*visit, "--contact", alone)
    assert (code, "release: a second collector who comes along" in told) == (0, True)
    unknown = run(*visit)[1]
    assert "known: staff" in unknown


def test_a_guideline_says_that_it_may_be_set_aside(tmp_path: Path) -> None:
    facts = written(tmp_path / "facts.json", {"counters": {"unanswered": 6}})
    _, told = run(*NIGHT[:-1], "2026-11-24T16:00:00+08:00", "--facts", facts)
    assert "it may be set aside once, with a reason and an approver" in told


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((*NIGHT[:2], "atlantis", *NIGHT[3:]), "there are no rules of atlantis"),
        ((*NIGHT[:-1], "2026-11-24T22:30:00"), "carries no offset"),
        ((*NIGHT[:-1], "tonight"), "is not an instant"),
    ],
)
def test_what_makes_no_sense_is_said_in_words(arguments: tuple[str, ...], problem: str) -> None:
    code, told = run(*arguments)
    assert code == 2
    assert problem in " ".join(told.replace("│", " ").split())


def test_a_file_that_is_no_document_is_refused_with_its_place(tmp_path: Path) -> None:
    for value, problem in (({"mood": "good"}, "facts.mood: is not a known key"), ([], "must be a JSON object")):
        code, told = run(*NIGHT, "--facts", written(tmp_path / "facts.json", value))
        assert code == 2
        assert problem in " ".join(told.replace("│", " ").split())
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    assert run(*NIGHT, "--history", str(tmp_path / "broken.json"))[0] == 2


def test_every_pack_is_checked_and_what_nobody_verified_is_listed() -> None:
    code, told = run("check")
    assert code == 0
    lines = told.splitlines()
    for name in ("cn", "us", "uk", "in", "hk", "sg", "eu"):
        assert any(line.startswith(f"{name}@") and line.endswith("all hold") for line in lines), name
    assert "  unverified us-nyc-two-per-7 (L): Recalled, the number too; loaded as a version of its own." in lines
    assert not any("FAILS" in line for line in lines)


def test_a_pack_whose_examples_do_not_hold_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    pack = yaml.safe_load((cli_packs.SHIPPED / "rules/sg.yaml").read_text(encoding="utf-8"))
    hours = next(rule for rule in pack["rules"] if rule["id"] == "sg-hours")
    hours["parameters"]["from"] = "22:00"
    (tmp_path / "rules/sg.yaml").write_text(yaml.safe_dump(pack), encoding="utf-8")
    monkeypatch.setattr(cli_packs, "SHIPPED", tmp_path)
    code, told = run("check")
    assert code == 1
    assert "FAILS sg-hours: in the evening: allow by no rule, not defer" in told
    del pack["rules"][0]
    (tmp_path / "rules/sg.yaml").write_text(yaml.safe_dump(pack), encoding="utf-8")
    code, told = run("check")
    assert (code, "sg   can not be read: rules.rules: needs exactly one rule of kind mandatory_facts" in told) == (
        1,
        True,
    )


def overlay_file(tmp_path: Path, **change: object) -> str:
    document = {
        "overlay_of": "cn",
        "name": "bank",
        "version": 1,
        "changes": [{"rule": "cn-sms-cap", "from": "2026-01-01", "why": "policy", **change}],
    }
    path = tmp_path / "bank.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


def test_a_banks_own_rules_are_laid_over_the_pack(tmp_path: Path) -> None:
    tight = overlay_file(tmp_path, parameters={"max": 1})
    facts = written(tmp_path / "facts.json", {"reserved_today": {"sms": 1}})
    asked = ("explain", "--jurisdiction", "cn", "--channel", "sms", "--at", "2026-11-24T16:00:00+08:00")
    assert "ALLOW" in run(*asked, "--facts", facts)[1]
    told = run(*asked, "--facts", facts, "--overlay", tight)[1]
    assert "DEFER" in told
    assert "rules cn+bank@1:" in told
    assert run("check", "--overlay", tight)[0] == 0
    loose = overlay_file(tmp_path, parameters={"max": 9})
    code, told = run("check", "--overlay", loose)
    assert code == 2
    assert "without a sign-off" in " ".join(told.replace("│", " ").split())


def test_the_rules_are_listed_with_what_has_to_be_known() -> None:
    code, told = run("list", "--jurisdiction", "GB")
    assert code == 0
    assert "uk-fos-hold" in told
    assert "ombudsman_open" in told
    assert "cn-sms-cap" not in told
    assert "note: " in told


def test_the_shipped_templates_have_nothing_to_object_to() -> None:
    code, told = run("lint-templates")
    assert code == 0
    assert "nothing found" in told


def test_a_template_is_shown_where_it_is_wrong(tmp_path: Path) -> None:
    text = "【{{ bank }}】{{ name }}您好，尾号{{ card_last4 }}待还{{ past_due }}，另收催收费。{{ hotline }}"
    document = {"key": "k", "version": 1, "purpose": "dunning"}
    document |= {"texts": [{"language": "zh-CN", "channel": "sms", "body": text}]}
    (tmp_path / "k.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    (tmp_path / "l.yaml").write_text("key: l", encoding="utf-8")
    code, told = run("lint-templates", "--folder", str(tmp_path))
    assert code == 1
    column = text.index("催收费") + 1
    assert f"k zh-CN sms body 1:{column}: says '催收费': collection_fee (cn-text-fees; " in told
    assert "{{ opt_out }}: lacks opt_out (cn-text-opt-out; " in told
    assert "l.yaml: template.version: is missing" in told
    assert "3 findings" in told
