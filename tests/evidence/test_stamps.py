from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailswitch.evidence.stamps import StampReader

_NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def _minute(line: bytes, now: datetime = _NOW) -> datetime | None:
    found = StampReader(now, timezone(timedelta(hours=1))).minute(line)
    return None if found is None else datetime.fromtimestamp(found.start, UTC)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (b"Jan  2 04:03:59 web01 x", datetime(2026, 1, 2, 3, 3, tzinfo=UTC)),
        (b"Dec 31 23:59:59 web01 x", datetime(2025, 12, 31, 22, 59, tzinfo=UTC)),
        (b"Jan  3 03:00:00 web01 x", datetime(2026, 1, 3, 2, 0, tzinfo=UTC)),
        (b"Jan  4 23:00:00 web01 x", datetime(2025, 1, 4, 22, 0, tzinfo=UTC)),
        (b"Feb 29 12:00:00 web01 x", datetime(2024, 2, 29, 11, 0, tzinfo=UTC)),
        (b"2026-01-02T04:03:59.123456+01:00 web01 x", datetime(2026, 1, 2, 3, 3, tzinfo=UTC)),
        (b"2026-01-02T04:03:59Z web01 x", datetime(2026, 1, 2, 4, 3, tzinfo=UTC) - timedelta(hours=0)),
        (b"2025-12-31T23:30:00-05:30 web01 x", datetime(2026, 1, 1, 5, 0, tzinfo=UTC)),
    ],
)
def test_a_stamp_tells_its_minute_in_utc(line: bytes, moment: datetime) -> None:
    assert _minute(line) == moment


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Foo  2 04:03:59 web01 x",
        b"Jan 32 04:03:59 web01 x",
        b"Jan  2 29:03:59 web01 x",
        b"Feb 30 04:03:59 web01 x",
        b"Jan  2 04:03 web01 x",
        b"2026-13-02T04:03:59Z web01 x",
        b"2026-01-02T04:03:59+29:59 web01 x",
        b"2026-01-02T04:03:59 web01 x",
        b"1960-01-02T04:03:59Z web01 x",
        b"2026-01-09T04:03:59Z of a clock that was wrong",
        b"0001-01-01T00:00:00+23:00 web01 x",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_stamp_or_still_to_come_is_none(line: bytes) -> None:
    assert _minute(line) is None
