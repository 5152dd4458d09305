"""What stands between us and the customer: holds, complaints, wishes, third parties, and permits to contact them."""

from __future__ import annotations

from shared.adapters.postgres.complaint_store import ComplaintTables
from shared.adapters.postgres.contact_hours_store import ContactHoursTables
from shared.adapters.postgres.contact_store import ContactTables
from shared.adapters.postgres.hold_store import HoldTables
from shared.adapters.postgres.limitation_store import LimitationTables
from shared.adapters.postgres.preference_store import PreferenceTables
from shared.adapters.postgres.rule_store import RuleTables
from shared.adapters.postgres.template_store import TemplateTables
from shared.adapters.postgres.third_party_store import ThirdPartyTables


class ProtectingTables(
    HoldTables,
    ComplaintTables,
    PreferenceTables,
    ContactTables,
    ContactHoursTables,
    ThirdPartyTables,
    LimitationTables,
    RuleTables,
    TemplateTables,
):
    """All of it on one connection and transaction."""
