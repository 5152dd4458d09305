from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.mail import read_mail
from shared.adapters.gateways.smtp.message import Sender, write_mail
from tests.services.sandbox.running import mail_to

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
SENDER = Sender("reminders@bank.test", "某银行 信用卡中心", "bounces.bank.test")

visible = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=120)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=400)


def undotted(content: bytes) -> bytes:
    """What a server keeps of what was sent."""
    return re.sub(rb"(?m)^\.", b"", content)


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(undotted(content), EmailMessage, policy=email.policy.default)


def test_the_headers_are_those_of_an_automatic_reminder() -> None:
    item = mail_to(subject="您的账单已逾期，" * 8)
    mail = write_mail(item, SENDER, NOW, None, eight_bit=True)
    message = parsed(mail.content)
    assert message["Message-ID"] == f"<{item.message_group}@bank.test>"
    assert message["X-Arrears-Reference"] == item.reference
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Arrears-Business-Time"] is None
    assert message["Subject"] == item.subject
    assert message["From"].addresses[0].display_name == "某银行 信用卡中心"
    assert message["Date"].datetime == NOW
    assert message.get_content_type() == "text/plain"
    assert mail.envelope_from == f"b+{item.reference}@bounces.bank.test"


def test_business_time_is_the_date_of_the_mail() -> None:
    business_time = datetime(2025, 6, 1, 2, tzinfo=UTC)
    message = parsed(write_mail(mail_to(), SENDER, NOW, business_time, eight_bit=True).content)
    assert message["X-Arrears-Business-Time"] == "2025-06-01T02:00:00+00:00"
    assert message["Date"].datetime == business_time


def test_a_line_too_long_for_smtp_is_encoded() -> None:
    message = parsed(write_mail(mail_to(body="字" * 400), SENDER, NOW, None, eight_bit=True).content)
    assert message["Content-Transfer-Encoding"] == "base64"
    assert message.get_content().strip() == "字" * 400


@given(subject=visible, body=texts)
def test_the_sandbox_reads_what_we_write(subject: str, body: str) -> None:
    for eight_bit in (True, False):
        mail = write_mail(mail_to(body=body, subject=subject), SENDER, NOW, None, eight_bit=eight_bit)
        assert b"\r\n.\r\n" not in mail.content
        assert max(map(len, mail.content.split(b"\r\n"))) <= 998
        [taken], _ = read_mail(undotted(mail.content), "a@b", ["c@d"])
        assert taken.subject == subject
        assert taken.text == body.rstrip("\n")


@given(subject=visible)
def test_another_reader_reads_the_same_subject(subject: str) -> None:
    message = parsed(write_mail(mail_to(subject=subject), SENDER, NOW, None, eight_bit=True).content)
    assert str(message["Subject"]).split() == subject.split()
