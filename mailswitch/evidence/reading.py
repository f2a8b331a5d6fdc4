"""A log's lines in their order: what each minute brings to the counts, and how far back there is no gap."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from mailswitch.evidence.join import Join
from mailswitch.evidence.lines import HEAD, event
from mailswitch.evidence.stamps import StampReader

__all__ = ["LONGEST_LINE", "Mark", "Reading", "digest"]

LONGEST_LINE = 16_384
"""Octets; Postfix's own lines end at about 2,000."""
_GAP = 86_400
"""Seconds without any line after which a log counts as interrupted."""
_SECONDS_WIDTH = len(b":05")
_NO_MINUTE: tuple[bytes | None, int, int, bool] = (None, 1, 0, False)
"""What the current minute's lines begin with, how long that is, its second since 1970, whether it is ignored."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The last line that was read, to find it again in another file."""

    stamp: str
    digest: str
    repeats: int
    """How many times the very same line was read by then."""

    def is_in(self, line: bytes) -> bool:
        """Whether a line is this one."""
        return line.startswith(self.stamp.encode("latin-1")) and digest(line) == self.digest


def digest(octets: bytes) -> str:
    """Return a short fingerprint."""
    return hashlib.blake2b(octets, digest_size=16).hexdigest()


class Reading:
    """Feeds lines to a join. Nothing of it depends on how the log was cut into pieces."""

    def __init__(self, join: Join, stamps: StampReader) -> None:
        """Start before the first line."""
        self.join = join
        self.since: int | None = None
        """The minute from which on there is no gap, in seconds since 1970."""
        self.until: int | None = None
        """The latest minute."""
        self.mark: Mark | None = None
        self.lines = 0
        self.unknown = 0
        """Lines without a stamp, or too long to be one of the log's."""
        self._stamps = stamps
        self._previous: int | None = None
        self._ignored_through: int | None = None
        self._current = _NO_MINUTE

    def resume(self, *, since: int | None, until: int | None, previous: int | None, mark: Mark | None) -> None:
        """Go on where another reading ended."""
        self.since, self.until, self._previous, self.mark = since, until, previous, mark

    @property
    def previous(self) -> int | None:
        """The minute of the last line, which is the latest one unless a clock was turned back."""
        return self._previous

    def minute_of(self, head: bytes) -> int | None:
        """Return the minute of the first line of what may be a log, or None where it has no stamp."""
        found = self._stamps.minute(head)
        return None if found is None else found.start

    def lose_track(self) -> None:
        """Begin anew after the latest minute: what comes next is not known to follow, and must not count twice."""
        self._ignored_through = self.until
        self.since = self._previous = self.mark = None
        self._current = _NO_MINUTE

    def feed(self, lines: list[bytes]) -> None:
        """Read whole lines, without their newlines."""
        self.lines += len(lines)
        fitting = lines
        if max(map(len, lines), default=0) > LONGEST_LINE:
            fitting = [line for line in lines if len(line) <= LONGEST_LINE]
            self.unknown += len(lines) - len(fitting)
        take, match = self.join.take, HEAD.match
        key, width, start, ignored = self._current
        last: bytes | None = None
        for line in fitting:
            if line[:width] != key:
                found = self._stamps.minute(line)
                if found is None:
                    self.unknown += 1
                    continue
                start, width = found
                key = line[:width]
                ignored = self._ignored_through is not None and start <= self._ignored_through
                if not ignored:
                    self._turn(start)
            if ignored:
                continue
            last = line
            head = match(line, width)
            if head is None:
                continue
            told = event(head, line)
            if told is not None:
                take(told[1], start + told[0])
        self._current = (key, width, start, ignored)
        if last is not None:
            self._place_mark(last, width, fitting)

    def _turn(self, minute: int) -> None:
        if minute == self._previous:
            return
        if self._previous is None or minute - self._previous > _GAP:
            self.since = minute
            self.join.begin(minute)
        self.join.pass_time(minute)
        self._previous = minute
        self.until = minute if self.until is None else max(self.until, minute)

    def _place_mark(self, last: bytes, width: int, lines: Iterable[bytes]) -> None:
        seen = sum(1 for line in lines if line == last)
        fingerprint = digest(last)
        if self.mark is not None and self.mark.digest == fingerprint:
            seen += self.mark.repeats
        stamp = last[: width + _SECONDS_WIDTH].decode("latin-1")
        self.mark = Mark(stamp=stamp, digest=fingerprint, repeats=seen)
