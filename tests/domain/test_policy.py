import copy
from dataclasses import FrozenInstanceError
from datetime import date, time

import pytest

from shared.domain.calendar import parse_calendar
from shared.domain.document import DocumentError
from shared.domain.policy import DayKind, StepKind, parse_policy
from shared.domain.templates import parse_templates
from tests.domain.seeds import load, template_documents

DOCUMENT = load("policies/card-cn.yaml")
POLICY = parse_policy(DOCUMENT)


@pytest.mark.parametrize(
    ("dpd", "bucket", "following"),
    [
        (-3, "M0", ("M1", 1)),
        (0, "M0", ("M1", 1)),
        (1, "M1", ("M2", 31)),
        (30, "M1", ("M2", 31)),
        (31, "M2", ("M3", 61)),
        (90, "M3", ("M4", 91)),
        (180, "M6", ("M7+", 181)),
        (181, "M7+", None),
        (5000, "M7+", None),
    ],
)
def test_days_past_due_fall_into_buckets(dpd, bucket, following):
    assert POLICY.bucket_of(dpd) == bucket
    assert POLICY.next_bucket(dpd) == following


def test_principal_comes_first_from_the_91st_day():
    assert POLICY.allocation_order(90) == ("interest", "fees", "penalty", "principal")
    assert POLICY.allocation_order(91) == ("principal", "interest", "fees", "penalty")


def test_a_segment_that_nobody_thought_of_gets_the_ordinary_ladder():
    assert POLICY.ladder_for("student") == POLICY.ladder_for("standard")
    assert POLICY.ladder_for("vip") != POLICY.ladder_for("standard")


def test_the_seed_sends_at_decent_and_distinct_times():
    for ladder in POLICY.ladders:
        messages = [step for step in ladder.steps if step.kind is StepKind.MESSAGE]
        assert all(time(9) <= step.at <= time(20) for step in messages)
        keyed = [(step.at, step.template) for step in messages]
        assert len(set(keyed)) == len(keyed)


def test_every_text_the_seed_names_exists_in_both_languages_for_its_channels():
    texts = {(each.key, each.channel, each.language) for doc in template_documents() for each in parse_templates(doc)}
    needed = {
        (step.template, channel, language)
        for ladder in POLICY.ladders
        for step in ladder.steps
        if step.template
        for channel in step.channels
        for language in ("zh-CN", "en")
    }
    thanks = {(POLICY.thanks.on_cure, each, "zh-CN") for each in POLICY.thanks.channels}
    assert needed | thanks <= texts
    assert POLICY.templates() <= {key for key, _, _ in texts}


def test_the_late_call_of_the_first_bucket_stays_in_it_over_the_long_holidays():
    calendar = parse_calendar(load("policies/calendars/cn.yaml"))
    step = next(each for each in POLICY.ladder_for("standard") if each.day_kind is DayKind.BUSINESS)
    for anchor in (date(2026, 1, 20), date(2026, 2, 10), date(2026, 9, 20), date(2025, 9, 25), date(2026, 6, 20)):
        dpd = (step.due_on(anchor, calendar) - anchor).days
        assert POLICY.bucket_of(dpd) == step.bucket
        assert dpd >= 20
    calendar_step = POLICY.ladder_for("standard")[0]
    assert calendar_step.due_on(date(2026, 12, 30), calendar) == date(2027, 1, 3)


def test_a_step_asks_for_a_minimum_past_due_by_currency():
    call = next(each for each in POLICY.ladder_for("standard") if each.kind is StepKind.CALL)
    assert not call.conditions.enough_past_due({"CNY": 9999})
    assert call.conditions.enough_past_due({"CNY": 10000})
    assert call.conditions.enough_past_due({"CNY": 1, "USD": 1})
    assert not call.conditions.enough_past_due({"CNY": 0, "USD": 0})
    assert not call.conditions.enough_past_due({})


def test_a_policy_is_a_value():
    assert parse_policy(copy.deepcopy(DOCUMENT)) == POLICY
    assert hash(parse_policy(copy.deepcopy(DOCUMENT))) == hash(POLICY)
    with pytest.raises(FrozenInstanceError):
        POLICY.version = 2


def edited(*path, value):
    document = copy.deepcopy(DOCUMENT)
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


STEPS = ("ladders", 0, "steps")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (edited("version", value=0), r"policy\.version: must be between 1"),
        (edited("name", value=None), r"policy\.name: is missing"),
        (edited("nmae", value="x"), r"policy\.nmae: is not a known key"),
        (edited("default_zone", value="Asia/Peking2"), r"policy\.default_zone: .* not a known time zone"),
        (edited("grace", "days", value=-1), r"policy\.grace\.days: must be between"),
        (edited("grace", "amount", value={"RMB": 1}), r"policy\.grace\.amount: 'RMB' is not an active"),
        (edited("grace", "amount", value={"CNY": 1.5}), r"policy\.grace\.amount: must be a whole number"),
        (edited("buckets", 1, "from_dpd", value=1), r"policy\.buckets: from_dpd must rise"),
        (edited("buckets", 1, "name", value="M1"), r"policy\.buckets: needs buckets with names"),
        (edited("buckets", value=[]), r"policy\.buckets: needs"),
        (edited("buckets", value={}), r"policy\.buckets: must be a list"),
        (edited("allocation", 0, "order", value=["fees"]), r"policy\.allocation\[0\]\.order: must order all"),
        (edited("allocation", 1, "till_dpd", value=100), r"policy\.allocation: needs till_dpd on every order but"),
        (edited("thanks", "channels", value=["fax"]), r"policy\.thanks\.channels: 'fax' is not one of"),
        (edited(*STEPS, 0, "id", value="m1-first\nsms"), r"steps\[0\]\.id: must be one line"),
        (edited(*STEPS, 0, "template", value="overdue\tfirst"), r"steps\[0\]\.template: must be one line"),
        (edited(*STEPS, 0, "day", value="4"), r"policy\.ladders\[0\]\.steps\[0\]\.day: must be a whole number"),
        (edited(*STEPS, 0, "day", value=True), r"steps\[0\]\.day: must be a whole number"),
        (edited(*STEPS, 0, "day", value=31), r"steps\[0\]\.day: day 31 is not in bucket M1"),
        (edited(*STEPS, 1, "day", value=3), r"policy\.ladders\[0\]\.steps: must be in the order of their days"),
        (edited(*STEPS, 0, "bucket", value="M9"), r"steps\[0\]\.bucket: 'M9' is not one of"),
        (edited(*STEPS, 0, "at", value=600), r"steps\[0\]\.at: must be a local time in quotes"),
        (edited(*STEPS, 0, "at", value="25:00"), r"steps\[0\]\.at: '25:00' is not a local time"),
        (edited(*STEPS, 0, "at", value="10:00+08:00"), r"steps\[0\]\.at: must be a local time"),
        (edited(*STEPS, 0, "kind", value="telegram"), r"steps\[0\]\.kind: 'telegram' is not one of"),
        (edited(*STEPS, 0, "channels", value=[]), r"steps\[0\]\.channels: a message needs a channel"),
        (edited(*STEPS, 0, "channels", value=["sms", "sms"]), r"steps\[0\]\.channels: names something twice"),
        (edited(*STEPS, 0, "channels", value=["phone"]), r"steps\[0\]\.channels: 'phone' is not one of"),
        (edited(*STEPS, 0, "template", value=None), r"steps\[0\]\.template: is missing"),
        (edited(*STEPS, 0, "purpose", value="fun"), r"steps\[0\]\.purpose: 'fun' is not one of"),
        (edited(*STEPS, 0, "id", value="m1-call"), r"policy\.ladders\[0\]\.steps: uses a step id twice"),
        (edited(*STEPS, 0, "rank", value=20), r"policy\.ladders\[0\]\.steps: rank must rise"),
        (edited(*STEPS, 2, "conditions", value={"languages": ["en"]}), r"conditions\.languages: is not a known key"),
        (edited(*STEPS, 2, "conditions", value={"min_owed": {}}), r"conditions\.min_owed: is not a known key"),
        (edited("ladders", 0, "segments", value=["standard"]), r"policy\.ladders: needs a ladder for"),
        (edited("ladders", 0, "segments", value=["*", "vip"]), r"policy\.ladders: names a segment twice"),
        ([1], "policy: must be a mapping"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_its_place(document, problem):
    with pytest.raises(DocumentError, match=problem):
        parse_policy(document)
