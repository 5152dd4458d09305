"""Customers and their contact points: masked, unless the caller asks for them plain and puts that on record."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.adapters.postgres.profile_store import LAST4_INDEX, NAME_INDEX
from shared.adapters.postgres.session import Cipher
from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page
from shared.domain.masking import mask_name, mask_point

_COLUMNS = """
    u.customer_id, u.language, u.time_zone, u.jurisdiction, u.segment, u.merged_into,
    c.case_id as open_case_id, c.bucket,
    u.cases_opened, u.created_at, u.updated_at, encode(u.name_enc, 'base64') as name
"""
_SOURCE = "customers u left join cases c on c.customer_id = u.customer_id and c.state = 'open'"
_POINTS = """
    coalesce((select json_agg(json_build_object(
                'point_id', p.point_id, 'kind', p.kind, 'source', p.source, 'origin', p.origin, 'position', p.position,
                'state', p.state, 'state_reason', p.state_reason, 'updated_at', p.updated_at,
                'value', encode(p.value_enc, 'base64')) order by p.origin, p.position, p.point_id)
              from contact_points p where p.customer_id = u.customer_id), '[]'::json) as contact_points
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFilter:
    segment: str | None = None
    bucket: str | None = None
    has_open_case: bool | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSearch:
    """Normalised values; those that are given must all match. ``phones``, ``names``: any of them."""

    phones: frozenset[str] | None = None
    email: str | None = None
    names: frozenset[str] | None = None
    phone_last4: str | None = None


async def get_customer(conn: Any, customer_id: str, scope: Scope) -> str | None:
    """JSON of a customer with contact points, sealed: to be read by ``masked`` or ``unmasked``."""
    where = Where().sees_customer("u.customer_id", scope).add("u.customer_id = {}", customer_id)
    rows = await page(
        conn, f"{_COLUMNS}, {_POINTS}", _SOURCE, where, ("u.customer_id",), after=None, limit=1, descending=False
    )
    return rows.docs[0] if rows.docs else None


async def list_customers(
    conn: Any, wanted: CustomerFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By customer_id."""
    where = Where().sees_customer("u.customer_id", scope)
    where.matching(u__segment=wanted.segment, u__language=wanted.language)
    where.given("(c.case_id is not null) = {}", wanted.has_open_case)
    where.given("exists (select from accounts a where a.customer_id = u.customer_id and a.bucket = {})", wanted.bucket)
    return await page(conn, _COLUMNS, _SOURCE, where, ("u.customer_id",), after=after, limit=limit, descending=False)


async def search_customers(
    conn: Any, wanted: CustomerSearch, scope: Scope, cipher: Cipher, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By customer_id that match by blind index: whole values, or the last four digits of a number."""
    where = Where().sees_customer("u.customer_id", scope)
    if wanted.names is not None:
        where.add("u.name_bidx = any({}::bytea[])", [cipher.blind(NAME_INDEX, name) for name in wanted.names])
    if wanted.phones is not None:
        either = [cipher.blind(kind, number) for kind in ("mobile", "phone") for number in wanted.phones]
        where.add(_point("value_bidx = any({}::bytea[])"), either)
    if wanted.email is not None:
        where.add(_point("value_bidx = {}"), cipher.blind("email", wanted.email))
    if wanted.phone_last4 is not None:
        where.add(_point("last4_bidx = {}"), cipher.blind(LAST4_INDEX, wanted.phone_last4))
    return await page(
        conn, f"{_COLUMNS}, {_POINTS}", _SOURCE, where, ("u.customer_id",), after=after, limit=limit, descending=False
    )


def _point(condition: str) -> str:
    return f"u.customer_id in (select p.customer_id from contact_points p where p.state <> 'removed' and p.{condition})"  # noqa: S608


def masked(sealed: str, cipher: Cipher) -> dict[str, Any]:
    """A customer as anybody may see them who may see them at all."""
    customer: dict[str, Any] = orjson.loads(sealed)
    name = _name(customer, cipher)
    customer["name"] = None if name is None else mask_name(name)
    for point in customer.get("contact_points", ()):
        point["value"] = mask_point(point["kind"], _value(point, cipher))
    return customer


def unmasked(sealed: str, fields: Collection[str], cipher: Cipher) -> dict[str, Any]:
    """Only what was asked for: ``name``, and contact points by kind."""
    customer = orjson.loads(sealed)
    shown: dict[str, Any] = {"customer_id": customer["customer_id"]}
    if "name" in fields:
        shown["name"] = _name(customer, cipher)
    shown["contact_points"] = [
        {"point_id": point["point_id"], "kind": point["kind"], "state": point["state"], "value": _value(point, cipher)}
        for point in customer["contact_points"]
        if point["kind"] in fields
    ]
    return shown


def _name(customer: dict[str, Any], cipher: Cipher) -> str | None:
    sealed = customer["name"]
    return None if sealed is None else cipher.decrypt("customers", "name", customer["customer_id"], b64decode(sealed))


def _value(point: dict[str, Any], cipher: Cipher) -> str:
    return cipher.decrypt("contact_points", "value", point["point_id"], b64decode(point["value"]))
