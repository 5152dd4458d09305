"""Nothing accepted is lost (L1), each effect happens once (L2), in order per customer (L6)."""

from __future__ import annotations

from shared.adapters.postgres.laws.question import Question

TRANSPORT = (
    Question(
        "L1",
        "an inbound event is on record without a final answer",
        """
        select i.source || ' ' || i.id as subject, i.received_at as at from inbox i
        where i.consumer = 'intake' and (i.answer is null or i.answer = 'parked')
        """,
    ),
    Question(
        "L1",
        "news has waited for the relay for more than fifteen minutes",
        """
        select o.seq || ' ' || o.type as subject, null::timestamptz as at from outbox o cross join clock
        where o.sent_at is null and o.at < clock.now - interval '15 minutes'
        """,
    ),
    Question(
        "L1",
        "a parked event at the head of its queue is not tried again",
        """
        select p.consumer || ' ' || p.event_id as subject, null::timestamptz as at from parked p
        where p.state = 'parked' and p.not_before < clock_timestamp() - interval '15 minutes'
          and not exists (
              select from parked q
              where q.consumer = p.consumer and q.customer_id = p.customer_id and q.entry < p.entry
                and q.state in ('parked', 'dead'))
        """,
    ),
    Question(
        "L1",
        "a payment waits for an account that is there",
        """
        select p.source || ' ' || p.payment_id as subject, null::timestamptz as at
        from payments p join accounts a using (account_id, currency) where not p.matched
        """,
    ),
    Question(
        "L1",
        "a charge-off or closing waits for an account that is there",
        """
        select w.source || ' ' || w.id as subject, null::timestamptz as at
        from waiting_facts w join accounts a using (account_id, currency) where not w.applied
        """,
    ),
    Question(
        "L1",
        "an attempt outlived its lease by ten minutes and nobody resolved it",
        """
        select a.attempt_id::text as subject, null::timestamptz as at from attempts a
        where a.state = 'sending' and a.lease_until < clock_timestamp() - interval '10 minutes'
        """,
    ),
    Question(
        "L1",
        "a message is said to be under way, and no attempt of it is",
        """
        select m.message_id::text as subject, m.updated_at as at from messages m
        where m.state in ('submitting', 'in_doubt')
          and not exists (
              select from attempts a
              where a.message_id = m.message_id
                and a.state = case m.state when 'submitting' then 'sending' else 'in_doubt' end)
        """,
    ),
    Question(
        "L1",
        "a reminder was issued fifteen minutes ago and no message came of it",
        """
        select f.follow_up_id::text as subject, null::timestamptz as at from follow_ups f cross join clock
        where f.kind = 'message' and f.state = 'issued' and f.decided_at < clock.now - interval '15 minutes'
          and not exists (select from messages m where m.follow_up_id = f.follow_up_id)
          and not exists (
              select from parked p where p.customer_id = f.customer_id and p.state in ('parked', 'dead'))
        """,
    ),
    Question(
        "L1",
        "a step for a person was issued and is on no worklist",
        """
        select f.follow_up_id::text as subject, f.decided_at as at from follow_ups f
        where f.kind <> 'message' and f.state = 'issued'
          and not exists (select from work_items w where w.follow_up_id = f.follow_up_id)
        """,
    ),
    Question(
        "L2",
        "money is on the timeline twice",
        """
        select e.data ->> 'source' || ' ' || coalesce(e.data ->> 'reversal_id', e.data ->> 'payment_id') as subject,
               max(e.at) as at
        from case_events e where e.kind in ('payment.received', 'payment.reversed')
        group by e.kind, e.data ->> 'source', coalesce(e.data ->> 'reversal_id', e.data ->> 'payment_id')
        having count(*) > 1
        """,
    ),
    Question(
        "L2",
        "money was announced twice",
        """
        select o.payload ->> 'source' || ' ' || coalesce(o.payload ->> 'reversal_id', o.payload ->> 'payment_id')
                   as subject,
               max(o.at) as at
        from outbox o where o.type in ('arrears.payment.received.v1', 'arrears.payment.reversed.v1')
        group by o.type, o.payload ->> 'source', coalesce(o.payload ->> 'reversal_id', o.payload ->> 'payment_id')
        having count(*) > 1
        """,
    ),
    Question(
        "L2",
        "a reminder was announced twice",
        """
        select o.payload ->> 'message_id' as subject, max(o.at) as at
        from outbox o where o.type = 'arrears.reminder.due.v1'
        group by o.payload ->> 'message_id' having count(*) > 1
        """,
    ),
    Question(
        "L2",
        "a follow-up has two messages",
        """
        select m.follow_up_id::text as subject, max(m.created_at) as at
        from messages m where m.follow_up_id is not null group by m.follow_up_id having count(*) > 1
        """,
    ),
    Question(
        "L2",
        "an event was applied and waits to be applied",
        """
        select p.consumer || ' ' || p.event_id as subject, null::timestamptz as at
        from parked p join inbox i on i.consumer = p.consumer and i.source = p.source and i.id = p.event_id
        where p.state in ('parked', 'dead')
        """,
    ),
    Question(
        "L6",
        "an event was applied while an older one of the customer was parked",
        """
        select i.source || ' ' || i.id as subject, i.received_at as at
        from parked p join inbox i on i.consumer = p.consumer and i.customer_id = p.customer_id cross join clock
        where p.state in ('parked', 'dead') and i.received_at > p.parked_at + clock.slack
          and not exists (
              select from parked q
              where q.consumer = i.consumer and q.source = i.source and q.event_id = i.id and q.entry < p.entry)
        """,
    ),
    Question(
        "L6",
        "a parked event was replayed before an older one of the customer",
        """
        select distinct p.consumer || ' ' || p.event_id as subject, p.ended_at as at
        from parked p join parked q on q.consumer = p.consumer and q.customer_id = p.customer_id and q.entry < p.entry
        where p.state = 'replayed' and q.state in ('parked', 'dead')
        """,
    ),
    Question(
        "L6",
        "a message was sent while the customer's intake was blocked",
        """
        select distinct a.attempt_id::text as subject, a.marked_at as at
        from parked p join attempts a on a.customer_id = p.customer_id cross join clock
        where p.consumer = 'intake' and a.marked_at > p.parked_at + clock.slack
          and (p.state in ('parked', 'dead') or a.marked_at < p.ended_at)
        """,
    ),
)
