"""Customers as the core describes them: encrypted names and contact points, searchable by blind index."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.adapters.postgres.rows import Rows, set_all
from shared.adapters.postgres.session import Session
from shared.application.book import CustomerPage
from shared.application.holds import BY_PROCESS
from shared.domain.identity import derive
from shared.domain.inbound import ReportedCustomer, ReportedPoint

NAME_INDEX = "customer-name"
LAST4_INDEX = "phone-last4"
AFTER_ONES_OWN = 100  # where the contact points of a customer who was merged into another stand

_CUSTOMER_COLUMNS = {
    "customer_id": "text",
    "core_version": "bigint",
    "language": "text",
    "time_zone": "text",
    "jurisdiction": "text",
    "segment": "text",
    "merged_into": "text",
    "cases_opened": "int",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
_NEW_CUSTOMERS = Rows("arrears.customers", _CUSTOMER_COLUMNS | {"name_enc": "bytea", "name_bidx": "bytea"})
_CUSTOMERS = Rows(
    "arrears.customers",
    _CUSTOMER_COLUMNS,
    "on conflict (customer_id) do update set "
    + set_all(
        "core_version", "language", "time_zone", "jurisdiction", "segment", "merged_into", "cases_opened", "updated_at"
    )
    + ", row_version = customers.row_version + 1",
)
_POINT_COLUMNS = {
    "point_id": "uuid",
    "customer_id": "text",
    "kind": "text",
    "source": "text",
    "origin": "text",
    "position": "smallint",
    "value_enc": "bytea",
    "value_bidx": "bytea",
    "last4_bidx": "bytea",
    "state": "text",
    "state_reason": "text",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
_POINTS = Rows("arrears.contact_points", _POINT_COLUMNS, "on conflict (point_id) do nothing")
_NEW_POINTS = Rows("arrears.contact_points", _POINT_COLUMNS)


class ProfileTables(Session):
    async def save_customers(
        self,
        pages: Mapping[str, CustomerPage],
        new: Mapping[str, CustomerPage],
        profiles: Mapping[str, ReportedCustomer],
    ) -> None:
        """Write ``new`` pages, all of them, and those of ``pages`` that were there before; then what is personal.

        In the order of ids: two who make the same customers at once must not wait for each other in a circle."""
        await _NEW_CUSTOMERS.write(
            self.conn, [self._page_row(new[key]) + self._sealed_name(key, profiles.get(key)) for key in sorted(new)]
        )
        await _CUSTOMERS.write(self.conn, (self._page_row(page) for key, page in pages.items() if key not in new))
        if profiles:
            await self._save_names({key: profile for key, profile in profiles.items() if key not in new})
            await self._save_points(profiles, new)

    def _page_row(self, page: CustomerPage) -> tuple[Any, ...]:
        return (
            page.customer_id,
            page.core_version,
            page.language,
            page.time_zone,
            page.jurisdiction,
            page.segment,
            page.merged_into,
            page.cases_opened,
            self.now,
            self.now,
        )

    def _sealed_name(self, customer_id: str, profile: ReportedCustomer | None) -> tuple[bytes | None, bytes | None]:
        if profile is None:
            return None, None
        sealed = self.cipher.encrypt("customers", "name", customer_id, profile.name)
        return sealed, self._name_index(profile)

    def _name_index(self, profile: ReportedCustomer) -> bytes:
        return self.cipher.blind(NAME_INDEX, self.normalise("name", profile.name))

    async def _save_names(self, profiles: Mapping[str, ReportedCustomer]) -> None:
        """Write the names that changed: the index tells most of them, the rest are written in another form of the same
        letters."""
        if not profiles:
            return
        indexes = {key: self._name_index(profile) for key, profile in profiles.items()}
        rows = await self.conn.fetch(
            "select customer_id, name_bidx, name_enc from customers where customer_id = any($1::text[])", list(indexes)
        )
        changed = [
            key
            for key, index, sealed in rows
            if index != indexes[key] or self.cipher.decrypt("customers", "name", key, sealed) != profiles[key].name
        ]
        if changed:
            await self.conn.execute(
                """
                update customers c set name_enc = k.name, name_bidx = k.bidx
                from unnest($1::text[], $2::bytea[], $3::bytea[]) as k(customer_id, name, bidx)
                where c.customer_id = k.customer_id
                """,
                changed,
                [self.cipher.encrypt("customers", "name", key, profiles[key].name) for key in changed],
                [indexes[key] for key in changed],
            )

    async def _save_points(self, profiles: Mapping[str, ReportedCustomer], new: Collection[str]) -> None:
        asked = [key for key in profiles if key not in new]
        rows = await self._points_of(asked) if asked else []
        there = {row[0] for row in rows}
        known = {row[0]: row for row in rows if row[5] == "core"}
        reported: dict[UUID, tuple[str, int, ReportedPoint, str, bytes, bool]] = {}
        for customer_id, profile in profiles.items():
            for position, point in enumerate(profile.contact_points):
                value, readable = self._normal(point, profile.jurisdiction)
                bidx = self.cipher.blind(point.kind, value)
                point_id = derive("point", customer_id, point.kind, bidx.hex())
                reported.setdefault(point_id, (customer_id, position, point, value, bidx, readable))
        await _NEW_POINTS.write(
            self.conn,
            (self._point_row(point_id, *about) for point_id, about in reported.items() if point_id not in there),
        )
        await self._set_points(
            [key for key, row in known.items() if key not in reported and row[2] != "removed"], "removed"
        )
        await self._set_points([key for key, row in known.items() if key in reported and row[2] == "removed"], "active")
        await self._move_points(known, reported)

    async def _points_of(self, customer_ids: list[str]) -> list[Any]:
        rows: list[Any] = await self.conn.fetch(
            "select point_id, customer_id, state, source, position, origin from contact_points"
            " where customer_id = any($1::text[])",
            customer_ids,
        )
        return rows

    def _normal(self, point: ReportedPoint, jurisdiction: str | None) -> tuple[str, bool]:
        try:
            return self.normalise(point.kind, point.value, jurisdiction), True
        except ValueError:
            return point.value, False

    def _point_row(
        self,
        point_id: UUID,
        customer_id: str,
        position: int,
        point: ReportedPoint,
        value: str,
        bidx: bytes,
        readable: bool,
    ) -> tuple[Any, ...]:
        last4 = self.cipher.blind(LAST4_INDEX, value[-4:]) if point.kind in ("mobile", "phone") else None
        return (
            point_id,
            customer_id,
            point.kind,
            point.source,
            "core",
            position,
            self.cipher.encrypt("contact_points", "value", str(point_id), value),
            bidx,
            last4,
            "active" if readable else "bad",
            None if readable else "not a number that can be dialled",
            self.now,
            self.now,
        )

    async def _set_points(self, point_ids: list[UUID], state: str) -> None:
        if point_ids:
            await self.conn.execute(
                "update contact_points set state = $2, state_reason = null, updated_at = $3"
                " where point_id = any($1::uuid[])",
                point_ids,
                state,
                self.now,
            )

    async def _move_points(self, known: Mapping[UUID, Any], reported: Mapping[UUID, tuple[Any, ...]]) -> None:
        moved = [
            (key, about[1], about[2].source)
            for key, about in reported.items()
            if key in known and (known[key][4], known[key][3]) != (about[1], about[2].source)
        ]
        if moved:
            await self.conn.execute(
                """
                update contact_points p set position = k.position, source = k.source, updated_at = $4
                from unnest($1::uuid[], $2::smallint[], $3::text[]) as k(point_id, position, source)
                where p.point_id = k.point_id
                """,
                *map(list, zip(*moved, strict=True)),
                self.now,
            )

    async def merge_customer(self, origin: str, target: str) -> None:
        """Move what belongs to the person, and what must keep protecting them, to the customer that stays."""
        points = await self.conn.fetch(
            "select point_id, kind, source, position, value_enc, state from contact_points where customer_id = $1",
            origin,
        )
        rows = [self._moved_point(target, point) for point in points]
        await _POINTS.write(self.conn, rows)
        for table in ("payments", "complaints", "approvals", "assessments", "contact_circumstances"):
            await self.conn.execute(
                f"update {table} set customer_id = $2 where customer_id = $1",  # noqa: S608 - constants only
                origin,
                target,
            )
        await self.conn.execute(
            "update holds set customer_id = $2, moved_at = $3 where customer_id = $1", origin, target, self.now
        )
        # An answer they still wait for reaches them where they are now, with all that protects them there.
        await self.conn.execute(
            "update messages set customer_id = $2, row_version = row_version + 1"
            " where customer_id = $1 and purpose = 'answer' and state in ('planned', 'deferred')",
            origin,
            target,
        )
        await self.conn.execute(
            """
            insert into preferences (customer_id, channel, opted_out, source, actor, changed_at)
            select $2, channel, opted_out, source, actor, changed_at from preferences where customer_id = $1
            on conflict (customer_id, channel) do update set opted_out = preferences.opted_out or excluded.opted_out
            """,
            origin,
            target,
        )

    async def hand_on_holds(self, handed_on: Sequence[tuple[str, str, str]]) -> None:
        """What is disputed of an account stays so whoever has it; one that was handed on more than once, with its last
        customer. A plan's hold goes with its plan, and a complaint's stays with the complaint's customer."""
        stays = {account_id: target for account_id, _, target in handed_on}
        await self.conn.execute(
            """
            update holds h set customer_id = k.stays, moved_at = $5, row_version = h.row_version + 1
            from (select distinct * from unnest($1::text[], $2::text[], $3::text[])) as k(account_id, origin, stays)
            where h.customer_id = k.origin and h.account_id = k.account_id and not (h.kind = any($4::text[]))
            """,
            [account_id for account_id, _, _ in handed_on],
            [origin for _, origin, _ in handed_on],
            [stays[account_id] for account_id, _, _ in handed_on],
            sorted(BY_PROCESS),
            self.now,
        )

    async def note_holds(self, noted: Mapping[str, int]) -> None:
        """At how many of their turns cases were judged. It is nobody's edit: the version stays."""
        await self.conn.execute(
            "update holds h set noted = k.noted from unnest($1::uuid[], $2::smallint[]) as k(hold_id, noted)"
            " where h.hold_id = k.hold_id",
            list(noted),
            list(noted.values()),
        )

    def _moved_point(self, target: str, point: Any) -> tuple[Any, ...]:
        value = self.cipher.decrypt("contact_points", "value", str(point[0]), point[4])
        bidx = self.cipher.blind(point[1], value)
        point_id = derive("point", target, point[1], bidx.hex())
        last4 = self.cipher.blind(LAST4_INDEX, value[-4:]) if point[1] in ("mobile", "phone") else None
        sealed = self.cipher.encrypt("contact_points", "value", str(point_id), value)
        return (
            point_id,
            target,
            point[1],
            point[2],
            "staff",
            AFTER_ONES_OWN + point[3],
            sealed,
            bidx,
            last4,
            point[5],
            None,
            self.now,
            self.now,
        )
