from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.gateways.smtp.gateway import SmtpGateway
from shared.application.gateway import CallbackRefused, ErrorClass, Outcome, OutcomeKind
from tests.adapters.gateways.scripted import CLOSE, SILENCE, SmtpScript, serving
from tests.services.sandbox.running import Running, mail_to


def always() -> bool:
    return True


@asynccontextmanager
async def gateway_at(
    port: int, business_time: datetime | None = None, **settings: object
) -> AsyncIterator[SmtpGateway]:
    patient = {"smtp_connect_timeout": 20, "smtp_answer_timeout": 20}
    gateway = SmtpGateway(GatewaySettings(smtp_port=port, **(patient | settings)), lambda: business_time)
    yield gateway
    await gateway.aclose()


async def test_mails_arrive_as_they_were_written(sandbox: Running) -> None:
    batch = [mail_to(f"li{number}@example.test", f"您好，\n.点\n第{number}封", "还款提醒" * 10) for number in range(20)]
    async with gateway_at(sandbox.smtp_port, datetime(2026, 3, 1, 10, tzinfo=UTC)) as gateway:
        outcomes = await gateway.submit(batch, always)
    log = await sandbox.log()
    assert [(outcome.kind, outcome.provider_id) for outcome in outcomes] == [
        (OutcomeKind.ACCEPTED, entry["provider_id"]) for entry in log
    ]
    for item, entry in zip(batch, log, strict=True):
        assert (entry["to"], entry["text"], entry["subject"]) == (item.to, item.body, item.subject)
        assert (entry["reference"], entry["group"]) == (item.reference, item.message_group)
        assert entry["sender"] == f"b+{item.reference}@bounces.arrears.example"
        assert entry["business_at"] == "2026-03-01T10:00:00+00:00"


async def test_connections_are_kept_and_bounded(sandbox: Running) -> None:
    async with gateway_at(sandbox.smtp_port, smtp_concurrency=3) as gateway:
        for _ in range(4):
            await asyncio.gather(*(gateway.submit([mail_to(), mail_to()], always) for _ in range(8)))
        assert (await sandbox.stats())["connections"]["smtp"] == 3
    assert len(await sandbox.log()) == 64


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced(sandbox: Running) -> None:
    async with gateway_at(sandbox.smtp_port) as gateway:
        await gateway.submit([mail_to()], always)
        sandbox.sandbox.mail.close()
        await asyncio.sleep(0.05)
        [outcome] = await gateway.submit([mail_to()], always)
    assert outcome.kind is OutcomeKind.ACCEPTED


async def test_refused_recipients_do_not_disturb_the_others(sandbox: Running) -> None:
    async with gateway_at(sandbox.smtp_port) as gateway:
        outcomes = await gateway.submit(
            [mail_to("bounce@example.test"), mail_to(), mail_to("full@example.test"), mail_to("spam@example.test")],
            always,
        )
    assert [(outcome.kind, outcome.error, outcome.code) for outcome in outcomes] == [
        (OutcomeKind.REJECTED, ErrorClass.ADDRESS, "550 5.1.1"),
        (OutcomeKind.ACCEPTED, None, "250"),
        (OutcomeKind.NOT_SENT, ErrorClass.THROTTLED, "452 4.2.2"),
        (OutcomeKind.REJECTED, ErrorClass.ROUTE, "554 5.7.1"),
    ]
    assert len(await sandbox.log()) == 1


async def test_a_throttled_server_is_not_sent(sandbox: Running) -> None:
    await sandbox.turn(email={"throttle_per_second": 0.01})
    async with gateway_at(sandbox.smtp_port) as gateway:
        outcomes = await gateway.submit([mail_to(), mail_to()], always)
    assert outcomes[1] == Outcome(OutcomeKind.NOT_SENT, ErrorClass.THROTTLED, code="451 4.7.1")


@pytest.mark.parametrize("mode", ["hang", "close"])
async def test_a_mail_taken_and_never_answered_is_in_doubt_and_the_next_goes_on(sandbox: Running, mode: str) -> None:
    await sandbox.turn(email={"never_answer_next": 1, "never_answer_mode": mode})
    async with gateway_at(sandbox.smtp_port, smtp_answer_timeout=1 if mode == "hang" else 20) as gateway:
        first, second = await gateway.submit([mail_to(), mail_to()], always)
        assert await gateway.query([mail_to().reference]) == {}
    assert (first.kind, second.kind) == (OutcomeKind.IN_DOUBT, OutcomeKind.ACCEPTED)
    assert len(await sandbox.log()) == 2


async def test_a_server_that_is_down_is_not_sent(sandbox: Running) -> None:
    async with gateway_at(sandbox.smtp_port) as gateway:
        await gateway.submit([mail_to()], always)
        await sandbox.turn(email={"down": True})
        # The first goes by the connection that was kept, the others find the door closed.
        outcomes = await gateway.submit([mail_to(), mail_to(), mail_to()], always)
    assert outcomes == [Outcome(OutcomeKind.NOT_SENT, ErrorClass.THROTTLED, code="421 4.3.2")] * 3
    assert len(await sandbox.log()) == 1


async def test_a_server_that_cannot_be_reached_is_asked_once_for_the_batch() -> None:
    async with serving(SmtpScript()) as port:
        pass
    async with gateway_at(port) as gateway:
        outcomes = await gateway.submit([mail_to(), mail_to()], always)
    assert [(outcome.kind, outcome.error) for outcome in outcomes] == [(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT)] * 2


@pytest.mark.parametrize("extensions", [("PIPELINING", "8BITMIME"), ("8BITMIME",)])
@pytest.mark.parametrize(
    ("point", "reply", "kind", "error"),
    [
        ("greeting", b"554 5.7.1 Go away", OutcomeKind.REJECTED, ErrorClass.ROUTE),
        ("greeting", b"421 4.3.2 Later", OutcomeKind.NOT_SENT, ErrorClass.THROTTLED),
        ("greeting", CLOSE, OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("greeting", SILENCE, OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("mail", b"530 5.7.0 Sign in first", OutcomeKind.REJECTED, ErrorClass.ROUTE),
        ("mail", b"421 4.7.0 Later", OutcomeKind.NOT_SENT, ErrorClass.THROTTLED),
        ("mail", b"451 4.3.0 Hiccup", OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("mail", b"550 5.1.8 Bad sender", OutcomeKind.REJECTED, ErrorClass.ROUTE),
        ("mail", CLOSE, OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("mail", SILENCE, OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("mail", b"what", OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("rcpt", b"550-5.1.1 No\r\n550 5.1.1 such user", OutcomeKind.REJECTED, ErrorClass.ADDRESS),
        ("rcpt", b"550 No such user", OutcomeKind.REJECTED, ErrorClass.ADDRESS),
        ("rcpt", b"550 5.7.1 Relaying denied", OutcomeKind.REJECTED, ErrorClass.ROUTE),
        ("rcpt", b"450 4.2.1 Busy", OutcomeKind.NOT_SENT, ErrorClass.THROTTLED),
        ("data", b"554 5.5.1 No valid recipients", OutcomeKind.REJECTED, ErrorClass.ROUTE),
        ("data", CLOSE, OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("dot", b"554 5.7.1 Looks like spam", OutcomeKind.REJECTED, ErrorClass.CONTENT),
        ("dot", b"552 5.3.4 Too big", OutcomeKind.REJECTED, ErrorClass.CONTENT),
        ("dot", b"554 Refused", OutcomeKind.REJECTED, ErrorClass.CONTENT),
        ("dot", b"451 4.3.1 Disk full", OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT),
        ("dot", b"421 4.3.2 Going down", OutcomeKind.NOT_SENT, ErrorClass.THROTTLED),
        ("dot", b"354 What?", OutcomeKind.IN_DOUBT, None),
        ("dot", b"what", OutcomeKind.IN_DOUBT, None),
        ("dot", CLOSE, OutcomeKind.IN_DOUBT, None),
        ("dot", SILENCE, OutcomeKind.IN_DOUBT, None),
    ],
)
async def test_every_point_of_the_dialogue_has_its_meaning(
    extensions: tuple[str, ...], point: str, reply: bytes, kind: OutcomeKind, error: ErrorClass | None
) -> None:
    script = SmtpScript(extensions, **{point: reply})
    patience = 1 if reply == SILENCE else 20
    waiting = {"smtp_connect_timeout": patience, "smtp_answer_timeout": patience}
    async with serving(script) as port, gateway_at(port, **waiting) as gateway:
        [outcome] = await gateway.submit([mail_to()], always)
    assert (outcome.kind, outcome.error) == (kind, error), outcome


async def test_the_guard_is_asked_between_the_servers_go_ahead_and_the_first_byte(sandbox: Running) -> None:
    asked: list[bool] = []

    def closes_after_the_first_look() -> bool:
        asked.append(True)
        return len(asked) == 1

    async with gateway_at(sandbox.smtp_port) as gateway:
        [outcome] = await gateway.submit([mail_to()], closes_after_the_first_look)
        [after] = await gateway.submit([mail_to()], always)
    assert (len(asked), outcome) == (2, Outcome(OutcomeKind.NOT_SENT, code="not_allowed"))
    assert after.kind is OutcomeKind.ACCEPTED
    assert len(await sandbox.log()) == 1


async def test_when_the_guard_is_closed_nothing_is_said_at_all() -> None:
    script = SmtpScript()
    async with serving(script) as port, gateway_at(port) as gateway:
        outcomes = await gateway.submit([mail_to(), mail_to()], lambda: False)
    assert outcomes == [Outcome(OutcomeKind.NOT_SENT, code="not_allowed")] * 2
    assert not [line for line in script.lines if line.startswith("MAIL")]


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
async def test_a_server_without_8bitmime_gets_base64(extensions: tuple[str, ...]) -> None:
    script = SmtpScript(extensions)
    async with serving(script) as port, gateway_at(port) as gateway:
        [outcome] = await gateway.submit([mail_to()], always)
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert outcome.provider_id == "A1"
    assert not [line for line in script.lines if "8BITMIME" in line]


@pytest.mark.parametrize(
    ("to", "subject", "error", "code"),
    [
        ("li@example.test\r\nRCPT TO:<x@y.test>", "x", ErrorClass.CONTENT, "control_character_in_address"),
        ("li@example.test", "x\r\nBcc: x@y.test", ErrorClass.CONTENT, "control_character_in_subject"),
        ("li@example.test", "x\nBcc: x@y.test", ErrorClass.CONTENT, "control_character_in_subject"),
        ("li@example.test", "x\0", ErrorClass.CONTENT, "control_character_in_subject"),
        ("li@example.test", "\ud800", ErrorClass.CONTENT, "not_unicode"),
        ("li example.test", "x", ErrorClass.ADDRESS, "malformed_address"),
        ("<li@example.test>", "x", ErrorClass.ADDRESS, "malformed_address"),
        ("li@a@b.test", "x", ErrorClass.ADDRESS, "malformed_address"),
        ("", "x", ErrorClass.ADDRESS, "malformed_address"),
        ("a" * 250 + "@b.test", "x", ErrorClass.ADDRESS, "malformed_address"),
    ],
)
async def test_what_could_forge_a_header_or_a_command_is_refused(
    sandbox: Running, to: str, subject: str, error: ErrorClass, code: str
) -> None:
    async with gateway_at(sandbox.smtp_port) as gateway:
        outcomes = await gateway.submit([mail_to(to, subject=subject), mail_to()], always)
    assert outcomes[0] == Outcome(OutcomeKind.REJECTED, error, code=code)
    assert outcomes[1].kind is OutcomeKind.ACCEPTED
    assert len(await sandbox.log()) == 1


async def test_an_address_outside_ascii_needs_a_server_that_takes_it(sandbox: Running) -> None:
    async with gateway_at(sandbox.smtp_port) as gateway:
        [outcome] = await gateway.submit([mail_to("李@例子.test")], always)
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert [entry["to"] for entry in await sandbox.log()] == ["李@xn--fsqu00a.test"]
    async with serving(SmtpScript()) as port, gateway_at(port) as gateway:
        [outcome] = await gateway.submit([mail_to("李@例子.test")], always)
    assert (outcome.kind, outcome.error) == (OutcomeKind.REJECTED, ErrorClass.ADDRESS)


async def test_mail_has_no_callbacks(sandbox: Running) -> None:
    async with gateway_at(sandbox.smtp_port) as gateway:
        with pytest.raises(CallbackRefused):
            gateway.callback(b"{}", {})


class Relay:
    """A relay by another hand (aiosmtpd) that wants TLS and a password."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        return "250 2.0.0 Ok: queued as R7"


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """(the server's context, the file that a client trusts it by)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "relay.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(signed.public_bytes(pem) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context, str(file)


@asynccontextmanager
async def relay(folder: Path, security: str) -> AsyncIterator[tuple[int, Relay, str]]:
    context, trusted = certificate(folder)
    handler = Relay()

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        return AuthResult(success=getattr(data, "password", b"") == b"secret", handled=False)

    def connection() -> SMTP:
        starttls = security == "starttls"
        return SMTP(
            handler,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=check,
            auth_required=True,
            auth_require_tls=starttls,
            enable_SMTPUTF8=True,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=context if security == "tls" else None)
    yield server.sockets[0].getsockname()[1], handler, trusted
    server.close()
    await asyncio.sleep(0.05)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_relay_that_wants_tls_and_a_password_is_satisfied(tmp_path: Path, security: str) -> None:
    settings = {"smtp_security": security, "smtp_username": "bank"}
    async with relay(tmp_path, security) as (port, handler, trusted):
        async with gateway_at(port, smtp_ca_file=trusted, smtp_password="secret", **settings) as gateway:
            outcomes = await gateway.submit([mail_to(), mail_to()], always)
        assert [(outcome.kind, outcome.provider_id) for outcome in outcomes] == [(OutcomeKind.ACCEPTED, "R7")] * 2
        assert len(handler.mails) == 2

        async with gateway_at(port, smtp_ca_file=trusted, smtp_password="wrong", **settings) as gateway:
            [refused] = await gateway.submit([mail_to()], always)
        assert (refused.kind, refused.error) == (OutcomeKind.REJECTED, ErrorClass.ROUTE)

        # Signed by nobody we trust: the mail must not leave.
        async with gateway_at(port, smtp_password="secret", **settings) as gateway:
            [distrusted] = await gateway.submit([mail_to()], always)
        assert (distrusted.kind, distrusted.error) == (OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT)
        assert len(handler.mails) == 2


async def test_starttls_is_required_where_it_is_set(sandbox: Running) -> None:
    async with gateway_at(sandbox.smtp_port, smtp_security="starttls") as gateway:
        [outcome] = await gateway.submit([mail_to()], always)
    assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT)
    assert await sandbox.log() == []
