"""After a ledger was restored from an old backup nothing is changed before somebody has taken it for what it is."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import UnsafePlan
from mailswitch.core.names import DomainName
from mailswitch.core.table import Verdict
from mailswitch.service.by_hand import switch_by_hand
from mailswitch.service.reconcile import Reviewed
from mailswitch.service.status import status_of
from tests.support.ports import HERE, Scene, entries_of

NAMES = ("moved.example", "other.example")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """moved.example was turned off, the ledger backed up; it came back and was turned on; the backup is restored."""
    scene = Scene(tmp_path, *NAMES)
    scene.plesk.toggle("other.example", Switch.OFF)
    file = tmp_path / "ledger.db"
    scene.once()
    shutil.copy(file, tmp_path / "backup.db")
    scene.view.publish(HERE, "moved.example")
    scene.once()
    assert scene.plesk.writes == [("moved.example", "off"), ("moved.example", "on")]
    shutil.copy(tmp_path / "backup.db", file)
    return scene


def resume(scene: Scene) -> None:
    with scene.place.writer(wait=timedelta(0)) as ledger:
        ledger.set_pause(None)


def test_a_pass_only_reports(scene: Scene) -> None:
    scene.plesk.toggle("moved.example", Switch.OFF)  # a person did, which the ledger takes for its own turn-off
    scene.plesk.toggle("other.example", Switch.ON)

    report = scene.once()

    verdicts = {name: entry.decision.verdict for name, entry in entries_of(report).items()}
    assert (verdicts["moved.example"], verdicts["other.example"]) == (Verdict.TURN_ON, Verdict.TURN_OFF)
    assert len(scene.plesk.writes) == 2
    assert report.pause is not None
    assert "backup" in (report.pause.reason or "")


def test_neither_a_reviewed_plan_nor_a_hand_turns_anything(scene: Scene) -> None:
    scene.plesk.toggle("other.example", Switch.ON)
    plan = scene.dry_run().plan

    with pytest.raises(UnsafePlan, match="paused by mailswitch itself"):
        scene.once(reviewed=Reviewed(digest=plan.digest))
    with pytest.raises(UnsafePlan, match="mailswitch resume"):
        switch_by_hand(scene.setup, DomainName("other.example"), Switch.OFF, reason="because", by="alice")

    assert len(scene.plesk.writes) == 2


def test_status_is_not_well(scene: Scene) -> None:
    assert not status_of(scene.setup, stale_after=timedelta(days=1)).is_healthy


def test_once_it_was_taken_passes_change_again(scene: Scene) -> None:
    scene.plesk.toggle("other.example", Switch.ON)
    resume(scene)

    scene.once()

    assert scene.plesk.writes[2:] == [("other.example", "off")]
    assert scene.once().pause is None
