"""One connection to a ledger's database, used by one thread at a time and never silently replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.failures import translated

__all__ = ["Session"]


class Session:
    """A connection with its lock.

    SQLAlchemy would replace a broken connection by a new one; a pass lock that a PostgreSQL server tied to the old one
    would be lost without a word. So a session that broke stays broken.
    """

    def __init__(
        self, engine: Engine, place: str, *, secrets: tuple[str, ...] = (), is_intact: Callable[[], bool] | None = None
    ) -> None:
        """Connect.

        ``is_intact`` is asked after each transaction whether what was read in it can be relied on.

        Raises:
            LedgerError: it cannot be connected to.
        """
        self.place = place
        self._engine = engine
        self._secrets = secrets
        self._is_intact = is_intact
        self._turn = threading.Lock()
        with translated("open", place, secrets=secrets):
            try:
                self._connection = engine.connect()
            except BaseException:
                engine.dispose()
                raise

    @contextmanager
    def transaction(self, doing: str) -> Iterator[Connection]:
        """Do one transaction: durable when the block is left, undone by any exception.

        ``doing`` continues "cannot ... the ledger" in messages.

        Raises:
            LedgerError: it failed, or the session is closed or broken.
        """
        with self._turn, translated(doing, self.place, secrets=self._secrets):
            if self._connection.closed or self._connection.invalidated:
                raise LedgerError(
                    f"cannot {doing} the ledger {self.place}: the connection to it is closed or was lost; "
                    "run the command again"
                )
            with self._connection.begin():
                yield self._connection
            if self._is_intact is not None and not self._is_intact():
                raise LedgerError(
                    f"cannot {doing} the ledger {self.place}: a pass began to write to it at the same moment; "
                    "run the command again"
                )

    def close(self) -> None:
        """Give the connection back. Harmless when called again."""
        with self._turn:
            self._connection.close()
            self._engine.dispose()
