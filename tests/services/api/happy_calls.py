"""Operation id -> a call of it that goes well in the office, under a role that may. The table is literal: a route
without a line here fails the tests. Each line makes or finds what it needs, so that lines do not depend on each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from shared.adapters.gateways.http_sms.signature import signed_headers
from shared.adapters.gateways.settings import DEVELOPMENT_KEY_ID, DEVELOPMENT_SECRET
from shared.application.principal import Role
from tests.feeds import SOURCE, payment
from tests.services.api.office import EVERYBODY, NOW, Office

Params = Mapping[str, str]
REASON = {"reason": "checked with the branch"}
COMPLAINT = {"customer_id": "C7", "category": "service", "channel": "phone", "text": "Too many messages."}
HOLD = {"customer_id": "C6", "kind": "dispute", "reason": "amount"}
PROMISE = {
    "customer_id": "C4",
    "account_id": "A4",
    "currency": "CNY",
    "amount": 50_000,
    "due_on": "2026-07-15",
    "channel": "phone",
    "waive": ["open-already"],
}
PERMIT = {"customer_id": "C5", "channel": "letter", "purpose": "service", "manner": {"public_posting": False}}
ATTEMPT = {"customer_id": "C5", "channel": "phone", "outcome": "right_party", "effective_talk": True}
HOURS = {"customer_id": "C5", "kind": "preferred", "from_time": "18:00", "to_time": "20:00"}
FRIEND = {"customer_id": "C5", "relation": "contact_person", "kind": "mobile", "value": "+8613800009999",
          "source": "contract"}  # fmt: skip
TERMS = {
    "customer_id": "C3",
    "accounts": [{"account_id": "A3", "currency": "CNY"}],
    "kind": "equal",
    "instalments": 4,
    "first_on": "2026-07-20",
}
PERSONAL = TERMS | {"customer_id": "C2", "accounts": [{"account_id": "A2", "currency": "CNY"}]}
PERSONAL |= {"kind": "personalised", "instalments": 6}
ASSESSMENT = {
    "customer_id": "C2",
    "accounts": PERSONAL["accounts"],
    "household": {
        "adults": 1,
        "incomes": [{"kind": "wages", "amount": 60_000_000}],
        "fixed": [{"kind": "housing", "amount": 200_000}],
        "flexible": [],
        "pay_day": 15,
    },
}
SETTLEMENT = {
    "customer_id": "C0",
    "accounts": [{"account_id": "A0", "currency": "CNY"}],
    "discount": 1_000,
    "first_on": "2026-07-20",
}
WAIVER = {
    "customer_id": "C4",
    "account_id": "A4",
    "currency": "CNY",
    "component": "penalty",
    "amount": 1,
    "cause": "bank_error",
}
SIGNED = {"agreed_on": "2026-07-06", "form": "written"}
DECISION = {"granted": True, "reason": "fits the assessment"}
LATER = {"until": (NOW + timedelta(days=40)).isoformat(), "reason": "salary_day"}
EXTENSION = {"complexity": "complex", "requested_by": "wang.fang", "reason": "records from the branch"}
PREVIEW = {"language": "en", "channel": "sms"}
AN_EVENT = payment(5, NOW - timedelta(hours=2), 700)


@dataclass(frozen=True, slots=True)
class Happy:
    """``params`` gives the path's parameters; ``edits`` is where the ETag is read, when one is asked for."""

    role: Role
    params: Callable[[Office], Params] = lambda office: {}
    body: Any = None
    content: bytes | None = None
    headers: Callable[[], Mapping[str, str]] = dict
    query: Mapping[str, str] = field(default_factory=dict)
    edits: str | None = None
    subject: str = "li.na"

    def prepared(self, office: Office, method: str, template: str) -> Callable[[Role, str], httpx.Response]:
        """What is asked for is there and may be edited; to be sent by somebody, more than once where it is refused."""
        params = {name: quote(value, safe="") for name, value in self.params(office).items()}
        headers = dict(self.headers())
        if self.edits is not None:
            headers["if-match"] = office.tag(self.edits.format(**params))
        request: dict[str, Any] = {"params": self.query, "headers": headers}
        if self.body is not None:
            request["json"] = self.body
        if self.content is not None:
            request["content"] = self.content
        path = template.format(**params)
        return lambda role, subject: office.call(method, path, role, subject=subject, **request)


def first(path: str, name: str, **query: str) -> Callable[[Office], Params]:
    """The first of a list."""
    return lambda office: {name: str(office.read(path, **query)["items"][0][name])}


def made(path: str, name: str, body: Mapping[str, Any], *steps: tuple[str, Any]) -> Callable[[Office], Params]:
    """A new one, taken through ``steps``."""

    def make(office: Office) -> Params:
        answer = office.call("POST", path, *EVERYBODY, json=body)
        assert answer.status_code == 201, answer.text
        which = answer.json()[name]
        for step, content in steps:
            _step(office, f"{path}/{which}", step, content)
        return {name: which}

    return make


def _step(office: Office, where: str, step: str, content: Any, subject: str = "li.na") -> None:
    headers = {"if-match": office.tag(where)}
    done = office.call("POST", f"{where}/{step}", *EVERYBODY, json=content, headers=headers, subject=subject)
    assert done.status_code == 200, done.text


def one_plan(office: Office) -> Params:
    """The only one under way on its account."""
    _clear(office, str(TERMS["customer_id"]))
    return made("/v1/plans", "plan_id", TERMS)(office)


def room_for_a_plan(office: Office) -> Params:
    _clear(office, str(TERMS["customer_id"]))
    return {}


def an_approval(office: Office) -> Params:
    """Asked for by Li Na, who may not decide about it."""
    _clear(office, "C2")
    asked = PERSONAL | an_assessment(office)
    assert office.call("POST", "/v1/plans", Role.COLLECTOR, json=asked, subject="li.na").status_code == 201
    return {"approval_id": office.read("/v1/approvals", state="pending", subject="plan")["items"][0]["approval_id"]}


def an_offer(*steps: str) -> Callable[[Office], Params]:
    """Proposed by Li Na, approved by Zhao Min, taken through ``steps``; on an account that is in no settlement."""

    def make(office: Office) -> Params:
        room_for_a_settlement(office)
        made_one = office.call("POST", "/v1/settlements", Role.COLLECTOR, json=SETTLEMENT, subject="li.na")
        assert made_one.status_code == 201, made_one.text
        which = str(made_one.json()["settlement_id"])
        (waiting,) = office.read("/v1/approvals", state="pending", subject_id=which)["items"]
        _step(office, f"/v1/approvals/{waiting['approval_id']}", "decide", DECISION, subject="zhao.min")
        for step in steps:
            _step(office, f"/v1/settlements/{which}", step, None)
        return {"settlement_id": which}

    return make


def room_for_a_settlement(office: Office) -> Params:
    for each in office.read("/v1/settlements", customer_id=SETTLEMENT["customer_id"])["items"]:
        if each["state"] in ("proposed", "offered", "accepted"):
            _step(office, f"/v1/settlements/{each['settlement_id']}", "withdraw", {"reason": "mistake"})
    return {}


def a_large_waiver(office: Office) -> Params:
    """More than a collector grants alone; the same as before, if it still waits."""
    for each in office.read("/v1/waivers", state="proposed")["items"]:
        return {"waiver_id": each["waiver_id"]}
    larger = office.call("POST", "/v1/waivers", Role.COLLECTOR, json=WAIVER | {"component": "interest"})
    assert larger.status_code == 201, larger.text
    return {"waiver_id": larger.json()["waiver_id"]}


def _clear(office: Office, customer_id: str) -> None:
    for plan in office.read("/v1/plans", customer_id=customer_id)["items"]:
        if plan["state"] in ("proposed", "approved", "active"):
            _step(office, f"/v1/plans/{plan['plan_id']}", "cancel", {"reason": "mistake"})


def taken_work(office: Office) -> Params:
    found = first("/v1/worklists", "item_id", state="open")(office)
    _step(office, f"/v1/worklists/{found['item_id']}", "take", None)
    return found


def a_granted_permit(office: Office) -> Params:
    """To call somebody whom nobody has talked to today."""
    points = office.read("/v1/customers/C4")["contact_points"]
    point = next(each["point_id"] for each in points if each["kind"] == "mobile")
    asked = {"customer_id": "C4", "channel": "phone", "contact_point_id": point}
    return made("/v1/contact-permits", "permit_id", asked)(office)


def a_text(*steps: str) -> Callable[[Office], Params]:
    """A new version of a text, taken through ``steps``."""

    def make(office: Office) -> Params:
        answer = office.call("POST", "/v1/templates", *EVERYBODY, json=TEXT)
        assert answer.status_code == 201, answer.text
        for step in steps:
            _step(office, answer.headers["location"], step, None)
        names = ("key", "language", "channel", "version")
        return {name: str(answer.json()["text"][name]) for name in names}

    return make


def noted_case(office: Office) -> Params:
    case = a_case(office)["case_id"]
    note = office.call("POST", f"/v1/cases/{case}/notes", *EVERYBODY, json={"text": "Calls back."}).json()
    return {"case_id": case, "note_id": note["note_id"]}


def imported(office: Office) -> Params:
    found = [one for one in office.read("/v1/imports")["items"] if one["counts"].get("rejected")]
    return {"import_id": found[0]["id"]}


def announced(office: Office) -> Params:
    answer = office.call("POST", "/v1/imports", Role.CORE_BANKING, json={"name": "happy"})
    return {"import_id": answer.json()["id"]}


def reports() -> tuple[bytes, Mapping[str, str]]:
    about = {"reference": "7b0f1c1e-0000-4000-8000-000000000000", "status": "delivered"}
    body = orjson.dumps({"receipts": [about | {"at": datetime(2026, 7, 6, tzinfo=UTC).isoformat()}]})
    return body, signed_headers(DEVELOPMENT_SECRET, DEVELOPMENT_KEY_ID, body, time.time())


def fixed(**params: str) -> Callable[[Office], Params]:
    return lambda office: params


an_account, a_customer, a_channel = (
    fixed(account_id="A1"),
    fixed(customer_id="C1"),
    fixed(customer_id="C1", channel="sms"),
)
a_case = first("/v1/cases", "case_id", state="open")
a_follow_up = first("/v1/follow-ups", "follow_up_id")
a_plan = first("/v1/follow-ups", "follow_up_id", state="planned")
a_message = first("/v1/messages", "message_id", state="done")
a_doubt = first("/v1/messages", "message_id", state="in_doubt")
some_work = first("/v1/worklists", "item_id", state="open")
a_dead_letter = first("/v1/ops/dead-letters", "entry", state="dead")
a_complaint = made("/v1/complaints", "complaint_id", COMPLAINT)
an_answered_one = made("/v1/complaints", "complaint_id", COMPLAINT, ("respond", {"response": "We looked into it."}))
a_hold = made("/v1/holds", "hold_id", HOLD)
a_promise = made("/v1/promises", "promise_id", PROMISE)
APPROVAL_AT, PLAN_AT = "/v1/approvals/{approval_id}", "/v1/plans/{plan_id}"
SETTLEMENT_AT = "/v1/settlements/{settlement_id}"
WAIVER_AT = "/v1/waivers/{waiver_id}"
PROMISE_AT = "/v1/promises/{promise_id}"
OVERLAY = {"jurisdiction": "HK", "from": "2030-01-01", "reason": "evenings are long",
           "changes": [{"rule": "hk-hours", "parameters": {"from": "20:00"}}]}  # fmt: skip
OVERLAY_AT = "/v1/contact-rules/overlays/{overlay_id}"
an_overlay = made("/v1/contact-rules/overlays", "overlay_id", OVERLAY)
TEXT = {"key": "happy", "language": "en", "channel": "sms", "purpose": "service", "jurisdictions": ["HK"],
        "body": "【{{ bank }}】Card {{ card_last4 }} is in order."}  # fmt: skip
TEXT_AT = "/v1/templates/{key}/{language}/{channel}/{version}"
SUIT = {"account_id": "A2", "kind": "suit", "at": "2026-06-30T10:00:00+08:00", "proof": "court/2026/17"}
ENTRY_AT = "/v1/limitation-entries/{entry_id}"
a_suit = made("/v1/limitation-entries", "entry_id", SUIT)
CONSENT = {"customer_id": "C5", "kind": "permission", "value": "entry", "proof": "form/5"}
a_consent = made("/v1/contact-circumstances", "circumstance_id", CONSENT)
some_hours = made("/v1/contact-hours", "hours_id", HOURS)
a_friend = made("/v1/third-parties", "person_id", FRIEND | {"value": "+8613800009998"})
an_assessment = made("/v1/assessments", "assessment_id", ASSESSMENT)
a_permit = made("/v1/contact-permits", "permit_id", PERMIT)
CASE, COMPLAINT_AT, FOLLOW_UP = "/v1/cases/{case_id}", "/v1/complaints/{complaint_id}", "/v1/follow-ups/{follow_up_id}"
WORK, HOLD_AT, PERMIT_AT, PREFERENCE = (
    "/v1/worklists/{item_id}",
    "/v1/holds/{hold_id}",
    "/v1/contact-permits/{permit_id}",
    "/v1/customers/{customer_id}/preferences/{channel}",
)
R = Role

HAPPY: dict[str, Happy] = {
    "getAccount": Happy(R.COLLECTOR, an_account),
    "listAccounts": Happy(R.AUDITOR, query={"past_due": "true"}),
    "searchAccounts": Happy(R.COLLECTOR, body={"card_last4": "0001"}),
    "getStatement": Happy(R.COLLECTOR, an_account),
    "getStatementDocument": Happy(R.COLLECTOR, an_account),
    "listAccountHistory": Happy(R.SUPERVISOR, an_account),
    "getCase": Happy(R.COLLECTOR, a_case),
    "listCases": Happy(R.COLLECTOR, query={"state": "open"}),
    "listTimeline": Happy(R.AUDITOR, a_case),
    "listNotes": Happy(R.COMPLIANCE, noted_case),
    "createNote": Happy(R.COLLECTOR, a_case, {"text": "Asks to be called after six."}),
    "getNote": Happy(R.COLLECTOR, noted_case),
    "assignCase": Happy(R.SUPERVISOR, a_case, {"owner": "li.na", "team": None}, edits=CASE),
    "explainNextAction": Happy(R.COLLECTOR, a_case),
    "getCustomer": Happy(R.COLLECTOR, a_customer),
    "listCustomers": Happy(R.AUDITOR, query={"has_open_case": "true"}),
    "searchCustomers": Happy(R.COLLECTOR, body={"phone": "+8613800001777"}),
    "unmaskCustomer": Happy(R.COLLECTOR, a_customer, {"fields": ["name"], **REASON}),
    "getPreferences": Happy(R.OPERATIONS, a_customer),
    "getPreference": Happy(R.COLLECTOR, a_channel),
    "putPreference": Happy(R.COLLECTOR, a_channel, {"opted_out": True, "source": "customer"}, edits=PREFERENCE),
    "listPayments": Happy(R.OPERATIONS, query={"currency": "CNY"}),
    "getPayment": Happy(R.COLLECTOR, first("/v1/payments", "payment_id")),
    "listFollowUps": Happy(R.COLLECTOR, query={"kind": "message"}),
    "getFollowUp": Happy(R.COLLECTOR, a_follow_up),
    "deferFollowUp": Happy(R.COLLECTOR, a_plan, LATER, edits=FOLLOW_UP),
    "cancelFollowUp": Happy(R.SUPERVISOR, a_plan, {"reason": "customer_request"}, edits=FOLLOW_UP),
    "listMessages": Happy(R.OPERATIONS, query={"state": "done"}),
    "getMessage": Happy(R.COLLECTOR, a_message),
    "unmaskMessage": Happy(R.COMPLIANCE, a_message, REASON),
    "resolveMessage": Happy(R.OPERATIONS, a_doubt, {"outcome": "sent", **REASON}),
    "listTemplates": Happy(R.COLLECTOR, query={"language": "zh-CN"}),
    "getTemplate": Happy(R.COLLECTOR, fixed(key="overdue-first")),
    "previewTemplate": Happy(R.SUPERVISOR, fixed(key="overdue-first"), PREVIEW),
    "draftText": Happy(R.SUPERVISOR, body=TEXT),
    "getText": Happy(R.AUDITOR, a_text()),
    "submitText": Happy(R.COMPLIANCE, a_text(), edits=TEXT_AT),
    "approveText": Happy(R.COMPLIANCE, a_text("submit"), REASON, edits=TEXT_AT, subject="sun.lei"),
    "retireText": Happy(R.COMPLIANCE, a_text(), REASON, edits=TEXT_AT),
    "listTemplateFindings": Happy(R.COMPLIANCE, query={"on": "2026-07-10"}),
    "listPolicies": Happy(R.COLLECTOR),
    "getActivePolicy": Happy(R.COLLECTOR),
    "getPolicy": Happy(R.AUDITOR, fixed(version="1")),
    "listQueues": Happy(R.ADMIN),
    "listWorkers": Happy(R.OPERATIONS),
    "listGateways": Happy(R.OPERATIONS),
    "listDeadLetters": Happy(R.OPERATIONS),
    "replayDeadLetter": Happy(R.OPERATIONS, a_dead_letter, REASON),
    "discardDeadLetter": Happy(R.OPERATIONS, a_dead_letter, REASON),
    "listContactRules": Happy(R.COLLECTOR),
    "getContactRules": Happy(R.COLLECTOR, fixed(jurisdiction="CN"), query={"at": "2026-07-06T12:00:00+08:00"}),
    "listContactOverlays": Happy(R.AUDITOR, query={"state": "proposed"}),
    "proposeContactOverlay": Happy(R.SUPERVISOR, body=OVERLAY),
    "getContactOverlay": Happy(R.AUDITOR, an_overlay),
    "tryContactOverlay": Happy(R.COMPLIANCE, an_overlay, query={"limit": "10"}),
    "signContactOverlay": Happy(R.COMPLIANCE, an_overlay, REASON, edits=OVERLAY_AT, subject="sun.lei"),
    "withdrawContactOverlay": Happy(R.COMPLIANCE, an_overlay, REASON, edits=OVERLAY_AT),
    "listAudit": Happy(R.AUDITOR),
    "getAuditHead": Happy(R.COMPLIANCE),
    "receiveEvents": Happy(
        R.CORE_BANKING, content=AN_EVENT, headers=lambda: {"content-type": "application/cloudevents+json"}
    ),
    "getEventAnswer": Happy(R.CORE_BANKING, fixed(source=SOURCE, event_id=orjson.loads(AN_EVENT)["id"])),
    "createImport": Happy(R.CORE_BANKING, body={"name": "2026-07-06 nightly", "lines": 2}),
    "listImports": Happy(R.AUDITOR),
    "getImport": Happy(R.OPERATIONS, imported),
    "putImportContent": Happy(R.CORE_BANKING, announced, content=AN_EVENT + b"\n"),
    "listImportRejections": Happy(R.OPERATIONS, imported),
    "takeDeliveryReports": Happy(
        R.ADMIN, fixed(gateway="http_sms"), content=reports()[0], headers=lambda: reports()[1]
    ),
    "receiveComplaint": Happy(R.COLLECTOR, body=COMPLAINT),
    "listComplaints": Happy(R.OPERATIONS, query={"open": "true"}),
    "getComplaint": Happy(R.COLLECTOR, a_complaint),
    "acknowledgeComplaint": Happy(R.COLLECTOR, a_complaint, edits=COMPLAINT_AT),
    "respondToComplaint": Happy(R.COLLECTOR, a_complaint, {"response": "We are sorry."}, edits=COMPLAINT_AT),
    "resolveComplaint": Happy(R.COLLECTOR, an_answered_one, {"outcome": "upheld"}, edits=COMPLAINT_AT),
    "escalateComplaint": Happy(R.COLLECTOR, an_answered_one, {"reason": "not_satisfied"}, edits=COMPLAINT_AT),
    "extendComplaint": Happy(R.SUPERVISOR, a_complaint, EXTENSION, edits=COMPLAINT_AT),
    "assessHousehold": Happy(R.COLLECTOR, body=ASSESSMENT),
    "listAssessments": Happy(R.AUDITOR, query={"customer_id": "C2"}),
    "getAssessment": Happy(R.COLLECTOR, an_assessment),
    "unmaskAssessment": Happy(R.COMPLIANCE, an_assessment, REASON),
    "getAffordabilityGuide": Happy(R.COLLECTOR, fixed(currency="CNY")),
    "placeHold": Happy(R.COLLECTOR, body=HOLD),
    "listHolds": Happy(R.AUDITOR, query={"in_force": "true"}),
    "getHold": Happy(R.COLLECTOR, a_hold),
    "releaseHold": Happy(R.COLLECTOR, a_hold, {"reason": "settled"}, edits=HOLD_AT),
    "takePromise": Happy(R.SUPERVISOR, body=PROMISE),
    "listPromises": Happy(R.COLLECTOR, query={"state": "open"}),
    "getPromise": Happy(R.AUDITOR, a_promise),
    "cancelPromise": Happy(R.COLLECTOR, a_promise, {"reason": "mistake"}, edits=PROMISE_AT),
    "askContactPermit": Happy(R.COLLECTOR, body=PERMIT),
    "listContactPermits": Happy(R.AUDITOR, query={"customer_id": "C5"}),
    "getContactPermit": Happy(R.COMPLIANCE, a_permit),
    "releaseContactPermit": Happy(R.COLLECTOR, a_granted_permit, {"reason": "line_was_down"}, edits=PERMIT_AT),
    "recordContactAttempt": Happy(R.COLLECTOR, body=ATTEMPT),
    "listContactAttempts": Happy(R.OPERATIONS, query={"permitted": "false"}),
    "getContactAttempt": Happy(R.AUDITOR, made("/v1/contact-attempts", "attempt_id", ATTEMPT)),
    "addContactHours": Happy(R.COLLECTOR, body=HOURS),
    "listContactHours": Happy(R.AUDITOR, query={"in_force": "true"}),
    "getContactHours": Happy(R.COLLECTOR, some_hours),
    "withdrawContactHours": Happy(R.COLLECTOR, some_hours, edits="/v1/contact-hours/{hours_id}"),
    "noteContactCircumstance": Happy(R.COLLECTOR, body=CONSENT),
    "listContactCircumstances": Happy(R.AUDITOR, query={"kind": "permission"}),
    "getContactCircumstance": Happy(R.COMPLIANCE, a_consent),
    "withdrawContactCircumstance": Happy(R.COLLECTOR, a_consent, edits="/v1/contact-circumstances/{circumstance_id}"),
    "noteThirdParty": Happy(R.COLLECTOR, body=FRIEND),
    "listThirdParties": Happy(R.OPERATIONS, query={"refused": "false"}),
    "getThirdParty": Happy(R.COMPLIANCE, a_friend),
    "refuseToBeContacted": Happy(R.COLLECTOR, a_friend, {"source": "call"}, edits="/v1/third-parties/{person_id}"),
    "quoteRepaymentPlan": Happy(R.COLLECTOR, body=TERMS),
    "proposePlan": Happy(R.COLLECTOR, room_for_a_plan, TERMS),
    "listPlans": Happy(R.AUDITOR, query={"kind": "equal"}),
    "getPlan": Happy(R.COLLECTOR, one_plan),
    "getPlanStanding": Happy(R.COLLECTOR, one_plan),
    "activatePlan": Happy(R.COLLECTOR, one_plan, SIGNED, edits=PLAN_AT),
    "cancelPlan": Happy(R.SUPERVISOR, one_plan, {"reason": "customer_request"}, edits=PLAN_AT),
    "listApprovals": Happy(R.COMPLIANCE, query={"state": "pending"}),
    "getApproval": Happy(R.SUPERVISOR, an_approval),
    "decideApproval": Happy(R.COMPLIANCE, an_approval, DECISION, edits=APPROVAL_AT, subject="zhao.min"),
    "withdrawApproval": Happy(R.COLLECTOR, an_approval, {"reason": "mistake"}, edits=APPROVAL_AT),
    "proposeSettlement": Happy(R.COLLECTOR, room_for_a_settlement, SETTLEMENT),
    "listSettlements": Happy(R.AUDITOR, query={"instrument": "lump_sum"}),
    "getSettlement": Happy(R.COMPLIANCE, an_offer()),
    "acceptSettlement": Happy(R.COLLECTOR, an_offer(), edits=SETTLEMENT_AT),
    "withdrawSettlement": Happy(R.SUPERVISOR, an_offer(), {"reason": "customer_request"}, edits=SETTLEMENT_AT),
    "activateSettlement": Happy(R.COLLECTOR, an_offer("accept"), edits=SETTLEMENT_AT),
    "proposeWaiver": Happy(R.COLLECTOR, body=WAIVER),
    "listWaivers": Happy(R.AUDITOR, query={"component": "penalty"}),
    "getWaiver": Happy(R.COMPLIANCE, a_large_waiver),
    "withdrawWaiver": Happy(R.COLLECTOR, a_large_waiver, {"reason": "mistake"}, edits=WAIVER_AT),
    "getLimitation": Happy(R.COLLECTOR, an_account),
    "addLimitationEntry": Happy(R.COLLECTOR, body=SUIT),
    "listLimitationEntries": Happy(R.AUDITOR, query={"in_force": "true"}),
    "getLimitationEntry": Happy(R.COMPLIANCE, a_suit),
    "withdrawLimitationEntry": Happy(R.COLLECTOR, a_suit, {"reason": "entered twice"}, edits=ENTRY_AT),
    "listWork": Happy(R.COLLECTOR, query={"kind": "call"}),
    "getWork": Happy(R.COLLECTOR, some_work),
    "takeWork": Happy(R.COLLECTOR, some_work, edits=WORK),
    "releaseWork": Happy(R.COLLECTOR, taken_work, edits=WORK),
    "completeWork": Happy(R.COLLECTOR, taken_work, {"outcome": "no_response"}, edits=WORK),
    "checkAlive": Happy(R.AUDITOR),
    "checkReady": Happy(R.AUDITOR),
}
