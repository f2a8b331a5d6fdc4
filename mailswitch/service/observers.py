"""Who is told how the daemon fares: logs, metrics, notices. Telling them never fails a pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mailswitch.core.errors import MailswitchError
from mailswitch.core.reports import PassReport
from mailswitch.core.timetable import PassReason

__all__ = ["DaemonState", "PassContext", "PassObserver", "PassReason"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassContext:
    """What the daemon knows of a pass beside its report."""

    reason: PassReason
    servers: tuple[str, ...]
    """The servers that were to be looked at, in configuration order."""
    elapsed: timedelta
    """By a clock that never jumps."""
    newly_failing: tuple[str, ...] = ()
    """Servers whose trouble is new, or another than at the last pass. An old trouble is not here again."""
    recovered: tuple[str, ...] = ()
    """Servers that failed before this pass and do no longer."""
    failing: tuple[str, ...] = ()
    """All servers that fail as of now, those not in this pass included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonState:
    """How the daemon fares between passes."""

    at: datetime
    started: datetime
    """When the daemon started."""
    is_busy: bool
    """A pass is under way."""
    is_paused: bool
    unsettled: int
    """Intents without an outcome."""
    next_pass: datetime | None
    failing: tuple[str, ...] = ()


class PassObserver(Protocol):
    """Somebody who is told, one call at a time, on the daemon's own thread and never while a pass runs but by `ticked`.

    What an observer raises is logged and goes no further, so it should translate its own errors. It must bound its own
    waiting: while it waits, no pass starts.
    """

    def pass_done(self, report: PassReport, context: PassContext) -> None:
        """A pass ended, with the true outcome of every change; single servers may have failed in it."""

    def pass_failed(self, error: MailswitchError, context: PassContext) -> None:
        """A pass could not be made at all: the ledger or public DNS cannot be used."""

    def ticked(self, state: DaemonState) -> None:
        """About every half minute, and after each pass; to be quick, for it may be called while a pass runs."""

    def close(self) -> None:
        """The daemon stops, or has read a new configuration that builds its observers anew."""
