"""A process that does one thing to a ledger and dies, or waits to be told to go on.

Run as ``python -m tests.support.ledger_child URL WHAT``; says ``ready`` on standard output where a parent has to know.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta

from sqlalchemy import Connection, Engine, event

from mailswitch.core.ledger import Claim, DomainHistory, Outcome
from mailswitch.core.names import DomainName
from mailswitch.ledger.place import open_place
from tests.support import ledger_values as values


def _die(connection: Connection | None = None) -> None:
    del connection
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_the_last_table(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
    del connection, cursor, rest
    if "CREATE TABLE pause" in statement:
        _die()


def _say_ready_and_wait() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _die_before_the_next_commit() -> None:
    event.listen(Engine, "commit", _die)


def act(url: str, what: str) -> None:
    place = open_place(url)
    if what == "die-migrating":
        event.listen(Engine, "before_cursor_execute", _die_at_the_last_table)
    if what == "pin-beside":
        with place.writer(wait=timedelta(seconds=10)) as ledger:
            ledger.add_pin(values.pin())
        return
    with place.locked() as ledger:
        match what:
            case "hold":
                _say_ready_and_wait()
            case "die-after-begin":
                ledger.begin_run(values.run())
                _die()
            case "die-after-intend":
                ledger.begin_run(values.run())
                ledger.intend(values.change(run_id="run-1"))
                _die()
            case "die-inside-intend":
                ledger.begin_run(values.run())
                _die_before_the_next_commit()
                ledger.intend(values.change(run_id="run-1"))
            case "die-inside-settle":
                ledger.begin_run(values.run())
                change_id = ledger.intend(values.change(run_id="run-1"))
                _die_before_the_next_commit()
                ledger.settle(
                    change_id,
                    outcome=Outcome.DONE,
                    error=None,
                    at=values.NOW,
                    claim=Claim.OURS,
                )
            case "die-inside-pass" | "pause-inside-pass":
                ledger.begin_run(values.run())
                history = DomainHistory(first_seen=values.NOW, sightings=7)
                if what == "die-inside-pass":
                    _die_before_the_next_commit()
                else:
                    event.listen(Engine, "commit", lambda _: _say_ready_and_wait(), once=True)
                seen = {DomainName(f"d{number}.example"): history for number in range(50)}
                ledger.record_pass(values.state(), values.server_pass(), seen)


if __name__ == "__main__":
    act(*sys.argv[1:])
