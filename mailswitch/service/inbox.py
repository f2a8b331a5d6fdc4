"""What others leave in the ledger for the running daemon, looked at every few seconds over one open connection.

And what the daemon leaves there beside its passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from mailswitch.core.errors import MailswitchError
from mailswitch.core.names import DomainName
from mailswitch.service.logs import Log
from mailswitch.service.ports import Ledger, LedgerPlace, LedgerReader

__all__ = ["Inbox", "Standing", "write_beside"]

_WAIT = timedelta(seconds=2)
_WRITING_WAITS = timedelta(seconds=30)
_MOST_AT_ONCE = 1000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the ledger stands for those who watch."""

    is_paused: bool = False
    unsettled: int = 0


class Inbox:
    """Reads the ledger beside the passes. While it cannot be read there is nothing new; the passes tell why."""

    def __init__(self, place: LedgerPlace) -> None:
        """Read the ledger at ``place``; it is opened when it is first looked at."""
        self._place = place
        self._reader: LedgerReader | None = None

    def rechecks(self) -> tuple[DomainName, ...]:
        """Take the names somebody wants looked at now."""
        try:
            if not self._opened().rechecks(limit=1):
                return ()
            with self._place.writer(wait=_WAIT) as ledger:
                return tuple(one.name for one in ledger.take_rechecks(limit=_MOST_AT_ONCE))
        except MailswitchError:
            self.close()
            return ()

    def standing(self) -> Standing | None:
        """Return how the ledger stands; None while it cannot be read."""
        try:
            reader = self._opened()
            return Standing(is_paused=reader.pause() is not None, unsettled=len(reader.unsettled()))
        except MailswitchError:
            self.close()
            return None

    def close(self) -> None:
        """Give the connection back; the next look opens another."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _opened(self) -> LedgerReader:
        if self._reader is None:
            self._reader = self._place.reader()
        return self._reader


def write_beside(
    place: LedgerPlace, log: Log, write: Callable[[Ledger], _T], *, wait: timedelta = _WRITING_WAITS
) -> _T | None:
    """Write to the ledger what no pass depends on; return what that gave, and None where it failed, which is logged."""
    try:
        with place.writer(wait=wait) as ledger:
            return write(ledger)
    except MailswitchError as error:
        log.warning("ledger_failed", reason=str(error))
        return None
