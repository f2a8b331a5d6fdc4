"""A process killed at any point leaves a ledger from which the next pass can go on: nothing lost or doubled."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from mailswitch.ledger.place import open_place
from tests.support import ledger_values as values
from tests.support.ledger_processes import locked_soon, run_to_its_end

KILLED = -signal.SIGKILL


def test_killed_after_the_run_began_it_is_there_without_an_end(url: str) -> None:
    assert run_to_its_end(url, "die-after-begin") == KILLED

    with locked_soon(url) as ledger:
        assert ledger.last_run() == values.run()
        assert ledger.unsettled() == ()


def test_killed_between_intent_and_outcome_the_intent_is_there_once_and_unsettled(url: str) -> None:
    assert run_to_its_end(url, "die-after-intend") == KILLED

    with locked_soon(url) as ledger:
        assert ledger.unsettled() == ledger.changes() == (replace(values.change(run_id="run-1"), id=1),)
        assert ledger.histories(values.SERVER) == {}


def test_killed_before_the_intent_is_durable_there_is_none(url: str) -> None:
    assert run_to_its_end(url, "die-inside-intend") == KILLED

    with locked_soon(url) as ledger:
        assert ledger.run_count() == 1
        assert ledger.changes() == ()


def test_killed_while_settling_the_intent_is_still_unsettled_and_nothing_claimed(url: str) -> None:
    assert run_to_its_end(url, "die-inside-settle") == KILLED

    with locked_soon(url) as ledger:
        assert [change.id for change in ledger.unsettled()] == [1]
        assert ledger.histories(values.SERVER) == {}


def test_killed_inside_a_pass_nothing_of_the_pass_is_there(url: str) -> None:
    assert run_to_its_end(url, "die-inside-pass") == KILLED

    with locked_soon(url) as ledger:
        assert ledger.run_count() == 1
        assert ledger.histories(values.SERVER) == {}
        assert ledger.server_state(values.SERVER) is None
        assert ledger.last_passes() == ()


def test_killed_while_the_schema_is_made_the_next_pass_makes_it(url: str) -> None:
    assert run_to_its_end(url, "die-migrating") == KILLED

    with locked_soon(url) as ledger:
        assert ledger.run_count() == 0


@pytest.mark.parametrize("point", ["die-after-intend", "die-inside-pass"])
def test_a_reader_needs_no_repair_after_a_kill(url: str, point: str) -> None:
    assert run_to_its_end(url, point) == KILLED

    reader = open_place(url).reader()
    try:
        assert reader.run_count() == 1
        assert reader.last_passes() == ()
    finally:
        reader.close()
