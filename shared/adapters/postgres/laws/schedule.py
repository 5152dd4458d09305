"""The schedule follows from the facts (L8), and a tick costs what is due (L14)."""

from __future__ import annotations

from shared.adapters.postgres.laws.question import Question

SCHEDULE = (
    Question(
        "L8",
        "a step was issued twice in one episode of a case",
        """
        with issued as (
            select f.case_id, f.step, f.follow_up_id, f.decided_at,
                   (select count(*) from case_standings cured
                    where cured.case_id = f.case_id and cured.anchor is null and cured.seq < under.seq) as episode
            from follow_ups f
            cross join lateral (
                select s.seq from case_standings s
                where s.case_id = f.case_id and s.anchor = f.anchor and s.at <= f.decided_at
                order by s.seq desc limit 1
            ) under
            where f.state in ('issued', 'done', 'failed', 'suppressed')
        )
        select min(follow_up_id::text) as subject, max(decided_at) as at
        from issued group by case_id, step, episode having count(*) > 1
        """,
    ),
    Question(
        "L8",
        "a step of a case is on record twice for one anchor",
        """
        select min(f.follow_up_id::text) as subject, max(f.decided_at) as at
        from follow_ups f group by f.case_id, f.step, f.anchor having count(*) > 1
        """,
    ),
    Question(
        "L8",
        "a step was issued on an anchor that the case never had",
        """
        select f.follow_up_id::text as subject, f.decided_at as at from follow_ups f
        where f.state in ('issued', 'done', 'failed', 'suppressed', 'passed_over')
          and not exists (select from case_standings s where s.case_id = f.case_id and s.anchor = f.anchor)
        """,
    ),
    Question(
        "L8",
        "a case has more than one next step",
        """
        select f.case_id::text as subject, max(f.decided_at) as at
        from follow_ups f where f.state = 'planned' group by f.case_id having count(*) > 1
        """,
    ),
    Question(
        "L14",
        "a timer has been due for more than an hour",
        """
        select t.scope || ' ' || t.kind || ' ' || t.subject as subject, null::timestamptz as at
        from timers t cross join clock where t.due_at < clock.now - interval '1 hour'
        """,
    ),
    Question(
        "L14",
        "a timer is set for a case that is over",
        """
        select t.scope || ' ' || t.kind || ' ' || t.subject as subject, null::timestamptz as at
        from timers t join cases k on k.customer_id = t.scope and k.case_id::text = t.subject cross join clock
        where t.kind = 'follow_up' and k.ended_at < clock.now - interval '15 minutes'
        """,
    ),
    Question(
        "L14",
        "a bucket is to roll on an account that nobody follows",
        """
        select t.scope || ' ' || t.subject as subject, null::timestamptz as at from timers t
        where t.kind = 'bucket_roll'
          and not exists (
              select from accounts a
              where a.customer_id = t.scope and a.account_id || '/' || a.currency = t.subject
                and a.status <> 'closed' and a.past_due > 0)
        """,
    ),
    Question(
        "L14",
        "a next step is planned that no timer will bring",
        """
        select f.follow_up_id::text as subject, null::timestamptz as at
        from follow_ups f join cases k using (case_id) cross join clock
        where f.state = 'planned'
          and (k.ended_at < clock.now - interval '15 minutes' or not exists (
              select from timers t
              where t.scope = k.customer_id and t.kind = 'follow_up' and t.subject = f.case_id::text))
        """,
    ),
)
