"""One event type a file, a column for each field; what is wrong is said by column."""

import csv
import io
import json

import pytest

from shared.application.facts import InboundEvent, Refused
from shared.application.import_csv import BadHeader, CsvReader, columns_of
from shared.domain.inbound import FACT_TYPES
from tests.application.bank import NOW, closing, merged, payment, profile, report, reversal, updated

SOURCE = "/banks/test/core"


def record(*cells) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue().encode()


def flat(data, at=()):
    """The cells of an event's data by column."""
    for key, value in data.items():
        if key == "balances":
            yield from flat(value, (*at, key))
        else:
            yield ".".join((*at, key)), json.dumps(value) if isinstance(value, dict | list) else str(value)


@pytest.mark.parametrize(
    "fact",
    [
        report(),
        (report()[0], report()[1] | {"customer": profile()}),
        payment(),
        reversal(),
        closing(),
        merged("a", "b"),
        updated(),
    ],
    ids=lambda fact: fact[0],
)
def test_a_record_says_the_same_as_the_event(fact):
    kind, data = fact
    cells = dict(flat(data))
    reader = CsvReader(kind, SOURCE, record(*cells))
    read = reader.read(record(*cells.values()), NOW)
    assert isinstance(read, InboundEvent), read
    assert (read.source, read.type, len(read.id)) == (SOURCE, kind, 64)
    assert reader.read(record(*cells.values()), NOW).id == read.id


def test_a_customer_in_a_cell_is_checked_as_in_an_event():
    cells = dict(flat(updated(language="")[1]))
    read = CsvReader("customer.updated.v1", SOURCE, record(*cells)).read(record(*cells.values()), NOW)
    assert isinstance(read, Refused)
    assert [problem.field for problem in read.problems] == ["customer.language"]


def test_another_natural_key_is_another_event():
    cells = dict(flat(payment("P1")[1]))
    reader = CsvReader("payment.posted.v1", SOURCE, record(*cells))
    one = reader.read(record(*cells.values()), NOW)
    other = reader.read(record(*(cells | {"payment_id": "P2"}).values()), NOW)
    later = reader.read(record(*(cells | {"amount": "7"}).values()), NOW)
    assert one.id != other.id
    assert one.id == later.id  # the same payment with other content: a conflict, never a second payment


def test_a_missing_an_unknown_and_a_repeated_column_are_all_named():
    with pytest.raises(BadHeader) as refused:
        CsvReader(
            "payment.posted.v1", SOURCE, b"payment_id,account_id,amuont,amount,amount,currency,value_date,channel"
        )
    assert {(problem.field, problem.reason.split()[0]) for problem in refused.value.problems} == {
        ("amuont", "is"), ("amount", "is"), ("posted_at", "is")
    }  # fmt: skip


def test_a_bom_quotes_and_a_carriage_return_are_no_trouble():
    header = b'\xef\xbb\xbf"from_customer_id","into_customer_id"\r'
    read = CsvReader("customer.merged.v1", SOURCE, header).read(b'"C,1",C2\r', NOW)
    assert read.fact.from_customer_id == "C,1"


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"amount": "12.5"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "9223372036854775808"}, "amount"),
        ({"currency": "ZZZ"}, "currency"),
        ({"value_date": "9999-12-31"}, "value_date"),
        ({"posted_at": "yesterday"}, "posted_at"),
    ],
)
def test_a_wrong_cell_is_named_by_its_column(change, column):
    cells = dict(flat(payment()[1]))
    read = CsvReader("payment.posted.v1", SOURCE, record(*cells)).read(record(*(cells | change).values()), NOW)
    assert isinstance(read, Refused)
    assert read.problems[0].field == column


def test_what_is_wrong_inside_a_json_cell_is_named_too():
    cells = dict(flat(report()[1]))
    reader = CsvReader("delinquency.reported.v1", SOURCE, record(*cells))
    wrong = '[{"due_date": "2026-06-20", "minimum_due": 5, "unpaid": 9}]'
    assert reader.read(record(*(cells | {"dues": wrong}).values()), NOW).problems[0].field == "dues.0.unpaid"
    assert reader.read(record(*(cells | {"dues": "[{"}).values()), NOW).problems[0].field == "dues"


@pytest.mark.parametrize("line", [b"a", b"a,b,c", b'"a,b', b"\xff,b", b"a\0,b", b'"a"x,b', b'a",b'])
def test_a_broken_record_is_refused(line):
    reader = CsvReader("customer.merged.v1", SOURCE, b"from_customer_id,into_customer_id")
    assert isinstance(reader.read(line, NOW), Refused)


def test_every_type_has_its_columns():
    assert set(columns_of("delinquency.reported.v1")) >= {"balances.principal", "dues", "customer"}
    assert all(columns_of(kind) for kind in FACT_TYPES)
