from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.ledger.health import Integrity, LedgerHealth, inspect
from mailswitch.ledger.place import open_place
from mailswitch.ledger.tables import REVISIONS
from tests.support import ledger_values as values


def test_a_sound_ledger_has_no_problems(url: str) -> None:
    with open_place(url).locked() as ledger:
        ledger.intend(values.change())

    assert inspect(url) == LedgerHealth(
        place=open_place(url).shown,
        exists=True,
        revision=REVISIONS[-1],
        is_current=True,
        is_readable=True,
        is_writable=True,
        integrity=Integrity.SOUND if url.startswith("sqlite") else Integrity.NOT_CHECKED,
        unsettled=1,
    )


def test_a_ledger_still_to_be_made_is_no_problem_and_is_not_made(tmp_path: Path, sqlite_url: str) -> None:
    health = inspect(sqlite_url)

    assert (health.exists, health.is_readable, health.is_writable, health.problems) == (False, True, True, ())
    assert not list(tmp_path.iterdir())


def test_a_missing_directory_is_a_problem(tmp_path: Path) -> None:
    health = inspect(f"sqlite:///{tmp_path}/none/ledger.db")

    assert not health.is_writable
    assert "there is no directory" in health.problems[0]


def test_a_damaged_file_is_told(tmp_path: Path, sqlite_url: str) -> None:
    with open_place(sqlite_url).locked() as ledger:
        for _ in range(200):
            ledger.intend(values.change())
    path = tmp_path / "ledger.db"
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xa5" * (path.stat().st_size - 4096 * 2))

    health = inspect(sqlite_url)

    assert health.integrity is Integrity.DAMAGED
    assert not health.is_readable
    assert "restore a backup" in health.problems[0]


def test_a_file_that_is_no_database_is_told(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database " * 1000)

    health = inspect(sqlite_url)

    assert (health.exists, health.is_readable, health.integrity) == (True, False, Integrity.DAMAGED)
    assert len(health.problems) == 1


@pytest.mark.parametrize("url", ["mysql://u:hush@host/db", "postgresql://u:hush@127.0.0.1:1/db"])
def test_what_cannot_be_opened_is_a_problem_and_no_secret_is_shown(url: str) -> None:
    health = inspect(url)

    assert not health.is_readable
    assert health.problems
    assert "hush" not in repr(health)
