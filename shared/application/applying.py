"""THE table: which inbound fact is applied by which function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.application import ledger_accounts, ledger_money
from shared.application.facts import InboundEvent
from shared.application.ledger import Ledger, Verdict
from shared.domain.inbound import (
    AccountChargedOff,
    AccountClosed,
    CustomerMerged,
    CustomerUpdated,
    DelinquencyReported,
    PaymentPosted,
    PaymentReversed,
)


def apply(ledger: Ledger, event: InboundEvent) -> Verdict:
    """Apply ``event``; raises nothing that the fact can cause."""
    return _HANDLERS[type(event.fact)](ledger, event, event.fact)


_HANDLERS: dict[type, Callable[[Ledger, InboundEvent, Any], Verdict]] = {
    DelinquencyReported: ledger_accounts.reported,
    PaymentPosted: ledger_money.posted,
    PaymentReversed: ledger_money.payment_reversed,
    CustomerUpdated: ledger_accounts.customer_updated,
    AccountChargedOff: ledger_accounts.charged_off,
    AccountClosed: ledger_accounts.closed,
    CustomerMerged: ledger_accounts.merged,
}
