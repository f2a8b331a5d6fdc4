"""Months of simulated life, on many seeds: nothing that must never be, and what is due is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mailswitch.core import decide
from mailswitch.core.guards import GUARDS
from mailswitch.core.ledger import Guard
from mailswitch.core.policy import Mode, UnknownProvider
from tests.months import run
from tests.months.faults import KINDS
from tests.months.hoster import live
from tests.months.oracle import Violation
from tests.months.run import figures, live_all, main, tales
from tests.months.story import (
    LIES,
    OWN_RESOLVERS,
    PANELS,
    SLOW_PANELS,
    WRITES,
    Act,
    Event,
    Hosted,
    Place,
    Story,
    story_of,
)

SEEDS, BLOCK = 100, 4
DOMAIN_DAYS_OF_A_SEED = 528


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_no_seed_finds_anything_that_must_never_be(first: int) -> None:
    total, failing = live_all(range(first, first + BLOCK))

    assert not failing, "\n".join(tales(failing))
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


def every_fault() -> Story:
    """One fault after another, while customers leave and come back one after another, so that switches are turned."""
    names = tuple(
        Hosted(name=f"d{number}.example", server="web01", place=Place.HERE, ttl_hours=1) for number in range(10)
    )
    moves = [
        Event(step=6 * number + there, act=Act.MOVE, subject=hosted.name, what=place)
        for number, hosted in enumerate(names)
        for there, place in ((1, "MOVED"), (21, "HERE"), (51, "MOVED"), (71, "HERE"))
    ]
    faults = [
        *(Event(step=0, act=Act.LIE, subject="a", what=f"{what} all") for what in LIES),
        *(Event(step=0, act=Act.SILENCE, subject="b", what=what) for what in ("dead", "rate-limited")),
        *(Event(step=0, act=Act.PANEL, subject="web01", what=what) for what in PANELS),
        *(Event(step=0, act=Act.PANEL, subject="web01", what=what, number=2, lasts=9) for what in SLOW_PANELS),
        *(Event(step=0, act=Act.OWN, subject="web01", what=what) for what in OWN_RESOLVERS),
        *(Event(step=0, act=Act.WRITE, subject="web01", what=what, number=1) for what in WRITES),
        Event(step=0, act=Act.KILL, what="before any restarted", number=5),
        Event(step=0, act=Act.KILL, what="within begin_run restarted 50", number=1),
        Event(step=0, act=Act.FULL, number=1),
        Event(step=0, act=Act.CLOCK, number=1),
        *(Event(step=0, act=Act.RESTORE, number=days) for days in (0, 7)),
    ]
    return Story(
        seed=0,
        days=40,
        mode=Mode.ENFORCE,
        unknown_provider=UnknownProvider.EVIDENCE,
        names=names,
        events=(*moves, *(replace(fault, step=20 + 4 * number) for number, fault in enumerate(faults))),
    )


def test_every_kind_of_fault_strikes(tmp_path: Path) -> None:
    result = live(every_fault(), tmp_path)

    assert result.violations == []
    assert sorted(result.faults) == sorted(KINDS)


def test_the_command_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--seeds", "1:3", "--days", "6", "--names", "6"])

    shown = capsys.readouterr().out
    assert code == 0
    assert "simulated domain-days                72" in shown
    assert "wrong changes                         0" in shown


def test_the_command_tells_a_failing_seed_s_shortest_story_and_how_to_live_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide, "GUARDS", tuple(one for one in GUARDS if one[0] is not Guard.UNCONFIRMED))

    code = main(["--seeds", "1:3", "--days", "6", "--names", "6"])

    figures, _, story = capsys.readouterr().out.partition("\n\n")
    assert code == 1
    assert "wrong changes                         1" in figures
    assert "failing seeds: [1]" in figures
    assert story.splitlines() == [
        "seed 1, mode enforce, unknown providers: evidence",
        "web01 d00.example: mail at a known provider (TTL 48 h)",
        "step 0 (a) d00.example: turned off 0:00:00 after it was first seen elsewhere",
        "once more: python -m tests.months.run --seeds 1:2 --days 6 --names 6",
    ]


def test_of_many_failing_seeds_the_first_are_told_and_the_others_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "told", lambda seed, **_: f"seed {seed}")

    assert list(tales(range(7))) == [f"seed {seed}" for seed in range(5)] + ["and 2 more seeds: [5, 6]"]


def test_figures_tell_wrong_changes_from_lost_records_and_name_faults_that_struck_nobody(tmp_path: Path) -> None:
    total = live(story_of(1, days=5, names=4), tmp_path)
    total.violations.append(Violation(step=1, invariant="a", name="moved.example", text="turned off"))
    total.faults.clear()

    shown = figures(total, 1, 2.0)

    assert "wrong changes                         1" in shown
    assert "lost or doubled records               0" in shown
    assert "seeds                                 1" in shown
    assert f"passes a second              {total.passes / 2:>10.1f}" in shown
    assert "  panel down                          0" in shown
