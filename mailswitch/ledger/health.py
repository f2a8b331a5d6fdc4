"""What `doctor` says of a ledger; looks only, makes and changes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, func, select

from mailswitch.core.errors import ConfigError, LedgerError
from mailswitch.ledger import schema, tables
from mailswitch.ledger.folders import closed_to_us, without_room
from mailswitch.ledger.marker import BY_MARKER
from mailswitch.ledger.place import open_place
from mailswitch.ledger.postgresql import PostgreSQLPlace
from mailswitch.ledger.session import Session
from mailswitch.ledger.sqlite import SQLitePlace
from mailswitch.ledger.trust import group_warnings, refuse_untrusted

__all__ = ["Integrity", "LedgerHealth", "inspect"]

_PROBLEMS_SHOWN = 3
_NOT_RECORDED = "so no pass can record anything"


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
    warnings: tuple[str, ...] = ()
    """One sentence each: what may be meant so, but better is not."""


def inspect(url: str, *, marker: Path | None = None) -> LedgerHealth:
    """Look at the ledger that ``url`` names, and at its marker; what is wrong is in the answer, never raised."""
    try:
        place = open_place(url, marker=marker)
    except ConfigError as error:
        return LedgerHealth(place="", problems=(str(error),))
    health = _looked_at(place)
    if marker is not None:
        health = _with_marker(place, marker, health)
    return _with_doubt(place, health)


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
    if not health.is_readable:
        return health
    reader = place.reader()
    try:
        pause = reader.pause()
    finally:
        reader.close()
    if pause is None or pause.by != BY_MARKER:
        return health
    return replace(health, problems=(*health.problems, pause.reason or ""))


def _file(place: SQLitePlace, health: LedgerHealth) -> LedgerHealth:
    try:
        exists = place.exists()
    except LedgerError as error:
        return replace(health, exists=True, problems=(str(error),))
    health = _with_rights(place, replace(health, exists=exists, is_readable=not exists))
    try:
        health = replace(health, warnings=group_warnings(place.named, place.path))
        refuse_untrusted(place.named, place.path)
    except LedgerError as error:
        health = replace(health, is_writable=False, problems=(*health.problems, str(error)))
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
    problem = _folder_problem(place.path.parent, "the ledger")
    if problem is None and health.exists:
        reason = closed_to_us(place.path)
        problem = reason and f"the ledger {place.shown} is not writable for this user, {_NOT_RECORDED}; {reason}"
    return replace(health, problems=(problem,)) if problem else replace(health, is_writable=True)


def _with_marker(place: SQLitePlace | PostgreSQLPlace, marker: Path, health: LedgerHealth) -> LedgerHealth:
    """Look at where the marker is left, unless that was looked at already: without it no change is made."""
    folder = Path(os.path.realpath(marker.parent))
    if isinstance(place, SQLitePlace) and folder == place.path.parent:
        return health
    problem = _folder_problem(folder, f"the ledger's marker {str(marker)!r}")
    return replace(health, is_writable=False, problems=(*health.problems, problem)) if problem else health


def _folder_problem(folder: Path, what: str) -> str | None:
    try:
        return _folder_trouble(folder, what)
    except OSError as error:
        return (
            f"the directory {str(folder)!r} of {what} cannot be looked at: {error.strerror}; check its owner and mode"
        )


def _folder_trouble(folder: Path, what: str) -> str | None:
    if not folder.is_dir():
        return f"there is no directory {str(folder)!r} for {what}: make it, owned by the user who runs mailswitch"
    reason = closed_to_us(folder)
    if reason:
        return f"the directory {str(folder)!r} of {what} is not writable for this user, {_NOT_RECORDED}; {reason}"
    full = without_room(folder)
    return full and f"there is no room for {what} in {str(folder)!r}, {_NOT_RECORDED}: {full}"


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
