"""Networks that are too many to be kept apart: a flood of spam must not fill a ledger, nor hide who comes every day."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select

from mailswitch.ledger.tables import mail_counts

__all__ = ["MOST_NETWORKS", "fold_crowds"]

MOST_NETWORKS = 256
"""Of one name, day and kind. Those that came on other days too are kept first, then those that sent most."""


def fold_crowds(connection: Connection, server: str, days: Collection[date]) -> Iterator[dict[str, Any]]:
    """Delete the rows of networks beyond the most that are kept apart, and yield one row to add for all of them."""
    table = mail_counts
    columns = (table.c.name, table.c.day, table.c.traffic)
    crowded = connection.execute(
        select(*columns)
        .where(table.c.server == server, table.c.day.in_(sorted(days)), _has_network())
        .group_by(*columns)
        .having(func.count() > MOST_NETWORKS)
    )
    for name, day, traffic in crowded.all():
        others = (table.c.server == server) & (table.c.name == name) & (table.c.traffic == traffic) & _has_network()
        yield _folded(connection, others, day) | {"server": server, "name": name, "day": day, "traffic": traffic}


def _folded(connection: Connection, of_any_day: ColumnElement[bool], day: date) -> dict[str, Any]:
    table = mail_counts
    of_day = of_any_day & (table.c.day == day)
    known = set(connection.execute(select(table.c.network).where(of_any_day, table.c.day != day).distinct()).scalars())
    rows = connection.execute(select(table.c.network, table.c.messages, table.c.last).where(of_day)).all()
    ranked = sorted(rows, key=lambda row: (row.network not in known, -row.messages, str(row.network)))
    folded = ranked[MOST_NETWORKS:]
    connection.execute(
        delete(table).where(of_day, table.c.network == bindparam("folded", type_=table.c.network.type)),
        [{"folded": row.network} for row in folded],
    )
    return {
        "network": None,
        "messages": sum(row.messages for row in folded),
        "last": max(row.last for row in folded),
    }


def _has_network() -> ColumnElement[bool]:
    return mail_counts.c.network != bindparam("none", None, type_=mail_counts.c.network.type)
