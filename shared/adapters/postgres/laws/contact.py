"""No blind second message (L3), none outside the rules (L4), none that is moot (L5), each explained (L10)."""

from __future__ import annotations

from shared.adapters.postgres.laws.question import Question
from shared.domain.hold import EFFECTS

# What a hold still allows, as rows (kind, purposes).
_ALLOWED = ", ".join(
    f"('{kind.value}', array[{', '.join(repr(str(purpose)) for purpose in sorted(effect.allowed_purposes))}]::text[])"
    for kind, effect in EFFECTS.items()
)

# A decision names the rule set it was made under by its hash, or by a label "name@version:hash prefix".
_NAMED = """
    r.hash = {0} ->> 'rule_set' or starts_with(r.hash, nullif(split_part({0} ->> 'rule_set', ':', 2), ''))
"""
_NAMED_RULES = _NAMED.format("m.decision")

# Each contact that counts, with the rules it was made under: those its message or permit names, else the newest of the
# place.
# The zone is the one the decision saw, where it says so: a customer may have moved since. Of a message that was tried
# again only the last decision is kept; which zone the first saw is unknown.
_CONTACTS = f"""
    select l.attempt_id, l.customer_id, l.channel, l.purpose, l.local_date, l.at, rules.hash, rules.document,
           case when said.decision -> 'facts' ->> 'zone' is null then c.time_zone
                when (said.decision ->> 'at')::timestamptz = l.at
                  or (c.time_zone = said.decision -> 'facts' ->> 'zone' and coalesce(m.tries, 1) = 1
                      and m.decision -> 'channel' is distinct from 'null')  -- of one that waits
                then said.decision -> 'facts' ->> 'zone' end as zone
    from contact_ledger l
    join customers c on c.customer_id = l.customer_id
    left join attempts a on a.attempt_id = l.attempt_id
    left join messages m on m.message_id = a.message_id
    left join contact_permits p on p.permit_id = l.attempt_id
    cross join lateral (select coalesce(m.decision, p.decision) as decision) said
    left join lateral (
        select r.hash, r.document from rule_sets r
        where {_NAMED.format("said.decision")} or r.jurisdiction = c.jurisdiction
        order by ({_NAMED.format("said.decision")}) is true desc, r.loaded_at desc limit 1
    ) rules on true
    where l.state <> 'released'
"""  # noqa: S608 - constants only

_RULES = """
    select r.hash, rule ->> 'id' as id, rule -> 'parameters' as parameters, rule -> 'channels' as channels,
           rule -> 'purposes' as purposes, rule -> 'targets' as targets, rule -> 'when' as conditions,
           (rule ->> 'valid_from')::date as valid_from, (rule ->> 'valid_to')::date as valid_to
    from rule_sets r cross join lateral jsonb_array_elements(r.document -> 'rules') rule
    where rule ->> 'kind' = '{kind}'
"""

# A rule with a condition (who collects, where the person lives) is asked by the gate alone: the ledger keeps no such
# facts. The decisions that did ask are stored and can be replayed.
_APPLIES = """
    rule.conditions is null and (rule.targets is null or rule.targets ? 'debtor')
    and (rule.channels is null or rule.channels ? contact.channel)
    and (rule.purposes is null or rule.purposes ? contact.purpose)
    and rule.valid_from <= contact.local_date
    and (rule.valid_to is null or contact.local_date < rule.valid_to)
"""

# Whether the customer had agreed, on record before, to contact by this channel at this hour; only where the rule lets
# consent lift it.
_AGREED = """
    rule.parameters ->> 'lifted_by' = 'consent' and exists (
        select from contact_hours agreed
        where agreed.customer_id = contact.customer_id and agreed.kind = 'consent' and agreed.given_by = 'debtor'
          and agreed.channel = contact.channel and agreed.recorded_at <= contact.at and agreed.starts_at <= contact.at
          and (agreed.ends_at is null or contact.at < agreed.ends_at)
          and (agreed.withdrawn_at is null or contact.at < agreed.withdrawn_at)
          and case when agreed.from_time < agreed.to_time
              then clocks.local::time >= agreed.from_time and clocks.local::time < agreed.to_time
              else clocks.local::time >= agreed.from_time or clocks.local::time < agreed.to_time end)
"""

# What protects a person comes along when two customers turn out to be one; what was sent before knew nothing of it.
_BEFORE_A_MERGER = """
    exists (select from case_events e
            where e.customer_id = a.customer_id and e.kind = 'customer.merged' and e.at >= a.marked_at)
"""

CONTACT = (
    Question(
        "L3",
        "a message was tried again while the provider may have had it",
        """
        select distinct later.message_id::text as subject, later.marked_at as at
        from attempts earlier join attempts later on later.message_id = earlier.message_id
         and (earlier.marked_real, earlier.attempt_id) < (later.marked_real, later.attempt_id)
        where earlier.state in ('sending', 'in_doubt', 'accepted', 'delivered')
           or (earlier.state = 'undelivered' and later.point_id = earlier.point_id)
           or earlier.outcome_at > later.marked_at
        """,
    ),
    Question(
        "L4",
        "an attempt that may have reached somebody is not counted",
        """
        select a.attempt_id::text as subject, a.marked_at as at from attempts a
        where a.state not in ('released', 'rejected')
          and not exists (select from contact_ledger l where l.attempt_id = a.attempt_id and l.state <> 'released')
        """,
    ),
    Question(
        "L4",
        "a contact that a person made, or may have made, is not counted",
        """
        select told.contact_id::text as subject, told.at from (
            select contact_id, at from contact_attempts where outbound
            union all
            select permit_id, asked_at from contact_permits where state in ('granted', 'lapsed', 'used')
        ) told
        where not exists (
            select from contact_ledger l where l.attempt_id = told.contact_id and l.state <> 'released')
        """,
    ),
    Question(
        "L4",
        "a permit ran out an hour ago and still passes for reserved",
        """
        select p.permit_id::text as subject, null::timestamptz as at from contact_permits p cross join clock
        where p.state = 'granted' and p.expires_at < clock.now - interval '1 hour'
        """,
    ),
    Question(
        "L4",
        "a contact is over the daily cap of its rules",
        f"""
        with contact as ({_CONTACTS}), rule as ({_RULES.format(kind="daily_cap")}), placed as (
            select contact.attempt_id, contact.at, (rule.parameters ->> 'max')::int as most,
                   contact.hash = rule.hash and {_APPLIES} as binding,
                   row_number() over (
                       partition by contact.customer_id, contact.local_date, rule.hash, rule.id
                       order by contact.at, contact.attempt_id) as place
            from contact join rule on rule.parameters -> 'counts' ? contact.channel
        )
        select distinct attempt_id::text as subject, at from placed where binding and place > most
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L4",
        "a contact was made in the quiet hours of its rules, or counted on another day",
        f"""
        with contact as ({_CONTACTS}), rule as ({_RULES.format(kind="quiet_hours")}), quiet as (
            select rule.*, (rule.parameters ->> 'from')::time as starts, (rule.parameters ->> 'to')::time as ends
            from rule
        )
        select distinct contact.attempt_id::text as subject, contact.at
        from contact cross join lateral (select contact.at at time zone contact.zone as local) clocks
        where clocks.local::date <> contact.local_date
           or exists (
               select from quiet as rule
               where rule.hash = contact.hash and {_APPLIES}
                 and case when rule.starts < rule.ends
                     then clocks.local::time >= rule.starts and clocks.local::time < rule.ends
                     else clocks.local::time >= rule.starts or clocks.local::time < rule.ends end
                 and ({_AGREED}) is not true)
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L4",
        "a contact was made without a fact that the rules demand",
        """
        select a.attempt_id::text as subject, a.marked_at as at
        from attempts a join customers c using (customer_id) join messages m using (message_id)
        where c.updated_at <= a.marked_at
          and (c.jurisdiction is null or coalesce(m.decision -> 'facts' ->> 'zone', c.time_zone) is null)
        """,
    ),
    Question(
        "L4",
        "an attempt and its contact are not of one time, channel or customer",
        """
        select a.attempt_id::text as subject, a.marked_at as at
        from attempts a join contact_ledger l using (attempt_id)
        where (a.customer_id, a.channel, a.marked_at) is distinct from (l.customer_id, l.channel, l.at)
        """,
    ),
    Question(
        "L5",
        "a reminder was marked after its case had ended",
        """
        select a.attempt_id::text as subject, a.marked_at as at
        from attempts a join messages m using (message_id) cross join clock
        cross join lateral (
            select e.kind, e.at from case_events e
            where e.case_id = m.case_id and e.at <= a.marked_at
              and e.kind in ('case.opened', 'case.reopened', 'case.cured', 'case.closed')
            order by e.entry desc limit 1
        ) last
        where m.purpose = 'dunning' and last.kind in ('case.cured', 'case.closed')
          and last.at < a.marked_at - clock.slack
        """,
    ),
    Question(
        "L5",
        "a message was marked during a hold that forbids it",
        f"""
        select distinct a.attempt_id::text as subject, a.marked_at as at
        from attempts a join messages m using (message_id)
        join holds h on h.customer_id = a.customer_id and h.account_id is null cross join clock
        left join (values {_ALLOWED}) as allowed (kind, purposes) on allowed.kind = h.kind
        where h.placed_at < a.marked_at - clock.slack
          and (h.released_at is null or h.released_at > a.marked_at + clock.slack)
          and (h.ends_at is null or h.ends_at > a.marked_at)
          and not m.purpose = any(coalesce(allowed.purposes, '{{}}')) and not {_BEFORE_A_MERGER}
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L5",
        "a message was marked after the customer had refused its channel",
        f"""
        select a.attempt_id::text as subject, a.marked_at as at
        from attempts a join messages m using (message_id)
        join preferences p on p.customer_id = a.customer_id and p.channel = a.channel cross join clock
        where p.opted_out and p.changed_at < a.marked_at - clock.slack
          and m.purpose not in ('answer', 'statutory_notice') and not {_BEFORE_A_MERGER}
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L10",
        "a message was sent, and no decision under known rules says why",
        f"""
        select m.message_id::text as subject, m.updated_at as at from messages m
        where exists (select from attempts a where a.message_id = m.message_id)
          and not exists (select from rule_sets r where {_NAMED_RULES})
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L10",
        "a permit was answered, and no known rules say why",
        f"""
        select p.permit_id::text as subject, p.asked_at as at from contact_permits p
        where not exists (select from rule_sets r where {_NAMED.format("p.decision")})
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L10",
        "a message was suppressed, and nothing says why",
        f"""
        select m.message_id::text as subject, m.updated_at as at from messages m
        where m.state = 'suppressed'
          and (m.reason is null
               or (m.reason like 'forbidden: %' and m.reason not like 'forbidden: no contact rules%'
                   and not exists (select from rule_sets r where {_NAMED_RULES})))
        """,  # noqa: S608 - constants only
    ),
    Question(
        "L10",
        "a step was decided under a policy that is not on record",
        """
        select f.follow_up_id::text as subject, f.decided_at as at from follow_ups f
        where not exists (select from policies p where p.version = f.policy_version)
        """,
    ),
)
