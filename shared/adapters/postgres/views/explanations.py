"""All that the planner and the contact gate look at for one case, read without locking anybody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.application.book import Book, CustomerPage
from shared.application.explaining import Explained
from shared.application.explaining_plans import plans_in_force
from shared.application.limitation import claims_about
from shared.application.permit_facts import PointOnFile
from shared.application.sending_desk import RulesInForce
from shared.domain.case import Case, CaseState

_POINTS = """
    select point_id, kind, source, state from contact_points where customer_id = $1
    order by state <> 'active', position, point_id
"""


async def load_case(tx: Any, case_id: UUID, rules: RulesInForce) -> Explained | None:
    """The case with its customer's desk; None when there is no such case. ``tx`` is a ``PostgresTransaction``."""
    row = await tx.conn.fetchrow(
        """
        select u.customer_id, u.core_version, u.language, u.time_zone, u.jurisdiction, u.segment, u.merged_into,
               u.cases_opened, c.case_id, c.customer_id, c.ordinal, c.state, c.bucket, c.policy_version, c.opened_at,
               c.reopened_at, c.reopenings, c.ended_at, c.end_reason
        from cases c join customers u on u.customer_id = c.customer_id where c.case_id = $1
        """,
        case_id,
    )
    if row is None:
        return None
    customer = CustomerPage(*row[:8])
    case = Case(row[8], row[9], row[10], CaseState(row[11]), *row[12:])
    book = Book(tx.now)
    book.customers[customer.customer_id] = customer
    files = await tx.load_case_files(book)
    file = files.get(customer.customer_id)
    if file is None or file.case.case_id != case_id:
        return Explained(tx.now, customer, case, None, None, {})
    desks = await tx.load_desks(book, rules)
    reasons = await tx.conn.fetch(
        "select step, anchor, state, reason, due_at from follow_ups where case_id = $1 order by due_at, step", case_id
    )
    await tx.load_agreements(book)
    return Explained(
        tx.now,
        customer,
        case,
        file,
        desks[0],
        {(each[0], each[1]): each[3] for each in reasons},
        [PointOnFile(*each) for each in await tx.conn.fetch(_POINTS, customer.customer_id)],
        await claims_about(tx, customer.customer_id),
        plans_in_force(book, customer.customer_id, customer.time_zone or "UTC"),
    )
