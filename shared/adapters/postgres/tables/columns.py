"""The column vocabulary of our tables: one short name per kind of column, so that a table reads as a list of facts.

Types are always explicit: SQLModel's own mapping of Python types has changed between releases.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger as _BigInteger
from sqlalchemy import Boolean as _Boolean
from sqlalchemy import CheckConstraint, LargeBinary, MetaData, SmallInteger, String, text
from sqlalchemy import Date as _Date
from sqlalchemy import DateTime as _DateTime
from sqlalchemy import Integer as _Integer
from sqlalchemy import Text as _Text
from sqlalchemy import Time as _Time
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as _UUID
from sqlmodel import Field, SQLModel

metadata = MetaData(
    schema="arrears",
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    },
)


class Table(SQLModel):
    """Base of every table class; all of them share one metadata in the schema ``arrears``."""

    metadata: ClassVar[MetaData] = metadata


def _column(sa_type: Any, *, null: bool, pk: bool, default: str | None, **extra: Any) -> Any:
    options = dict(extra)
    if default is not None:
        options["server_default"] = text(default)
    return Field(default=None, sa_type=sa_type, nullable=null, primary_key=pk, sa_column_kwargs=options)


def words(*, null: bool = False, pk: bool = False, default: str | None = None) -> Any:
    return _column(_Text, null=null, pk=pk, default=default)


def name255(*, null: bool = False) -> Any:
    return _column(String(255), null=null, pk=False, default=None)


def money(*, null: bool = False, default: str | None = None) -> Any:
    """Integer minor units of the row's currency."""
    return _column(_BigInteger, null=null, pk=False, default=default)


def big(*, null: bool = False, pk: bool = False, default: str | None = None) -> Any:
    return _column(_BigInteger, null=null, pk=pk, default=default, **({"autoincrement": False} if pk else {}))


def serial() -> Any:
    from sqlalchemy import Identity

    return Field(
        default=None, sa_type=_BigInteger, primary_key=True, nullable=False, sa_column_args=[Identity(always=True)]
    )


def identity() -> Any:
    """A number that the database gives out, rising, to a row whose key is another column."""
    from sqlalchemy import Identity

    return Field(default=None, sa_type=_BigInteger, nullable=False, sa_column_args=[Identity(always=True)])


def number(*, null: bool = False, pk: bool = False, default: str | None = None) -> Any:
    return _column(_Integer, null=null, pk=pk, default=default, **({"autoincrement": False} if pk else {}))


def small(*, null: bool = False, pk: bool = False, default: str | None = None) -> Any:
    return _column(SmallInteger, null=null, pk=pk, default=default, **({"autoincrement": False} if pk else {}))


def flag(*, default: str = "false") -> Any:
    return _column(_Boolean, null=False, pk=False, default=default)


def maybe() -> Any:
    """Yes, no, or not known."""
    return _column(_Boolean, null=True, pk=False, default=None)


def instant(*, null: bool = False, default: str | None = None) -> Any:
    return _column(_DateTime(timezone=True), null=null, pk=False, default=default)


def derived(sa_type: Any, expression: str) -> Any:
    """What follows from the row's other columns, kept with it to be indexed. ``expression`` is written as the server
    writes it, so that a difference between tables and migrations is seen."""
    from sqlalchemy import Computed

    return Field(default=None, sa_type=sa_type, nullable=True, sa_column_args=[Computed(expression, persisted=True)])


def clock() -> Any:
    """A local time of day."""
    return _column(_Time, null=False, pk=False, default=None)


def day(*, null: bool = False, pk: bool = False) -> Any:
    return _column(_Date, null=null, pk=pk, default=None)


def uuid(*, null: bool = False, pk: bool = False) -> Any:
    return _column(_UUID(as_uuid=True), null=null, pk=pk, default=None)


def secret(*, null: bool = True) -> Any:
    """Ciphertext of :mod:`shared.adapters.crypto`, bound to this table, column and row."""
    return _column(LargeBinary, null=null, pk=False, default=None)


def digest(*, null: bool = False) -> Any:
    """A SHA-256 or a keyed blind index; never reversible."""
    return _column(LargeBinary, null=null, pk=False, default=None)


def json(*, null: bool = False, default: str | None = None) -> Any:
    return _column(JSONB, null=null, pk=False, default=default)


def row_version() -> Any:
    """Rises with every change; the ETag of the row."""
    return _column(_BigInteger, null=False, pk=False, default="1")


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} in ({listed})", name=f"{column}_known")


def holds_true(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=name)


def currency_check() -> CheckConstraint:
    return CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_iso")
