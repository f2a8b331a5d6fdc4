"""A ledger restored from an old backup, or put in another's place, stops all changes until somebody has looked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.errors import LedgerError
from mailswitch.core.ledger import DomainHistory, Outcome, Pause
from mailswitch.core.policy import Route
from mailswitch.ledger.health import inspect
from mailswitch.ledger.marker import MarkerFile, mark_of
from mailswitch.ledger.place import open_place
from tests.support import ledger_values as values
from tests.support.builders import NOW

WAIT = timedelta(seconds=5)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere.marker"


def pause_of(url: str, marker: Path) -> Pause | None:
    reader = open_place(url, marker=marker).reader()
    try:
        return reader.pause()
    finally:
        reader.close()


def in_doubt(url: str, marker: Path) -> str:
    found = pause_of(url, marker)
    assert found is not None
    assert found.by == "mailswitch itself"
    return found.reason or ""


def test_a_ledger_written_last_is_not_in_doubt(url: str, marker: Path) -> None:
    with open_place(url, marker=marker).locked() as ledger:
        ledger.begin_run(values.run("one"))
        ledger.intend(values.change(run_id="one"))
        ledger.begin_run(values.run("two"))

    assert pause_of(url, marker) is None
    assert marker.stat().st_mode & 0o7777 == 0o640


def test_a_ledger_that_lacks_the_last_run_is_in_doubt(url: str, marker: Path) -> None:
    with open_place(url, marker=marker).locked() as ledger:
        ledger.begin_run(values.run("one"))
    MarkerFile(marker).write(mark_of(values.run("two"), None) or pytest.fail("no mark"))

    assert "run two" in in_doubt(url, marker)
    assert "mailswitch resume" in in_doubt(url, marker)


def test_a_ledger_that_lacks_the_last_change_by_hand_is_in_doubt(url: str, marker: Path) -> None:
    with open_place(url, marker=marker).locked() as ledger:
        ledger.begin_run(values.run("one"))
        number = ledger.intend(values.change(run_id="one"))
    lost = replace(values.change(), id=number + 1)
    MarkerFile(marker).write(mark_of(values.run("one"), lost) or pytest.fail("no mark"))

    assert f"change {number + 1}" in in_doubt(url, marker)


def test_another_change_of_the_same_number_does_not_pass_for_the_last_one(url: str, marker: Path) -> None:
    with open_place(url, marker=marker).locked() as ledger:
        number = ledger.intend(values.change())
    another = replace(values.change(), id=number, intended_at=NOW - timedelta(days=3))
    MarkerFile(marker).write(mark_of(None, another) or pytest.fail("no mark"))

    assert in_doubt(url, marker)


def test_a_restored_backup_is_in_doubt_until_it_is_taken(sqlite_url: str, tmp_path: Path, marker: Path) -> None:
    place = open_place(sqlite_url, marker=marker)
    with place.locked() as ledger:
        ledger.begin_run(values.run("one"))
    backup = (tmp_path / "ledger.db").read_bytes()
    with place.locked() as ledger:
        ledger.begin_run(values.run("two"))
    (tmp_path / "ledger.db").write_bytes(backup)

    with place.locked() as ledger:
        ledger.begin_run(values.run("three"))  # what is recorded since does not settle the doubt
        ledger.intend(values.change(run_id="three"))
        assert ledger.pause() is not None
    assert "run two" in in_doubt(sqlite_url, marker)
    assert any("run two" in problem for problem in inspect(sqlite_url, marker=marker).problems)

    with place.writer(wait=WAIT) as ledger:
        ledger.set_pause(None)

    assert pause_of(sqlite_url, marker) is None
    assert inspect(sqlite_url, marker=marker).problems == ()


def test_a_ledger_that_is_gone_is_not_begun_anew_in_silence(sqlite_url: str, tmp_path: Path, marker: Path) -> None:
    place = open_place(sqlite_url, marker=marker)
    with place.locked() as ledger:
        ledger.begin_run(values.run("one"))
    (tmp_path / "ledger.db").unlink()

    assert "run one" in in_doubt(sqlite_url, marker)
    with place.locked() as ledger:
        ledger.begin_run(values.run("two"))
        assert ledger.pause() is not None


def test_a_ledger_older_than_markers_is_taken_as_it_is(url: str, marker: Path) -> None:
    with open_place(url).locked() as ledger:
        ledger.begin_run(values.run("one"))

    assert pause_of(url, marker) is None
    with open_place(url, marker=marker).locked() as ledger:
        ledger.begin_run(values.run("two"))
    assert json.loads(marker.read_text())["run"] == "two"


def test_without_a_marker_nothing_is_left_beside_the_ledger(sqlite_url: str, tmp_path: Path) -> None:
    with open_place(sqlite_url).locked() as ledger:
        ledger.begin_run(values.run("one"))

    assert not list(tmp_path.glob("*marker*"))


def test_a_ledger_that_is_ahead_of_its_marker_is_not_in_doubt(url: str, marker: Path) -> None:
    with open_place(url, marker=marker).locked() as ledger:
        ledger.begin_run(values.run("one"))
    with open_place(url).locked() as ledger:  # the process was killed before it could leave the mark
        ledger.begin_run(values.run("two"))

    assert pause_of(url, marker) is None


def test_pruning_keeps_the_change_that_the_marker_names(url: str, marker: Path) -> None:
    with open_place(url, marker=marker).locked() as ledger:
        for _ in range(2):
            number = ledger.intend(values.change())
            ledger.settle(number, outcome=Outcome.DONE, error=None, at=NOW, claim=None)
        ledger.prune(before=NOW + timedelta(days=4000), limit=100)
        assert len(ledger.changes()) == 1

    assert pause_of(url, marker) is None


def test_a_mark_that_cannot_be_left_stops_the_change(url: str, tmp_path: Path) -> None:
    marker = tmp_path / "none" / "marker"

    with open_place(url, marker=marker).locked() as ledger, pytest.raises(LedgerError, match="leave the marker of"):
        ledger.intend(values.change())


def plant_folder(path: Path) -> None:
    path.mkdir()


def plant_link(path: Path) -> None:
    target = path.with_name("target")
    target.write_text("{}")
    path.symlink_to(target)


def plant_fifo(path: Path) -> None:
    os.mkfifo(path)


def plant_huge(path: Path) -> None:
    path.write_bytes(b" " * 100_000)


@pytest.mark.parametrize("plant", [plant_folder, plant_link, plant_fifo, plant_huge])
def test_what_is_no_marker_is_a_doubt_and_is_not_followed(
    plant: Callable[[Path], None], sqlite_url: str, marker: Path
) -> None:
    with open_place(sqlite_url).locked() as ledger:
        ledger.begin_run(values.run("one"))
    plant(marker)

    assert "nobody can tell whether the ledger is an old one" in in_doubt(sqlite_url, marker)


@given(written=st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_other_content_is_a_doubt_and_never_a_crash(
    written: bytes | str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("marker") / "marker"
    path.write_bytes(written.encode() if isinstance(written, str) else written)

    found = MarkerFile(path).doubt(lambda _: True)

    assert found is not None


def test_a_mark_reads_as_it_was_written_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    mark = mark_of(values.run("one"), replace(values.change(), id=7))
    assert mark is not None

    MarkerFile(path).write(mark)
    MarkerFile(path).write(mark)

    assert MarkerFile(path).read() == mark
    assert list(tmp_path.iterdir()) == [path]


def test_taking_a_restored_ledger_starts_every_confirmation_over(url: str, marker: Path) -> None:
    seen = DomainHistory(
        first_seen=NOW, route=Route.ELSEWHERE, since=NOW, sightings=9, last_sighting=NOW, credited=timedelta(days=4)
    )
    place = open_place(url, marker=marker)
    with place.locked() as ledger:
        ledger.begin_run(values.run("one"))
        ledger.record_pass(None, values.server_pass("one"), {values.NAME: seen})
    MarkerFile(marker).write(mark_of(values.run("two"), None) or pytest.fail("no mark"))

    with place.writer(wait=WAIT) as ledger:
        ledger.set_pause(None)
        (history,) = ledger.histories(values.SERVER).values()

    assert history == replace(seen, sightings=0, last_sighting=None, credited=timedelta(0))


def test_the_end_of_a_plain_pause_leaves_confirmations_alone(url: str, marker: Path) -> None:
    seen = DomainHistory(first_seen=NOW, route=Route.ELSEWHERE, since=NOW, sightings=9, last_sighting=NOW)
    with open_place(url, marker=marker).locked() as ledger:
        ledger.begin_run(values.run("one"))
        ledger.record_pass(None, values.server_pass("one"), {values.NAME: seen})
        ledger.set_pause(Pause(by="alice", at=NOW))
        ledger.set_pause(None)

        assert ledger.histories(values.SERVER) == {values.NAME: seen}
