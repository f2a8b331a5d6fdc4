"""Whatever a value holds comes back as it was: the property behind every decision made from history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailswitch.core.ledger import Approval, Change, DomainHistory, Outcome, Pause, Pin, Run, ServerPass, ServerState
from mailswitch.core.names import DomainName
from mailswitch.ledger.store import StoredLedger
from tests.support import ledger_values as values

# The examples share one ledger: each writes, reads what it wrote, and is not misled by what others left.
sharing = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@sharing
@given(run=values.runs)
def test_runs(ledger: StoredLedger, run: Run) -> None:
    run = replace(run, id=f"{run.id}{ledger.run_count()}")
    ledger.begin_run(run)
    assert ledger.last_run() == run


@sharing
@given(done=values.passes, state=values.states)
def test_passes_and_server_states(ledger: StoredLedger, done: ServerPass, state: ServerState) -> None:
    if not ledger.run_count():
        ledger.begin_run(values.run())
    ledger.record_pass(state, done, {})
    assert ledger.recent_passes(done.server, limit=1) == (done,)
    assert ledger.server_state(state.server) == state


@sharing
@given(server=values.words, histories=st.dictionaries(values.names, values.histories((1,)), max_size=5))
def test_histories(ledger: StoredLedger, server: str, histories: Mapping[DomainName, DomainHistory]) -> None:
    if not ledger.run_count():
        ledger.begin_run(values.run())
        assert ledger.intend(values.change()) == 1
    ledger.record_pass(None, replace(values.server_pass(), server=server), histories)
    found = ledger.histories(server)
    assert {name: found[name] for name in histories} == histories


@sharing
@given(intent=values.intents, error=st.none() | values.words, at=values.moments, outcome=st.sampled_from(Outcome))
def test_changes(ledger: StoredLedger, intent: Change, error: str | None, at: datetime, outcome: Outcome) -> None:
    change_id = ledger.intend(intent)
    assert ledger.changes(change_id=change_id) == (replace(intent, id=change_id),)
    ledger.settle(change_id, outcome=outcome, error=error, at=at, claim=None)
    settled = replace(intent, id=change_id, outcome=outcome, error=error, finished_at=at)
    assert ledger.changes(server=intent.server, name=intent.name, limit=1) == (settled,)


@sharing
@given(pin=values.pins)
def test_pins(ledger: StoredLedger, pin: Pin) -> None:
    ledger.add_pin(pin)
    assert pin in ledger.pins()
    assert ledger.remove_pin(pin.pattern)


@sharing
@given(approval=values.approvals)
def test_approvals(ledger: StoredLedger, approval: Approval) -> None:
    ledger.add_approval(approval)
    assert approval in ledger.approvals()


@sharing
@given(pause=values.pauses)
def test_pauses(ledger: StoredLedger, pause: Pause) -> None:
    ledger.set_pause(pause)
    assert ledger.pause() == pause
