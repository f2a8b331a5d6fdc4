"""Everybody who is told how the daemon fares, one call at a time; what they get wrong stays with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from mailswitch.core.errors import MailswitchError
from mailswitch.service.logs import Log
from mailswitch.service.observers import DaemonState, PassObserver

__all__ = ["Audience", "OpenObservers"]

OpenObservers = Callable[[], Iterable[PassObserver]]
"""Builds observers; called when those before them are closed, for they may listen at the same port."""


class Audience:
    """The observers in force."""

    def __init__(self, log: Log) -> None:
        """Tell of observers that fail in ``log``."""
        self._log = log
        self._turn = threading.Lock()
        self._observers: tuple[PassObserver, ...] = ()
        self._waiting: OpenObservers | None = None

    def replace(self, open_observers: OpenObservers) -> None:
        """Close the observers and open others: at once, or when those are through who are being told something."""
        self._waiting = open_observers
        if self._turn.acquire(blocking=False):
            try:
                self._take_over()
            finally:
                self._turn.release()

    def tell(self, say: Callable[[PassObserver], None]) -> None:
        """Tell everybody something, and wait until they have heard it."""
        with self._turn:
            self._take_over()
            self._each(say)
            self._take_over()

    def tick(self, state: DaemonState) -> None:
        """Tell everybody how it stands, unless they are being told something else."""
        if self._turn.acquire(blocking=False):
            try:
                self._each(lambda observer: observer.ticked(state))
            finally:
                self._turn.release()

    def _take_over(self) -> None:
        wanted, self._waiting = self._waiting, None
        if wanted is None:
            return
        self._each(lambda observer: observer.close())
        self._observers = ()
        try:
            self._observers = tuple(wanted())
        except MailswitchError as error:
            self._log.error("observer_failed", reason=str(error))

    def _each(self, say: Callable[[PassObserver], None]) -> None:
        for observer in self._observers:
            try:
                say(observer)
            except Exception as error:  # noqa: BLE001 - whatever an observer does, the daemon's work goes on
                self._log.error("observer_failed", cause=type(observer).__name__, reason=f"{error!r}")
