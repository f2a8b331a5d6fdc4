"""Where a ledger is: a SQLite file or a PostgreSQL database, by URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from mailswitch.core.errors import ConfigError
from mailswitch.ledger.marker import MarkerFile
from mailswitch.ledger.postgresql import PostgreSQLPlace
from mailswitch.ledger.sqlite import SQLitePlace

__all__ = ["file_of", "open_place"]

_SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
_POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
_EXAMPLES = "write sqlite:////var/lib/mailswitch/ledger.db or postgresql://user@host/database"


def file_of(url: str) -> Path | None:
    """Return the file a ledger URL names, as it is written there; None for a PostgreSQL database.

    Raises:
        ConfigError: as `open_place`.
    """
    parsed = _parsed(url)
    return _path(parsed) if parsed.drivername in _SQLITE else None


def open_place(url: str, *, marker: Path | None = None) -> SQLitePlace | PostgreSQLPlace:
    """Return the place a ledger URL names, without touching it.

    ``sqlite:///`` is followed by a path, so four slashes make it absolute. For PostgreSQL the path names the database;
    a schema of its own is chosen by ``?options=-csearch_path%3Dname``, and TLS by ``?sslmode=verify-full``.
    ``marker`` is the file outside the ledger by which one restored from an old backup is noticed; None for none.

    Raises:
        ConfigError: the URL is none, or of another kind of database. The URL is not repeated: it may hold a password.
    """
    parsed = _parsed(url)
    mark = None if marker is None else MarkerFile(marker)
    if parsed.drivername in _SQLITE:
        return SQLitePlace(_path(parsed), marker=mark)
    if parsed.drivername in _POSTGRESQL:
        return PostgreSQLPlace(parsed.set(drivername="postgresql+psycopg"), marker=mark)
    raise ConfigError(f"`ledger` names a {parsed.drivername!r} database, which cannot keep a ledger; {_EXAMPLES}")


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Neither the URL nor what the parser says of it may be shown: both may hold parts of a password.
        raise ConfigError(
            f"`ledger` is not a URL of a database; {_EXAMPLES} (with %40 for an @ in a password)"
        ) from None


def _path(url: URL) -> Path:
    if url.host or url.query or url.username:
        raise ConfigError(
            "`ledger` has a host, user or options in a sqlite URL, which has only a path: sqlite:/// and the path"
        )
    if not url.database or url.database == ":memory:":
        raise ConfigError(f"`ledger` names a database in memory, which would forget everything; {_EXAMPLES}")
    if url.database.startswith("file:"):
        raise ConfigError(f"`ledger` names a file: URI; {_EXAMPLES}")
    return Path(url.database)
