"""Switching by hand, and undoing: a person's doing, which mailswitch never undoes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import ConfigError, InventoryError, UnsafePlan
from mailswitch.core.ledger import Actor, Claim, Guard, Outcome
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Mode
from mailswitch.service.by_hand import (
    Everything,
    HandOutcome,
    HandResult,
    OneChange,
    OneDomain,
    OneRun,
    Target,
    revert,
    switch_by_hand,
)
from tests.support.ports import Scene, Whim, entries_of, outcomes_of, stands_for

MOVED = "moved.example"
DOWN = InventoryError("web02: no answer", code="unreachable")
MANY = tuple(f"d{number}.example" for number in range(5))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, MOVED)


def switch(scene: Scene, to: Switch, name: str = MOVED, *, server: str | None = None) -> HandResult:
    return switch_by_hand(scene.setup, DomainName(name), to, reason="asked by phone", by="bob", server=server)


def undo(scene: Scene, target: Target, *, server: str | None = None) -> list[HandOutcome]:
    results = revert(scene.setup, target, reason="a mistake", by="bob", server=server)
    return [result.outcome for result in results]


# ---- one switch


def test_a_switch_by_hand_is_recorded_as_a_person_s_doing(scene: Scene) -> None:
    scene.mode = Mode.REPORT

    result = switch(scene, Switch.OFF)

    assert (result.outcome, result.text, result.change) == (HandOutcome.DONE, "on -> off", 1)
    (change,) = scene.changes()
    assert (change.actor, change.by, change.reason) == (Actor.PERSON, "bob", "asked by phone")
    assert (change.run_id, change.outcome) == (None, Outcome.DONE)
    assert scene.plesk.switch(MOVED) is Switch.OFF


def test_what_a_person_turned_off_is_never_turned_on(scene: Scene) -> None:
    switch(scene, Switch.OFF)
    scene.comes_back(MOVED)

    scene.passes(3)

    assert scene.plesk.switch(MOVED) is Switch.OFF


def test_what_a_person_turned_on_is_held(scene: Scene) -> None:
    scene.once()
    switch(scene, Switch.ON)

    report = scene.passes(2)

    assert Guard.RE_ENABLED in entries_of(report)[MOVED].decision.holding
    assert scene.plesk.switch(MOVED) is Switch.ON


def test_a_switch_that_stands_there_already_is_left_alone(scene: Scene) -> None:
    result = switch(scene, Switch.ON)

    assert (result.outcome, result.change) == (HandOutcome.NOTHING_TO_DO, None)
    assert scene.changes() == []


def test_what_is_not_configured_is_not_touched_by_hand_either(scene: Scene) -> None:
    scene.plesk.toggle(MOVED, Switch.NOT_CONFIGURED)

    with pytest.raises(ConfigError, match="never touched"):
        switch(scene, Switch.ON)

    assert scene.plesk.writes == []


def test_a_switch_that_is_not_clear_is_not_turned(scene: Scene) -> None:
    scene.plesk.toggle(MOVED, Switch.UNKNOWN)

    assert switch(scene, Switch.OFF).outcome is HandOutcome.FAILED
    assert scene.plesk.writes == []


def test_a_switch_that_cannot_be_read_is_not_turned(scene: Scene) -> None:
    scene.plesk.unreadable.add(MOVED)

    assert switch(scene, Switch.OFF).outcome is HandOutcome.FAILED
    assert scene.plesk.writes == []


def test_a_write_that_fails_is_told_with_its_change(scene: Scene) -> None:
    scene.plesk.whims[MOVED] = [Whim.NOT_APPLIED]

    result = switch(scene, Switch.OFF)

    assert (result.outcome, result.change) == (HandOutcome.FAILED, 1)
    assert "did not take effect" in result.text


def test_a_pause_stops_changes_by_hand_too(scene: Scene) -> None:
    scene.once()
    scene.pause()

    with pytest.raises(UnsafePlan, match="paused by alice"):
        switch(scene, Switch.ON)
    with pytest.raises(UnsafePlan, match="paused by alice"):
        undo(scene, Everything())


def test_open_intents_are_settled_before_a_change_by_hand(scene: Scene) -> None:
    scene.plesk.whims[MOVED] = [Whim.UNREADABLE]
    scene.once()
    scene.plesk.unreadable.clear()

    switch(scene, Switch.ON)

    assert stands_for(scene.changes()) == [(MOVED, "off", "done"), (MOVED, "on", "done")]


def test_a_name_with_an_open_intent_is_not_turned_by_hand(scene: Scene) -> None:
    scene.plesk.whims[MOVED] = [Whim.UNREADABLE]
    scene.once()

    result = switch(scene, Switch.ON)

    assert result.outcome is HandOutcome.FAILED
    assert "not settled yet" in result.text


# ---- finding the server


def test_a_name_that_nobody_hosts_is_refused_with_who_was_asked(scene: Scene) -> None:
    with pytest.raises(ConfigError, match=r"not hosted there \(asked: web01\)"):
        switch(scene, Switch.OFF, "nobody.example")
    with pytest.raises(ConfigError, match="no server called web09"):
        switch(scene, Switch.OFF, server="web09")


def test_a_name_on_two_servers_needs_the_server(scene: Scene) -> None:
    other = scene.add_server("web02")
    other.host(MOVED)

    with pytest.raises(ConfigError, match=r"several servers \(web01, web02\)"):
        switch(scene, Switch.OFF)
    assert switch(scene, Switch.OFF, server="web02").outcome is HandOutcome.DONE

    assert (scene.plesk.switch(MOVED), other.switch(MOVED)) == (Switch.ON, Switch.OFF)


def test_a_silent_server_might_host_the_name_too_unless_the_server_is_named(scene: Scene) -> None:
    scene.add_server("web02").failure = DOWN

    with pytest.raises(InventoryError, match="name its server with --server: web02: no answer"):
        switch(scene, Switch.OFF)

    assert switch(scene, Switch.OFF, server="web01").outcome is HandOutcome.DONE


def test_the_named_server_has_to_answer(scene: Scene) -> None:
    scene.add_server("web02").failure = DOWN

    with pytest.raises(InventoryError, match=r"cannot tell which server hosts moved.example: web02"):
        switch(scene, Switch.OFF, server="web02")


# ---- undoing


def test_reverting_a_change_restores_the_former_state_as_a_person_s_doing(scene: Scene) -> None:
    scene.once()
    scene.mode = Mode.REPORT

    outcomes = undo(scene, OneChange(1))

    assert outcomes == [HandOutcome.DONE]
    assert scene.plesk.switch(MOVED) is Switch.ON
    undone = scene.changes()[-1]
    assert (undone.reverts, undone.actor, undone.route) == (1, Actor.PERSON, scene.changes()[0].route)
    assert scene.history().claim is Claim.RE_ENABLED


def test_what_was_reverted_is_not_turned_off_again_without_a_review(scene: Scene) -> None:
    scene.once()
    undo(scene, OneDomain(DomainName(MOVED)))
    scene.clock.move(timedelta(days=8))

    report = scene.passes(3)

    assert entries_of(report)[MOVED].decision.holding == (Guard.RE_ENABLED,)
    assert outcomes_of(scene.once(reviewed=report.plan.digest)) == {MOVED: "done"}


def test_reverting_a_turn_on_turns_off_and_mailswitch_leaves_it(scene: Scene) -> None:
    scene.once()
    scene.comes_back(MOVED)
    scene.once()

    undo(scene, OneDomain(DomainName(MOVED)))
    scene.passes(2)

    assert scene.plesk.switch(MOVED) is Switch.OFF
    assert scene.history().claim is Claim.NONE


def test_reverting_a_domain_twice_has_nothing_to_undo(scene: Scene) -> None:
    scene.once()
    undo(scene, OneDomain(DomainName(MOVED)))

    with pytest.raises(ConfigError, match="no change on record"):
        undo(scene, OneDomain(DomainName(MOVED)))


def test_a_revert_can_be_reverted_by_its_number(scene: Scene) -> None:
    scene.once()
    undo(scene, OneChange(1))

    assert undo(scene, OneChange(2)) == [HandOutcome.DONE]
    assert scene.plesk.switch(MOVED) is Switch.OFF


def test_what_was_overtaken_is_not_restored(scene: Scene) -> None:
    scene.once()
    switch(scene, Switch.ON)

    with pytest.raises(ConfigError, match="change 1: no change on record that still stands"):
        undo(scene, OneChange(1))


def test_what_was_overtaken_is_told_by_number_when_the_clock_went_back(scene: Scene) -> None:
    scene.once()
    scene.clock.move(-timedelta(hours=5))
    switch(scene, Switch.ON)

    with pytest.raises(ConfigError, match="no change on record"):
        undo(scene, OneChange(1))


def test_what_was_put_back_at_the_panel_needs_no_undoing(scene: Scene) -> None:
    scene.once()
    scene.plesk.toggle(MOVED, Switch.ON)

    assert undo(scene, OneChange(1)) == [HandOutcome.NOTHING_TO_DO]


def test_a_failed_change_has_nothing_to_undo(scene: Scene) -> None:
    scene.plesk.whims[MOVED] = [Whim.REFUSED]
    scene.once()

    with pytest.raises(ConfigError, match="no change on record"):
        undo(scene, OneChange(1))


def test_a_run_is_undone_as_a_whole_and_no_other_run(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "a.example", "b.example", "c.example")
    scene.comes_back("c.example")
    first = scene.once()
    scene.moves("c.example")
    scene.once()

    outcomes = undo(scene, OneRun(first.run_id))

    assert outcomes == [HandOutcome.DONE] * 2
    stands = {name: scene.plesk.switch(name) for name in ("a.example", "b.example", "c.example")}
    assert stands == {"a.example": Switch.ON, "b.example": Switch.ON, "c.example": Switch.OFF}


def test_a_run_that_is_not_on_record_is_refused(scene: Scene) -> None:
    with pytest.raises(ConfigError, match="run nothing: no change on record"):
        undo(scene, OneRun("nothing"))


def test_everything_still_off_by_us_is_turned_on_and_nothing_else(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "a.example", "b.example", "person.example")
    switch(scene, Switch.OFF, "person.example")
    scene.once()

    outcomes = undo(scene, Everything())

    assert outcomes == [HandOutcome.DONE] * 2
    assert scene.plesk.switch("person.example") is Switch.OFF
    assert undo(scene, Everything()) == []


def test_three_failures_in_a_row_end_the_undoing_on_that_server(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *MANY)
    scene.once(reviewed=scene.dry_run().plan.digest)
    scene.plesk.whims["*"] = [Whim.REFUSED]
    writes = len(scene.plesk.writes)

    results = revert(scene.setup, Everything(), reason="a mistake", by="bob")

    assert [result.outcome for result in results] == [HandOutcome.FAILED] * 5
    assert "three changes in a row failed" in results[-1].text
    assert len(scene.plesk.writes) == writes + 3


def test_a_silent_server_is_told_for_each_name_and_stops_nobody_else(scene: Scene) -> None:
    other = scene.add_server("web02", addresses=frozenset({address("203.0.113.20")}))
    other.host(MOVED)
    scene.once()
    other.failure = DOWN

    results = revert(scene.setup, OneDomain(DomainName(MOVED)), reason="a mistake", by="bob")

    found = {result.server: (result.outcome, result.text) for result in results}
    assert found == {"web01": (HandOutcome.DONE, "off -> on"), "web02": (HandOutcome.FAILED, "web02: no answer")}


def test_only_the_named_server_s_changes_are_undone(scene: Scene) -> None:
    other = scene.add_server("web02")
    other.host(MOVED)
    scene.once()

    undo(scene, OneDomain(DomainName(MOVED)), server="web02")

    assert (scene.plesk.switch(MOVED), other.switch(MOVED)) == (Switch.OFF, Switch.ON)


def test_a_change_on_a_server_that_is_no_longer_configured_is_refused(scene: Scene) -> None:
    scene.add_server("web02").host(MOVED)
    scene.once()
    del scene.plesks["web02"]

    with pytest.raises(ConfigError, match="was on web02, which is no longer in the configuration"):
        undo(scene, OneDomain(DomainName(MOVED)))
