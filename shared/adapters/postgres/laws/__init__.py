"""The laws as questions to the database: each query names the rows that break one."""

from shared.adapters.postgres.laws.agreements import AGREEMENTS
from shared.adapters.postgres.laws.contact import CONTACT
from shared.adapters.postgres.laws.money import MONEY
from shared.adapters.postgres.laws.question import Question
from shared.adapters.postgres.laws.schedule import SCHEDULE
from shared.adapters.postgres.laws.transport import TRANSPORT

QUESTIONS: tuple[Question, ...] = (*TRANSPORT, *CONTACT, *MONEY, *SCHEDULE, *AGREEMENTS)

__all__ = ["QUESTIONS", "Question"]
