"""Ledgers as the program of each schema revision wrote them: one SQL dump a revision, made once and then left alone.

A new revision gets its dump by ``python -m tests.ledger.dumps``, in the commit that brings it. Made later, or made
again, by the migrations of that day, a dump would say nothing of what a released program left on servers.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine

from mailswitch.core.evidence import LoginCount, LogReading, MailCount, Traffic
from mailswitch.core.ledger import Claim, DomainHistory, Outcome, Pause
from mailswitch.core.notices import Bulletin, NoticeKind, NoticeMemory, Told, Unsent
from mailswitch.core.policy import Route
from mailswitch.core.rescue import Rescue, RescuedMessage, RescueOutcome
from mailswitch.ledger import schema
from mailswitch.ledger.place import open_place
from mailswitch.ledger.store import StoredLedger
from mailswitch.ledger.tables import REVISIONS
from tests.support import ledger_values as values
from tests.support.ledger_values import NAME, NOW, SERVER

__all__ = ["FOLDER", "SHA256", "load", "rows_of", "write_missing"]

FOLDER = Path(__file__).parent
SHA256 = "c0de" * 16


def load(dump: Path, path: Path) -> None:
    """Make a SQLite file of a dump."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))


def rows_of(path: Path) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table as it is in a SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - the schema's own
            for table in _tables_of(connection)
        }


def _tables_of(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    return [name for (name,) in found if name != "alembic_version" and not name.startswith("sqlite_")]


def write_missing(folder: Path = FOLDER) -> list[Path]:
    """Write the dump of each revision that has none, and return them."""
    missing = [path for path in (folder / f"{one}.sql" for one in REVISIONS) if not path.exists()]
    for path in missing:
        path.write_text(_dump_of(path.stem), encoding="utf-8")
    return missing


def _dump_of(revision: str) -> str:
    with TemporaryDirectory() as folder:
        full, path = Path(folder) / "full.db", Path(folder) / "old.db"
        with open_place(f"sqlite:///{full}").locked() as ledger:
            _fill(ledger)
        _make_empty(path, revision)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ATTACH ? AS full", (str(full),))
            for table in _tables_of(connection):
                columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({table})"))
                statement = f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM full.{table}"  # noqa: S608
                connection.execute(statement)
            connection.commit()
            # SQLAlchemy leaves blanks at the ends of lines.
            return "".join(f"{line.rstrip()}\n" for part in connection.iterdump() for line in part.splitlines())


def _make_empty(path: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", schema.MIGRATIONS)
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def _fill(ledger: StoredLedger) -> None:
    """Leave a row in every table. What is here stays, for older dumps hold it; what a new table holds comes beside."""
    ledger.begin_run(values.run())
    change = ledger.intend(values.change(run_id="run-1"))
    ledger.settle(change, outcome=Outcome.DONE, error=None, at=NOW, claim=None)
    ledger.intend(values.change())
    history = DomainHistory(
        first_seen=NOW - timedelta(days=9),
        route=Route.ELSEWHERE,
        since=NOW - timedelta(days=2),
        sightings=5,
        last_sighting=NOW,
        credited=timedelta(hours=30),
        ttl=timedelta(hours=1),
        was_here=True,
        claim=Claim.OURS,
        claim_change=change,
        claim_route=Route.ELSEWHERE,
        claim_exchanges=values.change().exchanges,
    )
    ledger.record_pass(values.state(), values.server_pass(), {NAME: history})
    ledger.add_pin(values.pin())
    ledger.add_approval(values.approval())
    ledger.set_pause(Pause(by="alice", at=NOW, reason="moving servers"))
    ledger.request_recheck([NAME], by="plesk", at=NOW)
    ledger.set_next_passes({SERVER: NOW + timedelta(hours=1)})
    _fill_notices(ledger, change)
    _fill_mail(ledger)
    _fill_rescues(ledger)


def _fill_notices(ledger: StoredLedger, change: int) -> None:
    told = Told(kind=NoticeKind.FAILING, code="unreachable", server=SERVER, name=None, text="cut off", said_at=NOW)
    bulletin = Bulletin(id="b0", subject="1 change", text="turned off", document="{}")
    memory = NoticeMemory(
        last_change=change,
        open_changes=(change + 1,),
        told=(told,),
        digest_at=NOW,
        done=1,
        unsent=(Unsent(way="mail", bulletin=bulletin),),
    )
    ledger.remember_notices(memory, former=None)


def _fill_mail(ledger: StoredLedger) -> None:
    today = NOW.date()
    reading = LogReading(since=NOW - timedelta(days=8), until=NOW, bookmark='{"offset": 1}')
    network = ip_network("198.51.100.0/24")
    count = MailCount(name=NAME, day=today, traffic=Traffic.OUTSIDE, network=network, messages=3, last=NOW)
    crowd = replace(count, traffic=Traffic.CO_TENANT, network=None, messages=4)
    login = LoginCount(name=NAME, mailbox="info", day=today, logins=2, last=NOW)
    ledger.record_mail(SERVER, reading, [count, crowd], logins=[login], today=today)


def _fill_rescues(ledger: StoredLedger) -> None:
    rescue = ledger.begin_rescue(
        Rescue(id=None, server=SERVER, name=NAME, by="root", exchanges=values.change().exchanges, started=NOW)
    )
    message = RescuedMessage(
        id=None,
        rescue_id=rescue,
        server=SERVER,
        name=NAME,
        mailbox="info",
        sha256=SHA256,
        file="1700000000.one",
        octets=1234,
        token="token",
        intended_at=NOW,
    )
    ledger.intend_message(message)
    ledger.settle_message(1, outcome=RescueOutcome.DELIVERED, at=NOW, answer="250 queued")
    ledger.finish_rescue(rescue, at=NOW, counts=(("delivered", 1),), stopped=None)
