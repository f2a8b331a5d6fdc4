"""What mail logs showed: daily counts that are added up, kept small, and never apart from how far a log was read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from mailswitch.core.evidence import MailCount
from mailswitch.ledger import tables
from mailswitch.ledger.rows import row_of

__all__ = ["add_counts", "forget_old_counts"]

_NETWORKS_KEPT = timedelta(days=9)
"""The guard still-receiving looks at 7 days; the networks of days before are added up."""
_KEPT = timedelta(days=40)
_KEY = ("server", "name", "day", "traffic", "network")


def add_counts(connection: Connection, server: str, counts: Iterable[MailCount]) -> None:
    """Add counts to those of the same name, day, kind and network."""
    _add(connection, [{"server": server, **row_of(count)} for count in counts])


def forget_old_counts(connection: Connection, server: str, today: date) -> None:
    """Add up the networks of days long past, and delete the oldest days."""
    table = tables.mail_counts
    connection.execute(delete(table).where(table.c.server == server, table.c.day < today - _KEPT))
    is_old = (table.c.server == server) & (table.c.day < today - _NETWORKS_KEPT)
    is_old &= table.c.network != bindparam("none", None, type_=table.c.network.type)
    columns = (table.c.server, table.c.name, table.c.day, table.c.traffic)
    totals = connection.execute(
        select(*columns, func.sum(table.c.messages), func.max(table.c.last)).where(is_old).group_by(*columns)
    )
    rows = [dict(zip((*_KEY, "messages", "last"), (*row[:4], None, *row[4:]), strict=True)) for row in totals]
    connection.execute(delete(table).where(is_old))
    _add(connection, rows)


def _add(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = tables.mail_counts
    # The two dialects spell the same clause, and SQLAlchemy has no common word for it.
    if connection.dialect.name == "postgresql":
        into = postgresql.insert(table)
        later = case((into.excluded["last"] > table.c.last, into.excluded["last"]), else_=table.c.last)
        more = {"messages": table.c.messages + into.excluded["messages"], "last": later}
        connection.execute(into.on_conflict_do_update(index_elements=_KEY, set_=more), rows)
    else:
        onto = sqlite.insert(table)
        later = case((onto.excluded["last"] > table.c.last, onto.excluded["last"]), else_=table.c.last)
        more = {"messages": table.c.messages + onto.excluded["messages"], "last": later}
        connection.execute(onto.on_conflict_do_update(index_elements=_KEY, set_=more), rows)
