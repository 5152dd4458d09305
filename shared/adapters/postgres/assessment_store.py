"""Assessments: written once. What tells of the household is one sealed value, bound to its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import orjson

from shared.adapters.postgres.session import Session
from shared.application.assessing import AssessmentMade
from shared.domain.affordability import Options
from shared.domain.assessment import Assessment
from shared.domain.plan_quote import Quote

TABLE, COLUMN = "assessments", "household"
_WAYS = ("lowest_instalment", "shortest_term", "least_cost")
_SHOWN_OF_A_QUOTE = ("schedules", "costs", "months", "reckoned_at", "valid_until", "warnings")


class AssessmentTables(Session):
    async def add_assessment(self, made: AssessmentMade) -> None:
        about, guide = made.assessment, made.guide
        sealed = orjson.dumps(_household(made))
        await self.conn.execute(
            """
            insert into assessments (assessment_id, customer_id, case_id, currency, route, owed, guide, guide_version,
                guide_hash, policy_version, assessed_by, assessed_at, assessed_on, valid_until, document, household_enc)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
            """,
            *(about.assessment_id, about.customer_id, made.case_id, guide.currency, made.found.route.value),
            *(made.found.owed, guide.name, guide.version, guide.hash, made.policy_version),
            *(made.assessed_by, made.reckoned_at, made.assessed_on, about.valid_until, _document(made)),
            self.cipher.encrypt_bytes(TABLE, COLUMN, str(about.assessment_id), sealed),
        )

    async def find_assessment(self, assessment_id: UUID, customer_id: str) -> Assessment | None:
        """As plans are held against it; None when it is not this customer's."""
        row = await self.conn.fetchrow(
            "select document, valid_until, household_enc from assessments"
            " where assessment_id = $1 and customer_id = $2",
            assessment_id,
            customer_id,
        )
        if row is None:
            return None
        household = orjson.loads(self.cipher.decrypt_bytes(TABLE, COLUMN, str(assessment_id), row[2]))
        return Assessment(
            assessment_id=assessment_id,
            customer_id=customer_id,
            accounts=frozenset((each["account_id"], each["currency"]) for each in row[0]["debts"]),
            available=household["budget"]["available"],
            valid_until=row[1],
        )


def _document(made: AssessmentMade) -> dict[str, Any]:
    return {
        "debts": _plain(made.debts),
        "under_way": _plain(made.under_way),
        "options": [] if made.found.options is None else _options(made.found.options),
    }


def _options(options: Options) -> list[dict[str, Any]]:
    """One that is best in two ways is there once, with both names."""
    found: list[tuple[Quote, list[str]]] = []
    for way in _WAYS:
        quote = getattr(options, way)
        known = next((ways for other, ways in found if other == quote), None)
        if known is None:
            found.append((quote, [way]))
        else:
            known.append(way)
    return [
        {"fingerprint": quote.fingerprint, "best_for": ways, "terms": _plain(quote.terms)}
        | {name: _plain(getattr(quote, name)) for name in _SHOWN_OF_A_QUOTE}
        for quote, ways in found
    ]


def _household(made: AssessmentMade) -> dict[str, Any]:
    budget = made.found.budget
    sums = ("income", "fixed", "flexible", "reserve", "available")
    household = _plain(made.household) | {"explained": sorted(made.household.explained)}
    return {
        "household": household,
        "budget": {name: getattr(budget, name) for name in sums},
        "findings": _plain(budget.findings),
        "proofs": [{**_plain(proof), "short_by": proof.short_by} for proof in made.found.proofs],
        "words": [{"language": language, "sentences": list(said)} for language, said in made.words.items()],
    }


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=_mapping)


def _mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(type(value).__name__)
