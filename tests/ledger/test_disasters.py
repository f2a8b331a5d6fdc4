"""Torn writes, full disks, read-only file systems, flipped bits, old schemas: read rightly or refused."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnClause, Connection, NullPool, column, create_engine, insert, make_url, select, table
from sqlalchemy import inspect as schema_of

from mailswitch.core.errors import LedgerError
from mailswitch.core.ledger import Claim, DomainHistory, Outcome
from mailswitch.ledger import schema
from mailswitch.ledger.health import inspect
from mailswitch.ledger.place import open_place
from mailswitch.ledger.store import StoredLedger
from mailswitch.ledger.tables import METADATA, REVISIONS, schema_revision
from tests.support import ledger_values as values
from tests.support.builders import NOW

ROOT = Path(__file__).parents[2]
WRITES = 6


def filled(ledger: StoredLedger, *, writes: int = WRITES) -> None:
    for number in range(writes):
        ledger.begin_run(values.run(f"run-{number}"))


def runs_in(path: Path) -> int:
    with open_place(f"sqlite:///{path}").locked() as ledger:
        return ledger.run_count()


# ---- Torn writes


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A ledger as it lies after a power cut, and how long its write-ahead log was after each commit."""
    folder = tmp_path_factory.mktemp("crashed")
    path, log = folder / "ledger.db", folder / "ledger.db-wal"
    with open_place(f"sqlite:///{path}").locked():
        """Made and migrated; closing it empties the log."""
    lengths = []
    with open_place(f"sqlite:///{path}").locked() as ledger:
        for number in range(WRITES):
            ledger.begin_run(values.run(f"run-{number}"))
            lengths.append(log.stat().st_size)
        (folder / "cut").mkdir()
        for file in (path, log):
            shutil.copy(file, folder / "cut" / file.name)
    return folder / "cut" / "ledger.db", lengths


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), noise=st.binary(max_size=64))
def test_a_torn_log_keeps_every_commit_before_the_tear_and_nothing_half(
    crashed: tuple[Path, list[int]], tmp_path_factory: pytest.TempPathFactory, share: float, noise: bytes
) -> None:
    original, lengths = crashed
    path = tmp_path_factory.mktemp("torn") / "ledger.db"
    shutil.copy(original, path)
    written = original.with_name("ledger.db-wal").read_bytes()
    cut = int(share * len(written))
    path.with_name("ledger.db-wal").write_bytes(written[:cut] + noise)

    found = runs_in(path)

    # The last commit before the cut is there at least; noise may by chance go on as it went on.
    assert sum(length <= cut for length in lengths) <= found <= WRITES
    assert inspect(f"sqlite:///{path}").problems == ()


def test_commits_that_a_lying_disk_lost_are_noticed_by_the_marker(
    crashed: tuple[Path, list[int]], tmp_path: Path
) -> None:
    original, lengths = crashed
    path, marker = tmp_path / "ledger.db", tmp_path / "marker"
    for file in (original, original.with_name("ledger.db-wal")):
        shutil.copy(file, tmp_path / file.name)
    place = open_place(f"sqlite:///{path}", marker=marker)
    with place.writer(wait=timedelta(seconds=5)) as ledger:
        ledger.set_pause(None)  # leaves a mark of what is there
    shutil.copy(original, path)
    path.with_name("ledger.db-wal").write_bytes(original.with_name("ledger.db-wal").read_bytes()[: lengths[2]])

    with place.locked() as ledger:
        pause = ledger.pause()

    assert pause is not None
    assert f"run run-{WRITES - 1}" in (pause.reason or "")


# ---- Damage


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 200))
def test_a_damaged_file_is_read_or_refused_with_words_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, sound: Path, seed: int, flips: int
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "ledger.db"
    damaged, chance = bytearray(sound.read_bytes()), random.Random(seed)  # noqa: S311 - no secret
    for _ in range(flips):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    path.write_bytes(damaged)
    url = f"sqlite:///{path}"

    health = inspect(url)
    said = used(url)

    assert said is None or (said.startswith("cannot ") and "\n" not in said)
    assert all(problem for problem in health.problems)


def used(url: str) -> str | None:
    """Read all of a ledger and write to it; return why that was refused."""
    try:
        reader = open_place(url).reader()
        try:
            values.everything(reader, values.SERVER)
        finally:
            reader.close()
        with open_place(url).locked() as ledger:
            number = ledger.intend(values.change())
            ledger.settle(number, outcome=Outcome.DONE, error=None, at=NOW, claim=Claim.OURS)
    except LedgerError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "ledger.db"
    with open_place(f"sqlite:///{path}").locked() as ledger:
        filled(ledger)
        ledger.record_pass(values.state(), values.server_pass("run-0"), {})
        ledger.intend(values.change())
        ledger.add_pin(values.pin())
    return path


@pytest.mark.parametrize("size", [99, 4096, 10_000])
def test_a_file_cut_short_is_refused_and_doctor_says_how_to_go_on(sound: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(sound.read_bytes()[:size])

    with pytest.raises(LedgerError), open_place(f"sqlite:///{path}").locked():
        pytest.fail("opened")

    assert any("restore" in problem for problem in inspect(f"sqlite:///{path}").problems)
    assert path.read_bytes() == sound.read_bytes()[:size]


@pytest.mark.parametrize("size", [0, 1])
def test_a_file_cut_to_nothing_is_no_new_ledger_but_a_doubt(sound: Path, tmp_path: Path, size: int) -> None:
    path, marker = tmp_path / "ledger.db", tmp_path / "marker"
    shutil.copy(sound, path)
    with open_place(f"sqlite:///{path}", marker=marker).locked() as ledger:
        ledger.begin_run(values.run("last"))
    path.write_bytes(sound.read_bytes()[:size])

    with open_place(f"sqlite:///{path}", marker=marker).locked() as ledger:
        assert ledger.pause() is not None
    assert any("run last" in problem for problem in inspect(f"sqlite:///{path}", marker=marker).problems)


# ---- The disk


def on_a_small_disk(what: str, folder: Path) -> dict[str, object]:
    """Do something on a file system of a few hundred kilobytes, which is there for the child's eyes only."""
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.support.small_disk"]
    done = subprocess.run([*command, what, str(folder)], capture_output=True, text=True, timeout=60, cwd=ROOT)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.root
def test_on_a_full_disk_a_change_is_refused_and_all_that_was_promised_is_there(tmp_path: Path) -> None:
    found = on_a_small_disk("fill", tmp_path)

    assert "disk is full; make room" in str(found["error"])
    assert found["kept"] == found["promised"]
    assert found["after_making_room"] == found["promised"] + 1  # type: ignore[operator]
    assert found["problems"] == []


@pytest.mark.root
def test_a_marker_on_a_full_disk_stops_the_change_before_the_panel_is_asked(tmp_path: Path) -> None:
    found = on_a_small_disk("fill-marker", tmp_path)

    assert "marker" in str(found["error"])
    assert "No space left" in str(found["error"])


@pytest.mark.root
def test_a_read_only_file_system_can_be_read_and_not_recorded_on(tmp_path: Path) -> None:
    found = on_a_small_disk("read-only", tmp_path)

    assert found["runs"] == 1
    assert "read-only" in str(found["error"]).lower()
    assert "not writable" in str(found["problems"])


# ---- Old schemas


def raw(connection: Connection) -> dict[str, list[dict[str, object]]]:
    """Every row of every table as the database has it."""
    found = {}
    for name in [one.name for one in METADATA.sorted_tables]:
        columns: list[ColumnClause[Any]] = [column(one["name"]) for one in schema_of(connection).get_columns(name)]
        found[name] = [dict(row._mapping) for row in connection.execute(select(*columns).select_from(table(name)))]
    return found


def a_full_ledger(url: str) -> list[object]:
    with open_place(url).locked() as ledger:
        ledger.begin_run(values.run())
        history = DomainHistory(first_seen=NOW, sightings=2, last_sighting=NOW)
        ledger.record_pass(values.state(), values.server_pass(), {values.NAME: history})
        number = ledger.intend(values.change(run_id="run-1"))
        ledger.settle(number, outcome=Outcome.DONE, error=None, at=NOW, claim=Claim.OURS)
        ledger.intend(values.change())
        ledger.add_pin(values.pin())
        ledger.add_approval(values.approval())
        return values.everything(ledger, values.SERVER)


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect past the ledger's own code."""
    parsed = make_url(url)
    driver = "postgresql+psycopg" if parsed.drivername == "postgresql" else parsed.drivername
    engine = create_engine(parsed.set(drivername=driver), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("old", REVISIONS[:-1])
def test_a_ledger_of_every_older_schema_is_migrated_with_all_that_is_in_it(url: str, old: str) -> None:
    everything = a_full_ledger(url)
    config = Config()
    config.set_main_option("script_location", schema.MIGRATIONS)
    config.set_main_option("path_separator", "os")
    with connected(url) as connection:
        rows = raw(connection)
        METADATA.drop_all(connection)
        schema_revision.drop(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, old)
        for one in METADATA.sorted_tables:
            if rows[one.name] and schema_of(connection).has_table(one.name):
                there = {found["name"] for found in schema_of(connection).get_columns(one.name)}
                kept = [{key: value for key, value in row.items() if key in there} for row in rows[one.name]]
                connection.execute(insert(table(one.name, *map(column, kept[0]))), kept)

    with pytest.raises(LedgerError, match="older mailswitch"):
        open_place(url).reader()
    with open_place(url).locked() as ledger:
        assert values.everything(ledger, values.SERVER) == everything


def test_sqlite_is_as_careful_as_it_is_told(tmp_path: Path) -> None:
    """What all of the above rests on: a commit is on the disk when it returns."""
    path = tmp_path / "ledger.db"
    with open_place(f"sqlite:///{path}").locked() as ledger:
        filled(ledger, writes=1)
        with sqlite3.connect(path) as beside:
            assert beside.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        beside.close()
        assert ledger._session.read(lambda one: one.exec_driver_sql("PRAGMA synchronous").scalar()) == 2
