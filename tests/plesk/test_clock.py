"""How far a panel's clock is ahead, by what its replies say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailswitch.plesk.clock import clock_ahead

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Mon, 23 Nov 2026 12:00:07 GMT", timedelta(seconds=7)),
        ("Mon, 23 Nov 2026 11:00:00 GMT", timedelta(hours=-1)),
        ("Mon, 23 Nov 2026 13:00:00 +0100", timedelta(0)),
        ("Mon, 23 Nov 2026 12:00:00 -0000", timedelta(0)),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
        ("Mon, 23 Nov 2026 12:00:00 GMT" + " " * 200, None),
    ],
)
def test_a_date_is_held_against_this_clock(date: str | None, ahead: timedelta | None) -> None:
    assert clock_ahead(date, NOW) == ahead
