"""The linter of texts: the shipped templates pass, and each objection names the rule and the place."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contact import parse_rules
from shared.domain.contact_facts import Content
from shared.domain.document import DocumentError
from shared.domain.template_lint import Draft, content_of, lint_text
from shared.domain.templates import parse_templates
from tests.domain.seeds import packs, template_documents

PACKS = {name: parse_rules(document) for name, document in packs().items()}
CHINA = PACKS["cn"].texts
TODAY = date(2026, 11, 24)
TEXTS = [text for document in template_documents() for text in parse_templates(document)]
DEMAND = "【{{ bank }}】{{ name }}您好，尾号{{ card_last4 }}待还{{ past_due }}。{{ hotline }} {{ opt_out }}"


def draft(body=DEMAND, **fields):
    return Draft(**{"language": "zh-CN", "channel": "sms", "purpose": "dunning", "body": body, **fields})


def places(found):
    return [(each.rule_id, each.place) for each in found]


@pytest.mark.parametrize("text", TEXTS, ids=[f"{text.key} {text.language} {text.channel}" for text in TEXTS])
def test_a_shipped_text_passes_the_rules_of_its_jurisdiction(text):
    assert lint_text(Draft(text.language, text.channel, text.purpose, text.body, text.subject), CHINA, TODAY) == ()


def test_an_objection_names_the_rule_the_line_the_column_and_the_words():
    (found,) = lint_text(draft(f"{DEMAND}\n\n否则后果自负，请尽快", channel="letter", purpose="service"), CHINA, TODAY)
    assert (found.rule_id, found.where, found.line, found.column) == ("cn-text-threats", "body", 3, 3)
    assert (found.words, found.placeholder) == ("后果自负", None)
    assert found.message == "says '后果自负': threat"
    assert "art. 68" in found.citation


def test_what_is_missing_is_named_with_the_placeholder_that_would_do():
    found = lint_text(draft(DEMAND.replace("{{ hotline }} ", "")), CHINA, TODAY)
    assert [(each.rule_id, each.placeholder, each.message) for each in found] == [
        ("cn-text-contact-data", "hotline", "lacks contact_data")
    ]
    assert found[0].column == len(DEMAND.replace("{{ hotline }} ", "")) + 1


def test_the_subject_holds_nothing_of_the_debt():
    mail = draft(f"{DEMAND}", channel="email", subject="{{ name }}，逾期3天")
    assert places(lint_text(mail, CHINA, TODAY)) == [
        ("cn-text-subject", "subject 1:1"),
        ("cn-text-subject", "subject 1:12"),
        ("cn-text-subject", "subject 1:14"),
    ]


@pytest.mark.parametrize(
    "body", ["坐牢", "坐​牢", "ＪＡＩＬ", "you go to Jail", "\N{SOFT HYPHEN}坐\N{ZERO WIDTH JOINER}牢", "ｊａil"]
)
def test_a_word_is_found_however_it_is_written(body):
    assert "threat" in content_of(draft(f"{DEMAND}{body}"), CHINA, TODAY).findings


@pytest.mark.parametrize("body", ["jailbird", "prisoners", "ｊａｉｌｅｒ"])
def test_part_of_another_word_is_not_the_word(body):
    assert "threat" not in content_of(draft(f"{DEMAND} {body}"), CHINA, TODAY).findings


def test_the_gate_is_told_what_the_text_has_what_it_says_and_what_is_wrong():
    full = content_of(draft(), CHINA, TODAY)
    assert full == Content(frozenset({"sender", "contact_data", "balance", "opt_out"}), True, frozenset())
    relay = content_of(
        draft("【{{ bank }}】请转告{{ name }}回电{{ hotline }}", purpose="locate", target="contact_person"),
        CHINA,
        TODAY,
    )
    assert (relay.says_debt, relay.findings) == (False, frozenset())
    naming = content_of(draft(purpose="locate", target="contact_person"), CHINA, TODAY)
    assert (naming.says_debt, naming.findings) == (True, frozenset({"debt_facts"}))


def test_a_letter_that_has_all_the_measures_ask_for():
    body = (
        "{{ bank }}\n根据信用卡领用合约，您尚欠{{ past_due }}。您有权查询账户、提出异议并提交材料。\n"
        "请致电{{ hotline }}。\n（盖章）"
    )
    letter = draft(body, channel="letter")
    assert lint_text(letter, CHINA, TODAY) == ()
    needed = PACKS["cn"].rule("cn-letter-contents").parameters["contains"]
    assert set(needed) <= content_of(letter, CHINA, TODAY).parts


def test_rules_bind_from_their_date_and_only_whom_they_are_about():
    bare = Draft("en", "email", "dunning", "You have a balance.", "Hello", collector="agency")
    texts = PACKS["us"].texts
    assert places(lint_text(bare, texts, TODAY)) == [("us-text-optout", "body 1:20")]
    assert lint_text(bare, texts, date(2021, 11, 29)) == ()
    assert lint_text(Draft("en", "email", "dunning", "You have a balance.", "Hello"), texts, TODAY) == ()


def pack_with(**changes):
    document = {**packs()["cn"]}
    document["texts"] = [{**packs()["cn"]["texts"][0], **changes}]
    return document


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "wanted"}, r"texts\[0\]\.kind: 'wanted' is not one of"),
        ({"parameters": {"part": "x", "patterns": ["("]}}, "is not a regular expression"),
        ({"parameters": {"part": "x"}}, "names neither patterns nor placeholders"),
        ({"parameters": {"finding": "x", "placeholders": ["bank"]}}, "parameters.part: is missing"),
        ({"parameters": {"part": "x", "placeholders": ["bank"], "in": ["footer"]}}, "in: 'footer' is not one of"),
        ({"mood": "x"}, "mood: is not a known key"),
    ],
)
def test_a_text_rule_that_makes_no_sense_is_refused(changes, problem):
    with pytest.raises(DocumentError, match=problem):
        parse_rules(pack_with(**changes))


@given(st.text(max_size=60), st.sampled_from(["zh-CN", "en"]), st.sampled_from(["sms", "email", "letter"]))
def test_any_text_is_read_and_every_place_is_in_it(body, language, channel):
    subject = body[:20] if channel == "email" else None
    for found in lint_text(draft(body, language=language, channel=channel, subject=subject), CHINA, TODAY):
        text = body if found.where == "body" else subject
        line = text.split("\n")[found.line - 1]
        assert 1 <= found.column <= len(line) + 1
        assert found.words in text
