"""Attacks on the ledger's own path: links that lead elsewhere, files and folders that others may write to."""

from __future__ import annotations

import grp
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.health import inspect
from mailswitch.ledger.sqlite import SQLitePlace
from tests.support import ledger_values as values

_STRANGER = 60_123
WRITING: list[Callable[[SQLitePlace], AbstractContextManager[object]]] = [
    SQLitePlace.locked,
    lambda place: place.writer(wait=timedelta(0)),
]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The ledger's folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o750)
    return folder


def made(path: Path) -> Path:
    with SQLitePlace(path).locked() as ledger:
        ledger.begin_run(values.run())
    return path


def runs_in(path: Path) -> int:
    reader = SQLitePlace(path).reader()
    try:
        return reader.run_count()
    finally:
        reader.close()


def health_of(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    health = inspect(f"sqlite:///{path}")
    return health.problems, health.warnings


# ---- links


@pytest.mark.parametrize("use", [*WRITING, SQLitePlace.daemon_lock])
def test_a_link_to_nothing_is_refused_and_makes_no_file(
    state: Path, tmp_path: Path, use: Callable[[SQLitePlace], AbstractContextManager[object]]
) -> None:
    (tmp_path / "victim").mkdir()
    (state / "ledger.db").symlink_to(tmp_path / "victim" / "file")
    place = SQLitePlace(state / "ledger.db")

    with (
        pytest.raises(LedgerError, match=r"symbolic link to '.*victim/file', and nothing is there; remove"),
        use(place),
    ):
        pytest.fail("opened")

    assert list((tmp_path / "victim").iterdir()) == []


def test_a_link_to_nothing_does_not_read_as_a_ledger_that_is_still_to_be_made(state: Path) -> None:
    (state / "ledger.db").symlink_to("not-mounted/ledger.db")

    with pytest.raises(LedgerError, match="is a disk not mounted"):
        SQLitePlace(state / "ledger.db").reader()
    assert "is a disk not mounted" in health_of(state / "ledger.db")[0][0]


def test_a_link_put_there_after_the_start_is_not_followed_to_nothing(state: Path, tmp_path: Path) -> None:
    place = SQLitePlace(state / "ledger.db")
    (state / "ledger.db").symlink_to(tmp_path / "victim")

    with pytest.raises(LedgerError, match="nothing is there"), place.locked():
        pytest.fail("opened")
    assert not (tmp_path / "victim").exists()


def test_links_in_a_circle_are_refused(state: Path) -> None:
    (state / "ledger.db").symlink_to("other.db")
    (state / "other.db").symlink_to("ledger.db")
    place = SQLitePlace(state / "ledger.db")

    with pytest.raises(LedgerError, match="levels of symbolic links"), place.locked():
        pytest.fail("opened")
    assert health_of(state / "ledger.db")[0]


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_ledger_of_ours_may_be_on_another_disk_by_a_link(state: Path, tmp_path: Path, *, is_folder: bool) -> None:
    kept = made(state / "ledger.db")
    link = tmp_path / "link"
    link.symlink_to(state if is_folder else kept)
    path = link / "ledger.db" if is_folder else link

    assert health_of(path) == ((), ())
    with SQLitePlace(path).locked() as ledger:
        ledger.begin_run(values.run("by the link"))
    assert runs_in(kept) == 2


@pytest.mark.root
@pytest.mark.parametrize("use", WRITING)
def test_a_link_to_somebody_else_s_file_is_refused(
    state: Path, tmp_path: Path, use: Callable[[SQLitePlace], AbstractContextManager[object]]
) -> None:
    theirs = made(tmp_path / "theirs.db")
    os.chown(theirs, _STRANGER, _STRANGER)
    (state / "ledger.db").symlink_to(theirs)
    place = SQLitePlace(state / "ledger.db")

    with pytest.raises(LedgerError, match=f"somebody else .uid {_STRANGER}.; remove the link"), use(place):
        pytest.fail("opened")
    assert runs_in(theirs) == 1
    assert "somebody else" in health_of(state / "ledger.db")[0][0]


# ---- rights of others


def open_file(path: Path) -> Path:
    path.chmod(0o646)
    return path


def open_log(path: Path) -> Path:
    log = path.with_name("ledger.db-wal")
    log.touch()
    log.chmod(0o666)
    return log


def open_folder(path: Path) -> Path:
    path.parent.chmod(0o757)
    return path.parent


def sticky_folder(path: Path) -> Path:
    path.parent.chmod(0o1777)
    return path.parent


def folder_of_the_link(path: Path) -> Path:
    path.rename(path.with_name("kept.db"))
    (path.parent / "inner").mkdir()
    path.with_name("kept.db").rename(path.parent / "inner" / "kept.db")
    path.symlink_to("inner/kept.db")
    path.parent.chmod(0o777)
    return path.parent


@pytest.mark.parametrize("use", WRITING)
@pytest.mark.parametrize("opened", [open_file, open_log, open_folder, sticky_folder, folder_of_the_link])
def test_a_ledger_that_everybody_could_have_written_is_not_relied_on(
    state: Path, opened: Callable[[Path], Path], use: Callable[[SQLitePlace], AbstractContextManager[object]]
) -> None:
    path = made(state / "ledger.db")
    place = opened(path)

    with (
        pytest.raises(LedgerError, match=f"everybody may write to '{place}' .mode .*chmod o-w"),
        use(SQLitePlace(path)),
    ):
        pytest.fail("opened")

    problems, _ = health_of(path)
    assert any(f"everybody may write to '{place}'" in problem for problem in problems)
    assert not inspect(f"sqlite:///{path}").is_writable
    assert runs_in(path) == 1


def test_no_ledger_is_begun_where_everybody_may_write(state: Path) -> None:
    state.chmod(0o777)

    with pytest.raises(LedgerError, match="everybody may write"), SQLitePlace(state / "ledger.db").locked():
        pytest.fail("opened")
    assert list(state.iterdir()) == []


@pytest.mark.root
@pytest.mark.parametrize(("number", "group"), [(_STRANGER, str(_STRANGER)), (1, grp.getgrgid(1).gr_name)])
@pytest.mark.parametrize("what", ["ledger.db", "."])
def test_a_group_that_may_write_is_warned_of_and_works(state: Path, what: str, number: int, group: str) -> None:
    path = made(state / "ledger.db")
    os.chown(state / what, -1, number)
    (state / what).chmod(0o770)

    problems, warnings = health_of(path)

    assert problems == ()
    (told,) = warnings
    assert f"the group {group} may write to '{(state / what).resolve()}' (mode 0770)" in told
    assert "chmod g-w" in told
    with SQLitePlace(path).locked() as ledger:
        assert ledger.run_count() == 1


@pytest.mark.root
def test_root_s_own_group_is_no_stranger(state: Path) -> None:
    path = made(state / "ledger.db")
    os.chown(path, 0, 0)
    path.chmod(0o660)

    assert health_of(path) == ((), ())
