"""What decides, on hand: policies, calendars, templates and contact rules, read from their tables and parsed once.

``seed`` puts what ships with this version into the database; ``refresh`` reads it. The accessors are plain functions,
because a decision must not wait for the network. A version that turns up unknown (activated elsewhere a moment ago)
raises ``UnknownVersion``; whoever asked calls ``renew`` and asks again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from shared.adapters.postgres.releases import read_released, release_packs, release_texts
from shared.adapters.postgres.shipped import SEEDS, shipped, shipped_packs, told_of
from shared.application.judging import UnknownVersion
from shared.domain.calendar import BusinessCalendar, parse_calendar
from shared.domain.contact_rules import RuleSet
from shared.domain.document import content_hash
from shared.domain.follow_up import Timetable
from shared.domain.household import Guide, parse_guide
from shared.domain.policy import Policy, parse_policy
from shared.domain.repayment_policy import RepaymentPolicy, parse_repayment
from shared.domain.templates import Template, parse_templates

SEEDED_BY = "seed"

_REPAYMENT, _AFFORDABILITY = "policies/repayment", "policies/affordability"
_NEWEST = "select coalesce(max(release), 0) from arrears.releases"

TemplateKey = tuple[str, str, str]
"""(key, language, channel)"""


async def seed(conn: Any, now: datetime | None = None, *, folder: Path = SEEDS) -> None:
    """Put the shipped documents into the database, each once; what a bank has there already stays as it is.

    The shipped policy becomes the active one of a database that has no policy yet. Raises ``DocumentError`` for a
    document that can not be read, before anything is written.
    """
    at = now or datetime.now(UTC)
    check_read_in_place(folder)
    policies, calendars, templates, rules = _seeds(folder)
    await _seed_policies(conn, policies, at)
    await conn.executemany(
        "insert into arrears.calendars (name, version, document, loaded_at) values ($1, $2, $3, $4)"
        " on conflict do nothing",
        [(calendar.name, calendar.version, document, at) for document, calendar in calendars],
    )
    await release_texts(conn, templates, at, SEEDED_BY)
    await release_packs(conn, rules, at, SEEDED_BY)


def _seeds(folder: Path) -> tuple[Any, Any, list[Template], Any]:
    texts = shipped(folder / "templates", parse_templates)
    return (
        shipped(folder / "policies", parse_policy),
        shipped(folder / "policies/calendars", parse_calendar),
        [each for _, some in texts for each in some],
        shipped_packs(folder / "rules"),
    )


def check_shipped() -> None:
    """Read every document that ships with this version, before anything is started. Raises DocumentError."""
    check_read_in_place()
    _seeds(SEEDS)


def check_read_in_place(folder: Path = SEEDS) -> None:
    """What is read from its file when it is asked for: who starts is told what is wrong with it, not who asks. Raises
    DocumentError."""
    shipped(folder / _REPAYMENT, parse_repayment)
    shipped(folder / _AFFORDABILITY, parse_guide)


async def seed_documents(dsn: str, now: datetime | None = None) -> None:
    """``seed`` on a connection of the schema's owner."""
    conn = await asyncpg.connect(dsn)
    try:
        await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        await seed(conn, now)
    finally:
        await conn.close()


async def _seed_policies(conn: Any, policies: Sequence[tuple[Mapping[str, Any], Policy]], at: datetime) -> None:
    if await conn.fetchval("select exists (select from arrears.policies)"):
        return
    newest = max(policy.version for _, policy in policies)
    await conn.executemany(
        """
        insert into arrears.policies (version, name, document, sha256, state, created_at, created_by)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
        """,
        [
            (p.version, p.name, document, content_hash(document), _seed_state(p, newest), at, SEEDED_BY)
            for document, p in policies
        ],
    )


def _seed_state(policy: Policy, newest: int) -> str:
    return "active" if policy.version == newest else "retired"


class Released(Protocol):
    """An open transaction, as far as the shelf has to know it."""

    @property
    def conn(self) -> Any: ...


class Shelf:
    """The parsed documents. Give it the pool that ``renew`` may read from; without one only ``refresh`` fills it."""

    def __init__(self, pool: Any = None) -> None:
        self._pool = pool
        self._policies: dict[int, Policy] = {}
        self._active: int | None = None
        self._calendars: dict[str, BusinessCalendar] = {}
        self._timetables: dict[int, Timetable] = {}
        self._templates: dict[TemplateKey, Template] = {}
        self._rules: dict[str, RuleSet] = {}
        self._release = 0

    async def renew(self) -> None:
        """Read again on a connection of our own."""
        async with self._pool.acquire() as conn:
            await self.refresh(conn)

    async def refresh(self, conn: Any) -> None:
        """Read what the database holds. Documents of a known hash or version are not parsed a second time."""
        release = await conn.fetchval(_NEWEST)  # first: what is released while we read is looked at again
        policies = await conn.fetch(
            "select version, document, sha256, state from arrears.policies where state <> 'draft'"
        )
        for version, document, sha256, state in policies:
            known = self._policies.get(version)
            if known is None or known.hash != sha256:
                with told_of(f"policy version {version} in the database"):
                    self._policies[version] = parse_policy(document)
                self._timetables.pop(version, None)
            if state == "active":
                self._active = version
        await self._refresh_calendars(conn)
        await self._refresh_templates(conn)
        await self._refresh_rules(conn)
        self._release = release

    async def attend(self, tx: Released) -> None:
        """Ask whether something was released that is not on hand, and if so read it on the caller's transaction."""
        if await tx.conn.fetchval(_NEWEST) != self._release:
            await self.refresh(tx.conn)

    async def _refresh_calendars(self, conn: Any) -> None:
        rows = await conn.fetch(
            "select distinct on (name) name, version, document from arrears.calendars order by name, version desc"
        )
        for name, version, document in rows:
            known = self._calendars.get(name)
            if known is None or known.version != version:
                with told_of(f"calendar {name} {version} in the database"):
                    self._calendars[name] = parse_calendar(document)
                self._timetables.clear()

    async def _refresh_templates(self, conn: Any) -> None:
        rows = await conn.fetch(
            """
            select distinct on (key, language, channel)
                   key, version, language, channel, purpose, subject, body, variables
            from arrears.templates where state = 'approved' order by key, language, channel, version desc
            """
        )
        found = {(row[0], row[2], row[3]): Template(*(*row[:7], tuple(row[7]))) for row in rows}
        # What is the same stays the same object: who has made something of it knows it by that.
        self._templates = {key: known if (known := self._templates.get(key)) == text else text
                           for key, text in found.items()}  # fmt: skip

    async def _refresh_rules(self, conn: Any) -> None:
        rows = await conn.fetch(
            """
            select s.jurisdiction, s.hash, s.document from (
                select distinct on (subject) subject, rule_set from arrears.releases
                where kind = 'rules' order by subject, release desc
            ) newest join arrears.rule_sets s on s.hash = newest.rule_set
            """
        )
        for jurisdiction, sha256, document in rows:
            known = self._rules.get(jurisdiction)
            if known is None or known.hash != sha256:
                self._rules[jurisdiction] = await read_released(document)

    def policy(self, version: int | None = None) -> Policy:
        """A version of the policy, or the active one. Raises ``UnknownVersion``."""
        wanted = self._active if version is None else version
        found = None if wanted is None else self._policies.get(wanted)
        if found is None:
            raise UnknownVersion("policy", wanted)
        return found

    def calendar(self, policy: Policy) -> BusinessCalendar:
        found = self._calendars.get(policy.calendar)
        if found is None:
            raise UnknownVersion("calendar", policy.calendar)
        return found

    def timetable(self, version: int) -> Timetable:
        found = self._timetables.get(version)
        if found is None:
            policy = self.policy(version)
            found = self._timetables[version] = Timetable(policy, self.calendar(policy))
        return found

    def template(self, key: str, language: str, channel: str) -> Template | None:
        """The newest approved text, or None when there is none in that language for that channel."""
        return self._templates.get((key, language, channel))

    def repayment(self) -> RepaymentPolicy:
        """The repayment policy that ships with this version."""
        policies = shipped(SEEDS / _REPAYMENT, parse_repayment)
        return max((each for _, each in policies), key=lambda each: each.version)

    def guide(self, currency: str) -> Guide | None:
        """The newest guide figures that ship with this version for households in ``currency``."""
        guides = shipped(SEEDS / _AFFORDABILITY, parse_guide)
        return max(
            (each for _, each in guides if each.currency == currency), key=lambda each: each.version, default=None
        )

    def rules(self, jurisdiction: str) -> RuleSet | None:
        """The contact rules in force in a jurisdiction (ISO 3166 code), the changes that wait for their date included;
        None when it has none, and then nothing is permitted there."""
        return self._rules.get(jurisdiction)
