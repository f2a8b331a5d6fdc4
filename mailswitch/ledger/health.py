"""What `doctor` says of a ledger; looks only, makes and changes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, func, select

from mailswitch.core.errors import ConfigError, LedgerError
from mailswitch.ledger import schema, tables
from mailswitch.ledger.marker import BY_MARKER
from mailswitch.ledger.place import open_place
from mailswitch.ledger.postgresql import PostgreSQLPlace
from mailswitch.ledger.session import Session
from mailswitch.ledger.sqlite import SQLitePlace

__all__ = ["Integrity", "LedgerHealth", "inspect"]

_PROBLEMS_SHOWN = 3


class Integrity(StrEnum):
    """What the database says of its own file."""

    SOUND = "sound"
    DAMAGED = "damaged"
    NOT_CHECKED = "not-checked"
    """There is nothing to check, it cannot be read, or it is a PostgreSQL server, which looks after that itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHealth:
    """How a ledger is; ``problems`` are what an administrator has to do something about."""

    place: str
    """Where it is, without user and password."""
    exists: bool = False
    revision: str | None = None
    """The schema's revision; None for a ledger that is still to be made."""
    is_current: bool = False
    """The schema is this program's."""
    is_readable: bool = False
    """It can be read, or would be if it were there."""
    is_writable: bool = False
    """A pass run by this user could make or write it."""
    integrity: Integrity = Integrity.NOT_CHECKED
    unsettled: int = 0
    """Intents without an outcome; the next pass settles them first."""
    problems: tuple[str, ...] = ()
    """One sentence each: what is wrong and what to do."""


def inspect(url: str, *, marker: Path | None = None) -> LedgerHealth:
    """Look at the ledger that ``url`` names, and at its marker; what is wrong is in the answer, never raised."""
    try:
        place = open_place(url, marker=marker)
    except ConfigError as error:
        return LedgerHealth(place="", problems=(str(error),))
    return _with_doubt(place, _looked_at(place))


def _looked_at(place: SQLitePlace | PostgreSQLPlace) -> LedgerHealth:
    health = LedgerHealth(place=place.shown)
    if isinstance(place, SQLitePlace):
        return _file(place, health)
    try:
        return _server(place, health)
    except LedgerError as error:
        return replace(health, problems=(str(error),))


def _with_doubt(place: SQLitePlace | PostgreSQLPlace, health: LedgerHealth) -> LedgerHealth:
    """Tell of a ledger that is not the one written last; one that cannot be read has its problem already."""
    if health.problems:
        return health
    reader = place.reader()
    try:
        pause = reader.pause()
    finally:
        reader.close()
    if pause is None or pause.by != BY_MARKER:
        return health
    return replace(health, problems=(pause.reason or "",))


def _file(place: SQLitePlace, health: LedgerHealth) -> LedgerHealth:
    try:
        exists = place.exists()
    except LedgerError as error:
        return replace(health, exists=True, problems=(str(error),))
    health = _with_rights(place, replace(health, exists=exists, is_readable=not exists))
    if not exists:
        return health
    try:
        return _file_contents(place, health)
    except LedgerError as error:
        integrity = Integrity.DAMAGED if _tells_of_damage(error) else Integrity.NOT_CHECKED
        return replace(health, integrity=integrity, problems=(*health.problems, str(error)))


def _file_contents(place: SQLitePlace, health: LedgerHealth) -> LedgerHealth:
    session = place.reading_session()
    try:
        found = session.read(_quick_check, doing="check")
        if found:
            words = f"the ledger {place.shown} is damaged ({'; '.join(found)}): keep a copy of it and restore a backup"
            return replace(health, integrity=Integrity.DAMAGED, problems=(*health.problems, words))
        return _contents(session, replace(health, integrity=Integrity.SOUND))
    finally:
        session.close()


def _tells_of_damage(error: LedgerError) -> bool:
    cause = error.__cause__
    code = getattr(getattr(cause, "orig", cause), "sqlite_errorname", None) or ""
    return code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(cause, UnicodeDecodeError)


def _server(place: PostgreSQLPlace, health: LedgerHealth) -> LedgerHealth:
    session = place.reading_session()
    try:
        with session.transaction("check") as connection:
            may_create = func.has_schema_privilege(func.current_schema(), "CREATE")
            is_writable = bool(connection.execute(select(may_create)).scalar_one())
        problem = f"the ledger {place.shown} cannot be made or migrated: grant the user CREATE on its schema"
        health = replace(health, is_writable=is_writable, problems=() if is_writable else (problem,))
        return _contents(session, health)
    finally:
        session.close()


def _with_rights(place: SQLitePlace, health: LedgerHealth) -> LedgerHealth:
    directory = place.path.parent
    if not directory.is_dir():
        words = (
            f"there is no directory {str(directory)!r} for the ledger: make it, owned by the user who runs mailswitch"
        )
        return replace(health, problems=(words,))
    if not os.access(directory, os.W_OK | os.X_OK):
        words = f"the directory {str(directory)!r} is not writable for this user: no pass can record in it"
        return replace(health, problems=(words,))
    if health.exists and not os.access(place.path, os.W_OK):
        words = f"the ledger {place.shown} is not writable for this user: no pass can record in it"
        return replace(health, problems=(words,))
    return replace(health, is_writable=True)


def _quick_check(connection: Connection) -> tuple[str, ...]:
    """Return what SQLite finds wrong with its file, the first few words of it."""
    said = tuple(connection.exec_driver_sql(f"PRAGMA quick_check({_PROBLEMS_SHOWN})").scalars())
    return () if said == ("ok",) else said


def _contents(session: Session, health: LedgerHealth) -> LedgerHealth:
    health = replace(health, exists=True, revision=session.read(schema.revision))
    if not schema.check_readable(session):
        return replace(health, is_readable=True)
    unsettled = select(func.count()).select_from(tables.changes).where(tables.changes.c.outcome.is_(None))
    count = session.read(lambda connection: connection.execute(unsettled).scalar_one())
    return replace(health, is_current=True, is_readable=True, unsettled=count)
