"""What customers asked us not to do: opt-outs by channel."""

from __future__ import annotations

from typing import Protocol

from shared.application.editing import EditStore, Expected, case_of, open_customer
from shared.application.principal import Principal, Role
from shared.application.refusals import Forbidden
from shared.domain.announcement import Announcement


class PreferenceStore(EditStore, Protocol):
    async def preference(self, customer_id: str, channel: str) -> tuple[bool, int]:
        """(opted out, version); (False, 0) while the customer has said nothing about the channel."""

    async def put_preference(
        self, customer_id: str, channel: str, opted_out: bool, source: str, actor: str
    ) -> None: ...


async def set_preference(
    tx: PreferenceStore,
    customer_id: str,
    channel: str,
    *,
    opted_out: bool,
    source: str,
    who: Principal,
    expected: Expected,
) -> None:
    """Note an opt-out, or take one back; what is said already is not written again. ``source``: who told us."""
    book, _ = await open_customer(tx, customer_id, who)
    was_out, version = await tx.preference(customer_id, channel)
    expected.check(version)
    if version and was_out == opted_out:
        return
    if was_out and not opted_out and not who.has(Role.SUPERVISOR, Role.COMPLIANCE):
        raise Forbidden("An opt-out is taken back by a supervisor or by compliance.")
    await tx.put_preference(customer_id, channel, opted_out, source, who.subject)
    case_id = case_of(book, customer_id)
    data = {"channel": channel, "opted_out": opted_out, "source": source}
    told = {**data, "case_id": str(case_id) if case_id else None}
    kind = "arrears.case.contact_preference_changed.v1"
    book.changes.announce([Announcement("arrears.case", kind, customer_id, told)])
    book.changes.record(customer_id, case_id, "preference.changed", data, who.subject)
    await tx.save(book.changes)
