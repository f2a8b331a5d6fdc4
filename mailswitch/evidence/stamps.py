"""The moments in a log's lines, a minute at a time: lines come by the million, and minutes by the thousand.

Facts:

- A classic stamp is ``Mmm dd hh:mm:ss`` in the machine's own time zone and names no year (RFC 3164 §4.1.2).
- A stamp by RFC 3339 is ``2026-11-23T05:04:46.123456+01:00``: rsyslog's own format, and Debian 12's default.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

__all__ = ["Minute", "StampReader"]

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, start=1)}
_CLASSIC = re.compile(rb"([A-Z][a-z]{2}) ([ 0-3][0-9]) ([0-2][0-9]):([0-5][0-9]):[0-6][0-9] ")
_ISO = re.compile(
    rb"([0-9]{4})-([01][0-9])-([0-3][0-9])T([0-2][0-9]):([0-5][0-9]):[0-6][0-9](?:\.[0-9]{1,9})?"
    rb"(Z|[+-][0-2][0-9]:[0-5][0-9]) "
)
_CLASSIC_WIDTH = len(b"Nov 23 05:04")
_ISO_WIDTH = len(b"2026-11-23T05:04")
_DAY_SECONDS = 86_400
_YEARS_BACK = 8
"""From one 29 February to the one before it at the most."""


class Minute(NamedTuple):
    """The minute a line is from. A tuple, since lines are read by the million."""

    start: int
    """Its first second since 1970 in UTC."""
    width: int
    """How many of the line's octets say so; ``:ss`` follows."""


class StampReader:
    """Reads stamps as of one moment: no line is from later than a day after it."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        """Take ``zone`` for stamps that name none."""
        self._latest = int(now.timestamp()) + _DAY_SECONDS
        self._year = now.astimezone(UTC).year
        self._zone = zone

    def minute(self, line: bytes) -> Minute | None:
        """Return the minute a line's stamp is in, or None where it has none that can be."""
        found = _CLASSIC.match(line)
        if found is not None:
            return self._classic(*found.groups())
        found = _ISO.match(line)
        return None if found is None else self._iso(*found.groups())

    def _classic(self, name: bytes, *numbers: bytes) -> Minute | None:
        """Give the stamp the latest year in which it is not still to come."""
        month = _MONTH_NUMBERS.get(name)
        if month is None:
            return None
        day, hour, minute = map(int, numbers)
        for year in range(self._year + 1, self._year - _YEARS_BACK - 1, -1):
            try:
                start = int(datetime(year, month, day, hour, minute, tzinfo=self._zone).timestamp())
            except ValueError:  # 29 February in most years, or no day and hour at all
                continue
            if start <= self._latest:
                return Minute(start, _CLASSIC_WIDTH)
        return None

    def _iso(self, *parts: bytes) -> Minute | None:
        *numbers, offset = parts
        year, month, day, hour, minute = map(int, numbers)
        zone = "+00:00" if offset == b"Z" else offset.decode("ascii")
        try:
            moment = datetime.fromisoformat(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00{zone}")
            start = int(moment.timestamp())
        except (ValueError, OverflowError):
            return None
        return Minute(start, _ISO_WIDTH) if 0 <= start <= self._latest else None
