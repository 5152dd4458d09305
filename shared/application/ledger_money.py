"""Money into the ledger: payments and reversals, in any order, matched or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.application.book import Payment, Reversal
from shared.application.facts import InboundEvent
from shared.application.ledger import ACCEPTED, Ledger, Verdict, after_money, put_payment
from shared.domain.inbound import Answer, PaymentPosted, PaymentReversed


def posted(ledger: Ledger, event: InboundEvent, fact: PaymentPosted) -> Verdict:
    known = ledger.payments.get((event.source, fact.payment_id))
    if known is not None:
        if event.says(known.fingerprint):
            return Verdict(Answer.DUPLICATE, "this payment was posted before")
        return Verdict(Answer.CONFLICT, "this payment was posted before with other content")
    key = (fact.account_id, fact.currency)
    account = ledger.account(key)
    payment = Payment(
        source=event.source,
        payment_id=fact.payment_id,
        account_id=fact.account_id,
        currency=fact.currency,
        customer_id=None if account is None else account.customer_id,
        amount=fact.amount,
        value_date=fact.value_date,
        posted_at=fact.posted_at,
        channel=fact.channel,
        matched=account is not None,
        fingerprint=event.fingerprint,
    )
    ledger.book.changes.new_payments.add(payment.key)
    put_payment(ledger, payment)
    if payment.key in ledger.taken_back:
        for reversal in [r for r in ledger.reversals.values() if not r.applied and _reverses(r, payment)]:
            _apply_reversal(ledger, reversal)
    if account is None:
        return Verdict(Answer.UNMATCHED, "no such account and currency was ever reported; kept until it is")
    after_money(ledger, account, event.type, _received(ledger.payments[payment.key]))
    return ACCEPTED


def _reverses(reversal: Reversal, payment: Payment) -> bool:
    return (reversal.source, reversal.payment_id) == payment.key


def _received(payment: Payment) -> tuple[str, dict[str, Any]]:
    return "payment.received", {
        "payment_id": payment.payment_id,
        "source": payment.source,
        "account_id": payment.account_id,
        "currency": payment.currency,
        "amount": payment.amount,
        "value_date": payment.value_date.isoformat(),
    }


def payment_reversed(ledger: Ledger, event: InboundEvent, fact: PaymentReversed) -> Verdict:
    known = ledger.reversals.get((event.source, fact.reversal_id))
    if known is not None:
        if event.says(known.fingerprint):
            return Verdict(Answer.DUPLICATE, "this reversal was reported before")
        return Verdict(Answer.CONFLICT, "this reversal was reported before with other content")
    payment = ledger.payments.get((event.source, fact.payment_id))
    problem = None if payment is None else _misfit(payment, fact)
    if problem is not None:
        return Verdict(Answer.REJECTED, problem)
    reversal = Reversal(
        source=event.source,
        reversal_id=fact.reversal_id,
        payment_id=fact.payment_id,
        account_id=fact.account_id,
        currency=fact.currency,
        amount=fact.amount,
        reason=fact.reason,
        reversed_at=fact.reversed_at,
        applied=False,
        fingerprint=event.fingerprint,
    )
    _put_reversal(ledger, reversal)
    if payment is None:
        return Verdict(Answer.UNMATCHED, "the payment was never posted; kept until it is")
    _apply_reversal(ledger, reversal)
    account = ledger.account((fact.account_id, fact.currency))
    if account is None:
        return Verdict(Answer.UNMATCHED, "the payment's account was never reported; kept until it is")
    data = {
        "reversal_id": fact.reversal_id,
        "payment_id": fact.payment_id,
        "source": event.source,
        "account_id": fact.account_id,
        "currency": fact.currency,
        "amount": fact.amount,
        "reason": fact.reason,
    }
    after_money(ledger, account, event.type, ("payment.reversed", data))
    return ACCEPTED


def _misfit(payment: Payment, fact: PaymentReversed) -> str | None:
    if (payment.account_id, payment.currency) != (fact.account_id, fact.currency):
        return "the payment was posted to another account or in another currency"
    if payment.reversed_amount + fact.amount > payment.amount:
        return "more would be reversed than was paid"
    return None


def _put_reversal(ledger: Ledger, reversal: Reversal) -> None:
    key = (reversal.source, reversal.reversal_id)
    ledger.add_reversals({key: reversal})
    ledger.book.changes.reversals[key] = reversal


def _apply_reversal(ledger: Ledger, reversal: Reversal) -> None:
    """Take a payment back. One that came first and turns out to fit no payment stays unapplied, for a person to see."""
    payment = ledger.payments[(reversal.source, reversal.payment_id)]
    same = (payment.account_id, payment.currency) == (reversal.account_id, reversal.currency)
    if not same or payment.reversed_amount + reversal.amount > payment.amount:
        return
    newest = max(filter(None, (payment.last_reversed_at, reversal.reversed_at)))
    put_payment(
        ledger,
        payment._replace(reversed_amount=payment.reversed_amount + reversal.amount, last_reversed_at=newest),
    )
    _put_reversal(ledger, replace(reversal, applied=True))
    movements = ledger.book.movements_of((payment.account_id, payment.currency))
    movements.reversals.append((reversal.reversed_at, payment.posted_at, reversal.amount))
