"""Patience follows round trips, the pace yields to losses; all on a clock of the test's own."""

from __future__ import annotations

import pytest

from mailswitch.lookup.pacing import DEAD_AFTER, Pace, RoundTrips, Standing


def test_before_any_answer_a_try_is_given_a_second() -> None:
    trips = RoundTrips()

    assert [trips.patience(tries) for tries in range(3)] == [1.0, 2.0, 2.0]


def test_patience_is_the_mean_round_trip_and_four_deviations() -> None:
    trips = RoundTrips()
    trips.add(0.2)

    assert trips.patience(0) == pytest.approx(0.2 + 4 * 0.1)


def test_patience_follows_steady_round_trips_and_doubles_from_try_to_try() -> None:
    trips = RoundTrips()
    for _ in range(100):
        trips.add(0.2)

    assert trips.patience(0) == pytest.approx(0.2, abs=0.01)
    assert trips.patience(2) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(("seconds", "patience"), [(0.0001, 0.15), (60.0, 2.0)])
def test_patience_has_its_bounds(seconds: float, patience: float) -> None:
    trips = RoundTrips()
    for _ in range(100):
        trips.add(seconds)

    assert trips.patience(0) == patience


def spent(pace: Pace, start: float, stop: float, step: float = 0.001) -> int:
    """Send whenever it is allowed, on a clock of small steps; return how many packets that were."""
    count = 0
    for number in range(round((stop - start) / step)):
        while pace.wait(start + number * step) == 0:
            pace.sent()
            count += 1
    return count


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace(None)
    for _ in range(1000):
        pace.sent()

    assert pace.wait(0.0) == 0
    assert pace.rate is None


@pytest.mark.parametrize("rate", [1.0, 50.0, 1500.0])
def test_the_rate_is_kept(rate: float) -> None:
    assert spent(Pace(rate), 10.0, 13.0) == pytest.approx(3 * rate, abs=0.05 * rate + 1)


def test_what_was_not_sent_is_not_saved_up_for_longer_than_a_moment() -> None:
    pace = Pace(1000.0)
    pace.wait(0.0)

    assert spent(pace, 100.0, 100.001) <= 51


def test_the_wait_told_is_enough() -> None:
    pace = Pace(3.0)
    now = 5.0
    for _ in range(100):
        now += pace.wait(now)
        assert pace.wait(now) == 0
        pace.sent()

    assert now == pytest.approx(5.0 + 99 / 3.0)


def test_losses_halve_the_rate_and_quiet_seconds_raise_it_slowly() -> None:
    pace = Pace(100.0)
    spent(pace, 0.0, 0.9)
    for _ in range(5):
        pace.unanswered()
    pace.wait(1.0)
    halved = pace.rate
    for second in range(2, 5):
        pace.wait(float(second))

    assert halved == 50.0
    assert pace.rate == pytest.approx(50.0 * 1.05**3)


def test_the_rate_is_never_raised_above_what_is_configured_nor_lowered_to_nothing() -> None:
    pace, lossy = Pace(100.0), Pace(100.0)
    for second in range(20):
        pace.wait(float(second))
        for _ in range(100):
            lossy.unanswered()
        lossy.wait(float(second))

    assert pace.rate == 100.0
    assert lossy.rate == 100.0 / 32


@pytest.mark.parametrize("count", [1, 4])
def test_a_few_losses_are_chance(count: int) -> None:
    pace = Pace(50.0)
    spent(pace, 0.0, 0.9)
    for _ in range(count):
        pace.unanswered()
    pace.wait(1.0)

    assert pace.rate == 50.0


@pytest.mark.parametrize(("count", "rate"), [(9, 50.0), (20, 25.0)])
def test_a_burst_of_refusals_halves_the_rate(count: int, rate: float) -> None:
    pace = Pace(50.0)
    spent(pace, 0.0, 0.9)
    for _ in range(count):
        pace.refused()
    pace.wait(1.0)

    assert pace.rate == rate


def test_a_silent_vantage_is_tried_now_and_then_until_it_gives_a_sign_of_life() -> None:
    standing = Standing(None)
    for _ in range(DEAD_AFTER):
        standing.silent()
    standing_down = [standing.is_given_up(moment, 3.0) for moment in (10.0, 10.1, 12.9, 13.0, 13.1)]
    standing.heard()

    assert standing_down == [False, True, True, False, True]
    assert not standing.is_given_up(13.2, 3.0)


@pytest.mark.parametrize(
    ("packets", "seconds", "is_dead"), [(60, 14.0, False), (49, 20.0, False), (60, 15.0, True), (500, 2.0, False)]
)
def test_many_lost_packets_in_a_row_for_a_long_time_are_the_silence_of_the_dead(
    packets: int, seconds: float, is_dead: bool
) -> None:
    standing = Standing(None)
    for number in range(packets):
        standing.unanswered(100.0 + seconds * number / (packets - 1))

    assert standing.is_dead is is_dead
    assert standing.traffic().is_given_up is is_dead
    assert standing.timeouts == packets


def test_any_sign_of_life_makes_a_vantage_a_living_one_and_the_count_begins_anew() -> None:
    standing = Standing(None)
    for number in range(60):
        standing.unanswered(float(number))
    was_dead = standing.is_dead
    standing.answered(0.02)
    for number in range(60, 100):
        standing.unanswered(float(number))

    assert was_dead
    assert not standing.is_dead
