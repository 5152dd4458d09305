"""The event table of the contact gate: contacts that people, diallers and the debtors themselves made, and the sender's
where rules ask for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.session import Session
from shared.application.sending_desk import Desk, RulesInForce
from shared.domain.contact_facts import Consent, PastContact, PreferredHours, Target

LOOKED_BACK = 62
"""Dates: enough to see a debtor getting lost. A rule that counts over more makes it more."""


class LookBack(NamedTuple):
    """Over how many dates: contacts of people, and texts of the sender (0: of nobody on these desks)."""

    contacts: int
    texts: int


_EVENTS = """
    select l.customer_id, coalesce(a.at, l.at) as at, l.channel, l.purpose, true as outbound,
           coalesce(a.target, p.target) as target, coalesce(a.person_id, p.person_id) as person_id,
           coalesce(a.point_id, p.point_id) as point_id, coalesce(a.account_ids, p.account_ids) as account_ids,
           coalesce(a.party, p.party) as party, a.answered_by, a.connected, a.effective_talk, a.talk_seconds,
           coalesce(a.announcement, p.announcement) as announcement
    from contact_ledger l
    left join contact_permits p on p.permit_id = l.attempt_id
    left join contact_attempts a on a.contact_id = l.attempt_id
    where l.customer_id = any((select string_to_array($1, chr(10)))::text[]) and l.local_date >= $2
      and l.state <> 'released'
      and l.made_by <> 'message'
    union all
    select a.customer_id, a.at, a.channel, a.purpose, false, a.target, a.person_id, a.point_id, a.account_ids, null,
           a.answered_by, a.connected, a.effective_talk, a.talk_seconds, a.announcement
    from contact_attempts a
    where a.customer_id = any((select string_to_array($1, chr(10)))::text[]) and a.at >= $2 and not a.outbound
    order by 2, 1
"""


# Reserved, sent or in doubt: whatever was not surely left unsent.
_TEXTS = """
    select l.customer_id, l.at, l.channel, l.purpose, a.point_id
    from contact_ledger l left join attempts a on a.attempt_id = l.attempt_id
    where l.customer_id = any((select string_to_array($1, chr(10)))::text[]) and l.local_date >= $2
      and l.state <> 'released'
      and l.made_by = 'message'
    order by l.at, l.attempt_id
"""


class ContactEventTables(Session):
    def list_texts(self, desks: Mapping[str, Desk], rules: RulesInForce) -> LookBack:
        """Say of each desk whether its customer's rules ask for every text, and how far back to look on all of them."""
        places = {desk.jurisdiction for desk in desks.values()}
        asked = {place: known for place in places if place and (known := rules(place)) is not None}
        back = LookBack(
            max([LOOKED_BACK, *(known.dates_back for known in asked.values())]),
            max([0, *(known.texts_back for known in asked.values())]),
        )
        if back.texts:
            for desk in desks.values():
                known = asked.get(desk.jurisdiction or "")
                desk.lists_texts = known is not None and known.texts_back > 0
        return back

    async def load_contact_events(self, desks: Mapping[str, Desk], person: Mapping[str, str], back: LookBack) -> None:
        """Fill ``history`` of the desks. ``person`` maps each customer id to who it was merged into, or to nothing.

        What the sender sends is among them, of the last ``back.texts`` dates, on desks that list texts. For the others
        it is counted by day (``Desk.contacts``), which is quicker; the gate adds both up."""
        rows = await self.conn.fetch(_EVENTS, as_lines(person), self.now.date() - timedelta(days=back.contacts))
        found: dict[str, list[PastContact]] = {}
        for row in rows:
            customer_id = person[row[0]] or row[0]
            found.setdefault(customer_id, []).append(_event(row, desks[customer_id].point_places))
        if back.texts:
            await self._list_texts(found, desks, person, back.texts)
        for customer_id, history in found.items():
            desks[customer_id].history = tuple(history)
        await self._load_hours(desks)

    async def _list_texts(
        self, found: dict[str, list[PastContact]], desks: Mapping[str, Desk], person: Mapping[str, str], dates: int
    ) -> None:
        listed = [each for each, stays in person.items() if desks[stays or each].lists_texts]
        since = self.now.date() - timedelta(days=dates)  # a day more: the person's date may be ours less one
        for customer_id, at, channel, purpose, point_id in await self.conn.fetch(_TEXTS, as_lines(listed), since):
            stays = person[customer_id] or customer_id
            point = None if point_id is None else str(point_id)
            place = None if point is None else desks[stays].point_places.get(point)
            text = PastContact(at, channel, purpose, contact_point_id=point, place=place)
            found.setdefault(stays, []).append(text)

    async def _load_hours(self, desks: Mapping[str, Desk]) -> None:
        """What the people agreed to and asked for, in force now."""
        rows = await self.conn.fetch(
            """
            select customer_id, kind, channel, from_time, to_time, weekdays, given_by, proof, starts_at, ends_at
            from contact_hours
            where customer_id = any((select string_to_array($1, chr(10)))::text[]) and withdrawn_at is null
              and starts_at <= $2
              and (ends_at is null or ends_at > $2)
            order by recorded_at, hours_id
            """,
            as_lines(desks),
            self.now,
        )
        for customer_id, kind, channel, from_time, to_time, weekdays, given_by, proof, starts_at, ends_at in rows:
            desk = desks[customer_id]
            if kind == "preferred":
                wanted = PreferredHours(channel, from_time, to_time, frozenset(weekdays))
                desk.preferred = (*desk.preferred, wanted)
            else:
                agreed = Consent(channel, from_time, to_time, starts_at, ends_at, given_by=given_by, proof=proof)
                desk.consents = (*desk.consents, agreed)


def _event(row: Sequence[Any], places: Mapping[str, str]) -> PastContact:
    _, at, channel, purpose, outbound, target, person_id, point_id, accounts, party, *spoken, announcement = row
    answered_by, connected, effective_talk, talk_seconds = spoken
    reached_at = point_id if target == Target.DEBTOR else person_id  # a third party goes by their own id
    return PastContact(
        at=at,
        channel=channel,
        purpose=purpose,
        outbound=outbound,
        target=target,
        person_id=None if person_id is None else str(person_id),
        contact_point_id=None if reached_at is None else str(reached_at),
        debts=frozenset(accounts),
        initiator=party,
        answered_by=answered_by,
        connected=connected,
        effective_talk=effective_talk,
        talk_seconds=talk_seconds,
        announcement=announcement,
        place=places.get(str(reached_at)),
    )
