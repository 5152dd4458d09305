"""What was found affordable, in words that a customer can read: made of codes and figures, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType

from shared.domain.affordability import Affordability, Options, Proof, Route
from shared.domain.household import Budget
from shared.domain.money import decimal_text
from shared.domain.plan_quote import Quote

LANGUAGES = ("zh-CN", "en")

_SENTENCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "available": (
            "每月收入按{income}计，固定支出{fixed}，生活支出{flexible}，另留{reserve}备用，每月可用于还款的金额为{available}。",
            "Of a monthly income of {income}, {fixed} goes to fixed costs and {flexible} to living; {reserve} stays in "
            "hand. That leaves {available} a month for repayment.",
        ),
        "nothing_left": (
            "每月收入按{income}计，固定支出{fixed}，生活支出{flexible}，另留{reserve}备用，没有余额可用于还款。",
            "Of a monthly income of {income}, {fixed} goes to fixed costs and {flexible} to living; {reserve} stays in "
            "hand. Nothing is left for repayment.",
        ),
        "above_guide": (
            "{kind}您填写{stated}，高于参考标准，按{counted}计算；如有特殊情况，请告诉我们原因。",
            "You stated {stated} for {kind}, which is above our guide; we counted {counted}. If there is a reason for "
            "it, please tell us.",
        ),
        "below_floor": (
            "{kind}您填写{stated}，低于基本生活所需，按{counted}计算，以保证您的日常生活。",
            "You stated {stated} for {kind}, which is less than people need; we counted {counted}, so that you can "
            "live on the rest.",
        ),
        "counted_in_part": (
            "{kind}每月{stated}可能不稳定，按{counted}计算。",
            "Your {kind} of {stated} a month may vary; we counted {counted}.",
        ),
        "option": (
            "{titles}的方案：分{count}期，每期最多{largest}，共还{total}{cost}，首期{first}。",
            "{titles}: {count} instalments of at most {largest}, {total} in all{cost}; the first is due on {first}.",
        ),
        "lowest_instalment": ("每月还款最少", "the lowest instalment"),
        "shortest_term": ("还清最快", "the shortest term"),
        "least_cost": ("总费用最低", "the least cost"),
        "cost": (
            "（其中利息和费用{amount}，年化利率{rate}%）",
            " (of which {amount} is interest and fees, {rate}% a year)",
        ),
        "free": ("（不收利息和费用）", " (no interest, no fees)"),
        "pay_day": (
            "还款日为您发薪日（每月{day}日）的次日。",
            "Instalments fall due on the day after you are paid on day {day}.",
        ),
        "relief": (
            "普通分期方案每期至少{lowest}，比您可用的金额多{short_by}，因此我们提供减免利息的方案。",
            "An ordinary plan asks for at least {lowest} a month, {short_by} more than you have. So we offer plans "
            "with less or no interest.",
        ),
        "relief_no_plan": (
            "该笔欠款没有合适的普通分期方案，因此我们提供减免利息的方案。",
            "No ordinary plan fits this debt. So we offer plans with less or no interest.",
        ),
        "review": (
            "即使分{longest}期，每期也至少{lowest}，比您可用的金额多{short_by}。目前没有您能够负担的方案，我们不会要求您签署还款计划，"
            "将由专员与您商量其他办法。",
            "Even over {longest} instalments each would be {lowest}, {short_by} more than you have. There is no plan "
            "that you could afford, so we ask you to sign none; a specialist will talk to you about other ways.",
        ),
        "review_no_plan": (
            "该笔欠款没有合适的分期方案，将由专员与您商量其他办法。",
            "No plan fits this debt; a specialist will talk to you about other ways.",
        ),
    }
)

_INCOMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "wages": ("工资", "wages"),
        "pension": ("养老金", "pension"),
        "benefits": ("补贴", "benefits"),
        "family": ("家人资助", "family support"),
        "rent": ("租金收入", "rent"),
        "business": ("经营收入", "business income"),
        "other": ("其他收入", "other income"),
    }
)
_COSTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "food": ("饮食支出", "food"),
        "clothing": ("衣着支出", "clothing"),
        "household": ("生活用品支出", "household goods"),
        "transport": ("交通通信支出", "transport and telephone"),
        "education": ("教育文化支出", "education and culture"),
        "health": ("医疗保健支出", "health"),
        "other": ("其他支出", "other things"),
    }
)

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def explain(found: Affordability, language: str) -> tuple[str, ...]:
    """Sentences in ``language``, in the order in which they are to be read. Raises ValueError for a language that we do
    not write; a kind without a name in it is called by its code."""
    if language not in LANGUAGES:
        raise ValueError(f"{language!r} is not one of {', '.join(LANGUAGES)}")
    return tuple(_Writer(LANGUAGES.index(language), found.budget.currency).sentences(found))


class _Writer:
    def __init__(self, column: int, currency: str) -> None:
        self._column, self._currency = column, currency

    def sentences(self, found: Affordability) -> Iterator[str]:
        yield from self._budget(found.budget)
        if found.options is None:
            yield self._refused("review", found.proofs[-1])
            return
        if found.route is Route.HARDSHIP:
            yield self._refused("relief", found.proofs[0])
        yield from self._options(found.options)
        yield self._say("pay_day", day=found.budget.pay_day)

    def _budget(self, budget: Budget) -> Iterator[str]:
        code = "available" if budget.available > 0 else "nothing_left"
        names = ("income", "fixed", "flexible", "reserve", "available")
        yield self._say(code, **{name: self._money(getattr(budget, name)) for name in names})
        for each in budget.findings:
            names_of = _INCOMES if each.code == "counted_in_part" else _COSTS
            kind = names_of[each.kind][self._column] if each.kind in names_of else each.kind
            yield self._say(each.code, kind=kind, stated=self._money(each.stated), counted=self._money(each.counted))

    def _options(self, options: Options) -> Iterator[str]:
        """One that is best in two ways is told once, under both names."""
        titles: list[tuple[Quote, list[str]]] = []
        for code in ("lowest_instalment", "shortest_term", "least_cost"):
            quote = getattr(options, code)
            known = next((names for other, names in titles if other == quote), None)
            if known is None:
                titles.append((quote, [self._say(code)]))
            else:
                known.append(self._say(code))
        for quote, names in titles:
            title = ("、", " and ")[self._column].join(names)
            yield self._option(title[:1].upper() + title[1:], quote)

    def _option(self, titles: str, quote: Quote) -> str:
        (schedule,), (cost,) = quote.schedules, quote.costs
        rate = f"{cost.effective_bps // 100}.{cost.effective_bps % 100:02d}"
        charges = self._say("cost", amount=self._money(cost.cost), rate=rate) if cost.cost else self._say("free")
        return self._say(
            "option",
            titles=titles,
            count=len(schedule.instalments),
            largest=self._money(max(each.amount for each in schedule.instalments)),
            total=self._money(schedule.total),
            cost=charges,
            first=self._day(schedule.instalments[0].due_on),
        )

    def _refused(self, code: str, proof: Proof) -> str:
        if proof.lowest is None or proof.short_by is None:
            return self._say(f"{code}_no_plan")
        lowest, short_by = self._money(proof.lowest), self._money(proof.short_by)
        return self._say(code, longest=proof.longest, lowest=lowest, short_by=short_by)

    def _say(self, code: str, **figures: object) -> str:
        return _SENTENCES[code][self._column].format(**figures)

    def _money(self, amount: int) -> str:
        digits = decimal_text(amount, self._currency, ",")
        if self._column == 0 and self._currency == "CNY":
            return f"{digits}元"
        return f"{self._currency} {digits}"

    def _day(self, day: date) -> str:
        if self._column == 0:
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
