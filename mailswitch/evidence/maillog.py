"""One mail log read on from where it was left: after rotation, truncation, gaps and crashes, and never twice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mailswitch.evidence.files import LogFile, Position, open_family
from mailswitch.evidence.reading import Mark, Reading

__all__ = ["MailLogFile", "saved", "saved_position"]

_KEPT = 31 * 86_400
"""Seconds; older rotated files are not read."""
_SLACK = 3_600
"""Seconds by which a clock may have been turned back between two lines."""
_FILE_SLACK = 2 * 86_400
"""Seconds by which a file's time may disagree with its lines: a stamp without a zone may be of any."""


@dataclass(frozen=True, slots=True)
class _Start:
    """Where to go on."""

    file: int
    offset: int
    is_in_long_line: bool = False


class MailLogFile:
    """A log by its path. ``position`` is where reading ends; it moves with what the reading has taken in."""

    def __init__(self, path: Path, reading: Reading, position: Position | None) -> None:
        """Go on from ``position``; None where the log was never read."""
        self.position = position
        self._path = path
        self._reading = reading

    def read(self, *, now: float, deadline: float) -> bool:
        """Read to the end, or until ``deadline`` (of the monotonic clock); return whether the end was reached.

        Raises:
            Unreadable: it cannot be read; what was taken in until then is right.
        """
        with ExitStack() as stack:
            until = self._reading.until
            since = now - _KEPT if until is None else until - _FILE_SLACK
            files = open_family(self._path, stack, since=since)
            start = None if until is None else self._start(files)
            if start is None:
                self._reading.lose_track()
            return self._read_on(files, start, deadline)

    def _start(self, files: list[LogFile]) -> _Start | None:
        """Return where reading ended last time; None where that is nowhere any more."""
        position = self.position
        if position is not None:
            held = [place for place, one in enumerate(files) if one.holds(position)]
            same = [place for place in held if (files[place].device, files[place].inode) == _identity(position)]
            for place in (*same, *held):
                return _Start(place, position.offset, position.is_in_long_line)
        mark = self._reading.mark
        return None if mark is None else _behind(mark, files)

    def _read_on(self, files: list[LogFile], start: _Start | None, deadline: float) -> bool:
        """Read from ``start`` through all later files; without it, everything later than what was read."""
        known_until = self._reading.until
        begin = start or _Start(0, 0)
        for place, one in enumerate(files[begin.file :], start=begin.file):
            is_first = place == begin.file
            is_later = start is not None and not is_first and known_until is not None
            if is_later and self._is_from_before(one, known_until or 0):
                continue
            offset = begin.offset if is_first else 0
            for lines, position in one.pieces(offset, is_in_long_line=is_first and begin.is_in_long_line):
                self._reading.feed(lines)
                self.position = position
                if time.monotonic() > deadline:
                    return False
        return True

    def _is_from_before(self, one: LogFile, until: int) -> bool:
        """Whether a file begins long before the lines that were read already: somebody touched an old one."""
        first = self._reading.minute_of(one.head)
        return first is not None and first < until - _SLACK


def _identity(position: Position) -> tuple[int, int]:
    return position.device, position.inode


def _behind(mark: Mark, files: list[LogFile]) -> _Start | None:
    """Find the last line that was read by its content: its file was copied, appended to another, or compressed."""
    seen = 0
    for place, one in enumerate(files):
        for lines, position in one.pieces(0):
            if not any(line.startswith(mark.stamp.encode("latin-1")) for line in lines):
                continue
            offset = position.offset - sum(len(line) + 1 for line in lines) + position.is_in_long_line
            for line in lines:
                offset += len(line) + 1
                seen += mark.is_in(line)
                if seen >= mark.repeats and mark.is_in(line):
                    return _Start(place, offset)
    return None


def saved(log: MailLogFile, reading: Reading) -> dict[str, Any]:
    """Return how far a log was read, for `saved_position` and `Reading.resume` of a later pass."""
    return {
        "position": None if log.position is None else asdict(log.position),
        "since": reading.since,
        "until": reading.until,
        "previous": reading.previous,
        "mark": None if reading.mark is None else asdict(reading.mark),
        "join": reading.join.saved(),
    }


def saved_position(written: Mapping[str, Any], reading: Reading) -> Position | None:
    """Set a reading to where it ended, and return the position.

    Raises:
        ValueError, LookupError, TypeError, InvalidName: it was not saved by this program.
    """
    mark, position = written["mark"], written["position"]
    reading.join.restore(written["join"])
    reading.resume(
        since=written["since"],
        until=written["until"],
        previous=written["previous"],
        mark=None if mark is None else Mark(**mark),
    )
    return None if position is None else Position(**position)
