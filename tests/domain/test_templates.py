import copy

import jinja2
import jinja2.sandbox
import pytest

from shared.domain.document import DocumentError
from shared.domain.templates import (
    REQUIRED,
    SAMPLE_VALUES,
    SMS_UNITS,
    VARIABLES,
    lint,
    parse_templates,
    sms_units,
)
from tests.domain.seeds import template_documents

DOCUMENTS = template_documents()
TEXTS = [text for document in DOCUMENTS for text in parse_templates(document)]
STRICT = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)


@pytest.mark.parametrize("text", TEXTS, ids=[f"{text.key} {text.language} {text.channel}" for text in TEXTS])
def test_a_shipped_text_renders_strictly_and_fits(text):
    values = SAMPLE_VALUES[text.language]
    body = STRICT.from_string(text.body).render(values)
    assert "{{" not in body
    if text.channel == "sms":
        assert body.startswith(f"【{values['bank']}】")
        assert sms_units(body) <= SMS_UNITS[text.language]
    else:
        assert STRICT.from_string(text.subject).render(values)
    assert lint(text) == ()
    assert REQUIRED[text.purpose] <= set(text.variables) <= VARIABLES


def test_each_key_has_both_languages_on_both_channels():
    for document in DOCUMENTS:
        pairs = {(text.language, text.channel) for text in parse_templates(document)}
        assert pairs == {(language, channel) for language in ("zh-CN", "en") for channel in ("sms", "email")}


def test_a_chinese_demand_says_how_to_stop_it():
    demands = [text for text in TEXTS if text.purpose == "dunning" and text.channel == "sms"]
    assert all("opt_out" in text.variables for text in demands)


def text_of(**changes):
    text = {
        "language": "zh-CN",
        "channel": "sms",
        "body": "【{{ bank }}】尾号{{ card_last4 }}待还{{ past_due }}。{{ hotline }}",
        **changes,
    }
    return {"key": "k", "version": 1, "purpose": "dunning", "texts": [text]}


MAIL = {"channel": "email", "subject": "{{ bank }}服务通知"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"body": "【{{ bank }}】{{ card_last4 }} {{ past_due }}"}, "lacks hotline"),
        ({"body": "{{ bank }}{{ card_last4 }}{{ past_due }}{{ hotline }}"}, "does not begin with the signature"),
        ({"body": text_of()["texts"][0]["body"] + "{{ id_number }}"}, "uses id_number, which is no variable"),
        ({"body": text_of()["texts"][0]["body"] + "{% if x %}"}, "template syntax other than"),
        ({"body": text_of()["texts"][0]["body"] + "{{ name.upper() }}"}, "template syntax other than"),
        ({"body": text_of()["texts"][0]["body"] + "请" * 60}, "units as a text message, 70 are allowed"),
        (
            {"body": text_of()["texts"][0]["body"] + "您已进入黑名单"},
            "says '黑名单', which is a threat or a false claim",
        ),
        ({"body": text_of()["texts"][0]["body"] + "或将通知家人"}, "threat"),
        ({"subject": "x"}, "which only an e-mail has"),
        ({"channel": "email"}, "has no subject"),
        ({**MAIL, "subject": "您的逾期账单"}, "speaks of the debt in the subject: '逾期'"),
        ({**MAIL, "subject": "Overdue"}, "speaks of the debt"),
        ({**MAIL, "subject": "{{ name }}"}, "others can see"),
        ({**MAIL, "subject": "{{ past_due }}"}, "others can see"),
        ({"language": "fr"}, "language: 'fr' is not one of"),
        ({"channel": "phone"}, "channel: 'phone' is not one of"),
        ({"body": " "}, "body: must be a text"),
    ],
)
def test_a_text_that_may_not_be_sent_is_refused_with_its_place(changes, problem):
    with pytest.raises(DocumentError, match=problem) as refused:
        parse_templates(text_of(**changes))
    assert refused.value.path.startswith("template.texts[0]")


def test_an_email_without_debt_in_the_subject_is_fine():
    assert parse_templates(text_of(**MAIL))[0].subject == "{{ bank }}服务通知"


def test_two_texts_for_one_language_and_channel_are_refused():
    document = text_of()
    document["texts"] *= 2
    with pytest.raises(DocumentError, match="two texts for one language"):
        parse_templates(document)
    empty = copy.deepcopy(document) | {"texts": []}
    with pytest.raises(DocumentError, match="holds no text"):
        parse_templates(empty)
