"""``doctor`` on a ledger in trouble: what it says is what to do, and its exit code is not 0."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.worlds import PROGRAM, Ending, Play, Staged, a_world


@pytest.fixture
def play(staged: Staged) -> Play:
    """A world whose ledger, and its marker, are in folders of their own."""
    play = staged(a_world())
    for folder in (ledger_of(play).parent, marker_of(play).parent):
        folder.mkdir()
    place = f"sqlite:///{play.stage.directory / 'ledger.db'}"
    play.edit_config(place, f"sqlite:///{ledger_of(play)}\nledger_marker: {marker_of(play)}")
    play.ok("once")
    return play


def ledger_of(play: Play) -> Path:
    return play.stage.directory / "state" / "ledger.db"


def marker_of(play: Play) -> Path:
    return play.stage.directory / "mark" / "marker"


def on_a_disk_of_its_own(play: Play, folder: Path, then: str) -> Ending:
    """Run ``doctor`` where a folder is a small file system, after a command of the shell did something to it."""
    disk = f'cp -a "$1" "$1.copy"; mount -t tmpfs -o size=768k tmpfs "$1"; cp -a "$1.copy/." "$1"; {then}; shift'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'set -e; {disk}; exec "$@"', "sh"]
    done = subprocess.run(
        [*command, str(folder), *PROGRAM, "--config", str(play.config_path), "doctor"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


FILL = 'cat /dev/zero > "$1/ballast" 2>&- || true'


def on_a_full_disk(play: Play) -> Ending:
    return on_a_disk_of_its_own(play, ledger_of(play).parent, FILL)


def with_a_full_disk_for_the_marker(play: Play) -> Ending:
    return on_a_disk_of_its_own(play, marker_of(play).parent, FILL)


def on_a_disk_without_room_for_files(play: Play) -> Ending:
    return on_a_disk_of_its_own(play, ledger_of(play).parent, 'mount -o remount,nr_inodes=5 "$1"')


def read_only(play: Play) -> Ending:
    return on_a_disk_of_its_own(play, ledger_of(play).parent, 'mount -o remount,ro "$1"')


def damaged(play: Play) -> Ending:
    content = ledger_of(play).read_bytes()
    ledger_of(play).write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
    return play.run("doctor")


def of_another_schema(play: Play, revision: str) -> Ending:
    with closing(sqlite3.connect(ledger_of(play), isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    return play.run("doctor")


def of_a_newer_program(play: Play) -> Ending:
    return of_another_schema(play, "9999")


def of_an_older_program(play: Play) -> Ending:
    return of_another_schema(play, "0001")


def restored_from_a_backup(play: Play) -> Ending:
    backup = play.stage.directory / "backup"
    shutil.copy(ledger_of(play), backup)
    play.ok("once")
    shutil.copy(backup, ledger_of(play))
    return play.run("doctor")


def open_to_everybody(play: Play) -> Ending:
    ledger_of(play).chmod(0o646)
    assert "everybody may write" in play.complains(1, "once")
    return play.run("doctor")


def linked_to_nothing(play: Play) -> Ending:
    ledger_of(play).rename(ledger_of(play).with_name("away"))
    ledger_of(play).symlink_to("gone")
    assert "nothing is there" in play.complains(1, "once")
    return play.run("doctor")


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        pytest.param(on_a_full_disk, ["the disk is full", "/state'; make room there"], marks=pytest.mark.root),
        pytest.param(
            with_a_full_disk_for_the_marker, ["the disk is full", "/mark'; make room there"], marks=pytest.mark.root
        ),
        pytest.param(
            on_a_disk_without_room_for_files, ["the disk is full", "by removing small ones"], marks=pytest.mark.root
        ),
        pytest.param(read_only, ["mounted read-only", "remount", "writable"], marks=pytest.mark.root),
        (damaged, ["damaged", "keep a copy of it", "restore a backup"]),
        (of_a_newer_program, ["newer mailswitch (schema '9999')", "upgrade mailswitch on this machine"]),
        (of_an_older_program, ["older mailswitch (schema 0001)", "run `mailswitch once`"]),
        (restored_from_a_backup, ["a backup of it was restored", "take it as it is with mailswitch resume"]),
        (open_to_everybody, ["everybody may write to", "(mode 0646)", "mailswitch history", "chmod o-w"]),
        (linked_to_nothing, ["a symbolic link to 'gone'", "remove the link, or bring back what it leads to"]),
    ],
)
def test_doctor_says_how_to_go_on(play: Play, trouble: Callable[[Play], Ending], advice: list[str]) -> None:
    assert "ledger" in play.ok("doctor")

    code, out, err = trouble(play)

    assert code == 1, err
    (told,) = [line for line in out.splitlines() if line.startswith("problem")]
    assert told.split()[:2] == ["problem", "ledger"]
    assert all(words in told for words in advice), told
    assert "ledger.db': in order" not in out


def test_doctor_warns_of_a_group_that_may_write_the_ledger(play: Play) -> None:
    ledger_of(play).chmod(0o660)
    os.chown(ledger_of(play), -1, 60_123 if os.geteuid() == 0 else -1)

    out = play.ok("doctor")

    (told,) = [line for line in out.splitlines() if line.startswith("warning  ledger")]
    assert "chmod g-w" in told
    assert "ledger.db': in order" in out
