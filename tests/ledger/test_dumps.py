"""Ledgers as every released schema left them on servers become this program's, with all they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.ledger.sqlite import SQLitePlace
from mailswitch.ledger.store import StoredLedger
from mailswitch.ledger.tables import METADATA, REVISIONS
from tests.ledger.dumps import FOLDER, SHA256, load, rows_of, write_missing
from tests.support.ledger_values import NAME, NOW, SERVER

DUMPS = sorted(FOLDER.glob("*.sql"))
TODAY = NOW.date()

# How the program itself tells of each table, in words of its own, and what it has to tell of every dump.
TOLD: dict[str, tuple[Callable[[StoredLedger], object], object]] = {
    "approvals": (
        lambda ledger: [(one.name, one.route.value, one.by, one.expires) for one in ledger.approvals()],
        [(NAME, "elsewhere", "root", NOW + timedelta(days=30))],
    ),
    "changes": (
        lambda ledger: sorted((one.id, one.switch_to.value, one.finished_at) for one in ledger.changes()),
        [(1, "off", NOW), (2, "off", None)],
    ),
    "mail_counts": (
        lambda ledger: sorted(
            (one.traffic.value, str(one.network), one.messages) for one in ledger.mail_counts(SERVER, NAME, since=TODAY)
        ),
        [("co-tenant", "None", 4), ("outside", "198.51.100.0/24", 3)],
    ),
    "mail_logins": (
        lambda ledger: [(one.mailbox, one.logins) for one in ledger.mail_logins(SERVER, NAME, since=TODAY)],
        [("info", 2)],
    ),
    "mail_readings": (lambda ledger: getattr(ledger.mail_reading(SERVER), "bookmark", None), '{"offset": 1}'),
    "names": (
        lambda ledger: [
            (one.route, one.sightings, one.credited, one.ttl, one.was_here, one.claim.value, one.claim_change)
            for one in ledger.histories(SERVER).values()
        ],
        [("elsewhere", 5, timedelta(hours=30), timedelta(hours=1), True, "ours", 1)],
    ),
    "next_passes": (lambda ledger: ledger.next_passes(), {SERVER: NOW + timedelta(hours=1)}),
    "notice_memory": (
        lambda ledger: [
            (memory.open_changes, memory.told[0].text, memory.unsent[0].bulletin.subject, memory.digest_at, memory.done)
            for memory in [ledger.notice_memory()]
            if memory is not None
        ],
        [((2,), "cut off", "1 change", NOW, 1)],
    ),
    "pause": (
        lambda ledger: [(one.by, one.at, one.reason) for one in [ledger.pause()] if one is not None],
        [("alice", NOW, "moving servers")],
    ),
    "pins": (lambda ledger: [(one.pattern.text, one.reason) for one in ledger.pins()], [("*.example", "ask first")]),
    "rechecks": (
        lambda ledger: [(one.name, one.by, one.at) for one in ledger.rechecks(limit=9)],
        [(NAME, "plesk", NOW)],
    ),
    "rescued_messages": (
        lambda ledger: [(one.file, one.answer) for one in ledger.rescued(SERVER, NAME, "info", sums=[SHA256])],
        [("1700000000.one", "250 queued")],
    ),
    "rescues": (lambda ledger: [(one.by, one.counts) for one in ledger.rescues()], [("root", (("delivered", 1),))]),
    "runs": (
        lambda ledger: [(one.id, one.mode.value, one.started) for one in [ledger.last_run()] if one is not None],
        [("run-1", "enforce", NOW)],
    ),
    "server_passes": (
        lambda ledger: [(one.server, one.counts, one.is_partial) for one in ledger.last_passes()],
        [(SERVER, (("keep", 2), ("turn_off", 1)), False)],
    ),
    "server_states": (lambda ledger: getattr(ledger.server_state(SERVER), "inventory_size", None), 3),
}


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The ledger of an old dump."""
    path = tmp_path / "ledger.db"
    load(request.param, path)
    return path


def migrate(path: Path) -> None:
    with SQLitePlace(path).locked():
        """That is all."""


def test_every_revision_has_the_dump_of_a_ledger_it_wrote() -> None:
    assert tuple(dump.stem for dump in DUMPS) == REVISIONS, (
        "a new revision needs its dump, made before it is released: run `python -m tests.ledger.dumps`, add what it "
        "writes, and never make an old one again"
    )


def test_a_dump_has_rows_in_every_table_of_its_time(old: Path) -> None:
    assert [name for name, rows in rows_of(old).items() if not rows] == []


def test_the_program_is_asked_for_every_table_it_has() -> None:
    assert TOLD.keys() == METADATA.tables.keys()


def test_no_row_and_no_column_of_an_old_ledger_is_lost_or_changed(old: Path) -> None:
    before = rows_of(old)

    migrate(old)

    after = rows_of(old)
    assert {
        name: sorted(repr({key: row[key] for key in rows[0]}) for row in after[name]) for name, rows in before.items()
    } == {name: sorted(map(repr, rows)) for name, rows in before.items()}


def test_the_program_finds_everything_in_an_old_ledger(old: Path) -> None:
    tables = rows_of(old).keys()

    with SQLitePlace(old).locked() as ledger:
        told = {name: TOLD[name][0](ledger) for name in tables}

    assert told == {name: TOLD[name][1] for name in tables}


def test_an_old_ledger_gets_exactly_the_schema_of_a_new_one(old: Path, tmp_path: Path) -> None:
    migrate(old)
    migrate(tmp_path / "new.db")

    assert schema_of(old) == schema_of(tmp_path / "new.db")


def schema_of(path: Path) -> dict[str, str]:
    """Return what every table and index of a file was made with, however it is laid out."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in made}


def test_only_missing_dumps_are_written(tmp_path: Path) -> None:
    (tmp_path / f"{REVISIONS[0]}.sql").write_text("as it was released")

    written = write_missing(tmp_path)

    assert [path.stem for path in written] == list(REVISIONS[1:])
    assert (tmp_path / f"{REVISIONS[0]}.sql").read_text() == "as it was released"
    load(written[-1], tmp_path / "ledger.db")
    assert rows_of(tmp_path / "ledger.db").keys() == METADATA.tables.keys()
    assert write_missing(tmp_path) == []
