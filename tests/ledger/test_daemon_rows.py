"""What the ledger keeps for the daemon: its lock, rechecks, next passes, passes over some names, and forgetting."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, inspect, make_url, text

from mailswitch.core.errors import AlreadyRunning, LedgerError
from mailswitch.core.ledger import Claim, DomainHistory, Outcome, Recheck
from mailswitch.core.names import DomainName
from mailswitch.ledger import schema
from mailswitch.ledger.place import open_place
from mailswitch.ledger.sqlite import SQLitePlace
from mailswitch.ledger.store import StoredLedger
from tests.support import ledger_values as values
from tests.support.ledger_processes import child_that_is_ready
from tests.support.ledger_values import NAME, NOW, SERVER

OTHER = DomainName("other.example")
DAY = timedelta(days=1)


# ---- the daemon's lock


def test_two_daemons_cannot_hold_one_ledger(url: str) -> None:
    with open_place(url).daemon_lock() as check:
        check()
        with pytest.raises(AlreadyRunning, match="another daemon"), open_place(url).daemon_lock():
            pytest.fail("two daemons at once")

    with open_place(url).daemon_lock() as check:
        check()
        assert open_place(url).has_daemon()


def test_passes_by_hand_work_beside_a_daemon(url: str) -> None:
    with open_place(url).daemon_lock(), open_place(url).locked() as ledger:
        ledger.begin_run(values.run())

    assert not open_place(url).has_daemon()


def test_a_daemon_starts_beside_a_pass_by_hand(url: str) -> None:
    with child_that_is_ready(url, "hold"), open_place(url).daemon_lock() as check:
        check()
        assert open_place(url).has_daemon()


def test_without_a_ledger_there_is_no_daemon_and_nothing_is_made(tmp_path: Path) -> None:
    assert not SQLitePlace(tmp_path / "ledger.db").has_daemon()
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_in_place_of_the_daemon_s_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "ledger.db.daemon.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LedgerError):
        SQLitePlace(tmp_path / "ledger.db").has_daemon()
    with pytest.raises(LedgerError, match="symbolic link"), SQLitePlace(tmp_path / "ledger.db").daemon_lock():
        pytest.fail("locked")


@pytest.mark.postgresql
def test_a_daemon_takes_its_lock_again_when_its_connection_was_lost(postgresql_url: str) -> None:
    parsed = make_url(postgresql_url).set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, poolclass=NullPool)
    with open_place(postgresql_url).daemon_lock() as check:
        with engine.begin() as connection:
            ours = text(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE application_name LIKE 'mailswitch %' AND pid IN (SELECT pid FROM pg_locks "
                "WHERE locktype = 'advisory') AND datname = current_database() AND pid <> pg_backend_pid() "
                "AND query LIKE '%advisory%'"
            )
            connection.execute(ours)
        check()
        assert open_place(postgresql_url).has_daemon()
    engine.dispose()


# ---- rechecks and next passes


def test_rechecks_are_taken_once_oldest_first(ledger: StoredLedger) -> None:
    ledger.request_recheck([OTHER, OTHER], by="root", at=NOW)
    ledger.request_recheck([NAME], by="plesk", at=NOW - DAY)

    wanted = (Recheck(name=NAME, by="plesk", at=NOW - DAY), Recheck(name=OTHER, by="root", at=NOW))
    assert ledger.rechecks(limit=9) == wanted
    assert ledger.take_rechecks(limit=1) == wanted[:1]
    assert ledger.take_rechecks(limit=9) == wanted[1:]
    assert ledger.take_rechecks(limit=9) == ledger.rechecks(limit=9) == ()


def test_a_name_asked_for_twice_is_one_recheck(ledger: StoredLedger) -> None:
    ledger.request_recheck([NAME], by="first", at=NOW)
    ledger.request_recheck([NAME], by="second", at=NOW + DAY)
    ledger.request_recheck([], by="nobody", at=NOW)

    assert ledger.rechecks(limit=9) == (Recheck(name=NAME, by="first", at=NOW),)


def test_a_waiting_reader_sees_a_recheck_that_comes_later(url: str) -> None:
    with open_place(url).locked():
        pass
    reader = open_place(url).reader()
    assert reader.rechecks(limit=9) == ()

    with open_place(url).writer(wait=timedelta(0)) as beside:
        beside.request_recheck([NAME], by="root", at=NOW)

    assert len(reader.rechecks(limit=9)) == 1
    reader.close()


def test_next_passes_replace_each_other(ledger: StoredLedger) -> None:
    ledger.set_next_passes({"web01": NOW, "web02": NOW})
    ledger.set_next_passes({"web01": NOW + DAY})

    assert ledger.next_passes() == {"web01": NOW + DAY}
    ledger.set_next_passes({})
    assert ledger.next_passes() == {}


def test_a_pass_over_some_names_is_not_a_server_s_last_pass(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run("whole"))
    ledger.begin_run(values.run("some"))
    ledger.record_pass(None, values.server_pass("whole"), {})
    ledger.record_pass(None, replace(values.server_pass("some"), is_partial=True), {})

    assert ledger.last_passes() == (values.server_pass("whole"),)
    assert ledger.recent_passes(SERVER, limit=9) == (values.server_pass("whole"),)


# ---- forgetting


def a_settled_change(ledger: StoredLedger, run: str, at: datetime, *, claim: Claim | None = None) -> int:
    number = ledger.intend(values.change(run_id=run, at=at))
    ledger.settle(number, outcome=Outcome.DONE, error=None, at=at, claim=claim)
    return number


def test_what_is_old_and_referred_to_by_nothing_is_forgotten(ledger: StoredLedger) -> None:
    for run, at in (("old", NOW - 9 * DAY), ("young", NOW)):
        ledger.begin_run(values.run(run, started=at))
        ledger.record_pass(None, values.server_pass(run, finished=at), {})
        a_settled_change(ledger, run, at)

    assert ledger.prune(before=NOW - DAY, limit=100) == 3
    assert [change.run_id for change in ledger.changes()] == ["young"]
    assert [one.run_id for one in ledger.recent_passes(SERVER, limit=9)] == ["young"]
    assert ledger.run_count() == 2
    assert ledger.prune(before=NOW - DAY, limit=100) == 0


def test_the_last_run_and_pass_stay_however_old(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    ledger.record_pass(None, values.server_pass(), {})

    assert ledger.prune(before=NOW + 999 * DAY, limit=100) == 0
    assert ledger.last_run() is not None
    assert ledger.last_passes() == (values.server_pass(),)


def test_what_tells_whose_a_switch_is_stays_however_old(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    ours = a_settled_change(ledger, "run-1", NOW, claim=Claim.OURS)
    open_intent = ledger.intend(values.change(OTHER, at=NOW))

    ledger.prune(before=NOW + 999 * DAY, limit=100)

    assert {change.id for change in ledger.changes()} == {ours, open_intent}
    assert ledger.histories(SERVER)[NAME].claim_change == ours


def test_a_change_goes_after_the_one_that_reverts_it(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    first = a_settled_change(ledger, "run-1", NOW)
    second = ledger.intend(replace(values.change(at=NOW), reverts=first))
    ledger.settle(second, outcome=Outcome.DONE, error=None, at=NOW, claim=None)
    last = a_settled_change(ledger, "run-1", NOW)  # stays, for the marker names the last one

    assert ledger.prune(before=NOW + DAY, limit=100) == 1
    assert ledger.prune(before=NOW + DAY, limit=100) == 1
    assert [change.id for change in ledger.changes()] == [last]


def test_names_gone_for_long_are_forgotten_but_not_what_is_off_by_us(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    gone = DomainHistory(first_seen=NOW - 99 * DAY, gone_since=NOW - 9 * DAY)
    rows = {
        NAME: gone,
        OTHER: replace(gone, claim=Claim.OURS),
        DomainName("hosted.example"): replace(gone, gone_since=None),
        DomainName("just-gone.example"): replace(gone, gone_since=NOW),
    }
    ledger.record_pass(values.state(), values.server_pass(), rows)

    assert ledger.prune(before=NOW - DAY, limit=100) == 1
    assert set(ledger.histories(SERVER)) == set(rows) - {NAME}


def test_expired_words_of_operators_are_forgotten(ledger: StoredLedger) -> None:
    ledger.add_pin(values.pin("for-good.example"))
    ledger.add_pin(replace(values.pin("for-a-time.example"), until=NOW))
    ledger.add_approval(values.approval())

    assert ledger.prune(before=NOW + 99 * DAY, limit=100) == 2
    assert [str(one.pattern.text) for one in ledger.pins()] == ["for-good.example"]
    assert ledger.approvals() == ()


def test_one_call_forgets_no_more_than_its_limit_of_each_kind(ledger: StoredLedger) -> None:
    for number in range(5):
        ledger.begin_run(values.run(f"run-{number}", started=NOW))

    assert [ledger.prune(before=NOW + DAY, limit=3) for _ in range(3)] == [3, 1, 0]


# ---- the schema before


def test_a_ledger_of_the_first_schema_keeps_its_rows(url: str) -> None:
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", schema.MIGRATIONS)
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        assert "rechecks" not in inspect(connection).get_table_names()
        started = NOW.isoformat(timespec="microseconds")
        connection.execute(
            text(
                "INSERT INTO runs (number, id, mode, by, started, changes_done, changes_failed) "
                "VALUES (1, 'run-1', 'enforce', 'root', :at, 0, 0)"
            ),
            {"at": NOW if engine.dialect.name == "postgresql" else started},
        )
        connection.execute(
            text(
                "INSERT INTO server_passes (number, run_id, server, finished, counts) "
                "VALUES (1, 'run-1', 'web01', :at, '[]')"
            ),
            {"at": NOW if engine.dialect.name == "postgresql" else started},
        )
    engine.dispose()

    with pytest.raises(LedgerError, match="run `mailswitch once`"):
        open_place(url).reader()
    with open_place(url).locked() as ledger:
        assert ledger.run_count() == 1
        assert [one.is_partial for one in ledger.last_passes()] == [False]
