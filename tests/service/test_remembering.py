"""What passes let memory tell, and what they ask anew."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import DomainHistory
from mailswitch.core.mx import Observation, Vantage
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Confirmation, Mode, Policy, Route
from mailswitch.service.observe import Scope
from tests.support.ports import ELSEWHERE, SILENT, FakeView, Scene, entries_of

HOUR = timedelta(hours=1)
SLOW = Policy(confirm=Confirmation(sightings=3, window=timedelta(hours=24)))


@dataclass
class RememberingView(FakeView):
    """A public DNS with a memory that tells what was true once."""

    stale: dict[str, Observation] = field(default_factory=dict)

    def observation(self, vantage: Vantage, name: DomainName) -> Observation:
        known = self.stale.get(name.text)
        if known is not None and self.remembered and name.text in self.remembered[-1]:
            return replace(known, is_remembered=True)
        return super().observation(vantage, name)


class Remembering(Scene):
    """With a memory that is the truth as it was at `remember`."""

    view: RememberingView

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "moved.example", mode=Mode.ENFORCE)
        self.view = RememberingView(truth=dict(self.view.truth))

    def remember(self) -> None:
        """Let memory say from now on what is true now."""
        self.view.stale = {}
        first = self.view.vantages[0]
        self.view.stale = {name: self.view.observation(first, DomainName(name)) for name in self.view.truth}

    def histories(self) -> dict[DomainName, DomainHistory]:
        with self.reading() as reader:
            return reader.histories("web01")


@pytest.fixture
def scene(tmp_path: Path) -> Remembering:
    return Remembering(tmp_path)


def may_be_remembered(scene: Scene, scope: Scope | None = None) -> frozenset[str]:
    scene.view.remembered.clear()
    scene.once(scope=scope)
    return frozenset().union(*scene.view.remembered)


def test_nothing_is_remembered_of_a_name_on_no_record(scene: Remembering) -> None:
    assert may_be_remembered(scene) == frozenset()


def test_a_name_that_is_kept_here_may_be_remembered_and_one_off_by_us_may_not(scene: Remembering) -> None:
    scene.once()

    assert scene.plesk.switch("moved.example") is Switch.OFF
    assert may_be_remembered(scene) == {"here.example"}


def test_a_name_on_its_way_to_be_turned_off_is_asked_anew(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "moved.example", policy=SLOW)
    scene.once()

    assert may_be_remembered(scene) == {"here.example"}


def test_a_name_whose_change_waits_for_a_review_is_asked_anew(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "moved.example", mode=Mode.APPROVE)
    assert entries_of(scene.once())["moved.example"].decision.is_on_review

    assert may_be_remembered(scene) == {"here.example"}


def test_a_planned_change_is_asked_anew_in_mode_report_and_while_paused(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "moved.example", mode=Mode.REPORT)
    scene.once()
    scene.pause()

    assert may_be_remembered(scene) == {"here.example"}


def test_a_name_turned_off_by_somebody_else_may_be_remembered(scene: Remembering) -> None:
    scene.plesk.host("by-hand.example", switch=Switch.OFF)
    scene.view.publish(ELSEWHERE, "by-hand.example")
    scene.once()

    assert may_be_remembered(scene) == {"here.example", "by-hand.example"}


def test_a_name_that_cannot_be_told_is_asked_anew(scene: Remembering) -> None:
    scene.once()
    scene.view.publish(SILENT, "here.example")
    scene.once()

    assert may_be_remembered(scene) == frozenset()


@pytest.mark.parametrize(
    "scope",
    [
        Scope(is_fresh=True),
        Scope(is_thorough=True),
        Scope(names=frozenset({DomainName("here.example")})),
    ],
)
def test_who_asks_about_a_name_or_for_fresh_answers_gets_them(scene: Remembering, scope: Scope) -> None:
    scene.once()

    assert may_be_remembered(scene, scope) == frozenset()


def test_a_recorded_pass_keeps_what_it_hears_and_a_dry_run_does_not(scene: Remembering) -> None:
    scene.once()
    scene.dry_run()
    scene.once(scope=Scope(names=frozenset({DomainName("here.example")})))

    assert scene.view.kept == [True, False, True]


def test_a_dry_run_may_remember(scene: Remembering) -> None:
    scene.once()
    scene.view.remembered.clear()
    scene.dry_run()

    assert frozenset().union(*scene.view.remembered) == {"here.example"}


def test_a_remembered_answer_is_no_sighting_and_writes_no_row(scene: Remembering) -> None:
    scene.plesk.host("by-hand.example", switch=Switch.OFF)
    scene.view.publish(ELSEWHERE, "by-hand.example")
    scene.once()
    before = scene.histories()
    scene.remember()
    scene.clock.move(HOUR)
    report = scene.once()

    assert scene.histories() == before
    entry = entries_of(report)["by-hand.example"]
    assert entry.finding.is_remembered
    assert not entry.finding.is_sighting
    assert entry.finding.route is Route.ELSEWHERE


def test_a_name_that_left_is_seen_when_memory_is_over_and_no_sooner(scene: Remembering) -> None:
    scene.once()
    scene.remember()
    scene.moves("here.example")
    scene.once()
    meanwhile = scene.plesk.switch("here.example")
    scene.view.stale = {}
    scene.once()

    assert meanwhile is Switch.ON
    assert scene.plesk.switch("here.example") is Switch.OFF


def test_a_name_off_by_us_that_comes_back_is_turned_on_at_once_whatever_is_remembered(scene: Remembering) -> None:
    scene.once()
    scene.remember()
    scene.comes_back("moved.example")
    scene.once()

    assert scene.plesk.switch("moved.example") is Switch.ON


def test_what_memory_tells_against_the_record_is_asked_anew_in_the_same_pass(scene: Remembering) -> None:
    scene.once()
    scene.remember()
    scene.view.stale["here.example"] = replace(scene.view.stale["here.example"], mx=ELSEWHERE)
    scene.view.first.clear()
    report = scene.once()

    assert scene.view.first.count("here.example") == 2
    assert entries_of(report)["here.example"].finding.route is Route.HERE
    assert not entries_of(report)["here.example"].finding.is_remembered


def test_a_change_is_never_made_on_remembered_answers(scene: Remembering) -> None:
    scene.once()
    scene.remember()
    for name, seen in list(scene.view.stale.items()):
        scene.view.stale[name] = replace(seen, mx=ELSEWHERE)
    scene.once()

    assert scene.plesk.switch("here.example") is Switch.ON
