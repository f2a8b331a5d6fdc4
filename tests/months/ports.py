"""The program's ports with every call counted, so that it can be killed, or its disk be full, at any of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, NullPool, create_engine, event

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.lock import file_lock
from mailswitch.ledger.marker import MarkerFile
from mailswitch.ledger.reader import StoredReader
from mailswitch.ledger.session import Opening, Session
from mailswitch.ledger.sqlite import SQLitePlace
from mailswitch.ledger.store import StoredLedger
from mailswitch.service.ports import Ledger, LedgerPlace, LedgerReader, PublicView, Sweep

__all__ = ["Calls", "CountedPlace", "CountedView", "Killed", "QuickPlace", "counted"]

_Port = TypeVar("_Port")
_WRITES = frozenset(
    {"begin_run", "finish_run", "record_pass", "intend", "settle", "add_pin", "remove_pin", "add_approval", "set_pause"}
)


class Killed(BaseException):
    """The process died: nobody may catch this."""


@dataclass
class Calls:
    """Counts calls of ports; armed, it kills or fails one."""

    made: int = 0
    kill_at: int = 0
    """The number of the call, counted from the beginning of a step or, with a port, of those calls only."""
    port: str = ""
    is_after: bool = False
    full_from: int = 0
    within: int | None = None
    """For a write to the ledger: make it in a child that is truly killed after so many of SQLite's instructions."""
    has_struck: bool = False
    is_dead: bool = False
    """Killed and not started again: what other threads of that process were about to do is not done either."""

    def arm(
        self,
        *,
        kill_at: int = 0,
        port: str = "",
        is_after: bool = False,
        full_from: int = 0,
        within: int | None = None,
    ) -> None:
        self.made, self.kill_at, self.port, self.is_after, self.full_from = 0, kill_at, port, is_after, full_from
        self.within, self.has_struck = within, False

    def rest(self) -> None:
        """Begin another step: what waits for a certain call goes on waiting."""
        if not self.port or self.has_struck:
            self.arm()

    def made_one(self, name: str, call: Callable[[], Any], die: Callable[[int], None] | None = None) -> Any:
        if self.is_dead:
            raise Killed
        if self.full_from and name in _WRITES and self.made >= self.full_from:
            self.has_struck = True
            raise LedgerError("cannot write to the ledger: the disk is full")
        is_last = False
        if self.port in {"", name}:
            self.made += 1
            is_last = self.made == self.kill_at and not self.has_struck
        self.has_struck = self.has_struck or is_last
        self.is_dead = is_last
        if is_last and self.within is not None and die is not None:
            die(self.within)
        if is_last and not self.is_after:
            raise Killed
        done = call()
        if is_last:
            raise Killed
        return done


class _Counted:
    """Anything with methods, each call of which is counted."""

    def __init__(self, inner: object, calls: Calls, dying: Callable[..., None] | None = None) -> None:
        self._inner, self._calls, self._dying = inner, calls, dying

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name == "close":
            return found
        return partial(self._made, name, found)

    def _made(self, name: str, found: Callable[..., Any], /, *args: Any, **known: Any) -> Any:
        dying = self._dying
        die = None if dying is None else lambda instructions: dying(instructions, name, *args, **known)
        return self._calls.made_one(name, lambda: found(*args, **known), die)


def counted(inner: _Port, calls: Calls, dying: Callable[..., None] | None = None) -> _Port:
    """Return a port each call of which is counted; ``dying`` makes one in a process that is killed on the way."""
    return cast("_Port", _Counted(inner, calls, dying))


class CountedPlace:
    """A ledger's place that gives counted ledgers."""

    def __init__(self, place: LedgerPlace, calls: Calls, dying: Callable[..., None]) -> None:
        self._place, self._calls, self._dying = place, calls, dying

    def reader(self) -> LedgerReader:
        return counted(self._place.reader(), self._calls)

    @contextmanager
    def locked(self) -> Iterator[Ledger]:
        with self._place.locked() as ledger:
            yield counted(ledger, self._calls, self._dying)

    @contextmanager
    def writer(self, *, wait: timedelta) -> Iterator[Ledger]:
        with self._place.writer(wait=wait) as ledger:
            yield counted(ledger, self._calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)


class CountedView:
    """Public DNS of which each batch of questions is counted."""

    def __init__(self, view: PublicView, calls: Calls) -> None:
        self._view, self._calls = view, calls

    @contextmanager
    def sweep(self, **known: Any) -> Iterator[Sweep]:
        with self._view.sweep(**known) as sweep:
            yield counted(sweep, self._calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)


class QuickPlace:
    """The real ledger in a real file under the real lock, with one engine for a whole life.

    So its statements are compiled once and not for each pass.
    """

    def __init__(self, path: Path, marker: Path) -> None:
        self._path, self._shown = path, repr(str(path))
        self._marker = MarkerFile(marker)
        with SQLitePlace(path).locked():
            """Made and migrated."""
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)

        @event.listens_for(self._engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys=ON")
        # A process that dies loses nothing that it handed to the system; only a power cut does (tests/ledger).
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    def _session(self) -> Session:
        return Session(lambda: Opening(engine=self._engine), self._shown)

    def reader(self) -> StoredReader:
        return StoredReader(self._session(), marker=self._marker)

    @contextmanager
    def locked(self) -> Iterator[StoredLedger]:
        with file_lock(self._path.with_name(self._path.name + ".lock"), self._shown):
            yield from self._opened()

    @contextmanager
    def writer(self, *, wait: timedelta) -> Iterator[StoredLedger]:
        del wait
        yield from self._opened()

    def _opened(self) -> Iterator[StoredLedger]:
        session = self._session()
        try:
            yield StoredLedger(session, marker=self._marker)
        finally:
            session.close()
