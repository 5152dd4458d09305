"""What a broken or hostile client sends, and the problem it is to be told: a literal table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.application.principal import Role

UUID = "7b0f1c1e-0000-4000-8000-000000000000"
SECRET = "13912345678"  # looks like a number of somebody; no answer may repeat it
R = Role
JSON = {"content-type": "application/json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
SINGLE = {"content-type": "application/cloudevents+json"}
KEY = {"idempotency-key": "k1"}
COMPLAINT = {"customer_id": "C1", "category": "service", "channel": "phone", "text": "Too many messages."}
HOLD = {"customer_id": "C1", "kind": "dispute", "reason": "amount"}
CUSTOMER, COMPLAINTS, HOLDS, EVENTS = "/v1/customers/C1", "/v1/complaints", "/v1/holds", "/v1/events"
SEARCH, SMS, IMPORTS = "/v1/customers/search", "/v1/customers/C1/preferences/sms", "/v1/imports"
OPT_OUT = {"opted_out": True, "source": "customer"}


@dataclass(frozen=True, slots=True)
class Bad:
    """``slug`` ends the problem's type; ``where`` is the place it must name, when there is one."""

    story: str
    role: Role
    method: str
    path: str
    status: int
    slug: str
    where: str | None = None
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def complaint(story: str, where: str, **change: Any) -> Bad:
    return Bad(story, R.COLLECTOR, "POST", COMPLAINTS, 422, "validation", where, COMPLAINT | change, headers=KEY)


def hold(story: str, where: str, **change: Any) -> Bad:
    return Bad(story, R.COLLECTOR, "POST", HOLDS, 422, "validation", where, HOLD | change, headers=KEY)


def query(story: str, path: str, where: str, role: Role = R.SUPERVISOR) -> Bad:
    return Bad(story, role, "GET", path, 422, "validation", where)


def no_json(story: str, content: bytes, path: str = COMPLAINTS) -> Bad:
    return Bad(story, R.COLLECTOR, "POST", path, 400, "malformed-json", content=content, headers=JSON | KEY)


def no_event(story: str, content: bytes, status: int, slug: str, kind: Mapping[str, str] = SINGLE) -> Bad:
    return Bad(story, R.CORE_BANKING, "POST", EVENTS, status, slug, content=content, headers=kind)


def put_sms(story: str, status: int, slug: str, **headers: str) -> Bad:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Bad(story, R.COLLECTOR, "PUT", SMS, status, slug, json=OPT_OUT, headers=names)


def once(story: str, status: int, slug: str, **headers: str) -> Bad:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Bad(story, R.COLLECTOR, "POST", HOLDS, status, slug, json=HOLD, headers=names)


BAD: tuple[Bad, ...] = (
    Bad("nothing", R.COLLECTOR, "POST", COMPLAINTS, 422, "validation", "", content=b"", headers=JSON | KEY),
    no_json("cut off", b'{"customer_id": "C1", "te'),
    no_json("a trailing comma", b'{"customer_id": "C1",}'),
    no_json("two documents", b"{} {}"),
    no_json("single quotes", b"{'customer_id': 'C1'}"),
    no_json("not UTF-8", b'{"text": "\xff\xfe"}'),
    no_json("UTF-16", '{"text": "x"}'.encode("utf-16")),
    no_json("a lone surrogate", rb'{"text": "\ud800"}'),
    no_json("a lone surrogate as a key", rb'{"\udfff": 1}'),
    no_json("NUL in a text", rb'{"text": "a\u0000b"}'),
    no_json("NUL as a key", rb'{"\u0000": 1}'),
    no_json("NaN", b'{"text": NaN}'),
    no_json("nested without end", b"[" * 200_000),
    no_json("nested in a search", b'{"phone":' * 100_000, SEARCH),
    complaint("a number for a text", "/text", text=1),
    complaint("a list for a text", "/text", text=[SECRET]),
    complaint("an empty text", "/text", text=""),
    complaint("a text without end", "/text", text=SECRET * 500),
    complaint("an unknown code", "/category", category=SECRET),
    complaint("an id that is too long", "/customer_id", customer_id="C" * 201),
    complaint("a day that is not", "/received_at", received_at="2026-02-30T10:00:00Z"),
    complaint("the year 1", "/received_at", received_at="0001-01-01T00:00:00+23:59"),
    complaint("the year 9999", "/received_at", received_at="9999-12-31T23:59:59-23:59"),
    complaint("an instant without offset", "/received_at", received_at="2026-06-01T10:00:00"),
    complaint("a number for an instant", "/received_at", received_at=1_780_000_000),
    complaint("an instant as 2^63", "/received_at", received_at=2**63),
    complaint("an instant as text of digits", "/received_at", received_at="9" * 400),
    hold("an end that is misspelt, without which the hold would have none", "/until", until="2027-01-31T16:00:00Z"),
    hold("a customer of two lines", "/customer_id", customer_id="C1\nC2"),
    complaint("an account of two lines", "/account_id", account_id="A1\nA2"),
    Bad("two lines in the path", R.SUPERVISOR, "GET", "/v1/customers/C1%0AC2", 422, "validation", "customer_id"),
    Bad("a filter that is misspelt", R.COLLECTOR, "GET", "/v1/cases?buket=M3", 422, "validation", "buket"),
    Bad("a parameter where there is none", R.COLLECTOR, "GET", f"{CUSTOMER}?fields=name", 422, "validation", "fields"),
    hold("a reason in words", "/reason", reason="call 139 1234 5678"),
    hold("an end in the year 1", "/ends_at", ends_at="0001-01-01T00:00:00Z"),
    hold("true for a text", "/customer_id", customer_id=True),
    hold("an object for a text", "/kind", kind={"a": SECRET}),
    Bad("no object", R.COLLECTOR, "POST", HOLDS, 422, "validation", "", content=b"[]", headers=JSON | KEY),
    Bad("null", R.COLLECTOR, "POST", HOLDS, 422, "validation", "", content=b"null", headers=JSON | KEY),
    Bad("an unknown field", R.COLLECTOR, "POST", SEARCH, 422, "validation", "/fone", {"fone": SECRET, "name": "x"}),
    Bad("nothing to search by", R.COLLECTOR, "POST", SEARCH, 422, "validation", "", {}),
    Bad("no phone number", R.COLLECTOR, "POST", SEARCH, 422, "invalid", "/phone", {"phone": "hello there"}),
    Bad("no card number", R.COLLECTOR, "POST", "/v1/accounts/search", 422, "validation", "/card_last4",
        {"card_last4": "١٢٣٤"}),
    Bad("a personal reason", R.COLLECTOR, "POST", CUSTOMER + "/unmask", 422, "validation", "/reason",
        {"fields": ["name"], "reason": f"called {SECRET}"}),
    Bad("a media type", R.COLLECTOR, "POST", HOLDS, 415, "unsupported-media-type", content=b"a=b",
        headers=KEY | {"content-type": "application/x-www-form-urlencoded"}),
    Bad("a media type of events", R.CORE_BANKING, "POST", EVENTS, 415, "unsupported-media-type", content=b"<a/>",
        headers={"content-type": "text/xml"}),
    Bad("a body too large", R.COLLECTOR, "POST", HOLDS, 413, "too-large", content=b" " * (2 << 20), headers=JSON | KEY),
    no_event("no JSON", b"hello", 400, "malformed-json"),
    no_event("half an event", b'{"specversion": "1.0", "id": "e', 400, "malformed-json"),
    no_event("an event too large", b'{"id": "' + b"x" * (2 << 20) + b'"}', 413, "too-large"),
    no_event("no event", b"{}", 422, "event-rejected"),
    no_event("no batch", b'{"id": "e1"}', 400, "malformed-batch", BATCH),
    no_event("half a batch", b'[{"id": "e1"},', 400, "malformed-json", BATCH),
    no_event("too many events", b"[" + b"{}," * 1000 + b"{}]", 422, "too-many-events", BATCH),
    query("a page of nothing", "/v1/cases?limit=0", "limit"),
    query("a page of 2^63", f"/v1/cases?limit={2**63}", "limit"),
    query("a page of text", "/v1/cases?limit=many", "limit"),
    query("an unknown currency", "/v1/payments?currency=cny", "currency"),
    query("a day that is not", "/v1/payments?value_from=2026-02-30", "value_from"),
    query("the year 1", "/v1/payments?posted_from=0001-01-01T00:00:00%2B14:00", "posted_from"),
    query("the year 9999", "/v1/messages?created_to=9999-12-31T23:59:59-14:00", "created_to"),
    query("a number for an instant", "/v1/cases?opened_from=0.5", "opened_from"),
    query("a number for a day", "/v1/payments?value_to=0", "value_to"),
    query("no id", "/v1/messages?case_id=C1", "case_id"),
    query("no id in the path", "/v1/cases/C1", "case_id"),
    query("an id of 2^63 in the path", f"/v1/policies/{2**63}", "version"),
    query("a negative id in the path", "/v1/policies/-1", "version"),
    query("an unknown channel in the path", "/v1/customers/C1/preferences/pigeon", "channel"),
    query("a filter too long", "/v1/cases?bucket=" + "M" * 300, "bucket"),
    query("a cursor without end", "/v1/cases?cursor=" + "A" * 5000, "cursor"),
    Bad("NUL in the path", R.SUPERVISOR, "GET", "/v1/customers/C%001", 400, "malformed-request"),
    Bad("NUL in the query", R.SUPERVISOR, "GET", "/v1/cases?bucket=M%001", 400, "malformed-request"),
    Bad("bad UTF-8 in the path", R.SUPERVISOR, "GET", "/v1/customers/C%FF%FE", 404, "not-found"),
    Bad("a surrogate in the path", R.SUPERVISOR, "GET", "/v1/customers/%ED%A0%80", 404, "not-found"),
    Bad("a path to files", R.SUPERVISOR, "GET", "/v1/customers/..%2F..%2Fetc%2Fpasswd", 404, "not-found"),
    Bad("SQL in the path", R.SUPERVISOR, "GET", "/v1/customers/'%20or%201=1--", 404, "not-found"),
    Bad("a forged cursor", R.SUPERVISOR, "GET", "/v1/cases?cursor=AAAAAAAAAAAAAAAAAAAAAFtbIiIsMV1d", 400, "bad-cursor"),
    Bad("a cursor that is no base64", R.SUPERVISOR, "GET", "/v1/cases?cursor=%F0%9F%98%80", 400, "bad-cursor"),
    Bad("no such route", R.SUPERVISOR, "GET", "/v1/nothing/here", 404, "not-found"),
    Bad("no such method", R.SUPERVISOR, "DELETE", CUSTOMER, 405, "method-not-allowed"),
    Bad("an unknown customer", R.COLLECTOR, "POST", HOLDS, 404, "not-found", json=HOLD | {"customer_id": "C404"},
        headers=KEY),
    put_sms("no If-Match", 428, "precondition-required"),
    put_sms("an empty If-Match", 428, "precondition-required", if_match="  "),
    put_sms("a bare If-Match", 400, "malformed-if-match", if_match="0"),
    put_sms("an If-Match left open", 400, "malformed-if-match", if_match='"0'),
    put_sms("an If-Match of control characters", 400, "malformed-if-match", if_match='"\x01"'),
    put_sms("a weak If-Match", 412, "precondition-failed", if_match='W/"0"'),
    put_sms("another version", 412, "precondition-failed", if_match='"99999999999999999999"'),
    put_sms("many versions", 412, "precondition-failed", if_match=", ".join(f'"{n}"' for n in range(1, 2000))),
    once("no Idempotency-Key", 400, "idempotency-key-missing"),
    once("an empty Idempotency-Key", 400, "idempotency-key-malformed", idempotency_key=""),
    once("an Idempotency-Key without end", 400, "idempotency-key-malformed", idempotency_key="k" * 10_000),
    once("an Idempotency-Key of control characters", 400, "idempotency-key-malformed", idempotency_key="a\x01b"),
    Bad("no number of lines", R.CORE_BANKING, "POST", IMPORTS, 422, "validation", "/lines",
        {"name": "x", "lines": 2**63}, headers=KEY),
    Bad("negative lines", R.CORE_BANKING, "POST", IMPORTS, 422, "validation", "/lines", {"name": "x", "lines": -1},
        headers=KEY),
    Bad("CSV of no type", R.CORE_BANKING, "POST", IMPORTS, 422, "validation", "", {"name": "x", "format": "csv"},
        headers=KEY),
    Bad("content for no import", R.CORE_BANKING, "PUT", f"{IMPORTS}/{UUID}/content", 404, "not-found", content=b"{}\n",
        headers={"content-type": "application/x-ndjson"}),
    Bad("content from nowhere", R.CORE_BANKING, "PUT", f"{IMPORTS}/{UUID}/content?from_byte=-1", 422, "validation",
        "from_byte", content=b"", headers={"content-type": "application/x-ndjson"}),
    Bad("reports without a signature", R.ADMIN, "POST", "/v1/callbacks/http_sms", 403, "forbidden",
        content=b'{"receipts": []}'),
    Bad("reports of nobody", R.ADMIN, "POST", "/v1/callbacks/pigeon", 404, "not-found", content=b"{}"),
    Bad("no template", R.COLLECTOR, "GET", "/v1/templates/%2e%2e", 422, "validation", "key"),
    Bad("a variable that is not", R.COLLECTOR, "POST", "/v1/templates/overdue-first/preview", 422, "invalid",
        "/variables", {"language": "en", "channel": "sms", "variables": {"secret": SECRET}}),
    Bad("a missing role", R.AUDITOR, "POST", HOLDS, 403, "forbidden", json=HOLD, headers=KEY),
    Bad("the admin alone", R.ADMIN, "GET", "/v1/cases", 403, "forbidden"),
)  # fmt: skip
