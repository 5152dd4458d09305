"""Money adds up (L7), and what the past became is judged again (L9)."""

from __future__ import annotations

from shared.adapters.postgres.laws.question import Question

# Whether an account is past due beyond the policy's grace an hour ago, or by tomorrow: a roll is due at midnight, and
# within the hour somebody may still be at it.
_OVERDUE = """
    a.status <> 'closed'
    and a.past_due > coalesce((p.document -> 'grace' -> 'amount' ->> a.currency)::bigint, 0)
    and a.oldest_due + (p.document -> 'grace' ->> 'days')::int
        < (({instant}) at time zone coalesce(c.time_zone, p.document ->> 'default_zone'))::date
"""

MONEY = (
    Question(
        "L7",
        "the dues of an account do not add up to what is past due",
        """
        select a.account_id || '/' || a.currency as subject, a.updated_at as at from accounts a
        where a.past_due < 0
           or a.past_due <> (select coalesce(sum((due ->> 2)::bigint), 0) from jsonb_array_elements(a.dues) due)
           or a.oldest_due is distinct from (
                  select min((due ->> 0)::date) from jsonb_array_elements(a.dues) due where (due ->> 2)::bigint > 0)
           or exists (select from jsonb_array_elements(a.dues) due where (due ->> 2)::bigint < 0)
        """,
    ),
    Question(
        "L7",
        "what was paid since the cut-off is not the sum of the payments after it",
        """
        select a.account_id || '/' || a.currency as subject, a.updated_at as at
        from accounts a left join lateral (
            select sum(p.amount - p.reversed_amount) as paid from payments p
            where p.account_id = a.account_id and p.currency = a.currency and p.posted_at > a.cutoff_at and p.matched
        ) since on true
        where a.paid_since <> coalesce(since.paid, 0)
        """,
    ),
    Question(
        "L7",
        "what is past due does not follow from the report and the money since",
        """
        select a.account_id || '/' || a.currency as subject, a.updated_at as at
        from accounts a
        cross join lateral (
            select coalesce(sum((due ->> 2)::bigint), 0) as unpaid from jsonb_array_elements(a.reported_dues) due
        ) reported
        cross join lateral (
            select coalesce(sum(r.amount), 0) as amount
            from reversals r join payments p on p.source = r.source and p.payment_id = r.payment_id
            where r.account_id = a.account_id and r.currency = a.currency and r.applied
              and p.posted_at <= a.cutoff_at and r.reversed_at > a.cutoff_at
        ) given_back
        where a.past_due <> greatest(0, reported.unpaid + given_back.amount - a.paid_since)
        """,
    ),
    Question(
        "L7",
        "more of a payment was taken back than was paid, or not what its reversals say",
        """
        select p.source || ' ' || p.payment_id as subject, coalesce(p.last_reversed_at, p.received_at) as at
        from payments p left join lateral (
            select sum(r.amount) as amount from reversals r
            where r.source = p.source and r.payment_id = p.payment_id and r.applied
        ) reversed on true
        where p.reversed_amount > p.amount or p.reversed_amount <> coalesce(reversed.amount, 0)
        """,
    ),
    Question(
        "L9",
        "an account is past its grace and its customer has no open case",
        f"""
        select a.account_id || '/' || a.currency as subject, null::timestamptz as at
        from accounts a join customers c using (customer_id) join policies p on p.state = 'active' cross join clock
        where {_OVERDUE.format(instant="clock.now - interval '1 hour'")}
          and not exists (select from cases k where k.customer_id = a.customer_id and k.state = 'open')
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L9",
        "a case is open and no account of it is past its grace",
        f"""
        select k.case_id::text as subject, null::timestamptz as at
        from cases k join customers c using (customer_id) join policies p on p.version = k.policy_version
        cross join clock
        where k.state = 'open'
          and not exists (
              select from accounts a
              where a.customer_id = k.customer_id and {_OVERDUE.format(instant="clock.now")})
        """,  # noqa: S608 - constants only
    ),
)
