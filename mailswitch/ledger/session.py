"""One connection to a ledger's database, used by one thread at a time and never silently replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.failures import translated

__all__ = ["Disturbed", "Opening", "Session"]

_T = TypeVar("_T")
_READING_TRIES = 5


class Disturbed(LedgerError):
    """What was read cannot be relied on: somebody wrote to a file that was read without looking out for writers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One way to reach a database."""

    engine: Engine
    is_intact: Callable[[], bool] | None = None
    """Asked after each transaction whether what was read in it can be relied on."""


class Session:
    """A connection with its lock.

    SQLAlchemy would replace a broken connection by a new one; a pass lock that a PostgreSQL server tied to the old one
    would be lost without a word. So a session that broke stays broken.
    """

    def __init__(self, opening: Callable[[], Opening], place: str, *, secrets: tuple[str, ...] = ()) -> None:
        """Connect by what ``opening`` returns; it is asked again when that proves not to be intact.

        Raises:
            LedgerError: it cannot be connected to.
        """
        self.place = place
        self._opening = opening
        self._secrets = secrets
        self._turn = threading.Lock()
        self._connect()

    @contextmanager
    def transaction(self, doing: str) -> Iterator[Connection]:
        """Do one transaction: durable when the block is left, undone by any exception.

        ``doing`` continues "cannot ... the ledger" in messages.

        Raises:
            LedgerError: it failed, or the session is closed or broken.
            Disturbed: the way it was opened was not the right one any more; `read` takes another.
        """
        with self._turn, translated(doing, self.place, secrets=self._secrets):
            if self._connection.closed or self._connection.invalidated:
                raise LedgerError(
                    f"cannot {doing} the ledger {self.place}: the connection to it is closed or was lost; "
                    "run the command again"
                )
            try:
                with self._connection.begin():
                    yield self._connection
            finally:
                # Even an error may have come of it: a file that changes underfoot looks damaged.
                if self._way.is_intact is not None and not self._way.is_intact():
                    raise Disturbed(
                        f"cannot {doing} the ledger {self.place}: others keep writing to it at the same moment; "
                        "run the command again"
                    )

    def read(self, act: Callable[[Connection], _T], *, doing: str = "read") -> _T:
        """Return what ``act`` reads in one transaction, opening anew where the former way was not intact.

        Raises:
            LedgerError: it failed, or the session is closed or broken.
        """
        for _ in range(_READING_TRIES - 1):
            try:
                with self.transaction(doing) as connection:
                    return act(connection)
            except Disturbed:
                self.close()
                self._connect()
        with self.transaction(doing) as connection:
            return act(connection)

    def close(self) -> None:
        """Give the connection back. Harmless when called again."""
        with self._turn:
            self._connection.close()
            self._way.engine.dispose()

    def _connect(self) -> None:
        with self._turn, translated("open", self.place, secrets=self._secrets):
            self._way = self._opening()
            try:
                self._connection = self._way.engine.connect()
            except BaseException:
                self._way.engine.dispose()
                raise
