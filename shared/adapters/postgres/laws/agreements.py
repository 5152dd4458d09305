"""Plans add up (L7), what was agreed is judged when its day is over (L9), and what needs two people had two (L13)."""

from __future__ import annotations

from shared.adapters.postgres.laws.question import Question

AGREEMENTS = (
    Question(
        "L7",
        "the instalments of a plan do not sum to the debts in it",
        """
        select p.plan_id::text || '/' || debt.currency as subject, p.proposed_at as at
        from plans p cross join lateral (
            select each ->> 'currency' as currency,
                   sum(part.value::bigint) as owed
            from jsonb_array_elements(p.document -> 'debts') each,
                 jsonb_each_text(each -> 'balances') part
            group by each ->> 'currency'
        ) debt
        where debt.owed is distinct from (
            select sum(i.principal) from instalments i where i.plan_id = p.plan_id and i.currency = debt.currency)
        """,
    ),
    Question(
        "L9",
        "a promise is open though its last day is over",
        """
        select p.promise_id::text as subject, null::timestamptz as at
        from promises p cross join clock
        where p.state = 'open' and p.due_on + p.tolerance_days < (clock.now - interval '25 hours')::date
        """,
    ),
    Question(
        "L9",
        "a plan in force has no hold on one of its accounts, or one that is not in force has",
        """
        select p.plan_id::text as subject, null::timestamptz as at from plans p
        where (p.state = 'active') <> exists (
            select from holds h where h.kind = 'plan' and h.origin = p.plan_id::text and h.released_at is null)
        """,
    ),
    Question(
        "L13",
        "a plan that a second person was asked about went on without their yes",
        """
        select p.plan_id::text as subject, p.proposed_at as at from plans p
        where p.state not in ('proposed', 'cancelled')
          and exists (select from approvals a where a.subject = 'plan' and a.subject_id = p.plan_id::text)
          and not exists (
              select from approvals a
              where a.subject = 'plan' and a.subject_id = p.plan_id::text and a.state = 'approved'
                and a.decided_by <> a.requested_by)
        """,
    ),
)
