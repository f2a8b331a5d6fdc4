from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailswitch.core.errors import LedgerError
from mailswitch.core.ledger import Claim, DomainHistory, Outcome, Pause
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Route
from mailswitch.ledger.postgresql import PostgreSQLPlace
from mailswitch.ledger.reader import EmptyLedger
from mailswitch.ledger.sqlite import SQLitePlace
from mailswitch.ledger.store import StoredLedger
from mailswitch.service.ports import Ledger, LedgerPlace, LedgerReader
from tests.support import ledger_values as values
from tests.support.ledger_values import NAME, NOW, SERVER, everything

OTHER = DomainName("other.example")


def test_adapters_satisfy_the_ports(place: SQLitePlace | PostgreSQLPlace, ledger: StoredLedger) -> None:
    as_place: LedgerPlace = place
    as_ledger: Ledger = ledger
    empty: LedgerReader = EmptyLedger()

    assert as_place.reader().run_count() == as_ledger.run_count() == empty.run_count() == 0


def test_a_new_ledger_holds_nothing(ledger: StoredLedger) -> None:
    assert not any(everything(ledger, SERVER))


def test_a_run_is_recorded_when_it_begins_and_again_when_it_ends(ledger: StoredLedger) -> None:
    begun = values.run()
    ended = replace(begun, finished=NOW + timedelta(minutes=1), plan="abc", changes_done=3, changes_failed=1)

    ledger.begin_run(begun)
    assert ledger.last_run() == begun
    ledger.finish_run(ended)
    assert ledger.last_run() == ended
    assert ledger.run_count() == 1


def test_the_last_run_is_the_one_recorded_last_whatever_the_clock_said(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run("first"))
    ledger.begin_run(values.run("second", started=NOW - timedelta(days=1)))

    last = ledger.last_run()
    assert last is not None
    assert last.id == "second"


def test_a_run_cannot_begin_twice(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())

    with pytest.raises(LedgerError, match="contradicts"):
        ledger.begin_run(values.run())


def test_a_run_that_never_began_cannot_end(ledger: StoredLedger) -> None:
    with pytest.raises(LedgerError, match="no run 'run-1'"):
        ledger.finish_run(values.run())


def test_a_pass_is_recorded_with_its_names(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    seen = {NAME: DomainHistory(first_seen=NOW, route=Route.ELSEWHERE, since=NOW, sightings=1)}

    ledger.record_pass(values.state(), values.server_pass(), seen)

    assert ledger.histories(SERVER) == seen
    assert ledger.histories("web02") == {}
    assert ledger.server_state(SERVER) == values.state()
    assert ledger.last_passes() == (values.server_pass(),)


def test_names_that_are_not_given_keep_their_rows(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    ledger.begin_run(values.run("run-2"))
    before = DomainHistory(first_seen=NOW, sightings=1)
    after = replace(before, sightings=2, was_here=True)
    ledger.record_pass(values.state(), values.server_pass(), {NAME: before, OTHER: before})

    ledger.record_pass(values.state(size=4), values.server_pass("run-2"), {NAME: after})

    assert ledger.histories(SERVER) == {NAME: after, OTHER: before}
    assert ledger.server_state(SERVER) == values.state(size=4)


def test_names_with_the_same_history_share_one_value(ledger: StoredLedger) -> None:
    same = DomainHistory(first_seen=NOW, route=Route.HERE, ttl=timedelta(hours=1))
    other = replace(same, ttl=timedelta(hours=2))
    ledger.begin_run(values.run())

    seen = {NAME: same, OTHER: replace(same), DomainName("third.example"): other}
    ledger.record_pass(None, values.server_pass(), seen)
    found = ledger.histories(SERVER)

    assert found == seen
    assert found[NAME] is found[OTHER]


def test_a_failed_pass_leaves_the_server_state_alone(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    failed = replace(values.server_pass(), error_code="unreachable", error_text="no route to host", counts=())

    ledger.record_pass(None, failed, {})

    assert ledger.server_state(SERVER) is None
    assert ledger.last_passes() == (failed,)


def test_a_pass_recorded_twice_counts_as_the_later(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    later = replace(values.server_pass(), counts=(("done", 1),))
    ledger.record_pass(values.state(), values.server_pass(), {})

    ledger.record_pass(values.state(), later, {})

    assert ledger.recent_passes(SERVER, limit=9) == (later,)


def test_a_pass_of_no_run_leaves_nothing_behind(ledger: StoredLedger) -> None:
    with pytest.raises(LedgerError, match="write to"):
        ledger.record_pass(values.state(), values.server_pass("nobody"), {NAME: DomainHistory(first_seen=NOW)})

    assert ledger.histories(SERVER) == {}
    assert ledger.server_state(SERVER) is None


def test_last_passes_are_one_a_server_and_recent_ones_newest_first(ledger: StoredLedger) -> None:
    done = []
    for number in range(3):
        ledger.begin_run(values.run(f"run-{number}"))
        done.append(values.server_pass(f"run-{number}"))
        ledger.record_pass(values.state(), done[-1], {})
    elsewhere = values.server_pass("run-0", server="web00")
    ledger.record_pass(values.state("web00"), elsewhere, {})

    assert ledger.last_passes() == (elsewhere, done[2])
    assert ledger.recent_passes(SERVER, limit=2) == (done[2], done[1])


def test_an_intent_is_unsettled_until_it_has_an_outcome(ledger: StoredLedger) -> None:
    intent = values.change()

    change_id = ledger.intend(intent)
    assert ledger.unsettled() == (replace(intent, id=change_id),)
    assert ledger.unsettled("web02") == ()
    ledger.settle(change_id, outcome=Outcome.FAILED, error="refused", at=NOW, claim=None)

    assert ledger.unsettled() == ()
    assert ledger.changes() == (
        replace(intent, id=change_id, outcome=Outcome.FAILED, error="refused", finished_at=NOW),
    )
    assert ledger.histories(SERVER) == {}


def test_what_is_no_new_intent_is_refused(ledger: StoredLedger) -> None:
    with pytest.raises(ValueError, match="no new intent"):
        ledger.intend(replace(values.change(), id=1))
    with pytest.raises(ValueError, match="no new intent"):
        ledger.intend(replace(values.change(), outcome=Outcome.DONE, finished_at=NOW))

    assert ledger.changes() == ()


def test_settling_with_a_claim_makes_a_row_for_a_name_without_one(ledger: StoredLedger) -> None:
    change_id = ledger.intend(values.change())

    ledger.settle(
        change_id,
        outcome=Outcome.DONE,
        error=None,
        at=NOW,
        claim=Claim.OURS,
        claim_route=Route.ELSEWHERE,
        claim_exchanges=(OTHER,),
    )

    assert ledger.histories(SERVER) == {
        NAME: DomainHistory(
            first_seen=NOW,
            claim=Claim.OURS,
            claim_change=change_id,
            claim_route=Route.ELSEWHERE,
            claim_exchanges=(OTHER,),
        )
    }


def test_settling_with_a_claim_writes_nothing_but_the_claim(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    seen = DomainHistory(first_seen=NOW - timedelta(days=9), sightings=4, was_here=True, ttl=timedelta(hours=1))
    ledger.record_pass(values.state(), values.server_pass(), {NAME: seen, OTHER: seen})
    change_id = ledger.intend(values.change())

    ledger.settle(change_id, outcome=Outcome.DONE, error=None, at=NOW, claim=Claim.RE_ENABLED)

    claimed = replace(seen, claim=Claim.RE_ENABLED, claim_change=change_id)
    assert ledger.histories(SERVER) == {NAME: claimed, OTHER: seen}


def test_settling_twice_keeps_the_first_outcome_and_claim(ledger: StoredLedger) -> None:
    change_id = ledger.intend(values.change())
    ledger.settle(change_id, outcome=Outcome.DONE, error=None, at=NOW, claim=Claim.OURS)
    before = ledger.changes(), ledger.histories(SERVER)

    ledger.settle(change_id, outcome=Outcome.FAILED, error="late", at=NOW + timedelta(1), claim=Claim.NONE)

    assert (ledger.changes(), ledger.histories(SERVER)) == before


def test_a_change_that_is_not_there_cannot_be_settled(ledger: StoredLedger) -> None:
    with pytest.raises(LedgerError, match="no change 7"):
        ledger.settle(7, outcome=Outcome.DONE, error=None, at=NOW, claim=Claim.OURS)


def test_changes_are_found_by_all_that_is_given_newest_first(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    first = ledger.intend(values.change(run_id="run-1"))
    second = ledger.intend(values.change(OTHER, at=NOW + timedelta(hours=1)))
    third = ledger.intend(values.change(server="web02", at=NOW + timedelta(hours=2)))
    fourth = ledger.intend(replace(values.change(at=NOW + timedelta(hours=3)), reverts=first))

    def ids(**given: object) -> list[int | None]:
        return [change.id for change in ledger.changes(**given)]  # type: ignore[arg-type]

    assert ids() == [fourth, third, second, first]
    assert ids(server=SERVER, name=NAME) == [fourth, first]
    assert ids(run_id="run-1") == [first]
    assert ids(change_id=third) == [third]
    assert ids(since=NOW + timedelta(hours=1)) == [fourth, third, second]
    assert ids(limit=2) == [fourth, third]
    assert ids(server="web02", name=OTHER) == []
    assert [change.id for change in ledger.unsettled(SERVER)] == [first, second, fourth]


def test_a_pin_for_the_same_pattern_replaces_the_former(ledger: StoredLedger) -> None:
    early, late = values.pin("a.example"), values.pin("*.example", at=NOW + timedelta(1))
    ledger.add_pin(late)
    ledger.add_pin(replace(early, reason="mistaken"))

    ledger.add_pin(early)

    assert ledger.pins() == (early, late)


def test_only_the_pin_of_exactly_this_pattern_is_removed(ledger: StoredLedger) -> None:
    ledger.add_pin(values.pin("*.example"))

    assert not ledger.remove_pin(NamePattern("a.example"))
    assert ledger.remove_pin(NamePattern("*.EXAMPLE."))
    assert ledger.pins() == ()


def test_an_approval_for_the_same_server_and_name_replaces_the_former(ledger: StoredLedger) -> None:
    there = values.approval(server="web02", at=NOW + timedelta(1))
    ledger.add_approval(there)
    ledger.add_approval(replace(values.approval(), route=Route.PARKED, despite=frozenset()))

    ledger.add_approval(values.approval())

    assert ledger.approvals() == (values.approval(), there)


def test_a_pause_lasts_until_it_is_lifted(ledger: StoredLedger) -> None:
    ledger.set_pause(Pause(by="root", at=NOW))
    ledger.set_pause(Pause(by="admin", at=NOW, reason="migration"))
    assert ledger.pause() == Pause(by="admin", at=NOW, reason="migration")

    ledger.set_pause(None)
    assert ledger.pause() is None


def test_naive_moments_are_refused(ledger: StoredLedger) -> None:
    with pytest.raises(LedgerError, match="naive"):
        ledger.begin_run(values.run(started=NOW.replace(tzinfo=None)))

    assert ledger.run_count() == 0


def test_text_that_no_database_can_keep_is_kept_as_near_as_can_be(ledger: StoredLedger) -> None:
    ledger.intend(replace(values.change(), reason="a\0b\ud800c"))

    assert ledger.changes()[0].reason == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_a_duration_beyond_sixty_four_bits_is_refused(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())

    with pytest.raises(LedgerError, match="too long"):
        ledger.record_pass(None, values.server_pass(), {NAME: DomainHistory(first_seen=NOW, ttl=timedelta.max)})


def test_ten_thousand_names_are_written_and_read_at_once(ledger: StoredLedger) -> None:
    ledger.begin_run(values.run())
    seen = {
        DomainName(f"d{number}.example"): DomainHistory(first_seen=NOW, sightings=number) for number in range(10_000)
    }

    ledger.record_pass(values.state(), values.server_pass(), seen)

    assert ledger.histories(SERVER) == seen


def test_a_closed_ledger_says_so(ledger: StoredLedger) -> None:
    ledger.close()
    ledger.close()

    with pytest.raises(LedgerError, match="closed"):
        ledger.run_count()
