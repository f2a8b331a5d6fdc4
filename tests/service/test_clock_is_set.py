"""A wall clock that is set by an hour or a day, either way, makes no change come sooner than it may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.policy import Confirmation, Limits, Policy
from tests.support.daemons import Played
from tests.support.ports import AT_ONCE, HOUR, Scene

DAY = timedelta(days=1)
MOVED = "moved.example"
ALL = [f"{letter}.example" for letter in "abcd"]

by_an_hour_or_a_day = pytest.mark.parametrize("jump", [-DAY, -HOUR, HOUR, DAY], ids=str)


def a_play(folder: Path, *names: str, limits: Limits | None = None, confirm: Confirmation = AT_ONCE) -> Played:
    return Played(Scene(folder, *names, policy=Policy(confirm=confirm, limits=limits or Limits())))


def off(played: Played) -> list[str]:
    return sorted(name for name, _ in played.scene.plesk.writes)


def jump_after(played: Played, span: timedelta, jump: timedelta) -> None:
    played.live(span)
    played.move(timedelta(seconds=2), jump=jump)


@by_an_hour_or_a_day
def test_a_limit_s_day_is_a_day(tmp_path: Path, jump: timedelta) -> None:
    played = a_play(tmp_path, *ALL, limits=Limits(changes=2, share=1.0))
    played.scene.comes_back(*ALL[2:])
    played.settle()
    played.scene.moves(*ALL[2:])

    jump_after(played, HOUR, jump)
    played.live(22 * HOUR + timedelta(minutes=30))
    assert off(played) == ALL[:2]

    played.live(2 * DAY)
    assert off(played) == ALL


@by_an_hour_or_a_day
def test_the_time_to_arrive_is_as_long_as_ever(tmp_path: Path, jump: timedelta) -> None:
    played = a_play(tmp_path, confirm=replace(AT_ONCE, new_domain_age=2 * DAY))
    played.settle()
    played.scene.plesk.host(MOVED, created=None)
    played.scene.moves(MOVED)

    jump_after(played, 2 * HOUR, jump)
    played.live(DAY + 22 * HOUR + timedelta(minutes=30))
    assert off(played) == []

    played.live(2 * DAY)
    assert off(played) == [MOVED]


@by_an_hour_or_a_day
def test_a_smaller_inventory_is_normal_after_a_day_and_not_before(tmp_path: Path, jump: timedelta) -> None:
    others = [f"other{number}.example" for number in range(20)]
    played = a_play(tmp_path)
    played.scene.plesk.host(*others)
    played.scene.comes_back(*others)
    played.settle()
    for name in others[:10]:
        del played.scene.plesk.domains[name]
    played.scene.moves(others[15])

    jump_after(played, 2 * HOUR, jump)
    played.live(22 * HOUR)
    assert off(played) == []

    played.live(3 * DAY)
    assert off(played) == [others[15]]


def test_a_clock_that_is_set_during_a_pass_is_told_by_the_next_pulse(tmp_path: Path) -> None:
    """Whatever beats by the wall clock has to be wound anew then too."""
    played = a_play(tmp_path)
    played.scene.plesk.meanwhile = lambda: played.scene.clock.move(-DAY)

    played.step()
    assert played.events("clock_jumped") == []
    has_jumped = [played.daemon.pulse() for _ in range(2)]

    assert has_jumped == [True, False]
    assert [line["seconds"] for line in played.events("clock_jumped")] == [-86400]


def test_a_clock_that_is_set_forward_during_a_pass_ages_nothing_in_it(tmp_path: Path) -> None:
    played = a_play(tmp_path)
    played.settle()
    played.scene.plesk.host(MOVED, created=None)
    played.scene.moves(MOVED)
    played.live(2 * HOUR)
    played.scene.plesk.meanwhile = lambda: played.scene.clock.move(14 * DAY)

    played.live(DAY)

    assert len(played.events("clock_jumped")) == 1
    assert off(played) == []
