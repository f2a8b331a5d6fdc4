"""What mail logs showed: daily counts that are added up, kept small, and never apart from how far a log was read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, bindparam, case, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from mailswitch.core.evidence import LoginCount, LogReading, MailCount, Traffic
from mailswitch.core.names import DomainName
from mailswitch.ledger import tables
from mailswitch.ledger.mail_crowds import fold_crowds
from mailswitch.ledger.mail_tables import mail_logins
from mailswitch.ledger.rows import columns_of, damage_told, row_of, value_maker
from mailswitch.ledger.session import Session

__all__ = ["EmptyMail", "MailReader", "MailWriter"]

_NETWORKS_KEPT = timedelta(days=9)
"""The guard still-receiving looks at 7 days; the networks of days before are added up."""
_KEPT = timedelta(days=40)
_CO_TENANTS_KEPT = timedelta(days=400)
"""One number a name and day, which tells what an abandoned mailbox has cost since the mail moved."""
_KEY = ("server", "name", "day", "traffic", "network")
_LOGIN_KEY = ("server", "name", "mailbox", "day")
_V = TypeVar("_V", LogReading, LoginCount, MailCount)


class MailReader:
    """What mail logs showed, as values; part of LedgerReader."""

    _session: Session

    def mail_reading(self, server: str) -> LogReading | None:
        """Return how far a server's mail log was read; None where it never was."""
        table = tables.mail_readings
        wanted = select(*columns_of(table, LogReading)).where(table.c.server == server)
        return next(iter(self._values(LogReading, wanted)), None)

    def mail_counts(self, server: str, name: DomainName, *, since: date) -> tuple[MailCount, ...]:
        """Return what a server's mail log showed of a name, the oldest day first."""
        table = tables.mail_counts
        wanted = select(*columns_of(table, MailCount)).where(
            table.c.server == server, table.c.name == name, table.c.day >= since
        )
        return self._values(MailCount, wanted.order_by(table.c.day, table.c.traffic, table.c.network))

    def mail_logins(self, server: str, name: DomainName, *, since: date) -> tuple[LoginCount, ...]:
        """Return who logged in to a name's mailboxes, the oldest day first."""
        wanted = select(*columns_of(mail_logins, LoginCount)).where(
            mail_logins.c.server == server, mail_logins.c.name == name, mail_logins.c.day >= since
        )
        return self._values(LoginCount, wanted.order_by(mail_logins.c.day, mail_logins.c.mailbox))

    def _values(self, kind: type[_V], wanted: Select[Any]) -> tuple[_V, ...]:
        def act(connection: Connection) -> tuple[_V, ...]:
            with damage_told(self._session.place):
                return tuple(map(value_maker(kind), connection.execute(wanted)))

        return self._session.read(act)


class MailWriter(MailReader):
    """Recording what mail logs showed; part of Ledger."""

    def record_mail(
        self,
        server: str,
        reading: LogReading,
        counts: Iterable[MailCount],
        *,
        logins: Iterable[LoginCount] = (),
        today: date,
    ) -> None:
        """Add what a mail log showed and how far it was read, in one transaction: a crash never counts twice.

        What is old as of ``today`` is added up or deleted, and so are networks that are too many to be kept apart.

        Raises:
            LedgerError: it cannot be written; nothing of it is kept then, and the log is read again.
        """
        rows = [{"server": server, **row_of(count)} for count in counts]
        with self._session.transaction("write to") as connection:
            _add(connection, tables.mail_counts, rows, key=_KEY, adding="messages")
            for crowd in fold_crowds(connection, server, {row["day"] for row in rows}):
                _add(connection, tables.mail_counts, [crowd], key=_KEY, adding="messages")
            logged_in = [{"server": server, **row_of(count)} for count in logins]
            _add(connection, mail_logins, logged_in, key=_LOGIN_KEY, adding="logins")
            _forget_old_counts(connection, server, today)
            connection.execute(delete(tables.mail_readings).where(tables.mail_readings.c.server == server))
            connection.execute(tables.mail_readings.insert(), {"server": server, **row_of(reading)})


class EmptyMail:
    """What no log has shown yet; part of the ledger that does not exist."""

    def mail_reading(self, server: str) -> LogReading | None:
        """Return None."""

    def mail_counts(self, server: str, name: DomainName, *, since: date) -> tuple[MailCount, ...]:
        """Return nothing."""
        return ()

    def mail_logins(self, server: str, name: DomainName, *, since: date) -> tuple[LoginCount, ...]:
        """Return nothing."""
        return ()


def _forget_old_counts(connection: Connection, server: str, today: date) -> None:
    """Add up the networks of days long past, and delete the oldest days."""
    table = tables.mail_counts
    is_over = or_(
        table.c.day < today - _CO_TENANTS_KEPT,
        (table.c.day < today - _KEPT) & (table.c.traffic != Traffic.CO_TENANT),
    )
    connection.execute(delete(table).where(table.c.server == server, is_over))
    connection.execute(delete(mail_logins).where(mail_logins.c.server == server, mail_logins.c.day < today - _KEPT))
    is_old = (table.c.server == server) & (table.c.day < today - _NETWORKS_KEPT)
    is_old &= table.c.traffic != Traffic.CO_TENANT
    is_old &= table.c.network != bindparam("none", None, type_=table.c.network.type)
    columns = (table.c.server, table.c.name, table.c.day, table.c.traffic)
    totals = connection.execute(
        select(*columns, func.sum(table.c.messages), func.max(table.c.last)).where(is_old).group_by(*columns)
    )
    rows = [dict(zip((*_KEY, "messages", "last"), (*row[:4], None, *row[4:]), strict=True)) for row in totals]
    connection.execute(delete(table).where(is_old))
    _add(connection, table, rows, key=_KEY, adding="messages")


def _add(
    connection: Connection, table: Table, rows: list[dict[str, Any]], *, key: tuple[str, ...], adding: str
) -> None:
    if not rows:
        return
    # The two dialects spell the same clause, and SQLAlchemy has no common word for it.
    if connection.dialect.name == "postgresql":
        into = postgresql.insert(table)
        later = case((into.excluded["last"] > table.c.last, into.excluded["last"]), else_=table.c.last)
        more = {adding: table.c[adding] + into.excluded[adding], "last": later}
        connection.execute(into.on_conflict_do_update(index_elements=key, set_=more), rows)
    else:
        onto = sqlite.insert(table)
        later = case((onto.excluded["last"] > table.c.last, onto.excluded["last"]), else_=table.c.last)
        more = {adding: table.c[adding] + onto.excluded[adding], "last": later}
        connection.execute(onto.on_conflict_do_update(index_elements=key, set_=more), rows)
