"""A statement in words that a customer can read, in Chinese and English: the same figures, laid out as a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from shared.domain.account import Balances
from shared.domain.calendar import zone
from shared.domain.money import decimal_text
from shared.domain.policy import COMPONENTS
from shared.domain.statement import Statement
from shared.domain.statement_entries import StatementEntry

LANGUAGES = ("zh-CN", "en")

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "title": ("账户欠款明细", "Statement of what is owed"),
        "customer": ("客户", "Customer"),
        "account": ("账户", "Account"),
        "card": ("卡号末四位", "Card ending in"),
        "on": ("截止日期", "As of"),
        "known_at": ("依据截至以下时间收到的信息", "By what had reached us at"),
        "cutoff_at": ("最近一次账户数据时间", "Last report of the account"),
        "estimated": (
            "最近一次账户数据之后的收付款已估算计入，以银行下次账户数据为准。",
            "Money that moved since the last report is counted in as an estimate, until the next report.",
        ),
        "owed": ("欠款构成（{currency}）", "What is owed ({currency})"),
        "principal": ("本金", "Principal"),
        "interest": ("利息", "Interest"),
        "fees": ("费用", "Fees"),
        "penalty": ("违约金", "Penalty"),
        "total": ("合计", "Total"),
        "disputed": ("其中有争议", "Of it disputed"),
        "payable": ("应付金额（不含争议部分）", "Payable, without what is disputed"),
        "credit": ("多付金额", "Paid in excess"),
        "dues": ("最低还款额", "Minimum payments"),
        "due_date": ("到期日", "Due date"),
        "minimum_due": ("应还", "Asked"),
        "unpaid": ("未还", "Unpaid"),
        "to_bring_current": ("结清逾期所需金额", "To bring the account up to date"),
        "past_due_days": ("逾期天数", "Days past due"),
        "not_asked": (
            "争议处理期间，不要求偿还争议部分。",
            "While the dispute stands, nothing is asked of what is disputed.",
        ),
        "history": ("欠款形成过程", "How it came about"),
        "day": ("日期", "Date"),
        "step": ("事项", "What happened"),
        "change": ("变动", "Change"),
        "owed_after": ("之后欠款", "Owed after"),
        "snapshot": ("银行账户数据", "Report of the bank"),
        "payment": ("还款", "Payment"),
        "reversal": ("还款被撤回", "A payment was taken back"),
        "given_back": ("撤回的还款重新计入欠款", "Owed again, as a payment was taken back"),
        "credit_used": ("多付金额抵扣", "Paid in excess, now used"),
        "dispute": ("开始争议", "A dispute began"),
        "dispute_end": ("争议结束", "A dispute ended"),
        "waiver": ("减免", "Let off by the bank"),
        "waived": (
            "最近一次账户数据之后，银行已减免 {amount}，不再计入欠款。",
            "Since the last report the bank let off {amount}, which is not owed any more.",
        ),
        "charge_off": ("核销", "Charged off"),
        "came_back": ("（其中{amount}已撤回）", " ({amount} of it came back)"),
    }
)


@dataclass(frozen=True, slots=True)
class Table:
    """The first column is text, the others are told from their right. ``strong``: the last row is a sum."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a document shows, in order: facts by label, tables, the one figure that matters, notes."""

    title: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    answer: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    history: Table | None


def sheet_of(statement: Statement, language: str, *, zone_name: str, name: str | None, card_last4: str) -> Sheet:
    """Times are those of the zone; ``name`` as far as whoever asked may see it. Raises ValueError for a language that
    is none of LANGUAGES."""
    say = _Words(language, statement.currency)
    facts = [
        *([] if name is None else [(say("customer"), name)]),
        (say("account"), statement.account_id),
        (say("card"), card_last4),
        (say("on"), statement.on.isoformat()),
        (say("known_at"), _local(statement.known_at, zone_name)),
        (say("cutoff_at"), _local(statement.cutoff_at, zone_name)),
    ]
    answer = [(say("to_bring_current"), say.money(statement.to_bring_current))]
    answer.append((say("past_due_days"), str(statement.days_past_due)))
    notes = [say("estimated")] if statement.estimated else []
    if statement.waived.total:
        notes.append(say("waived", amount=say.money(statement.waived.total)))
    if statement.disputed.total:
        notes.append(say("not_asked"))
    dues = tuple(
        (due.due_date.isoformat(), say.money(due.minimum_due), say.money(due.unpaid)) for due in statement.dues
    )
    tables = [Table(say("owed"), ("", ""), tuple(_owed(statement, say)), strong=True)]
    if dues:
        tables.append(Table(say("dues"), (say("due_date"), say("minimum_due"), say("unpaid")), dues))
    history = None if statement.entries is None else _history(statement.entries, say)
    return Sheet(say("title"), tuple(facts), tuple(tables), tuple(answer), tuple(notes), history)


def _local(instant: datetime, zone_name: str) -> str:
    return instant.astimezone(zone(zone_name)).strftime("%Y-%m-%d %H:%M")


class _Words:
    def __init__(self, language: str, currency: str) -> None:
        self._place, self._currency = LANGUAGES.index(language), currency

    def __call__(self, key: str, **values: str) -> str:
        return _WORDS[key][self._place].format(currency=self._currency, **values)

    def money(self, amount: int) -> str:
        """``1,205,200.00``, without the currency, which the sheet names."""
        return decimal_text(amount, self._currency, ",")


def _owed(statement: Statement, say: _Words) -> Iterator[tuple[str, str]]:
    def parts(balances: Balances) -> Iterator[tuple[str, int]]:
        for component in COMPONENTS:
            yield component, getattr(balances, component)

    for component, amount in parts(statement.owed):
        yield say(component), say.money(amount)
    if statement.credit and not statement.disputed.total:
        yield say("credit"), say.money(statement.credit)
    yield say("total"), say.money(statement.owed.total)
    if statement.disputed.total:
        yield say("disputed"), say.money(-statement.disputed.total)
        yield say("payable"), say.money(statement.payable)


def _history(entries: Sequence[StatementEntry], say: _Words) -> Table:
    """Steps that changed nothing and that nobody outside would know are left out."""
    head = (say("day"), say("step"), say("change"), say("owed_after"))
    rows = []
    for entry in entries:
        if not entry.counts:
            continue
        step = say(entry.kind)
        if entry.came_back:
            step += say("came_back", amount=say.money(entry.came_back))
        owed = "" if entry.owed is None else say.money(entry.owed)
        rows.append((entry.on.isoformat(), step, say.money(entry.change), owed))
    return Table(say("history"), head, tuple(rows))
