"""The words of the daemon's agenda: clocks, the timetable, what is due, and what a pass makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from mailswitch.core.names import DomainName

__all__ = ["Outlook", "PassReason", "Reading", "ServerAgenda", "Task", "Timetable"]

_FIRST_RETRY = timedelta(minutes=5)
_LONGEST_RETRY = timedelta(hours=1)
_MOST_DOUBLINGS = 20


class PassReason(StrEnum):
    """Why the daemon makes a pass."""

    SWEEP = "sweep"
    """It is time to look at some servers, or time to try failing ones again."""
    FOLLOW_UP = "follow-up"
    """Names on their way to a change can be confirmed."""
    RECHECK = "recheck"
    """Somebody asked for some names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What both clocks say at one moment."""

    wall: datetime
    monotonic: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """The schedule as configured."""

    interval: timedelta
    jitter: timedelta = timedelta(0)
    seed: str = ""
    """Makes the jitter of one installation another's than that of the next."""

    def delay(self, server: str, turn: int) -> timedelta:
        """Return the jitter added before one server's sweep with this number: the same whenever it is asked for."""
        drawn = blake2b(f"{self.seed} {server} {turn}".encode(), digest_size=4).digest()
        return self.jitter * (int.from_bytes(drawn) / 2**32)

    def patience(self, failures: int) -> timedelta:
        """Return how long to wait after this many failures in a row."""
        longest = max(self.interval, _LONGEST_RETRY)
        return min(_FIRST_RETRY * (1 << min(failures - 1, _MOST_DOUBLINGS)), longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAgenda:
    """When one server is looked at."""

    sweep: datetime
    """The next look at all of its names."""
    turn: int = 0
    """Sweeps made so far."""
    failures: int = 0
    """In a row."""
    follow_ups: Mapping[DomainName, datetime] = field(default_factory=dict)
    """Names that can be confirmed before the next sweep."""

    @property
    def next(self) -> datetime:
        """The next look at any of its names."""
        return min([self.sweep, *self.follow_ups.values()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One pass to be made."""

    reason: PassReason
    servers: tuple[str, ...]
    names: frozenset[DomainName] = frozenset()
    """Empty: every name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a pass makes of one server's future."""

    server: str
    is_failing: bool = False
    follow_ups: Mapping[DomainName, datetime] = field(default_factory=dict)
    """When each name that was looked at can be confirmed."""
