from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import threading
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from mailswitch.core.errors import AlreadyRunning, ConfigError, LedgerError
from mailswitch.ledger.lock import file_lock
from mailswitch.ledger.place import open_place
from mailswitch.ledger.reader import EmptyLedger
from tests.support import ledger_values as values

SECRET = "s3cr3t-p4ss"


def make(url: str) -> None:
    with open_place(url).locked() as ledger:
        ledger.begin_run(values.run())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "not a URL"),
        ("", "not a URL"),
        (f"postgresql://u:{SECRET}@host:{SECRET}/db", "not a URL"),
        (f"mysql://u:{SECRET}@host/db", "'mysql' database"),
        (f"postgresql+psycopg2://u:{SECRET}@host/db", r"'postgresql\+psycopg2' database"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:x?mode=ro", "options"),
        ("sqlite:///file:x", "file: URI"),
        ("sqlite://host/x", "has only a path"),
    ],
)
def test_a_url_that_names_no_ledger_is_refused_without_repeating_it(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        open_place(url)

    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_no_message_or_repr_shows_a_password(scheme: str) -> None:
    place = open_place(f"{scheme}://user:{SECRET}@127.0.0.1:1/db?password={SECRET}")

    with pytest.raises(LedgerError, match=r"cannot open the ledger 'postgresql://127.0.0.1:1/db'") as caught:
        place.reader()

    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(place) + place.shown


@pytest.mark.postgresql
def test_a_database_that_is_not_there_is_named(postgresql_url: str) -> None:
    with pytest.raises(LedgerError, match='"no_such_database" does not exist'):
        open_place(
            make_url(postgresql_url).set(database="no_such_database").render_as_string(hide_password=False)
        ).reader()


@pytest.mark.postgresql
def test_a_schema_that_is_not_there_is_named(postgresql_url: str) -> None:
    with pytest.raises(LedgerError, match="make the schema"), open_place(f"{postgresql_url}x").locked():
        pytest.fail("opened")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o640), (0o077, 0o600)])
def test_a_new_ledger_is_not_for_everybody_to_read(tmp_path: Path, umask: int, mode: int) -> None:
    former = os.umask(umask)
    try:
        with open_place(f"sqlite:///{tmp_path}/ledger.db").locked() as ledger:
            ledger.begin_run(values.run())
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(former)

    assert modes == dict.fromkeys(["ledger.db", "ledger.db.lock", "ledger.db-wal", "ledger.db-shm"], mode)


def test_commits_are_durable_and_readers_do_not_wait(tmp_path: Path, sqlite_url: str) -> None:
    with open_place(sqlite_url).locked() as ledger, ledger._session.transaction("look at") as connection:
        pragmas = {
            word: connection.exec_driver_sql(f"PRAGMA {word}").scalar()
            for word in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    assert (tmp_path / "ledger.db").is_file()


def test_a_missing_directory_is_not_made_but_named(tmp_path: Path) -> None:
    place = open_place(f"sqlite:///{tmp_path}/none/ledger.db")

    assert isinstance(place.reader(), EmptyLedger)
    with pytest.raises(LedgerError, match="install -d -m 0750"), place.locked():
        pytest.fail("opened")
    assert not list(tmp_path.iterdir())


def test_reading_makes_no_file(tmp_path: Path, sqlite_url: str) -> None:
    open_place(sqlite_url).reader().close()
    assert not list(tmp_path.iterdir())

    make(sqlite_url)
    before = sorted(tmp_path.iterdir())
    reader = open_place(sqlite_url).reader()
    assert reader.run_count() == 1
    assert sorted(tmp_path.iterdir()) == before
    reader.close()
    assert sorted(tmp_path.iterdir()) == before


def test_a_reader_goes_on_when_a_pass_begins_to_write(sqlite_url: str) -> None:
    make(sqlite_url)
    reader = open_place(sqlite_url).reader()
    assert reader.run_count() == 1

    with open_place(sqlite_url).locked() as ledger:
        ledger.begin_run(values.run("run-2"))
        assert reader.run_count() == 2
    reader.close()


def test_a_reader_goes_on_when_a_pass_has_come_and_gone(sqlite_url: str) -> None:
    make(sqlite_url)
    reader = open_place(sqlite_url).reader()
    with open_place(sqlite_url).locked() as ledger:
        ledger.begin_run(values.run("run-2"))

    assert reader.run_count() == 2
    reader.close()


def test_a_reader_writes_nothing(sqlite_url: str) -> None:
    make(sqlite_url)
    session = open_place(sqlite_url).reading_session()

    with pytest.raises(LedgerError, match="readonly"), session.transaction("write to") as connection:
        connection.exec_driver_sql("PRAGMA user_version=7")
    session.close()


def test_the_same_file_by_another_name_has_the_same_lock(tmp_path: Path, sqlite_url: str) -> None:
    make(sqlite_url)
    (tmp_path / "other.db").symlink_to(tmp_path / "ledger.db")

    with (
        open_place(sqlite_url).locked(),
        pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}\b"),
        open_place(f"sqlite:///{tmp_path}/other.db").locked(),
    ):
        pytest.fail("two passes at once")


@pytest.mark.parametrize("kind", ["text", "directory", "fifo"])
def test_what_is_no_database_is_refused(tmp_path: Path, sqlite_url: str, kind: str) -> None:
    path = tmp_path / "ledger.db"
    match kind:
        case "text":
            path.write_text("mode: report\n" * 500)
        case "directory":
            path.mkdir()
        case _:
            os.mkfifo(path)
    place = open_place(sqlite_url)

    with pytest.raises(LedgerError, match=r"no SQLite database|no plain file"):
        place.reader()
    with pytest.raises(LedgerError, match=r"no SQLite database|no plain file"), place.locked():
        pytest.fail("opened")


def test_a_row_that_makes_no_sense_is_told(tmp_path: Path, sqlite_url: str) -> None:
    make(sqlite_url)
    connection = sqlite3.connect(tmp_path / "ledger.db")
    connection.execute("UPDATE runs SET started = 'yesterday'")
    connection.commit()
    connection.close()

    reader = open_place(sqlite_url).reader()
    with pytest.raises(LedgerError, match="makes no sense"):
        reader.last_run()
    reader.close()


def test_a_symbolic_link_as_lock_file_is_not_followed(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "ledger.db.lock").symlink_to(tmp_path / "victim")

    with pytest.raises(LedgerError, match="symbolic link; remove it"), open_place(sqlite_url).locked():
        pytest.fail("opened")
    assert not (tmp_path / "victim").exists()


def test_a_lock_file_that_is_no_plain_file_is_refused(tmp_path: Path, sqlite_url: str) -> None:
    os.mkfifo(tmp_path / "ledger.db.lock")

    with pytest.raises(LedgerError, match="no plain file; remove it"), open_place(sqlite_url).locked():
        pytest.fail("opened")


def test_a_lock_file_of_unknown_content_holds_all_the_same(tmp_path: Path, sqlite_url: str) -> None:
    lock = tmp_path / "ledger.db.lock"
    lock.write_text("\x1b[2Jnobody")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning) as caught, open_place(sqlite_url).locked():
            pytest.fail("opened")

    assert "nobody" not in str(caught.value)


def test_making_a_ledger_waits_for_the_lock_as_long_as_it_may(tmp_path: Path, sqlite_url: str) -> None:
    place = open_place(sqlite_url)
    with (
        file_lock(tmp_path / "ledger.db.lock", "here"),
        pytest.raises(AlreadyRunning),
        place.writer(wait=timedelta(milliseconds=60)),
    ):
        pytest.fail("opened")
    assert not (tmp_path / "ledger.db").exists()


def test_making_a_ledger_goes_on_when_the_lock_is_given_back(tmp_path: Path, sqlite_url: str) -> None:
    recorded = threading.Event()

    def pin() -> None:
        with open_place(sqlite_url).writer(wait=timedelta(seconds=30)) as ledger:
            ledger.add_pin(values.pin())
        recorded.set()

    waiting = threading.Thread(target=pin)
    with file_lock(tmp_path / "ledger.db.lock", "here"):
        waiting.start()
        assert not (tmp_path / "ledger.db").exists()
    waiting.join()

    assert recorded.is_set()


def test_a_busy_ledger_is_waited_for_no_longer_than_asked(tmp_path: Path, sqlite_url: str) -> None:
    make(sqlite_url)
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    place = open_place(sqlite_url)

    with pytest.raises(LedgerError, match="another process is writing"), place.writer(wait=timedelta(0)):
        pytest.fail("opened")
    connection.close()
    with place.writer(wait=timedelta(0)) as ledger:
        assert ledger.run_count() == 1
