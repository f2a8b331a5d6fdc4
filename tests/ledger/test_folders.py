"""What keeps a pass from writing to a folder, and what to do about it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mailswitch.ledger.folders import FLOOR, closed_to_us, without_room
from mailswitch.ledger.health import LedgerHealth, inspect
from mailswitch.ledger.place import open_place

_PAGE = 4096
_STRANGER = 60_123
"""A user without a name."""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with open_place(f"sqlite:///{path}").locked():
        """Made."""
    return path


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A folder with a ledger of root's that everybody may look at."""
    folder = Path(tempfile.mkdtemp(prefix="mailswitch-test-"))
    with open_place(f"sqlite:///{folder / 'ledger.db'}").locked():
        """Made."""
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path == folder else 0o644)
    yield folder
    shutil.rmtree(folder)


def seen_by_a_stranger(folder: Path, *, marker: Path | None = None) -> LedgerHealth:
    os.seteuid(_STRANGER)
    try:
        return inspect(f"sqlite:///{folder / 'ledger.db'}", marker=marker)
    finally:
        os.seteuid(0)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk with room for everybody and for many files, to be changed."""
    pages = FLOOR // _PAGE
    found = SimpleNamespace(f_frsize=_PAGE, f_bfree=pages, f_bavail=pages, f_files=9, f_ffree=4, f_favail=4)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    return found


@pytest.mark.parametrize(("user", "is_full"), [(0, False), (_STRANGER, True)])
def test_what_a_disk_keeps_for_root_is_room_for_root_alone(
    tmp_path: Path, disk: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, user: int, *, is_full: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    disk.f_bavail -= 1

    found = without_room(tmp_path)

    assert (found is not None) is is_full
    assert not is_full or "60 KiB are left" in str(found)


@pytest.mark.parametrize(("files", "is_full"), [(9, True), (0, False)])
def test_a_disk_that_takes_no_more_files_is_full_unless_it_does_not_count_them(
    tmp_path: Path, disk: SimpleNamespace, files: int, *, is_full: bool
) -> None:
    disk.f_files, disk.f_ffree, disk.f_favail = files, 0, 0

    assert (without_room(tmp_path) is not None) is is_full


def test_a_folder_that_is_ours_is_open_to_us(ledger: Path) -> None:
    assert closed_to_us(ledger) is None
    assert closed_to_us(ledger.parent) is None


@pytest.mark.root
def test_a_folder_of_somebody_else_s_is_told_with_its_owner(foreign: Path) -> None:
    health = seen_by_a_stranger(foreign)

    assert not health.is_writable
    assert health.is_readable
    (told,) = health.problems
    assert "it belongs to root (mode 0755): give it to the user who runs mailswitch with chown" in told


@pytest.mark.root
def test_a_file_of_somebody_else_s_is_told_with_its_owner(foreign: Path) -> None:
    os.chown(foreign, _STRANGER, _STRANGER)
    os.chown(foreign / "ledger.db", _STRANGER + 1, _STRANGER + 1)

    (told,) = seen_by_a_stranger(foreign).problems

    assert f"it belongs to uid {_STRANGER + 1} (mode 0644)" in told


@pytest.mark.root
def test_a_marker_that_this_user_cannot_even_look_for_is_told(foreign: Path, tmp_path: Path) -> None:
    os.chown(foreign, _STRANGER, _STRANGER)
    os.chown(foreign / "ledger.db", _STRANGER, _STRANGER)
    (tmp_path / "marks").mkdir()
    tmp_path.chmod(0o700)

    health = seen_by_a_stranger(foreign, marker=tmp_path / "marks" / "marker")

    assert not health.is_writable
    assert "cannot be looked at: Permission denied" in health.problems[0]


def test_a_folder_that_the_marker_lacks_is_told(ledger: Path, tmp_path: Path) -> None:
    health = inspect(f"sqlite:///{ledger}", marker=tmp_path / "none" / "marker")

    (told,) = health.problems
    assert "there is no directory" in told
    assert "the ledger's marker" in told
