"""Who asks, and what they may see: row scope goes into the query, not after it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    CORE_BANKING = "core-banking"  # events and imports
    COLLECTOR = "collector"  # own and team's cases
    SUPERVISOR = "supervisor"
    COMPLIANCE = "compliance"  # rules, audit, unmasking log
    OPERATIONS = "operations"  # queues, dead letters
    AUDITOR = "auditor"  # reads everything
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. Empty ``portfolios`` means all of them; ``teams`` are those whose cases are also theirs."""

    subject: str
    roles: frozenset[Role]
    teams: frozenset[str] = frozenset()
    portfolios: frozenset[str] = frozenset()

    def has(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)

    @property
    def sees_everybody(self) -> bool:
        """A collector sees their own, their teams' and nobody's cases; these roles see all."""
        return self.has(Role.SUPERVISOR, Role.COMPLIANCE, Role.OPERATIONS, Role.AUDITOR)
