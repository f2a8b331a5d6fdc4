"""Metrics follow the daemon's passes and what stands between them, and trouble with them is only a complaint."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import AlreadyRunning, LedgerError, OutletError
from mailswitch.report.metrics import Metrics
from mailswitch.service.metrics import MetricsObserver, remember_passes
from mailswitch.service.notify import Sent
from mailswitch.service.observers import DaemonState, PassContext, PassReason
from tests.support.builders import NOW
from tests.support.ports import HOUR, Scene

SWEEP = PassContext(reason=PassReason.SWEEP, servers=("web01",), elapsed=timedelta(seconds=3))
RECHECK = PassContext(reason=PassReason.RECHECK, servers=("web01",), elapsed=timedelta(seconds=1))


class Disk:
    """Takes the file, unless it is full."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.trouble: str | None = None

    def __call__(self, content: bytes) -> None:
        if self.trouble is not None:
            raise OutletError(self.trouble)
        self.written.append(content)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def observer(disk: Disk, complaints: list[str]) -> MetricsObserver:
    return MetricsObserver(metrics=Metrics(["web01"], ["a", "b", "c"]), write=disk, on_failure=complaints.append)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example")


def a_state(*, unsettled: int = 0, is_paused: bool = False) -> DaemonState:
    return DaemonState(at=NOW, started=NOW, is_busy=False, is_paused=is_paused, unsettled=unsettled, next_pass=None)


def lines(content: bytes) -> set[str]:
    return set(content.decode().splitlines())


def test_a_sweep_is_in_the_file_and_a_recheck_leaves_the_names_alone(
    observer: MetricsObserver, disk: Disk, scene: Scene
) -> None:
    observer.pass_done(scene.once(), SWEEP)
    observer.pass_done(scene.once(), RECHECK)

    assert 'mailswitch_last_pass_duration_seconds{server="web01"} 3.0' in lines(disk.written[-1])
    assert 'mailswitch_domains{decision="turn-off",route="elsewhere",server="web01"} 1.0' in lines(disk.written[-1])
    assert 'mailswitch_changes_total{outcome="done",server="web01",to="off"} 1.0' in lines(disk.written[-1])
    assert "mailswitch_passes_total 2.0" in lines(disk.written[-1])


def test_lookups_of_a_real_pass_are_counted(observer: MetricsObserver, disk: Disk, scene: Scene) -> None:
    observer.pass_done(scene.once(), SWEEP)

    assert 'mailswitch_last_pass_lookups{result="answered",vantage="a"} 100.0' in lines(disk.written[-1])


def test_the_file_is_written_only_when_something_changed(observer: MetricsObserver, disk: Disk) -> None:
    for _ in range(5):
        observer.ticked(a_state())
    observer.ticked(a_state(unsettled=1, is_paused=True))

    assert len(disk.written) == 2
    assert {"mailswitch_paused 1.0", "mailswitch_unsettled_intents 1.0"} <= lines(disk.written[-1])


def test_a_full_disk_is_complained_of_once_and_written_to_again_when_it_has_room(
    observer: MetricsObserver, disk: Disk, complaints: list[str]
) -> None:
    disk.trouble = "no space left"
    for _ in range(3):
        observer.ticked(a_state())
    disk.trouble = None
    observer.ticked(a_state())
    disk.trouble = "read-only"
    observer.ticked(a_state(unsettled=1))

    assert complaints == ["no space left", "read-only"]
    assert len(disk.written) == 1


@pytest.mark.parametrize(("error", "failures"), [(LedgerError("x"), 1), (AlreadyRunning("x"), 0)])
def test_a_pass_that_could_not_be_made_is_counted_unless_another_was_at_it(
    observer: MetricsObserver, error: LedgerError, failures: int
) -> None:
    observer.pass_failed(error, SWEEP)

    assert f"mailswitch_pass_failures_total {failures}.0" in lines(observer.metrics.exposition())


def test_notices_are_counted_by_way_and_result(observer: MetricsObserver) -> None:
    observer.notice_sent(Sent(way="mail"))
    observer.notice_sent(Sent(way="mail", error="x"))

    found = lines(observer.metrics.exposition())
    assert 'mailswitch_notices_total{result="done",way="mail"} 1.0' in found
    assert 'mailswitch_notices_total{result="failed",way="mail"} 1.0' in found


def test_without_a_file_nothing_is_written_and_closing_stops_the_listener() -> None:
    stopped: list[str] = []
    observer = MetricsObserver(metrics=Metrics([], []), stop=lambda: stopped.append("stopped"))

    observer.ticked(a_state())
    observer.close()

    assert stopped == ["stopped"]


def test_a_new_process_knows_the_passes_before_it(scene: Scene) -> None:
    scene.once()
    scene.pause()
    scene.clock.move(HOUR)
    metrics = Metrics(["web01"], [])

    remember_passes(metrics, scene.place)

    found = lines(metrics.exposition(now=scene.clock()))
    assert "mailswitch_paused 1.0" in found
    age = next(line for line in found if line.startswith('mailswitch_last_pass_age_seconds{server="web01"}'))
    assert 3600 <= float(age.split()[1]) < 3601


@pytest.mark.parametrize("content", [None, b"no database at all" * 100])
def test_without_a_ledger_to_read_nothing_is_known(tmp_path: Path, content: bytes | None) -> None:
    scene = Scene(tmp_path)
    if content is not None:
        (tmp_path / "ledger.db").write_bytes(content)
    metrics = Metrics(["web01"], [])

    remember_passes(metrics, scene.place)

    assert 'mailswitch_last_pass_timestamp_seconds{server="web01"} 0.0' in lines(metrics.exposition())


def test_what_came_for_nobody_while_public_dns_was_asked_is_told_with_the_pass(scene: Scene) -> None:
    metrics = Metrics(["web01"], ["a", "b", "c"])
    for unmatched in (None, 5, 2):
        scene.view.unmatched = unmatched
        metrics.pass_done(scene.once(), whole=["web01"], elapsed=timedelta(seconds=3))

    assert "mailswitch_lookup_unmatched_datagrams_total 7.0" in lines(metrics.exposition())
