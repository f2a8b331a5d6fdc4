"""Signs of life of the scheduler and of the pass under way, for the watchdog; and how the daemon is, in one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from mailswitch.core.words import counted

__all__ = ["Signs", "status_line"]

_LONGEST_BEAT = timedelta(seconds=45)


class Signs:
    """When something was last seen to move, by a clock that never jumps."""

    def __init__(self, now: Callable[[], timedelta]) -> None:
        """Take the construction for the first sign."""
        self._now = now
        self._beat = self._sign = now()
        self.progress = ""
        """How far the pass is, in words that continue a sentence."""

    def beat(self) -> None:
        """Note that the scheduler runs what is due."""
        self._beat = self._now()

    def moved(self, progress: str | None = None) -> None:
        """Note that the pass under way made a step."""
        self._sign = self._now()
        if progress is not None:
            self.progress = progress

    def is_alive(self, *, is_busy: bool, longest_silence: timedelta) -> bool:
        """Whether the scheduler moves, and the pass too if there is one."""
        now = self._now()
        return now - self._beat <= _LONGEST_BEAT and (not is_busy or now - self._sign <= longest_silence)


def status_line(
    *,
    looking_at: tuple[str, ...],
    progress: str,
    watched: int,
    next_pass: datetime | None,
    trouble: str | None,
    failing: tuple[str, ...],
    is_paused: bool,
) -> str:
    """Return one line a person understands: what it does, and what keeps it from its work."""
    if looking_at:
        doing = f"looking at {_few(looking_at)}{progress}"
    elif trouble is not None:
        doing = f"no pass can be made: {trouble}"
    else:
        then = "" if next_pass is None else f", next pass {next_pass:%H:%M} UTC"
        doing = f"watching {counted(watched, 'server')}{then}"
    paused = "; all changes are paused" if is_paused else ""
    return doing + paused + (f"; failing: {_few(failing)}" if failing else "")


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (" and more" if names[3:] else "")
