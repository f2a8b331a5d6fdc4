"""What the clock skipped makes nothing older."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.skips import NO_SKIPS, Skip, Skips
from tests.support.builders import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_without_skips_age_is_what_the_clock_says() -> None:
    assert NO_SKIPS.age(NOW - DAY, NOW) == DAY


def test_what_was_there_before_a_skip_is_younger_than_the_clock_says() -> None:
    skips = Skips((Skip(to=NOW - HOUR, span=DAY),))

    assert skips.age(NOW - 2 * DAY, NOW) == DAY
    assert skips.age(NOW - HOUR, NOW) == HOUR


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(-(10**6), 10**6), st.booleans()), min_size=1, max_size=30
    )
)
def test_nothing_is_ever_older_than_it_is(steps: list[tuple[int, int, bool]]) -> None:
    """However often the clock is set, and whichever way: real time runs, and what is on record bears the clock's."""
    real, wall, skips = timedelta(0), NOW, NO_SKIPS
    records: list[tuple[timedelta, datetime]] = []
    for passed, jump, is_recording in steps:
        real += timedelta(seconds=passed)
        wall += timedelta(seconds=passed + jump)
        if jump > 0:
            skips = skips.and_one(Skip(to=wall, span=timedelta(seconds=jump)))
        if is_recording:
            records.append((real, wall))
        for recorded, moment in records:
            assert skips.age(moment, wall) <= real - recorded
            assert real - recorded > DAY or moment >= skips.earliest(wall, DAY)


def test_of_very_many_skips_the_oldest_are_forgotten() -> None:
    skips = NO_SKIPS
    for number in range(1000):
        skips = skips.and_one(Skip(to=NOW + number * HOUR, span=HOUR))

    assert len(skips.known) == 100
    assert skips.known[-1].to == NOW + 999 * HOUR


def test_a_clock_that_skipped_centuries_leads_to_no_moment_that_there_is_not() -> None:
    skips = Skips((Skip(to=NOW, span=timedelta(days=400_000)),) * 100)

    assert skips.earliest(NOW, DAY) == datetime(1970, 1, 1, tzinfo=UTC)
