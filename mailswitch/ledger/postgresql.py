"""A ledger in a PostgreSQL schema: how it is locked and opened.

Facts:

- A session's advisory lock ends with the session, however that ends (PostgreSQL manual, 13.3.5). It is taken on the
  connection that writes, so that a pass which lost the one can no longer use the other. A pooler between us and the
  server must therefore pool sessions, not transactions.
- Its key is 64 bits, and counts in one database: it is made of the schema's name, so that ledgers in two schemas of one
  database do not stop each other.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import URL, BigInteger, Engine, NullPool, Select, cast, column, create_engine, func, select, table
from sqlalchemy import Connection as _Connection

from mailswitch.core.errors import AlreadyRunning, LedgerError
from mailswitch.ledger.lock import ANOTHER_DAEMON, ANOTHER_RUN, retry_while_running, running_message
from mailswitch.ledger.marker import MarkerFile
from mailswitch.ledger.reader import EmptyLedger, StoredReader, reader_of
from mailswitch.ledger.schema import is_current, migrate
from mailswitch.ledger.session import Opening, Session
from mailswitch.ledger.store import StoredLedger

__all__ = ["PostgreSQLPlace"]

_PATIENCE = timedelta(seconds=30)
_STATEMENT_LIMIT = timedelta(minutes=5)
_HALF = 2**32
_LONGEST_APPLICATION_NAME = 63
# libpq's words (PostgreSQL manual, 34.1.2); a server that went away is noticed within two minutes.
_CONNECTION_LIMITS = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "15",
    "keepalives_count": "4",
    "tcp_user_timeout": "90000",
}


class PostgreSQLPlace:
    """The database of a ledger; nothing is connected before one of its methods is called."""

    def __init__(self, url: URL, *, marker: MarkerFile | None = None) -> None:
        """Keep the URL, which may hold a password, where no message or repr shows it."""
        self._url = url
        self._marker = marker
        self._secrets = tuple(
            value
            for value in (str(url.password or ""), *map(str, (url.query.get("password"), url.query.get("sslpassword"))))
            if value not in {"", "None"}
        )

    def __repr__(self) -> str:
        """Return the place without user, password and options."""
        return f"PostgreSQLPlace({self.shown})"

    @property
    def shown(self) -> str:
        """The place in messages."""
        return repr(
            URL.create(
                "postgresql", host=self._url.host, port=self._url.port, database=self._url.database
            ).render_as_string(hide_password=True)
        )

    def reader(self) -> StoredReader | EmptyLedger:
        """Open for reading only; see LedgerPlace.

        Raises:
            LedgerError: it cannot be read, or has a schema that this program does not know.
        """
        return reader_of(self.reading_session(), self._marker)

    @contextmanager
    def locked(self) -> Iterator[StoredLedger]:
        """Hold the pass lock and open for writing; see LedgerPlace.

        Raises:
            AlreadyRunning: another process holds the lock.
            LedgerError: it cannot be opened or migrated.
        """
        with self._writing(_PATIENCE) as session, _advisory_lock(session):
            migrate(session)
            yield StoredLedger(session, marker=self._marker)

    @contextmanager
    def writer(self, *, wait: timedelta) -> Iterator[StoredLedger]:
        """Open for a short write beside a running pass; see LedgerPlace.

        Raises:
            AlreadyRunning: the ledger has to be made or migrated, and somebody held the pass lock for all of ``wait``.
            LedgerError: it cannot be opened or migrated.
        """
        with self._writing(wait) as session:
            retry_while_running(lambda: _bring_up_to_date(session), wait)
            yield StoredLedger(session, marker=self._marker)

    @contextmanager
    def daemon_lock(self) -> Iterator[Callable[[], None]]:
        """Hold the lock of the one daemon; see LedgerPlace. Lost with its connection, it is taken anew."""
        with ExitStack() as stack:
            held = stack.enter_context(self._daemon_session())

            def check() -> None:
                nonlocal held
                if not _is_alive(held):
                    held = stack.enter_context(self._daemon_session())

            yield check

    def has_daemon(self) -> bool:
        """Whether a daemon holds its lock; see LedgerPlace."""
        session = self.reading_session()
        try:
            with session.transaction("look at the lock of") as connection:
                return bool(connection.execute(_locks(_key(connection, session.place, ANOTHER_DAEMON)).limit(1)).all())
        finally:
            session.close()

    @contextmanager
    def _daemon_session(self) -> Iterator[Session]:
        with self._writing(_PATIENCE) as session, _advisory_lock(session, ANOTHER_DAEMON):
            yield session

    def reading_session(self) -> Session:
        """Connect for reading: the server itself refuses writes, and each transaction sees one state."""
        engine = self._engine().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        return self._connected(engine, _PATIENCE)

    @contextmanager
    def _writing(self, wait: timedelta) -> Iterator[Session]:
        session = self._connected(self._engine(), wait)
        try:
            yield session
        finally:
            session.close()

    def _connected(self, engine: Engine, wait: timedelta) -> Session:
        session = Session(lambda: Opening(engine=engine), self.shown, secrets=self._secrets)
        try:
            with session.transaction("open") as connection:
                _set_up(connection, wait)
        except BaseException:
            session.close()
            raise
        return session

    def _engine(self) -> Engine:
        ours = {**_CONNECTION_LIMITS, "application_name": _application_name()}
        given = {word: value for word, value in ours.items() if word not in self._url.query}
        try:
            return create_engine(self._url, poolclass=NullPool, hide_parameters=True, connect_args=given)
        except ImportError as error:
            raise LedgerError(
                f"cannot open the ledger {self.shown}: the PostgreSQL driver is not installed; "
                "install mailswitch with its `postgresql` extra"
            ) from error


def _application_name() -> str:
    return f"mailswitch {os.getpid()}@{socket.gethostname()}"[:_LONGEST_APPLICATION_NAME]


def _set_up(connection: _Connection, wait: timedelta) -> None:
    """Bound every wait, and undo server settings that would make a commit less than durable."""
    setting = func.set_config
    words = {
        "TimeZone": "UTC",
        "statement_timeout": str(_STATEMENT_LIMIT // timedelta(milliseconds=1)),
        # 0 would mean for ever.
        "lock_timeout": str(max(1, wait // timedelta(milliseconds=1))),
    }
    if connection.execute(select(func.current_setting("synchronous_commit"))).scalar_one() == "off":
        words["synchronous_commit"] = "on"
    is_for_transaction_only = False
    connection.execute(select(*(setting(word, value, is_for_transaction_only) for word, value in words.items())))


def _bring_up_to_date(session: Session) -> None:
    if is_current(session):
        return
    with _advisory_lock(session):
        migrate(session)


@contextmanager
def _advisory_lock(session: Session, who: str = ANOTHER_RUN) -> Iterator[None]:
    with session.transaction("lock") as connection:
        key = _key(connection, session.place, who)
        if not connection.execute(select(func.pg_try_advisory_lock(key))).scalar_one():
            raise AlreadyRunning(running_message(session.place, _holder(connection, key), who=who))
    try:
        yield
    finally:
        _unlock(session, key)


def _key(connection: _Connection, place: str, who: str) -> int:
    """Return the number of one lock of the ledger in the connection's schema."""
    schema = connection.execute(select(func.current_schema())).scalar_one()
    if schema is None:
        raise LedgerError(
            f"cannot lock the ledger {place}: its search path names no schema that exists; make the schema"
        )
    words = f"mailswitch {schema}" if who == ANOTHER_RUN else f"{who} of mailswitch {schema}"
    return int.from_bytes(blake2b(words.encode(), digest_size=8).digest(), signed=True)


def _is_alive(session: Session) -> bool:
    try:
        with session.transaction("look at") as connection:
            return bool(connection.execute(select(func.current_schema())).scalar_one())
    except LedgerError:
        return False


def _unlock(session: Session, key: int) -> None:
    """Unlock at once: the server would notice a closed connection only a little later.

    On a broken connection there is nothing left to unlock, and the error that broke it is the one to show.
    """
    try:
        with session.transaction("unlock") as connection:
            connection.execute(select(func.pg_advisory_unlock(key)))
    except LedgerError:
        session.close()


def _locks(key: int) -> Select[Any]:
    """Return a question for the process ids of those who hold the lock ``key`` in this database."""
    locks = table(
        "pg_locks",
        *(column(name) for name in ("locktype", "database", "classid", "objid", "objsubid", "pid", "granted")),
    )
    databases = table("pg_database", column("oid"), column("datname"))
    here = select(databases.c.oid).where(databases.c.datname == func.current_database()).scalar_subquery()
    high, low = divmod(key % 2**64, _HALF)
    return select(locks.c.pid).where(
        locks.c.locktype == "advisory",
        locks.c.database == here,
        cast(locks.c.classid, BigInteger) == high,
        cast(locks.c.objid, BigInteger) == low,
        locks.c.granted,
    )


def _holder(connection: _Connection, key: int) -> str | None:
    activity = table("pg_stat_activity", column("pid"), column("application_name"))
    wanted = select(activity.c.application_name).where(activity.c.pid.in_(_locks(key))).limit(1)
    return connection.execute(wanted).scalar_one_or_none()
