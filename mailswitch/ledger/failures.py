"""What went wrong in a database, said so that an operator knows what to do; translated here and nowhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from mailswitch.core.errors import LedgerError

__all__ = ["masked", "translated"]

_MASK = "***"
_LONGEST_CAUSE = 300

# By the start of SQLite's extended result code (sqlite.org/rescode.html); the longest start that fits wins.
_SQLITE_ADVICE = {
    "SQLITE_BUSY": "another process is writing to it; try again when that has ended",
    "SQLITE_LOCKED": "another process is writing to it; try again when that has ended",
    "SQLITE_NOTADB": "the file is no SQLite database; point `ledger` to another file, or restore it from a backup",
    "SQLITE_CORRUPT": "the file is damaged; keep a copy of it and restore a backup",
    "SQLITE_READONLY": "it cannot be written; check the owner and mode of the file and its directory, "
    "and that the file system is not mounted read-only",
    "SQLITE_PERM": "access is denied; check the owner and mode of the file and its directory",
    "SQLITE_AUTH": "access is denied; check the owner and mode of the file and its directory",
    "SQLITE_CANTOPEN": "it or a file beside it cannot be opened; check the owner and mode of them and of the "
    "directory, and that the file system is not mounted read-only",
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_IOERR": "the disk failed to read or write; check the disk and the file system",
    "SQLITE_CONSTRAINT": "the record contradicts what is there already; please report this as a bug",
}

# By SQLSTATE, or its class (PostgreSQL manual, appendix A).
_POSTGRESQL_ADVICE = {
    "08": "the connection failed; check that the server runs and can be reached",
    "23": "the record contradicts what is there already; please report this as a bug",
    "25006": "the server accepts no writes now; check that the URL names the primary server",
    "28": "the server refused the login; check user, password and pg_hba.conf",
    "3D000": "there is no such database; make it with `createdb`",
    "3F000": "there is no such schema; make it, or correct the search path",
    "42501": "the user may not do that; grant it the rights on the schema and its tables",
    "53100": "the server's disk is full; make room",
    "55P03": "another session holds it; try again when that has ended",
    "57014": "the server took too long; try again",
    "57P": "the server is going down or coming up; try again",
}


@contextmanager
def translated(doing: str, place: str, *, secrets: tuple[str, ...] = ()) -> Iterator[None]:
    """Turn any database error into a LedgerError that says what was attempted, where, what happened and what to do.

    ``doing`` continues "cannot ..."; ``place`` is what may be shown of the URL; ``secrets`` are blotted out of whatever
    the database says.

    Raises:
        LedgerError: for errors of SQLAlchemy, its drivers and the file system, and for rows that hold no such values.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        raise LedgerError(_sentence(doing, place, cause, secrets)) from error
    except (sqlite3.Error, OSError, OverflowError, UnicodeDecodeError) as error:
        raise LedgerError(_sentence(doing, place, error, secrets)) from error


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """Return ``text`` without any of ``secrets``."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def _sentence(doing: str, place: str, cause: BaseException, secrets: tuple[str, ...]) -> str:
    said = masked(" ".join(str(cause).split()), secrets)[:_LONGEST_CAUSE] or type(cause).__name__
    if isinstance(cause, OSError):
        said = cause.strerror or said
    advice = _advice(cause)
    return f"cannot {doing} the ledger {place}: {said}" + (f"; {advice}" if advice else "")


def _advice(cause: BaseException) -> str | None:
    if isinstance(cause, sqlite3.Error):
        return _by_start(_SQLITE_ADVICE, getattr(cause, "sqlite_errorname", None))
    if isinstance(cause, UnicodeDecodeError):  # what SQLite says of a damaged schema holds its octets
        return _SQLITE_ADVICE["SQLITE_CORRUPT"]
    if isinstance(cause, OSError):
        return "check that the directory exists, is on a writable file system and belongs to the user who runs this"
    return _by_start(_POSTGRESQL_ADVICE, getattr(cause, "sqlstate", None))


def _by_start(advice: dict[str, str], code: str | None) -> str | None:
    fitting = [start for start in advice if code is not None and code.startswith(start)]
    return advice[max(fitting, key=len)] if fitting else None
