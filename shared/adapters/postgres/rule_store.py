"""A bank's own contact rules, the rule sets that came of them, and from when on each was in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.adapters.postgres.session import Session
from shared.application.rule_changes import NewOverlay, OverlayOnFile, RulesOnRecord
from shared.domain.contact_overlay import Laid, Loosening

RELEASE_LOCK = 0x6172_7265_6172_7302
"""Who releases something holds it until the end of the transaction, so that numbers rise in the order of commits."""


class RuleTables(Session):
    async def take_release_turn(self) -> None:
        await self.conn.execute("select pg_advisory_xact_lock($1)", RELEASE_LOCK)

    async def rules_on_record(self, jurisdiction: str) -> RulesOnRecord | None:
        row = await self.conn.fetchrow(
            """
            select pack.document, now.document, now.hash
            from lateral (
                select s.document from releases r join rule_sets s on s.hash = r.rule_set
                where r.kind = 'rules' and r.subject = $1 and r.overlay_id is null order by r.release desc limit 1
            ) pack, lateral (
                select s.document, s.hash from releases r join rule_sets s on s.hash = r.rule_set
                where r.kind = 'rules' and r.subject = $1 order by r.release desc limit 1
            ) now
            """,
            jurisdiction,
        )
        return None if row is None else RulesOnRecord(*row)

    async def next_overlay_version(self, jurisdiction: str) -> int:
        version: int = await self.conn.fetchval(
            "select coalesce(max(version), 0) + 1 from contact_overlays where jurisdiction = $1", jurisdiction
        )
        return version

    async def add_overlay(
        self, new: NewOverlay, document: Mapping[str, Any], base: str, loosened: Sequence[Loosening], by: str
    ) -> None:
        await self.conn.execute(
            """
            insert into contact_overlays (overlay_id, jurisdiction, version, document, starts, reason, loosens, base,
                state, proposed_by, proposed_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, 'proposed', $9, $10)
            """,
            new.overlay_id,
            new.jurisdiction,
            document["version"],
            document,
            new.starts,
            new.reason,
            [{"rule": each.rule_id, "what": list(each.what)} for each in loosened],
            base,
            by,
            self.now,
        )

    async def find_overlay(self, overlay_id: UUID) -> OverlayOnFile | None:
        row = await self.conn.fetchrow(
            """
            select overlay_id, jurisdiction, document, starts, state, base, proposed_by, row_version
            from contact_overlays where overlay_id = $1 for no key update
            """,
            overlay_id,
        )
        return None if row is None else OverlayOnFile(*row)

    async def sign_overlay(self, overlay: OverlayOnFile, document: Mapping[str, Any], by: str, reason: str) -> None:
        await self.conn.execute(
            """
            update contact_overlays set state = 'signed', document = $2, signed_by = $3, signed_at = $4,
                signed_reason = $5, row_version = row_version + 1
            where overlay_id = $1
            """,
            overlay.overlay_id,
            document,
            by,
            self.now,
            reason,
        )

    async def release_rules(self, overlay: OverlayOnFile, laid: Laid, by: str) -> None:
        await self.conn.execute(
            """
            with kept as (
                insert into rule_sets (hash, jurisdiction, document, loaded_at) values ($1, $2, $3, $4)
                on conflict do nothing
            ), released as (
                insert into releases (kind, subject, rule_set, overlay_id, released_at, released_by)
                values ('rules', $2, $1, $5, $4, $6)
            )
            update contact_overlays set rule_set = $1 where overlay_id = $5
            """,
            laid.rules.hash,
            overlay.jurisdiction,
            laid.document,
            self.now,
            overlay.overlay_id,
            by,
        )

    async def withdraw_overlay(self, overlay_id: UUID, by: str, reason: str) -> None:
        await self.conn.execute(
            """
            update contact_overlays set state = 'withdrawn', withdrawn_by = $2, withdrawn_at = $3,
                withdrawn_reason = $4, row_version = row_version + 1
            where overlay_id = $1
            """,
            overlay_id,
            by,
            self.now,
            reason,
        )
