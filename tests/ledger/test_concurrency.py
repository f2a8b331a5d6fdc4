from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import NullPool, create_engine, func, make_url, select

from mailswitch.core.errors import AlreadyRunning, LedgerError
from mailswitch.ledger.place import open_place
from mailswitch.ledger.store import StoredLedger
from tests.support import ledger_values as values
from tests.support.ledger_processes import child_that_is_ready, run_to_its_end

AT_ONCE = timedelta(0)
PATIENTLY = timedelta(seconds=30)


def test_a_second_pass_in_another_process_is_refused_at_once_and_told_by_whom(url: str) -> None:
    with child_that_is_ready(url, "hold") as child, pytest.raises(AlreadyRunning, match=rf"\b{child.pid}\b"):  # noqa: SIM117
        with open_place(url).locked():
            pytest.fail("two passes at once")


def test_the_lock_is_free_when_the_pass_has_ended(url: str) -> None:
    for number in range(2):
        with open_place(url).locked() as ledger:
            ledger.begin_run(values.run(f"run-{number}"))

    with open_place(url).locked() as ledger:
        assert ledger.run_count() == 2


def test_the_lock_is_free_when_the_pass_has_failed(url: str) -> None:
    with pytest.raises(RuntimeError), open_place(url).locked():
        raise RuntimeError

    with open_place(url).locked() as ledger:
        assert ledger.run_count() == 0


def test_an_operator_writes_beside_a_running_pass(url: str) -> None:
    with child_that_is_ready(url, "hold"), open_place(url).writer(wait=AT_ONCE) as beside:
        beside.add_pin(values.pin())

    with open_place(url).locked() as ledger:
        assert ledger.pins() == (values.pin(),)


def test_a_pass_sees_what_an_operator_writes_meanwhile(ledger: StoredLedger, url: str) -> None:
    assert run_to_its_end(url, "pin-beside") == 0

    assert ledger.pins() == (values.pin(),)


def test_an_operator_makes_a_ledger_that_is_not_there(url: str) -> None:
    with open_place(url).writer(wait=AT_ONCE) as ledger:
        ledger.add_pin(values.pin())

    reader = open_place(url).reader()
    assert reader.pins() == (values.pin(),)
    reader.close()


def test_an_operator_does_not_hold_the_pass_lock(url: str) -> None:
    with open_place(url).writer(wait=AT_ONCE) as beside, open_place(url).locked() as ledger:
        beside.add_pin(values.pin())

        assert ledger.pins() == (values.pin(),)


def test_a_reader_sees_nothing_of_a_pass_that_is_being_written(url: str) -> None:
    place = open_place(url)
    with child_that_is_ready(url, "pause-inside-pass"):
        reader = place.reader()
        assert reader.run_count() == 1
        assert reader.histories(values.SERVER) == {}
        assert reader.server_state(values.SERVER) is None

    assert len(reader.histories(values.SERVER)) == 50
    assert reader.server_state(values.SERVER) == values.state()
    reader.close()


def test_threads_share_a_ledger_and_take_turns(ledger: StoredLedger) -> None:
    def intend(server: str) -> None:
        for _ in range(10):
            ledger.intend(values.change(server=server))

    threads = [threading.Thread(target=intend, args=(f"web{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(change.id or 0 for change in ledger.changes()) == list(range(1, 41))


@pytest.mark.postgresql
def test_a_pass_that_lost_its_connection_does_not_go_on_without_its_lock(postgresql_url: str) -> None:
    with open_place(postgresql_url).locked() as ledger:
        with ledger._session.transaction("look at") as connection:
            ours = connection.execute(select(func.pg_backend_pid())).scalar_one()
        engine = create_engine(
            make_url(postgresql_url).set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as other:
            # The time-out makes it wait until the session, and with it the lock, is gone.
            assert other.execute(select(func.pg_terminate_backend(ours, 10_000))).scalar_one()

        with pytest.raises(LedgerError, match="cannot write to"):
            ledger.begin_run(values.run())
        with pytest.raises(LedgerError, match="closed or was lost"):
            ledger.begin_run(values.run())
        with open_place(postgresql_url).locked() as another:
            assert another.run_count() == 0
