"""What a person sees: ``/inbox``, the messages of each recipient as on their telephone or in their mailbox.

Numbers and addresses never stand in a URL: a recipient's page goes by a keyed hash, a search by a token.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

import jinja2
import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from services.sandbox.knobs import Panel
from services.sandbox.ledger import Ledger

RECIPIENTS_SHOWN = 60
MESSAGES_SHOWN = 100
SEARCHES_KEPT = 200
MAX_FORM = 4096

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{}'; form-action 'self'; base-uri 'none'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class InboxPages:
    """Renders the inbox on the server; refreshed by the page itself."""

    def __init__(self, ledger: Ledger, panel: Panel) -> None:
        self._ledger = ledger
        self._panel = panel
        self._key = secrets.token_bytes(16)
        self._searches: OrderedDict[str, str] = OrderedDict()
        self._shown: OrderedDict[str, str] = OrderedDict()
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[Route]:
        return [
            Route("/", self.start),
            Route("/inbox", self.inbox),
            Route("/inbox/search", self.search, methods=["POST"]),
            Route("/inbox/{name}", self.recipient),
        ]

    async def start(self, request: Request) -> Response:
        return RedirectResponse("/inbox")

    async def inbox(self, request: Request) -> Response:
        wanted = self._searches.get(request.query_params.get("search", ""), "")
        recipients = [
            {
                "to": to,
                "name": self._name(to),
                "count": self._ledger.count_for(to),
                "last": self._ledger.by_recipient(to, 1)[0],
            }
            for to in self._ledger.latest_recipients(wanted, RECIPIENTS_SHOWN)
        ]
        return self._page(request, "inbox.html", {"recipients": recipients, "wanted": wanted})

    async def search(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM:
                return PlainTextResponse("Too long.", 413)
        form = parse_qs(body.decode("utf-8", "replace"))
        wanted = form.get("wanted", [""])[0].strip()[:100]
        if not wanted:
            return RedirectResponse("/inbox", 303)
        token = secrets.token_urlsafe(9)
        _remember(self._searches, token, wanted)
        return RedirectResponse(f"/inbox?search={token}", 303)

    async def recipient(self, request: Request) -> Response:
        to = self._shown.get(request.path_params["name"])
        if to is None:
            return RedirectResponse("/inbox", 303)
        entries = self._ledger.by_recipient(to, MESSAGES_SHOWN)
        shown = {"to": to, "entries": entries, "count": self._ledger.count_for(to), "wanted": ""}
        return self._page(request, "recipient.html", shown)

    def _name(self, to: str) -> str:
        name = hashlib.blake2b(to.encode("utf-8", "replace"), key=self._key, digest_size=9).hexdigest()
        _remember(self._shown, name, to, 5_000)
        return name

    def _page(self, request: Request, template: str, values: Mapping[str, object]) -> Response:
        nonce = secrets.token_urlsafe(12)
        html = self._templates.get_template(template).render(
            totals=self._ledger.totals,
            recipients_total=self._ledger.recipients,
            knobs=msgspec.to_builtins(self._panel.knobs),
            origin=str(request.base_url),
            nonce=nonce,
            **values,
        )
        return HTMLResponse(html, headers={**_HEADERS, "Content-Security-Policy": _POLICY.format(nonce)})


def _remember(memory: OrderedDict[str, str], name: str, value: str, limit: int = SEARCHES_KEPT) -> None:
    memory[name] = value
    memory.move_to_end(name)
    if len(memory) > limit:
        memory.popitem(last=False)
