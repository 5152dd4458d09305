"""Plans and settlements add up (L7), nobody is told of one that is over (L5), what was agreed is judged when its day is
over (L9), what a plan rests on is on record (L10), and what needs two people had two (L13)."""

from __future__ import annotations

from shared.adapters.postgres.laws.question import Question

# What the timeline says of an instalment around the mark of a message: the last before it, and all in its instant.
# What is true in the instant alone may have come before the mark or after it, and breaks nothing.
_TOLD = """
    select array_agg(one.kind) filter (where one.before) as before, array_agg(one.kind) as states
    from (
        select e.kind, e.at < a.marked_at - clock.slack as before,
               row_number() over (partition by e.at < a.marked_at - clock.slack order by e.entry desc) as place
        from case_events e
        where e.customer_id = m.customer_id and e.data ->> 'plan_id' = i.plan_id::text
          and e.data ->> 'currency' = i.currency and (e.data ->> 'number')::int = i.number
          and e.kind in ('plan.instalment_covered', 'plan.instalment_uncovered')
          and e.at <= a.marked_at + clock.slack
    ) one
    where not one.before or one.place = 1
"""
_STOOD = """coalesce(
    'plan.instalment_{so}' = any(told.before) and not 'plan.instalment_{otherwise}' = any(told.states), false)"""
_MEANT = """
    i.plan_id = case when m.about like 'plan/%' then split_part(m.about, '/', 2)::uuid end
    and i.due_on::text = split_part(m.about, '/', 4)
"""

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
        "L7",
        "what is paid and what is given up for a settlement are not the debts in it",
        """
        select s.settlement_id::text as subject, s.proposed_at as at from settlements s
        where s.owed <> (
                select sum(part.value::bigint)
                from jsonb_array_elements(s.document -> 'debts') each,
                     jsonb_each_text(each -> 'balances') part)
           or s.pays <> (
                select sum((each ->> 'amount')::bigint)
                from jsonb_array_elements(s.document #> '{schedule,instalments}') each)
           or s.owed - s.pays <> (
                select sum((each ->> 2)::bigint) from jsonb_array_elements(s.document -> 'given_up') each)
        """,
    ),
    Question(
        "L9",
        "what was received for a settlement is not what stayed of the payments that count for it",
        # What has a value date to come counts from that day on; twelve hours are more than any zone's lead.
        """
        select s.settlement_id::text as subject, null::timestamptz as at
        from settlements s cross join lateral (
            select coalesce(sum(p.amount - p.reversed_amount), 0) as most,
                   coalesce(sum(p.amount - p.reversed_amount) filter (
                       where p.value_date <= (p.posted_at at time zone 'UTC' - interval '12 hours')::date), 0) as least
            from payments p
            where p.posted_at > s.reckoned_at and (p.account_id, p.currency) in (
                select each ->> 'account_id', each ->> 'currency' from jsonb_array_elements(s.document -> 'debts') each)
        ) came
        where s.state in ('active', 'fulfilled', 'breached') and s.received not between came.least and came.most
        """,
    ),
    Question(
        "L9",
        "an offer of a settlement stands though its last day is over",
        """
        select s.settlement_id::text as subject, null::timestamptz as at
        from settlements s cross join clock
        where s.state in ('proposed', 'offered') and s.valid_until < (clock.now - interval '25 hours')::date
        """,
    ),
    Question(
        "L9",
        "a settlement that was agreed has no hold on one of its accounts, or one that is not in force has",
        """
        select s.settlement_id::text as subject, null::timestamptz as at
        from settlements s cross join lateral (
            select exists (
                select from holds h
                where h.kind = 'plan' and h.origin = s.settlement_id::text and h.released_at is null) as held
        ) hold
        where (s.state in ('accepted', 'active') and not hold.held)
           or (s.state not in ('accepted', 'active', 'fulfilled') and hold.held)
        """,
    ),
    Question(
        "L5",
        "a message about a plan was marked when the plan stood otherwise",
        """
        select a.attempt_id::text as subject, a.marked_at as at
        from attempts a join messages m using (message_id) cross join clock
        cross join lateral (
            select array_agg(told.kind) as states from (
                select e.kind, e.at < a.marked_at - clock.slack as before,
                       row_number() over (partition by e.at < a.marked_at - clock.slack order by e.entry desc) as place
                from case_events e
                where e.customer_id = m.customer_id and e.data ->> 'plan_id' = split_part(m.about, '/', 2)
                  and e.at <= a.marked_at + clock.slack
                  and e.kind in ('plan.activated', 'plan.broken', 'plan.resumed', 'plan.completed', 'plan.cancelled',
                                 'plan.restructured')
            ) told
            where not told.before or told.place = 1
        ) stood
        where m.about like 'plan/%'
          and not stood.states && (case split_part(m.about, '/', 3)
              when 'reminder' then array['plan.activated', 'plan.resumed']
              when 'paid' then array['plan.activated', 'plan.resumed', 'plan.completed']
              when 'completed' then array['plan.completed']
              else array['plan.broken'] end)
        """,
    ),
    Question(
        "L2",
        "the same was said of a plan twice",
        """
        select min(a.attempt_id::text) as subject, max(a.marked_at) as at
        from attempts a join messages m using (message_id)
        where m.about like 'plan/%' and a.state in ('sending', 'in_doubt', 'accepted', 'delivered')
        group by m.about having count(*) > 1
        """,
    ),
    Question(
        "L5",
        "thanks for an instalment were marked after its payment had been taken back",
        f"""
        select a.attempt_id::text as subject, a.marked_at as at
        from attempts a join messages m using (message_id) cross join clock
        where m.about like 'plan/%/paid/%' and (
            select bool_or({_STOOD.format(so="uncovered", otherwise="covered")})
            from instalments i cross join lateral ({_TOLD}) told
            where {_MEANT})
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L5",
        "a reminder of an instalment was marked after that was paid",
        f"""
        select a.attempt_id::text as subject, a.marked_at as at
        from attempts a join messages m using (message_id) cross join clock
        where m.about like 'plan/%/reminder/%' and (
            select bool_and({_STOOD.format(so="covered", otherwise="uncovered")})
            from instalments i cross join lateral ({_TOLD}) told
            where {_MEANT})
        """,  # noqa: S608 - constants only
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
        "L10",
        "a plan names an assessment that is not there, not of its accounts, or was past its time",
        # The customer is not compared: an account that the bank moves takes its plan along, not the household.
        """
        select p.plan_id::text as subject, p.proposed_at as at
        from plans p left join assessments a on a.assessment_id = (p.document ->> 'assessment_id')::uuid
        where p.document ->> 'assessment_id' is not null
          and (a.assessment_id is null
               or a.valid_until < (p.document ->> 'proposed_on')::date
               or exists (
                   select from jsonb_array_elements(p.document -> 'debts') debt
                   where not exists (
                       select from jsonb_array_elements(a.document -> 'debts') known
                       where known ->> 'account_id' = debt ->> 'account_id'
                         and known ->> 'currency' = debt ->> 'currency')))
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
    Question(
        "L13",
        "a settlement that a second person was asked about was offered without their yes",
        """
        select s.settlement_id::text as subject, s.proposed_at as at from settlements s
        where s.state not in ('proposed', 'withdrawn', 'expired')
          and exists (select from approvals a where a.subject = 'settlement' and a.subject_id = s.settlement_id::text)
          and not exists (
              select from approvals a
              where a.subject = 'settlement' and a.subject_id = s.settlement_id::text and a.state = 'approved'
                and a.decided_by <> a.requested_by and a.decided_by <> s.document ->> 'proposed_by')
        """,
    ),
    Question(
        "L13",
        "a waiver that a second person was asked about was granted without their yes",
        """
        select w.waiver_id::text as subject, w.proposed_at as at from waivers w
        where w.state = 'granted'
          and exists (select from approvals a where a.subject = 'waiver' and a.subject_id = w.waiver_id::text)
          and not exists (
              select from approvals a
              where a.subject = 'waiver' and a.subject_id = w.waiver_id::text and a.state = 'approved'
                and a.decided_by <> a.requested_by and a.decided_by <> w.document ->> 'proposed_by')
        """,
    ),
    Question(
        "L7",
        "more was waived than was owed",
        """
        select w.waiver_id::text as subject, w.proposed_at as at from waivers w
        where w.amount > (w.document #>> array['debt', 'balances', w.component])::bigint
        """,
    ),
)
