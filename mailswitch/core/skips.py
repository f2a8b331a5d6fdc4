"""Time that the wall clock skipped, so that nothing counts it as having passed.

Facts:

- A wall clock that is set forward makes everything on record look older than it is: mail that was looked for a minute
  ago, a limit's changes of today, a domain that came last week. In doubt it is as young as can be, for age only ever
  takes away what holds a switch.
- Set back, it makes everything look younger, which is safe by itself. So only skips are remembered, also those that
  were taken back later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["NO_SKIPS", "Skip", "Skips"]

_MOST = 100
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is on record from before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """The wall clock was found to have been set forward."""

    to: datetime
    """What it said then."""
    span: timedelta


@dataclass(frozen=True, slots=True)
class Skips:
    """All skips that a process knows of, oldest first; those before its start it cannot know."""

    known: tuple[Skip, ...] = ()

    def and_one(self, skip: Skip) -> Skips:
        """Return these and one more; of very many the oldest is forgotten."""
        return Skips((*self.known, skip)[-_MOST:])

    def age(self, moment: datetime, now: datetime) -> timedelta:
        """Return how much time passed between a moment on record and now; never more than did."""
        return now - moment - sum((skip.span for skip in self.known if skip.to > moment), timedelta(0))

    def earliest(self, now: datetime, age: timedelta) -> datetime:
        """Return the earliest moment on record that may be no older than ``age`` now."""
        skipped = sum((skip.span for skip in self.known), timedelta(0))
        return now - min(age + skipped, now - _BEGINNING)


NO_SKIPS = Skips()
