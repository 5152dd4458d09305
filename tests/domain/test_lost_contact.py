"""When a debtor counts as lost: what rows of calls make, and what undoes it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.contact_facts import PastContact
from shared.domain.lost_contact import Lost, Trigger, Triggers, lost_contact

BEIJING = ZoneInfo("Asia/Shanghai")
THREE = Triggers(unanswered_in_a_row=3, days_in_a_row=3)


def beijing(day, hour=10):
    return datetime(2026, 11, day, hour, tzinfo=BEIJING)


def call(day, hour=10, by="nobody", **fields):
    return PastContact(beijing(day, hour), "phone", answered_by=by, **fields)


def lost(*history, invalid=None, now=None, triggers=THREE):
    return lost_contact(history, invalid, "Asia/Shanghai", triggers, now or beijing(24, 18))


def test_nobody_is_lost_who_was_not_tried():
    assert lost() is None
    assert lost(call(24, 9), call(24, 10)) is None


def test_three_unanswered_calls_make_lost_from_the_next_day():
    assert lost(call(24, 9), call(24, 11), call(24, 14)) == Lost(beijing(25, 0), Trigger.UNANSWERED_IN_A_ROW)
    over_two_days = lost(call(22, 9), call(22, 11), call(23, 14), call(24, 9))
    assert over_two_days == Lost(beijing(24, 0), Trigger.UNANSWERED_IN_A_ROW)


def test_three_dates_in_a_row_make_lost_even_where_somebody_else_answered():
    colleague = [call(22, by="other_person"), call(23, by="other_person"), call(24, by="nobody")]
    assert lost(*colleague) == Lost(beijing(25, 0), Trigger.DAYS_IN_A_ROW)
    assert lost(call(20, by="other_person"), *colleague[1:]) is None


def test_a_number_out_of_use_makes_lost_at_once():
    assert lost(invalid=beijing(23, 9)) == Lost(beijing(23, 9), Trigger.NUMBER_INVALID)
    assert lost(invalid=beijing(25, 9)) is None


def test_whoever_is_reached_or_gets_in_touch_is_not_lost():
    row = [call(20), call(20, 11), call(20, 12)]
    assert lost(*row) is not None
    assert lost(*row, call(23, by="right_party")) is None
    assert lost(*row, PastContact(beijing(23), "sms", outbound=False)) is None
    assert lost(*row, call(23, by="right_party"), call(23, 11), call(23, 12), call(23, 13)) == Lost(
        beijing(24, 0), Trigger.UNANSWERED_IN_A_ROW
    )
    assert lost(call(23, by="right_party"), invalid=beijing(22)) is None
    assert lost(call(21, by="right_party"), invalid=beijing(22)) is not None


def test_the_day_somebody_was_reached_is_no_day_they_were_not():
    history = [call(22, 9, by="right_party"), call(22, 15, by="other_person"), call(23, by="other_person")]
    assert lost(*history, call(24, by="other_person")) is None


def test_what_is_not_known_makes_nobody_lost():
    unknown = PastContact(beijing(22), "phone")
    assert lost(call(20), call(21), unknown, call(23), call(24)) is None
    messages = [PastContact(beijing(day), "sms") for day in (22, 23, 24)]
    assert lost(*messages) is None
    assert lost(call(20), call(21), call(22), messages[0], messages[1]) is not None


def test_calls_to_others_and_later_ones_do_not_count():
    guarantor = [call(22, target="guarantor"), call(23, target="guarantor"), call(24, target="guarantor")]
    assert lost(*guarantor) is None
    assert lost(call(20), call(20, 11), call(25, 9)) is None


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(
            PastContact,
            at=st.integers(0, 24 * 10).map(lambda n: datetime(2026, 11, 14, tzinfo=UTC) + timedelta(hours=n)),
            channel=st.sampled_from(["phone", "voice_bot", "sms"]),
            outbound=st.booleans(),
            answered_by=st.sampled_from([None, "nobody", "voicemail", "other_person", "right_party"]),
        ),
        max_size=12,
    ),
    st.integers(0, 11),
)
def test_not_knowing_how_a_call_ended_never_makes_lost(history, which):
    """The same record with one outcome forgotten: lost not sooner, or not at all."""
    if which >= len(history):
        return
    forgotten = list(history)
    old = forgotten[which]
    forgotten[which] = PastContact(old.at, old.channel, outbound=old.outbound)
    before, after = lost(*history), lost(*forgotten)
    if after is not None:
        assert before is not None or old.answered_by == "right_party"
        if before is not None:
            assert after.since >= before.since
