"""Which schema a ledger has, and how it gets this program's."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.session import Session
from mailswitch.ledger.tables import METADATA, REVISIONS, schema_revision

__all__ = ["MIGRATIONS", "check_readable", "is_current", "migrate", "revision"]

MIGRATIONS = "mailswitch.ledger:migrations"
"""Where Alembic finds env.py and versions: package data, so that no file of its own has to be installed."""


def revision(connection: Connection) -> str | None:
    """Return a ledger's schema revision, or None for an empty database."""
    if not inspect(connection).has_table(schema_revision.name):
        return None
    return connection.execute(select(schema_revision.c.version_num)).scalar_one_or_none()


def is_current(session: Session) -> bool:
    """Whether a ledger has exactly this program's schema.

    Raises:
        LedgerError: it is newer than the program, no ledger at all, or cannot be read.
    """
    with session.transaction("read") as connection:
        return _known(connection, session.place) == REVISIONS[-1]


def check_readable(session: Session) -> bool:
    """Whether there is anything to read in a ledger; False for an empty database.

    Raises:
        LedgerError: it is older or newer than the program, no ledger at all, or cannot be read.
    """
    found = session.read(lambda connection: _known(connection, session.place))
    if found is not None and found != REVISIONS[-1]:
        raise LedgerError(
            f"cannot read the ledger {session.place}: it was written by an older mailswitch (schema {found}); "
            "any pass migrates it, run `mailswitch once`"
        )
    return found is not None


def migrate(session: Session) -> None:
    """Give a ledger this program's schema, all or nothing. The caller holds the pass lock.

    Raises:
        LedgerError: it is newer than the program, no ledger at all, or cannot be written.
    """
    with session.transaction("migrate") as connection:
        if _known(connection, session.place) != REVISIONS[-1]:
            _upgrade(connection, session.place)


def _upgrade(connection: Connection, place: str) -> None:
    # Eight megabytes that a daemon keeps for good, and that no pass needs with a ledger that is up to date.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, REVISIONS[-1])
    except CommandError as error:
        raise LedgerError(
            f"cannot migrate the ledger {place}: {error}; this installation of mailswitch is incomplete, "
            "install it again"
        ) from error


def _known(connection: Connection, place: str) -> str | None:
    found = revision(connection)
    if found is None and _holds_foreign_tables(connection):
        raise LedgerError(
            f"cannot use {place} as the ledger: it holds tables of something else; point `ledger` to a place of its own"
        )
    if found is not None and found not in REVISIONS:
        raise LedgerError(
            f"cannot use the ledger {place}: it was written by a newer mailswitch (schema {found!r}); "
            "upgrade mailswitch on this machine"
        )
    return found


def _holds_foreign_tables(connection: Connection) -> bool:
    """Whether making our tables would mix them with others' (a PostgreSQL schema may be shared, a file may not)."""
    there = set(inspect(connection).get_table_names())
    return bool(there if connection.dialect.name == "sqlite" else there & set(METADATA.tables))
