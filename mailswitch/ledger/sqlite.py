"""A ledger in one SQLite file: how it is made, locked and opened.

Facts:

- In WAL mode readers and one writer do not wait for each other; with ``synchronous=FULL`` each commit is on the disk
  when it returns (sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous).
- A WAL database needs ``-wal`` and ``-shm`` files beside it, even to be read, unless it is opened as ``immutable``:
  then nothing is locked or looked for, and the reader has to see for itself that nobody wrote (sqlite.org/uri.html).
- Python's driver begins transactions by guesswork; with ``isolation_level=None`` we begin them, DDL included.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.failures import translated
from mailswitch.ledger.lock import ANOTHER_DAEMON, FILE_MODE, adopt, file_lock, is_file_locked, retry_while_running
from mailswitch.ledger.marker import MarkerFile
from mailswitch.ledger.reader import EmptyLedger, StoredReader, reader_of
from mailswitch.ledger.schema import is_current, migrate
from mailswitch.ledger.session import Opening, Session
from mailswitch.ledger.store import StoredLedger
from mailswitch.ledger.trust import refuse_dangling, refuse_untrusted

__all__ = ["SQLitePlace"]

_PATIENCE = timedelta(seconds=30)
"""How long a pass, or a reader, waits for an operator's short write."""
_LOOKS_TAKE = timedelta(milliseconds=500)


class SQLitePlace:
    """The file of a ledger; nothing is touched before one of its methods is called."""

    def __init__(self, path: Path, *, marker: MarkerFile | None = None) -> None:
        """Keep the path as it is named, and without symbolic links: the lock must be the same by every name."""
        self.named = path.absolute()
        self.path = Path(os.path.realpath(path))
        self._marker = marker

    def __repr__(self) -> str:
        """Return the path."""
        return f"SQLitePlace({str(self.path)!r})"

    @property
    def shown(self) -> str:
        """The place in messages."""
        return repr(str(self.path))

    def reader(self) -> StoredReader | EmptyLedger:
        """Open for reading only; see LedgerPlace.

        Raises:
            LedgerError: it cannot be read, or has a schema that this program does not know.
        """
        if not self.exists():
            return EmptyLedger(marker=self._marker)
        return reader_of(self.reading_session(), self._marker)

    @contextmanager
    def locked(self) -> Iterator[StoredLedger]:
        """Hold the pass lock and open for writing; see LedgerPlace.

        Raises:
            AlreadyRunning: another process holds the lock.
            LedgerError: it cannot be opened or migrated.
        """
        with self._pass_lock():
            self._make_file()
            with self._writing(_PATIENCE) as session:
                migrate(session)
                yield StoredLedger(session, marker=self._marker)

    @contextmanager
    def writer(self, *, wait: timedelta) -> Iterator[StoredLedger]:
        """Open for a short write beside a running pass; see LedgerPlace.

        Raises:
            AlreadyRunning: the ledger has to be made or migrated, and somebody held the pass lock for all of ``wait``.
            LedgerError: it cannot be opened or migrated.
        """
        retry_while_running(lambda: self._bring_up_to_date(wait), wait)
        with self._writing(wait) as session:
            yield StoredLedger(session, marker=self._marker)

    @contextmanager
    def daemon_lock(self) -> Iterator[Callable[[], None]]:
        """Hold the lock of the one daemon; see LedgerPlace. It is held for as long as the process lives."""
        self._check_place()
        with ExitStack() as stack:
            # Somebody may be looking whether there is a daemon, which takes a moment.
            retry_while_running(
                lambda: stack.enter_context(file_lock(self._daemon_file, self.shown, who=ANOTHER_DAEMON)), _LOOKS_TAKE
            )
            yield lambda: None

    def has_daemon(self) -> bool:
        """Whether a daemon holds its lock; see LedgerPlace."""
        return is_file_locked(self._daemon_file, self.shown)

    @property
    def _daemon_file(self) -> Path:
        return self.path.with_name(self.path.name + ".daemon.lock")

    def reading_session(self) -> Session:
        """Connect to an existing file without making any file.

        Where no writer has left its files beside it, the file is read as it lies, and the session looks after each read
        whether somebody wrote meanwhile.
        """
        return Session(self._opening_for_reading, self.shown)

    def _opening_for_reading(self) -> Opening:
        uri = f"{self.path.as_uri()}?mode=ro"
        if not self._has_no_sidecars():
            return Opening(engine=_engine(uri, _PATIENCE, begin="BEGIN"))
        is_intact = self._watch()
        return Opening(engine=_engine(f"{uri}&immutable=1", _PATIENCE, begin="BEGIN"), is_intact=is_intact)

    def _bring_up_to_date(self, wait: timedelta) -> None:
        if self.exists():
            with self._writing(wait) as session:
                if is_current(session):
                    return
        with self._pass_lock():
            self._make_file()
            with self._writing(wait) as session:
                migrate(session)

    @contextmanager
    def _pass_lock(self) -> Iterator[None]:
        self._check_place()
        with file_lock(self.path.with_name(self.path.name + ".lock"), self.shown):
            yield

    @contextmanager
    def _writing(self, wait: timedelta) -> Iterator[Session]:
        refuse_untrusted(self.named, self.path)
        engine = _engine(f"{self.path.as_uri()}?mode=rw", wait, begin="BEGIN IMMEDIATE", setting_up=_set_up_for_writing)
        session = Session(lambda: Opening(engine=engine), self.shown)
        try:
            yield session
        finally:
            session.close()

    def exists(self) -> bool:
        """Whether there is a file; raise LedgerError where that cannot be told, or it is neither a file nor nothing."""
        with translated("open", self.shown):
            try:
                mode = self.path.stat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                refuse_dangling(self.named)
                return False
        if not stat.S_ISREG(mode):
            raise LedgerError(f"cannot open the ledger {self.shown}: it is no plain file; point `ledger` to a file")
        return True

    def _check_place(self) -> None:
        """Refuse a place for a ledger before any file is made there."""
        self.exists()
        directory = self.path.parent
        with translated("make", self.shown):
            is_there = directory.is_dir()
        if not is_there:
            raise LedgerError(
                f"cannot make the ledger {self.shown}: there is no directory {str(directory)!r}; make it with "
                f"`install -d -m 0750 {directory}`, owned by the user who runs mailswitch"
            )
        refuse_untrusted(self.named, self.path)

    def _make_file(self) -> None:
        """Make an empty file, which to SQLite is an empty database; the files beside it take over its mode."""
        if self.exists():
            return
        with translated("make", self.shown):
            descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE
            )
            try:
                adopt(descriptor, self.path.parent)
            finally:
                os.close(descriptor)

    def _has_no_sidecars(self) -> bool:
        wal, shm = (self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))
        return not shm.exists() and (not wal.exists() or wal.stat().st_size == 0)

    def _watch(self) -> Callable[[], bool]:
        def state() -> tuple[int, int, int, bool]:
            now = self.path.stat()
            return now.st_ino, now.st_size, now.st_mtime_ns, self._has_no_sidecars()

        before = state()
        return lambda: state() == before and before[-1]


def _engine(
    uri: str, wait: timedelta, *, begin: str, setting_up: Callable[[sqlite3.Connection], None] | None = None
) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=wait.total_seconds(), isolation_level=None, check_same_thread=False
        )
        try:
            # Hostile bytes must not fool the schema's own words into running code (sqlite.org/security.html).
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.execute("PRAGMA foreign_keys=ON")
            if setting_up is not None:
                setting_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _set_up_for_writing(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(
            f"the file system allows journal mode {mode!r} only, no write-ahead log; put the ledger on a local disk"
        )
