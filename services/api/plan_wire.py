"""Plans between the wire and the domain: what is asked for, what a quote and a plan look like."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from services.api.schemas import plans as schema
from shared.application.plan_proposing import ProposalAsked
from shared.application.quoting import PlanAsked
from shared.domain.plan_dates import DateRule, Frequency, Shift
from shared.domain.plan_quote import Quote
from shared.domain.plan_schedule import Charges, Schedule, Steps
from shared.domain.plan_terms import Agreement, Content, Debt, Form, PlanKind, Terms

_SHOWN = tuple(name for name in schema.PlanOut.model_fields if name not in ("debts", "case_id", "row_version"))


def asked(body: schema.QuoteIn) -> PlanAsked:
    def terms() -> Terms:
        dates = DateRule(body.first_on, Frequency(body.frequency), body.day, body.after, Shift(body.shift))
        return Terms(
            kind=PlanKind(body.kind),
            instalments=body.instalments,
            dates=dates,
            charges=Charges(body.annual_bps, body.fee_bps),
            steps={each.currency: Steps(each.step, each.every) for each in body.steps},
            amounts={each.currency: tuple(each.amounts) for each in body.amounts},
        )

    accounts = tuple((each.account_id, each.currency) for each in body.accounts)
    return PlanAsked(customer_id=body.customer_id, accounts=accounts, terms=terms)


def proposed(plan_id: UUID, body: schema.PlanIn) -> ProposalAsked:
    return ProposalAsked(
        plan_id=plan_id,
        asked=asked(body),
        quote=body.quote,
        assessment_id=body.assessment_id,
        replaces=body.replaces,
        waive=tuple(body.waive),
    )


def quoted(made: Quote) -> dict[str, Any]:
    return {
        "fingerprint": made.fingerprint,
        "customer_id": made.customer_id,
        "kind": made.kind.value,
        "debts": [_debt(each) for each in made.debts],
        "schedules": [_schedule(each) for each in made.schedules],
        "costs": [{name: getattr(each, name) for name in schema.CostOut.model_fields} for each in made.costs],
        "months": made.months,
        "reckoned_at": made.reckoned_at,
        "valid_until": made.valid_until,
        "warnings": list(made.warnings),
    }


def _debt(debt: Debt) -> dict[str, Any]:
    parts = {name: getattr(debt.balances, name) for name in ("principal", "interest", "fees", "penalty")}
    return {"account_id": debt.account_id, "currency": debt.currency, **parts}


def _schedule(schedule: Schedule) -> dict[str, Any]:
    instalments = [
        {name: getattr(each, name) for name in schema.InstalmentOut.model_fields} for each in schedule.instalments
    ]
    about = {name: getattr(schedule, name) for name in ("currency", "financed", "start_on")}
    return {**about, "instalments": instalments}


def agreed(body: schema.AgreementIn) -> Agreement:
    contents = frozenset(Content(each) for each in body.contents)
    return Agreement(body.agreed_on, Form(body.form), body.recording_id, contents)


def shown(content: str) -> dict[str, Any]:
    row = orjson.loads(content)
    plan = row["document"] | {name: row[name] for name in ("customer_id", "kind", "state")}
    shown = {name: plan[name] for name in _SHOWN if name in plan}
    shown.setdefault("waived", [])  # of plans that were made before it was kept
    shown["debts"] = [
        {"account_id": each["account_id"], "currency": each["currency"], **each["balances"]} for each in plan["debts"]
    ]
    return shown | {"case_id": row["case_id"], "row_version": row["row_version"]}
