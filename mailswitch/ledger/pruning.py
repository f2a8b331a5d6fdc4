"""Forgetting what is old: the rows nobody refers to, those that refer to others first."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, select, tuple_

from mailswitch.core.ledger import Claim
from mailswitch.ledger import tables

__all__ = ["prune"]


def prune(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete what ended before a moment, at most ``limit`` rows of a table; return how many rows went.

    What is kept because a kept row refers to it goes when that one has gone.
    """
    names, changes, passes, runs = tables.names, tables.changes, tables.server_passes, tables.runs
    approvals, pins = tables.approvals, tables.pins
    reverting = changes.alias("reverting")
    last = select(func.max(passes.c.number)).where(~passes.c.is_partial).group_by(passes.c.server)
    old: tuple[tuple[Table, ColumnElement[bool]], ...] = (
        (approvals, approvals.c.expires < before),
        (pins, pins.c.until < before),
        (names, (names.c.gone_since < before) & (names.c.claim == Claim.NONE)),
        (
            changes,
            (changes.c.finished_at < before)
            # The marker outside the ledger names the last one.
            & changes.c.id.not_in(select(func.max(changes.c.id)))
            & ~exists().where(names.c.claim_change == changes.c.id)
            & ~exists().where(reverting.c.reverts == changes.c.id),
        ),
        (passes, (passes.c.finished < before) & passes.c.number.not_in(last)),
        (
            runs,
            (runs.c.started < before)
            & ~exists().where(changes.c.run_id == runs.c.id)
            & ~exists().where(passes.c.run_id == runs.c.id)
            & runs.c.number.not_in(select(func.max(runs.c.number))),
        ),
    )
    return sum(_delete(connection, table, which, limit) for table, which in old)


def _delete(connection: Connection, table: Table, which: ColumnElement[bool], limit: int) -> int:
    key = tuple(table.primary_key.columns)
    chosen = select(*key).where(which).order_by(*key).limit(limit)
    row = key[0] if len(key) == 1 else tuple_(*key)
    return connection.execute(delete(table).where(row.in_(chosen))).rowcount
