"""What a decision of the contact gate costs by itself: processor time, so that what else runs does not show.

Batches of two hundred customers, as the sender has them on its desk, under the rule pack cn as it ships.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from time import thread_time
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from shared.application.sending_desk import Debt, Desk, DueMessage, Go, Reach, Rulings, choose
from shared.domain.case import CaseState
from shared.domain.contact import Consent, ContactFacts, Proposal, RuleSet, decide
from shared.domain.contact_facts import PastContact, PreferredHours
from tests.benchmarks.feed import SHANGHAI
from tests.benchmarks.outcome import Line, percentile
from tests.benchmarks.stage import Stage

BATCH, BATCHES = 200, 100
TARGET = 1_000.0  # microseconds, at p99
NOON = datetime(2026, 3, 18, 12, 0, tzinfo=ZoneInfo(SHANGHAI)).astimezone(UTC)


async def run(stage: Stage) -> None:
    """Moot or not, channel, point, hours, caps, holds, opt-outs: messages as the sender asks, then calls."""
    dsn = await stage.database("bench_gate")
    async with stage.suite(dsn) as suite:
        rules = suite.deps.shelf.rules("CN")
    _show(stage, "message, in a batch of 200 who are alike", _messages(rules, _desk))
    _show(stage, "message, in a batch of 200 called for a month", _messages(rules, _called_desk))
    _show(stage, "call, in a batch of 200 called for a month", _calls(rules))


def _show(stage: Stage, what: str, times: list[float]) -> None:
    stage.add(Line(f"gate decision, {what}: p50", percentile(times, 0.5), "us"))
    stage.add(Line(f"gate decision, {what}: p99", percentile(times, 0.99), "us", target=TARGET, smaller=True))


def _messages(rules: RuleSet, desk_of: Callable[[int, UUID], Desk]) -> list[float]:
    """Each batch is asked as a marking transaction asks it: one after the other, by the answers of one instant."""
    asked = []
    for n in range(BATCH):
        case_id = uuid4()
        asked.append((_message(case_id), desk_of(n, case_id)))
    times = []
    for _ in range(BATCHES):
        rulings = Rulings(NOON)
        for message, desk in asked:
            began = thread_time()
            verdict = choose(message, desk, rules, rulings)
            times.append((thread_time() - began) * 1e6)
            if not isinstance(verdict, Go):
                raise TypeError(f"the message should go: {verdict}")
    return times


def _calls(rules: RuleSet) -> list[float]:
    """To people who have been called a lot, agreed to late hours and asked for others; a third of them in the night."""
    proposals = [
        Proposal("phone", "dunning", NOON + timedelta(minutes=7 * n), f"CUS{n:08}", f"p-{n % 3}") for n in range(BATCH)
    ]
    facts = [_called_a_lot(n) for n in range(BATCH)]
    times = []
    for _ in range(BATCHES):
        for proposal, known in zip(proposals, facts, strict=True):
            began = thread_time()
            decide(proposal, known, rules)
            times.append((thread_time() - began) * 1e6)
    return times


def _called_a_lot(n: int) -> ContactFacts:
    agreed = Consent("phone", time(22), time(23), NOON - timedelta(days=30))
    asked = PreferredHours("phone", time(9), time(20))
    return ContactFacts(
        SHANGHAI, "CN", "contract", history=_calls_of_a_month(n), consents=(agreed,), preferred=(asked,)
    )


def _calls_of_a_month(n: int) -> tuple[PastContact, ...]:
    return tuple(
        PastContact(
            NOON - timedelta(hours=18 * each + n % 5),
            "phone",
            contact_point_id=f"p-{each % 3}",
            answered_by=("nobody", "right_party", "voicemail")[each % 3],
            talk_seconds=30,
        )
        for each in range(40)
    )


def _called_desk(n: int, case_id: UUID) -> Desk:
    desk = _desk(n, case_id)
    desk.history = _calls_of_a_month(n)
    return desk


def _desk(n: int, case_id: UUID) -> Desk:
    desk = Desk(f"CUS{n:08}", "样本", "zh-CN", SHANGHAI, "CN")
    desk.cases[case_id] = CaseState.OPEN
    desk.reach.append(Reach(uuid4(), "mobile", "contract", lambda: "+8610000000001"))
    desk.debt = Debt("0001", "CNY", 50_000, date(2026, 3, 13))
    return desk


def _message(case_id: UUID) -> DueMessage:
    return DueMessage(
        message_id=uuid4(),
        case_id=case_id,
        follow_up_id=uuid4(),
        about="m1-first-sms/2026-03-13",
        step="m1-first-sms",
        purpose="dunning",
        template="overdue-first",
        channels=("sms", "email"),
        tries=0,
    )
