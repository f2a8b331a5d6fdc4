"""Run by Alembic, on the connection and in the transaction that `mailswitch.ledger.schema` hands over.

Revisions are written by hand; a test compares the schema they make with the tables.
"""

from __future__ import annotations

from alembic import context

from mailswitch.ledger.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite's DDL is transactional when the driver lets it be, and ours does (mailswitch.ledger.sqlite).
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
