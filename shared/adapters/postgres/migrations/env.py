"""Run by Alembic inside the transaction that ``migrate`` has opened, locked and will commit."""

from __future__ import annotations

from typing import Any

from alembic import context

from shared.adapters.postgres.tables import metadata

SCHEMA = metadata.schema


def _ours(name: str | None, kind: str, parents: Any) -> bool:  # noqa: ARG001 - the signature is Alembic's
    return name == SCHEMA if kind == "schema" else True


connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("migrations run by `arrears migrate` only")

context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=_ours,
    compare_type=True,
    compare_server_default=True,
    # The caller's transaction is the one that counts: all migrations of a run, or none.
    transactional_ddl=False,
)
context.run_migrations()
