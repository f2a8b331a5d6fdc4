"""The metrics file is replaced whole, and nothing else is ever written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mailswitch.core.errors import OutletError
from mailswitch.outlets.textfile import write_textfile


def test_the_file_is_written_and_everybody_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"

    write_textfile(path, b"a 1\n")
    write_textfile(path, b"a 2\n")

    assert path.read_bytes() == b"a 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["m.prom"]


def test_a_symlink_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    victim = tmp_path / "shadow"
    victim.write_bytes(b"secret")
    path = tmp_path / "m.prom"
    path.symlink_to(victim)

    write_textfile(path, b"a 1\n")

    assert victim.read_bytes() == b"secret"
    assert not path.is_symlink()
    assert path.read_bytes() == b"a 1\n"


def test_a_reader_keeps_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    write_textfile(path, b"old\n" * 1_000)
    with path.open("rb") as reader:
        write_textfile(path, b"new\n")

        assert reader.read() == b"old\n" * 1_000


@pytest.mark.parametrize("place", ["nowhere/m.prom", "file/m.prom", "folder.prom"])
def test_what_cannot_be_written_is_told_and_leaves_nothing_behind(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.prom").mkdir()
    before = sorted(one.name for one in tmp_path.iterdir())

    with pytest.raises(OutletError, match=r"metrics not written to .*metrics\.textfile"):
        write_textfile(tmp_path / place, b"a 1\n")

    assert sorted(one.name for one in tmp_path.iterdir()) == before
