"""Months of simulated life, on many seeds: nothing that must never be, and what is due is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.months.hoster import Result, live
from tests.months.oracle import Violation
from tests.months.run import figures, main
from tests.months.story import Act, Place, story_of

SEEDS, BLOCK = 100, 4
DOMAIN_DAYS_OF_A_SEED = 528


def lived(seeds: range, folder: Path) -> tuple[Result, list[int]]:
    total, failing = Result(), []
    for seed in seeds:
        result = live(story_of(seed), folder)
        total.add(result)
        failing += [seed] if result.violations else []
    return total, failing


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_no_seed_finds_anything_that_must_never_be(first: int, tmp_path: Path) -> None:
    total, failing = lived(range(first, first + BLOCK), tmp_path)

    again = " ".join(f"python -m tests.months.run --seeds {seed}:{seed + 1};" for seed in failing)
    assert not total.violations, f"{[str(one) for one in total.violations]}; for the minimal story: {again}"
    assert total.domain_days >= BLOCK * DOMAIN_DAYS_OF_A_SEED
    assert total.turned_off > 0


def test_a_seed_tells_the_same_story_every_time(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    story = story_of(3, days=8, names=10)

    one, other = live(story, tmp_path / "one"), live(story_of(3, days=8, names=10), tmp_path / "other")

    assert story == story_of(3, days=8, names=10)
    assert one == other


def test_seeds_differ_and_have_every_kind_of_event_and_customer() -> None:
    stories = [story_of(seed) for seed in range(SEEDS)]

    assert {event.act for story in stories for event in story.events} == set(Act)
    places = {one.place.name for story in stories for one in story.names}
    assert places | {event.what for story in stories for event in story.events} >= set(Place.__members__)


def test_the_command_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--seeds", "1:3", "--days", "6", "--names", "6"])

    shown = capsys.readouterr().out
    assert code == 0
    assert "simulated domain-days                72" in shown
    assert "wrong changes                         0" in shown


def test_figures_tell_wrong_changes_from_lost_records(tmp_path: Path) -> None:
    total = live(story_of(1, days=5, names=4), tmp_path)
    total.violations.append(Violation(step=1, invariant="a", name="moved.example", text="turned off"))

    assert "wrong changes                         1" in figures(total, 1)
    assert "lost or doubled records               0" in figures(total, 1)
    assert "seeds                                 1" in figures(total, 1)
