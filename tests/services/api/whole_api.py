"""The whole API as its users meet it: a suite of its own process over a made-up portfolio, and how to call every
operation so that it succeeds."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import httpx
import orjson

from services.api.dev_issuer import DevIssuer
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.faults.suite_process import free_port

SOURCE = "/banks/test/core"
PAYMENT = {
    "payment_id": "P-1",
    "account_id": "A-1",
    "amount": 100,
    "currency": "CNY",
    "value_date": "2026-10-01",
    "posted_at": "2026-10-01T10:00:00+08:00",
    "channel": "transfer",
}


def cloud_event(key: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    body = data or {**PAYMENT, "payment_id": key}
    return {"specversion": "1.0", "id": key, "source": SOURCE, "type": "payment.posted.v1", "data": body}


@dataclass(slots=True)
class World:
    url: str
    dsn: str
    issuer: DevIssuer
    client: httpx.Client
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def token(self, *roles: Role) -> str:
        return self.issuer.make_token(*roles, subject="li.na")

    def everything(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(*Role)}"}

    def get(self, path: str) -> Any:
        answer = self.client.get(path, headers=self.everything())
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tag(self, path: str) -> dict[str, str]:
        """``If-Match`` for an edit of what stands at ``path``."""
        answer = self.client.get(path, headers=self.everything())
        assert answer.status_code == 200, answer.text
        return {"if-match": answer.headers["etag"]}

    def first(self, path: str) -> Any:
        return self.get(path)["items"][0]

    def new(self) -> str:
        return f"n{next(self.numbers)}-{uuid4().hex[:6]}"

    def make(self, path: str, body: dict[str, Any]) -> str:
        answer = self.client.post(path, json=body, headers={**self.everything(), "idempotency-key": self.new()})
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]

    def execute(self, statement: str, *args: Any) -> Any:
        async def run() -> Any:
            conn = await asyncpg.connect(self.dsn, server_settings={"search_path": "arrears"})
            try:
                return await conn.fetchval(statement, *args)
            finally:
                await conn.close()

        return asyncio.run(run())


@contextmanager
def whole_api(home: Path) -> Iterator[World]:
    port = free_port()
    environment = {
        **os.environ,
        "ARREARS_ENVIRONMENT": "development",
        "ARREARS_HOME": str(home),
        "ARREARS_API_PORT": str(port),
        "ARREARS_METRICS_PORT": "0",
        "ARREARS_SANDBOX_HTTP_PORT": "0",
        "ARREARS_SANDBOX_SMTP_PORT": "0",
        "ARREARS_SAMPLE_CUSTOMERS": "40",
        "ARREARS_LOG_LEVEL": "ERROR",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.local"], env=environment, stdout=subprocess.PIPE)
    postgres = EmbeddedPostgres(home)
    try:
        assert process.stdout is not None
        while b"Ctrl-C" not in (line := process.stdout.readline()):
            assert line or process.poll() is None, "the suite did not start; its reason stands above"
        dsn = postgres.start()
        issuer = DevIssuer(home, audience="arrears")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            world = World(f"http://127.0.0.1:{port}", dsn, issuer, client)
            _settle(world)
            yield world
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
        postgres.stop()


def _settle(world: World) -> None:
    """Until the planner has been over the portfolio, and with one of everything that only trouble makes."""
    for _ in range(300):
        done = world.execute(
            "select not exists (select from outbox where sent_at is null) and exists"
            " (select from attempts where state in ('accepted', 'delivered'))"
        )
        if done:
            break
        time.sleep(0.1)
    for _ in range(3):
        world.execute(
            "insert into parked (consumer, customer_id, source, event_id, type, envelope_enc, tries, not_before, error,"
            " state, parked_at) values ('notifier', 'nobody', 'arrears', $1, 'arrears.reminder.due.v1', '', 8, now(),"
            " 'ValueError', 'dead', now())",
            world.new(),
        )


def _doubt(world: World) -> str:
    """A message that nobody knows the end of."""
    return str(
        world.execute(
            "with one as (select attempt_id, message_id from attempts"
            " where state in ('accepted', 'delivered', 'undelivered') limit 1),"
            " attempt as (update attempts a set state = 'in_doubt', gateway = 'smtp' from one"
            " where a.attempt_id = one.attempt_id)"
            " update messages m set state = 'in_doubt' from one where m.message_id = one.message_id"
            " returning m.message_id"
        )
    )


Call = Callable[[World], httpx.Request]


def _request(
    world: World, method: str, path: str, body: Any = None, *, key: bool = False, tag: str | None = None, **more: Any
) -> httpx.Request:
    headers = more.pop("headers", {})
    if key:
        headers["idempotency-key"] = world.new()
    if tag is not None:
        headers |= world.tag(tag)
    if body is not None:
        more["json"] = body
    return world.client.build_request(method, path, headers=headers, **more)


def get(path: str) -> Call:
    return lambda world: _request(world, "GET", path)


def one(listing: str, path: str, name: str) -> Call:
    """GET ``path`` of the first of a list."""
    return lambda world: _request(world, "GET", path.format(quote(str(world.first(listing)[name]), safe="")))


def _open_case(world: World) -> str:
    return str(world.first("/v1/cases?state=open")["case_id"])


def _customer(world: World) -> str:
    return str(world.first("/v1/cases?state=open")["customer_id"])


def _complaint(world: World, *steps: str) -> str:
    body = {"customer_id": _customer(world), "category": "service", "channel": "phone", "text": "Nobody calls back."}
    path = world.make("/v1/complaints", body)
    for step in steps:
        answer = world.client.post(
            f"{path}/{step}",
            headers={**world.everything(), **world.tag(path)},
            json=None if step == "acknowledge" else {"response": "We did."},
        )
        assert answer.status_code == 200, answer.text
    return path


def _complain(step: str, body: Any, *before: str) -> Call:
    def call(world: World) -> httpx.Request:
        path = _complaint(world, *before)
        return _request(world, "POST", f"{path}/{step}", body, tag=path)

    return call


def _in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def _follow_up(verb: str, body: dict[str, str]) -> Call:
    def call(world: World) -> httpx.Request:
        path = f"/v1/follow-ups/{world.first('/v1/follow-ups?state=planned')['follow_up_id']}"
        return _request(world, "POST", f"{path}/{verb}", body, tag=path)

    return call


def _work(verb: str, state: str, body: Any = None) -> Call:
    def call(world: World) -> httpx.Request:
        item = world.first("/v1/worklists?state=open")
        path = f"/v1/worklists/{item['item_id']}"
        if state == "taken":
            taken = world.client.post(f"{path}/take", headers={**world.everything(), **world.tag(path)})
            assert taken.status_code == 200, taken.text
            return _request(world, "POST", f"{path}/{verb}", _ENDS[item["kind"]] if body else None, tag=path)
        return _request(world, "POST", f"{path}/{verb}", body, tag=path)

    return call


_ENDS = {
    "call": {"outcome": "no_response"},
    "visit": {"outcome": "no_response"},
    "letter": {"outcome": "sent"},
    "legal": {"outcome": "pursued"},
}


def _hold(world: World) -> str:
    body = {"customer_id": _customer(world), "kind": "manual", "reason": "asked_for_time"}
    return world.make("/v1/holds", body)


def _import(world: World) -> str:
    return world.make("/v1/imports", {"name": world.new(), "format": "ndjson"})


def _dead_letter(verb: str) -> Call:
    def call(world: World) -> httpx.Request:
        entry = world.first("/v1/ops/dead-letters?state=dead")["entry"]
        return _request(world, "POST", f"/v1/ops/dead-letters/{entry}/{verb}", {"reason": "looked at it"})

    return call


def _note(world: World) -> httpx.Request:
    path = world.make(f"/v1/cases/{_open_case(world)}/notes", {"text": "Asks to be called after six."})
    return _request(world, "GET", path)


def _event_answer(world: World) -> httpx.Request:
    key = world.new()
    sent = world.client.post("/v1/events", json=cloud_event(key), headers=world.everything())
    assert sent.status_code == 200, sent.text
    return _request(world, "GET", f"/v1/events/{quote(SOURCE, safe='')}/{key}")


def _content(world: World) -> httpx.Request:
    line = orjson.dumps(cloud_event(world.new())) + b"\n"
    headers = {"content-type": "application/x-ndjson"}
    return _request(world, "PUT", f"{_import(world)}/content", content=line, headers=headers)


def _preference(world: World) -> httpx.Request:
    path = f"/v1/customers/{_customer(world)}/preferences/letter"
    return _request(world, "PUT", path, {"opted_out": True, "source": "customer"}, tag=path)


def _account(world: World) -> str:
    return str(world.first("/v1/accounts")["account_id"])


HAPPY: dict[str, Call] = {
    "getAccount": lambda w: _request(w, "GET", f"/v1/accounts/{_account(w)}"),
    "listAccounts": get("/v1/accounts?limit=2"),
    "searchAccounts": lambda w: _request(w, "POST", "/v1/accounts/search", {"card_last4": "1234"}),
    "getStatement": lambda w: _request(w, "GET", f"/v1/accounts/{_account(w)}/statement?currency=CNY"),
    "listAccountHistory": lambda w: _request(w, "GET", f"/v1/accounts/{_account(w)}/history"),
    "getCase": one("/v1/cases", "/v1/cases/{}", "case_id"),
    "listCases": get("/v1/cases?state=open"),
    "listTimeline": one("/v1/cases", "/v1/cases/{}/timeline", "case_id"),
    "listNotes": one("/v1/cases", "/v1/cases/{}/notes", "case_id"),
    "createNote": lambda w: _request(w, "POST", f"/v1/cases/{_open_case(w)}/notes", {"text": "Call at six."}, key=True),
    "getNote": _note,
    "assignCase": lambda w: _request(
        w,
        "PUT",
        f"/v1/cases/{(case := _open_case(w))}/assignment",
        {"owner": "li.na", "team": None},
        tag=f"/v1/cases/{case}",
    ),
    "explainNextAction": lambda w: _request(w, "GET", f"/v1/cases/{_open_case(w)}/next-action/explain"),
    "getCustomer": lambda w: _request(w, "GET", f"/v1/customers/{_customer(w)}"),
    "listCustomers": get("/v1/customers"),
    "searchCustomers": lambda w: _request(w, "POST", "/v1/customers/search", {"phone": "+8613812340001"}),
    "unmaskCustomer": lambda w: _request(
        w, "POST", f"/v1/customers/{_customer(w)}/unmask", {"fields": ["name"], "reason": "customer is on the phone"}
    ),
    "listPayments": get("/v1/payments"),
    "getPayment": lambda w: _request(
        w, "GET", f"/v1/payments/{(p := w.first('/v1/payments'))['payment_id']}", params={"source": p["source"]}
    ),
    "listFollowUps": get("/v1/follow-ups"),
    "getFollowUp": one("/v1/follow-ups", "/v1/follow-ups/{}", "follow_up_id"),
    "deferFollowUp": _follow_up("defer", {"until": _in_days(10), "reason": "salary_day"}),
    "cancelFollowUp": _follow_up("cancel", {"reason": "agreed_otherwise"}),
    "listMessages": get("/v1/messages"),
    "getMessage": one("/v1/messages", "/v1/messages/{}", "message_id"),
    "unmaskMessage": lambda w: _request(
        w,
        "POST",
        f"/v1/messages/{w.first('/v1/messages?state=done')['message_id']}/unmask",
        {"reason": "customer disputes what was said"},
    ),
    "resolveMessage": lambda w: _request(
        w,
        "POST",
        f"/v1/messages/{_doubt(w)}/resolve",
        {"outcome": "sent", "reason": "seen in the provider's log"},
    ),
    "listTemplates": get("/v1/templates"),
    "getTemplate": get("/v1/templates/overdue-first"),
    "previewTemplate": lambda w: _request(
        w, "POST", "/v1/templates/overdue-first/preview", {"language": "zh-CN", "channel": "sms"}
    ),
    "listPolicies": get("/v1/policies"),
    "getActivePolicy": get("/v1/policies/active"),
    "getPolicy": get("/v1/policies/1"),
    "listQueues": get("/v1/ops/queues"),
    "listWorkers": get("/v1/ops/workers"),
    "listGateways": get("/v1/ops/gateways"),
    "listDeadLetters": get("/v1/ops/dead-letters"),
    "replayDeadLetter": _dead_letter("replay"),
    "discardDeadLetter": _dead_letter("discard"),
    "listAudit": get("/v1/audit"),
    "getAuditHead": get("/v1/audit/head"),
    "receiveEvents": lambda w: _request(w, "POST", "/v1/events", cloud_event(w.new())),
    "getEventAnswer": _event_answer,
    "createImport": lambda w: _request(w, "POST", "/v1/imports", {"name": w.new()}, key=True),
    "listImports": get("/v1/imports"),
    "getImport": lambda w: _request(w, "GET", _import(w)),
    "putImportContent": _content,
    "listImportRejections": lambda w: _request(w, "GET", f"{_import(w)}/rejections"),
    "receiveComplaint": lambda w: _request(
        w,
        "POST",
        "/v1/complaints",
        {"customer_id": _customer(w), "category": "amount", "channel": "app", "text": "Too much."},
        key=True,
    ),
    "listComplaints": get("/v1/complaints"),
    "getComplaint": lambda w: _request(w, "GET", _complaint(w)),
    "acknowledgeComplaint": _complain("acknowledge", None),
    "respondToComplaint": _complain("respond", {"response": "We looked into it."}, "acknowledge"),
    "resolveComplaint": _complain("resolve", {"outcome": "upheld"}, "acknowledge", "respond"),
    "escalateComplaint": _complain("escalate", {"reason": "regulator_asks"}, "acknowledge"),
    "extendComplaint": _complain(
        "extend",
        {"complexity": "complex", "requested_by": "wang.wei", "reason": "a third bank is asked"},
        "acknowledge",
    ),
    "placeHold": lambda w: _request(
        w, "POST", "/v1/holds", {"customer_id": _customer(w), "kind": "hardship", "reason": "lost_work"}, key=True
    ),
    "listHolds": get("/v1/holds"),
    "getHold": lambda w: _request(w, "GET", _hold(w)),
    "releaseHold": lambda w: _request(w, "POST", f"{(path := _hold(w))}/release", {"reason": "over"}, tag=path),
    "getPreferences": lambda w: _request(w, "GET", f"/v1/customers/{_customer(w)}/preferences"),
    "getPreference": lambda w: _request(w, "GET", f"/v1/customers/{_customer(w)}/preferences/sms"),
    "putPreference": _preference,
    "listWork": get("/v1/worklists"),
    "getWork": one("/v1/worklists", "/v1/worklists/{}", "item_id"),
    "takeWork": _work("take", "open"),
    "releaseWork": _work("release", "taken"),
    "completeWork": _work("complete", "taken", {"outcome": "as its kind ends"}),
    "checkAlive": get("/healthz"),
    "checkReady": get("/readyz"),
}
