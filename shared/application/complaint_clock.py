"""The clocks of complaints: tell before one runs out, and when it has."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.application.book import Book
from shared.application.clockwork import DueTimer
from shared.application.complaints import KINDS, Complaint, ComplaintStore, subjects
from shared.domain.announcement import Announcement
from shared.domain.complaint import Clock, ClockEvent, ComplaintTimer, complaint_rules

ACTOR = "clock"
TIMER_KINDS = tuple(KINDS.values())


class ComplaintClock:
    async def tick(self, tx: ComplaintStore, book: Book, timers: Sequence[DueTimer]) -> None:
        """Of the due events of one clock the latest is told: nobody needs the warning of a day that is over."""
        named = [(UUID(timer.subject.partition("/")[0]), timer) for timer in timers]
        complaints = await tx.complaints_by_id([complaint_id for complaint_id, _ in named])
        latest: dict[tuple[UUID, str], ComplaintTimer] = {}
        for complaint_id, timer in named:
            complaint = complaints.get(complaint_id)
            if complaint is None:
                continue
            page = book.customers.get(complaint.customer_id)
            if page is None:
                # Its customer was merged into another, who is not locked here: it is theirs to hear.
                book.changes.set_timer(complaint.customer_id, timer.kind, timer.subject, timer.due_at)
                continue
            watched = subjects(complaint, complaint_rules(page.jurisdiction)).get((timer.kind, timer.subject))
            if watched is not None and watched.due_at <= tx.now:
                known = latest.get((complaint_id, timer.kind))
                if known is None or known.due_at < watched.due_at:
                    latest[(complaint_id, timer.kind)] = watched
        for (complaint_id, _), event in latest.items():
            _tell(book, complaints[complaint_id], event)
        await tx.save(book.changes)


def _tell(book: Book, complaint: Complaint, event: ComplaintTimer) -> None:
    what = "deadline_missed" if event.event is ClockEvent.DUE else "deadline_near"
    by = complaint.acknowledge_by if event.clock is Clock.ACKNOWLEDGE else complaint.answer_by
    data = {"complaint_id": str(complaint.complaint_id), "clock": event.clock.value, "due_by": by.isoformat()}
    case_id = str(complaint.case_id) if complaint.case_id else None
    told = Announcement(
        "arrears.complaint", f"arrears.complaint.{what}.v1", complaint.customer_id, {**data, "case_id": case_id}
    )
    book.changes.announce([told])
    book.changes.record(complaint.customer_id, complaint.case_id, f"complaint.{what}", data, ACTOR)
