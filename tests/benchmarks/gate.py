"""What the decision whether a message may go costs by itself: processor time, so that what else runs does not show."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from time import thread_time
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from shared.application.sending_desk import Debt, Desk, DueMessage, Go, Reach, choose
from shared.domain.case import CaseState
from shared.domain.contact import Consent, ContactFacts, Proposal, RuleSet, decide
from shared.domain.contact_facts import PastContact, PreferredHours
from tests.benchmarks.feed import SHANGHAI
from tests.benchmarks.outcome import Line, percentile
from tests.benchmarks.stage import Stage

DECISIONS = 20_000
BATCH, BATCHES = 200, 10
NOON = datetime(2026, 3, 18, 12, 0, tzinfo=ZoneInfo(SHANGHAI)).astimezone(UTC)


async def run(stage: Stage) -> None:
    """Moot or not, channel, point, hours, caps, holds, opt-outs: one message at a time."""
    dsn = await stage.database("bench_gate")
    async with stage.suite(dsn) as suite:
        rules = suite.deps.shelf.rules("CN")
    case_id = uuid4()
    desk, message = _desk(case_id), _message(case_id)
    times = []
    for _ in range(DECISIONS):
        began = thread_time()
        verdict = choose(message, desk, rules, NOON)
        times.append((thread_time() - began) * 1e6)
    if not isinstance(verdict, Go):
        raise TypeError(f"the message should go: {verdict}")
    stage.add(Line("gate decision, p50", percentile(times, 0.5), "us"))
    stage.add(Line("gate decision, p99", percentile(times, 0.99), "us"))
    heavy = _batches(rules)
    stage.add(Line("gate decision on a call with a month of history, p50", percentile(heavy, 0.5), "us"))
    stage.add(Line("gate decision on a call with a month of history, p99", percentile(heavy, 0.99), "us"))


def _batches(rules: RuleSet) -> list[float]:
    """Batches of two hundred calls to people who have been called a lot, agreed to late hours and asked for others; a
    third of them in the night."""
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
    history = tuple(
        PastContact(
            NOON - timedelta(hours=18 * each + n % 5),
            "phone",
            contact_point_id=f"p-{each % 3}",
            answered_by=("nobody", "right_party", "voicemail")[each % 3],
            talk_seconds=30,
        )
        for each in range(40)
    )
    agreed = Consent("phone", time(22), time(23), NOON - timedelta(days=30))
    asked = PreferredHours("phone", time(9), time(20))
    return ContactFacts(SHANGHAI, "CN", "contract", history=history, consents=(agreed,), preferred=(asked,))


def _desk(case_id: UUID) -> Desk:
    desk = Desk("CUS00000001", "样本", "zh-CN", SHANGHAI, "CN")
    desk.cases[case_id] = CaseState.OPEN
    desk.reach.append(Reach(uuid4(), "mobile", "contract", "+8610000000001"))
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
