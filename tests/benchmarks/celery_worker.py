"""What one would write instead: a Celery task that sends one message. Loaded by the worker that ``celery.py`` starts.

It does what a user of Celery would do for a message, and no more: load it by SQL, fill its text, hand it to the same
stub gateway, write what came of it. No lock, no contact rules, no reservation, no encryption, no lease.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from functools import cache
from typing import Any

import psycopg
from celery import Celery
from jinja2 import Environment, Template

from shared.application.gateway import Outcome, Submission
from tests.benchmarks.stub_gateway import StubGateway

QUEUE = "bench"
TEXT = "【{{ bank }}】{{ name }}您好,尾号{{ card_last4 }}的信用卡已逾期,应还{{ past_due }}。详询{{ hotline }}"
app = Celery("bench", broker=os.environ["BENCH_BROKER"])
app.conf.update(task_ignore_result=True, task_default_queue=QUEUE, worker_hijack_root_logger=False)


@cache
def _connection() -> psycopg.Connection[Any]:
    """One for each process of the worker, as its documentation advises."""
    return psycopg.connect(os.environ["BENCH_DSN"], autocommit=True)


@cache
def _template() -> Template:
    return Environment(autoescape=False).from_string(TEXT)


@cache
def _gateway() -> StubGateway:
    return StubGateway("sms")


@app.task
def nothing() -> None:
    return None


@app.task
def send(message_id: str) -> None:
    connection = _connection()
    row = connection.execute(
        "select name, phone, card_last4, past_due from bench_texts where message_id = %s", (message_id,)
    ).fetchone()
    assert row is not None
    name, phone, card_last4, past_due = row
    body = _template().render(
        bank="示范银行", hotline="400-600-8000", name=name, card_last4=card_last4, past_due=f"¥{past_due / 100:,.2f}"
    )
    submission = Submission(message_id, message_id, phone, body, None, None)  # type: ignore[arg-type]
    (outcome,) = _at_once(_gateway().submit([submission], lambda: True))
    connection.execute(
        "update bench_texts set state = %s, provider_id = %s, sent_at = now() where message_id = %s",
        (outcome.kind.value, outcome.provider_id, message_id),
    )


def _at_once(answering: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    """The answer of a gateway that never waits, without an event loop."""
    try:
        answering.send(None)
    except StopIteration as ended:
        outcomes: list[Outcome] = ended.value
        return outcomes
    raise RuntimeError("the stub gateway waited")
