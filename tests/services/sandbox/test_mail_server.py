from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from tests.services.sandbox.running import Running


async def by_library(sandbox: Running, use: Callable[[smtplib.SMTP], object]) -> object:
    """A dialogue by the standard library's client, which knows nothing of ours."""

    def talk() -> object:
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=20) as client:
            return use(client)

    return await asyncio.to_thread(talk)


async def raw(sandbox: Running, *parts: bytes) -> list[str]:
    """What the server says to bytes sent as they are; each part waits for some answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
    said = [await reader.readline()]
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)
    writer.write(b"QUIT\r\n")
    said += (await asyncio.wait_for(reader.read(), 20)).splitlines(keepends=True)
    writer.close()
    return [line.decode().rstrip() for line in said]


HELLO = b"EHLO client.test\r\n"
ENVELOPE = b"MAIL FROM:<a@b.test> BODY=8BITMIME\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"


def a_mail(text: str, subject: str = "还款提醒") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@b.test", "c@d.test", subject
    mail["Message-ID"] = "<group-1@b.test>"
    mail["X-Arrears-Reference"] = "reference-1"
    mail["X-Arrears-Business-Time"] = "2026-03-01T10:00:00+00:00"
    mail.set_content(text)
    return mail


async def test_a_mail_of_any_client_is_read(sandbox: Running) -> None:
    await by_library(sandbox, lambda client: client.send_message(a_mail("您好，\n.一点\n..两点\n最后一行")))
    [entry] = await sandbox.log()
    assert entry["text"] == "您好，\n.一点\n..两点\n最后一行"
    assert (entry["subject"], entry["to"], entry["sender"]) == ("还款提醒", "c@d.test", "a@b.test")
    assert (entry["reference"], entry["group"]) == ("reference-1", "group-1")
    assert entry["business_at"] == "2026-03-01T10:00:00+00:00"


async def test_of_several_parts_the_plain_one_is_read(sandbox: Running) -> None:
    mail = a_mail("plain 文字")
    mail.add_alternative("<p>html</p>", subtype="html")
    mail.add_attachment(b"\0\1", maintype="application", subtype="pdf", filename="a.pdf")
    await by_library(sandbox, lambda client: client.send_message(mail))
    assert [entry["text"] for entry in await sandbox.log()] == ["plain 文字"]


async def test_each_recipient_has_an_entry(sandbox: Running) -> None:
    await by_library(
        sandbox, lambda client: client.sendmail("a@b.test", ["c@d.test", "e@f.test"], b"Subject: x\r\n\r\nhello\r\n")
    )
    assert [(entry["to"], entry["text"]) for entry in await sandbox.log()] == [
        ("c@d.test", "hello"),
        ("e@f.test", "hello"),
    ]


async def test_an_address_outside_ascii_is_taken(sandbox: Running) -> None:
    await raw(
        sandbox,
        HELLO,
        "MAIL FROM:<a@b.test> SMTPUTF8\r\nRCPT TO:<李@例子.test>\r\nDATA\r\n\r\nx\r\n.\r\n".encode(),
    )
    assert [entry["to"] for entry in await sandbox.log()] == ["李@例子.test"]


async def test_pipelined_mails_are_answered_in_order(sandbox: Running) -> None:
    # Two mails, the second's commands written before the first was answered, cut at an awkward place.
    stream = ENVELOPE + b"Subject: 1\r\n\r\none\r\n.\r\n" + ENVELOPE + b"Subject: 2\r\n\r\n..two\r\n.\r\n"
    said = await raw(sandbox, HELLO, stream[:-4], stream[-4:])
    codes = [line[:3] for line in said if line[3:4] == " "]
    assert codes == ["220", "250", *["250", "250", "354", "250"] * 2, "221"]
    assert [entry["text"] for entry in await sandbox.log()] == ["one", ".two"]


async def test_only_crlf_ends_a_mail(sandbox: Running) -> None:
    smuggled = b"Subject: x\r\n\r\nfirst\n.\nMAIL FROM:<evil@b.test>\n.\r\nstill\r\n.\r\n"
    await raw(sandbox, HELLO, ENVELOPE, smuggled)
    [entry] = await sandbox.log()
    assert "still" in entry["text"]


async def test_an_empty_mail_is_a_mail(sandbox: Running) -> None:
    await raw(sandbox, HELLO, ENVELOPE, b".\r\n")
    assert [entry["text"] for entry in await sandbox.log()] == [""]


async def test_a_connection_lost_in_the_middle_takes_nothing(sandbox: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
    writer.write(HELLO + ENVELOPE + b"Subject: x\r\n\r\nhalf a mail\r\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    assert await sandbox.log() == []


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (b"MAIL FROM:<a@b.test>\r\n", "503"),
        (HELLO + b"RCPT TO:<a@b.test>\r\n", "503"),
        (HELLO + b"DATA\r\n", "503"),
        (HELLO + b"MAIL FROM:a@b.test\r\n", "501"),
        (HELLO + b"MAIL FROM:<a@b.test> SIZE=99999999\r\n", "552"),
        (HELLO + b"MAIL FROM:<a@b.test>\r\nRCPT TO:<nobody>\r\n", "501"),
        (HELLO + b"MAIL FROM:<a@b.test>\r\nMAIL FROM:<a@b.test>\r\n", "503"),
        (HELLO + b"EXPN list\r\n", "500"),
        (HELLO + b"NOOP\nQUIT\r\n", "500"),
        (HELLO + b"NOOP\r\n", "250"),
        (HELLO + b"VRFY a\r\n", "252"),
        (HELLO + b"MAIL FROM:<>\r\n", "250"),
        (HELLO + b"MAIL FROM:<a@b.test>\r\nRSET\r\nMAIL FROM:<a@b.test>\r\n", "250"),
        (b"HELO client.test\r\n", "250"),
        (b"x" * 3000, "500"),
    ],
)
async def test_commands_out_of_place_are_refused(sandbox: Running, commands: bytes, code: str) -> None:
    said = await raw(sandbox, commands)
    assert [line for line in said if not line.startswith("221")][-1][:3] == code
    assert await sandbox.log() == []


async def test_a_mail_that_is_too_big_is_refused_and_the_next_one_taken(sandbox: Running) -> None:
    def talk(client: smtplib.SMTP) -> int:
        client.ehlo()
        for command in ("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"):
            client.docmd(command)
        code, _ = client.data(b"x" * (11 * 1024 * 1024))
        client.sendmail("a@b.test", "c@d.test", b"\r\nsmall\r\n")
        return code

    assert await by_library(sandbox, talk) == 552
    assert [entry["text"] for entry in await sandbox.log()] == ["small"]


async def test_recipients_are_refused_by_their_local_part(sandbox: Running) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        await by_library(sandbox, lambda client: client.sendmail("a@b.test", "Bounce@d.test", b"\r\nx\r\n"))
    assert refused.value.recipients == {"Bounce@d.test": (550, b"5.1.1 No such user here")}


async def test_too_much_mail_is_put_off(sandbox: Running) -> None:
    await sandbox.turn(email={"throttle_per_second": 0.01})
    said = await raw(sandbox, HELLO, ENVELOPE + b"\r\nx\r\n.\r\n", ENVELOPE)
    assert "451 4.7.1 Too much mail, come again later" in said
    assert len(await sandbox.log()) == 1


async def test_a_server_that_is_down_says_so_and_hangs_up(sandbox: Running) -> None:
    await sandbox.turn(email={"down": True})
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
    assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"421")
    writer.close()


@pytest.mark.parametrize("mode", ["hang", "close"])
async def test_a_mail_is_taken_and_never_answered(sandbox: Running, mode: str) -> None:
    await sandbox.turn(email={"never_answer_next": 1, "never_answer_mode": mode})
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
    writer.write(HELLO + ENVELOPE + b"\r\nx\r\n.\r\n")
    async with asyncio.timeout(20):
        while not (await reader.readline()).startswith(b"354"):
            pass
        while not await sandbox.log():
            await asyncio.sleep(0.01)
    said = b""
    try:
        async with asyncio.timeout(0.2):
            said = await reader.read(4096)
    except (TimeoutError, ConnectionError):
        pass
    writer.transport.abort()
    assert said == b""
    assert len(await sandbox.log()) == 1


async def test_a_slow_server_answers_late(sandbox: Running) -> None:
    await sandbox.turn(email={"delay_ms": 150})
    began = asyncio.get_running_loop().time()
    await by_library(sandbox, lambda client: client.send_message(a_mail("x")))
    assert asyncio.get_running_loop().time() - began >= 0.15
