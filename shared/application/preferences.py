"""What customers asked us not to do: opt-outs by channel, told to a person or answered to a text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from shared.application.book import Book
from shared.application.editing import EditStore, Expected, case_of, open_customer
from shared.application.gateway import Reply
from shared.application.principal import Principal, Role
from shared.application.refusals import Forbidden
from shared.domain.announcement import Announcement
from shared.domain.stop_words import asks_to_stop


class PreferenceStore(EditStore, Protocol):
    async def preference(self, customer_id: str, channel: str) -> tuple[bool, int]:
        """(opted out, version); (False, 0) while the customer has said nothing about the channel."""

    async def put_preference(
        self, customer_id: str, channel: str, opted_out: bool, source: str, actor: str
    ) -> None: ...

    async def owners_of_numbers(self, numbers: Collection[str]) -> list[NumberOwner]:
        """Who has one of these numbers, in E.164, on file."""


Readings = Callable[[str], Mapping[str, Collection[str | None]]]
"""Each number in E.164 that one may mean which a provider wrote, with the jurisdictions in which it is dialled so."""

NumberOwner = tuple[str, str, str | None]
"""(number, customer, jurisdiction)"""


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
    await _put(tx, book, customer_id, channel, opted_out, source, who.subject)
    await tx.save(book.changes)


async def take_replies(work: Any, replies: Sequence[Reply], readings: Readings) -> int:
    """Who answers that they want no more texts has opted out when this returns: each customer whom we write to under
    that number, for nobody can tell which of them it was. The number of customers that were not out before."""
    meant = [readings(sender) for sender in {reply.sender for reply in replies if asks_to_stop(reply.text)}]
    numbers = sorted({number for each in meant for number in each})
    if not numbers:
        return 0
    async with work() as tx:
        owned: list[NumberOwner] = await tx.owners_of_numbers(numbers)
        book = Book(tx.now)
        await tx.lock_customers(book, sorted({owner for each in meant for owner in _owners(each, owned)}))
        await tx.load_cases(book)
        stopped = 0
        for customer_id in book.customers:
            out, _ = await tx.preference(customer_id, "sms")
            if not out:
                await _put(tx, book, customer_id, "sms", True, "sms_reply", "customer")
                stopped += 1
        await tx.save(book.changes)
    return stopped


def _owners(meant: Mapping[str, Collection[str | None]], owned: Sequence[NumberOwner]) -> set[str]:
    """Whose number it is. Written without its country it is the one that somebody has who lives where it is dialled so;
    where nobody does, it may be any that it can be read as: one text less does less harm than one that was refused."""
    at_home = {number for number, _, lives_in in owned if lives_in in meant.get(number, ())}
    return {owner for number, owner, _ in owned if number in (at_home or meant)}


async def _put(
    tx: PreferenceStore, book: Book, customer_id: str, channel: str, opted_out: bool, source: str, by: str
) -> None:
    await tx.put_preference(customer_id, channel, opted_out, source, by)
    case_id = case_of(book, customer_id)
    data = {"channel": channel, "opted_out": opted_out, "source": source}
    told = {**data, "case_id": str(case_id) if case_id else None}
    kind = "arrears.case.contact_preference_changed.v1"
    book.changes.announce([Announcement("arrears.case", kind, customer_id, told)])
    book.changes.record(customer_id, case_id, "preference.changed", data, by)
