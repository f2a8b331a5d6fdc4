"""Many passes with a clock that is moved by hand: confirmation, coming back, re-enabling, and how little is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.mx import NullMX
from mailswitch.core.policy import Action, Confirmation, Mode, Policy, Route, UnknownProvider
from mailswitch.core.table import Verdict
from tests.support.ports import AT_ONCE, HERE, SILENT, Scene, entries_of, mx, outcomes_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOVED = "moved.example"


@pytest.fixture
def patient(tmp_path: Path) -> Scene:
    """With the default confirmation: three sightings spread over 24 h, 72 h for unknown providers."""
    return Scene(tmp_path, MOVED, policy=Policy(unknown_provider=UnknownProvider.WINDOW))


@pytest.fixture
def quick(tmp_path: Path) -> Scene:
    return Scene(tmp_path, MOVED)


def hours_until_off(scene: Scene, *, at_most: int, every: timedelta = HOUR) -> float:
    """Make passes until the switch is off, and return how long it took."""
    start = scene.clock.at
    for _ in range(at_most):
        scene.once()
        if scene.plesk.switch(MOVED) is Switch.OFF:
            return round((scene.clock.at - start) / HOUR, 3)
        scene.clock.move(every)
    raise AssertionError(f"still on after {at_most} passes")


# ---- confirmation


def test_a_known_provider_is_turned_off_after_24_hours_of_hourly_passes(patient: Scene) -> None:
    assert hours_until_off(patient, at_most=30) == 24


def test_the_hours_that_a_slow_panel_took_before_the_first_look_confirm_nothing(patient: Scene) -> None:
    patient.plesk.meanwhile = lambda: patient.clock.move(10 * HOUR)

    assert hours_until_off(patient, at_most=30) == 10 + 24


def test_an_unknown_provider_takes_72_hours(patient: Scene) -> None:
    patient.view.publish(mx("mx.unknown.example"), MOVED)

    assert hours_until_off(patient, at_most=80) == 72


def test_three_sightings_are_needed_however_far_apart_they_are(patient: Scene) -> None:
    """A gap counts for half the window at most, so two looks a day apart prove little."""
    assert hours_until_off(patient, at_most=5, every=DAY) == 48


def test_a_long_ttl_makes_it_longer(patient: Scene) -> None:
    patient.view.publish(mx("aspmx.l.google.com", ttl=timedelta(hours=30)), MOVED)

    assert hours_until_off(patient, at_most=40) == 30


def test_what_is_unknown_in_between_counts_as_nothing_and_breaks_nothing(patient: Scene) -> None:
    patient.passes(20)
    patient.view.publish(SILENT, MOVED)
    patient.clock.move(HOUR)
    patient.passes(3)
    unknown = patient.history()
    patient.moves(MOVED)
    patient.clock.move(HOUR)

    # 19 h were seen, the gap of 4 h counts as it is below half the window, and one more hour is left.
    assert unknown.sightings == 20
    assert hours_until_off(patient, at_most=5) == 1


def test_one_vantage_that_sees_it_here_starts_all_over(patient: Scene) -> None:
    patient.passes(20)
    patient.view.says("b", MOVED, HERE)
    patient.clock.move(HOUR)
    patient.once()
    patient.view.otherwise.clear()
    patient.clock.move(HOUR)

    assert hours_until_off(patient, at_most=30) == 24


def test_a_gap_of_more_than_a_week_starts_over(patient: Scene) -> None:
    patient.passes(20)
    patient.clock.move(timedelta(days=8))

    assert hours_until_off(patient, at_most=30) == 24


def test_a_clock_that_went_backwards_starts_over(patient: Scene) -> None:
    patient.passes(20)
    patient.clock.move(-3 * HOUR)

    assert hours_until_off(patient, at_most=30) == 24


def test_answers_from_memory_confirm_nothing(patient: Scene) -> None:
    patient.view.is_remembering = True

    patient.passes(30)

    assert patient.plesk.writes == []


def test_a_held_name_says_when_it_is_due(patient: Scene) -> None:
    start = patient.clock.at

    decision = entries_of(patient.passes(3))[MOVED].decision

    assert decision.holding == (Guard.UNCONFIRMED,)
    assert decision.due is not None
    assert round((decision.due - start) / HOUR, 3) == 24


def test_a_name_that_is_new_is_given_two_weeks_to_arrive(quick: Scene) -> None:
    quick.once()
    quick.plesk.host("new.example")
    quick.moves("new.example")

    held = quick.passes(2, every=timedelta(days=13))
    due = quick.passes(2, every=timedelta(days=2))

    assert entries_of(held)["new.example"].decision.holding == (Guard.ARRIVING,)
    assert outcomes_of(due) == {"new.example": "done"}


# ---- coming back


@pytest.mark.parametrize("exchanges", ["mail.hoster.example", "in.filter.example"])
def test_a_domain_that_comes_back_is_on_in_one_pass(quick: Scene, exchanges: str) -> None:
    quick.once()
    quick.clock.move(HOUR)
    quick.view.publish(mx(exchanges), MOVED)

    report = quick.once()

    assert outcomes_of(report) == {MOVED: "done"}
    assert quick.plesk.switch(MOVED) is Switch.ON
    assert quick.history().claim is Claim.NONE
    assert quick.once().plan.changes == ()


def test_one_vantage_that_does_not_know_of_it_yet_does_not_keep_mail_refused(quick: Scene) -> None:
    quick.once()
    quick.comes_back(MOVED)
    quick.view.says("c", MOVED, mx("aspmx.l.google.com"))

    quick.passes(3)

    assert quick.plesk.switch(MOVED) is Switch.ON


def test_a_domain_that_comes_back_and_leaves_again_flaps_and_is_held(quick: Scene) -> None:
    quick.once()
    quick.comes_back(MOVED)
    quick.once()
    quick.moves(MOVED)

    report = quick.once()

    assert entries_of(report)[MOVED].decision.holding == (Guard.FLAPPING,)
    quick.clock.move(timedelta(days=8))
    assert outcomes_of(quick.once()) == {MOVED: "done"}


def test_another_route_than_the_one_we_turned_off_for_is_reported_and_not_changed(quick: Scene) -> None:
    quick.once()
    quick.view.publish(NullMX(ttl=HOUR), MOVED)

    report = quick.once()

    assert "route-changed" in {alert.code for alert in report.alerts}
    assert quick.plesk.switch(MOVED) is Switch.OFF


def test_off_by_a_person_is_never_turned_on(quick: Scene) -> None:
    quick.comes_back(MOVED)
    quick.once()
    quick.plesk.toggle(MOVED, Switch.OFF)

    report = quick.passes(3)

    assert "off-here" in {alert.code for alert in report.alerts}
    assert quick.plesk.writes == []


# ---- re-enabled


def test_what_somebody_turns_on_again_is_held(quick: Scene) -> None:
    quick.once()
    quick.plesk.toggle(MOVED, Switch.ON)

    report = quick.passes(3)

    assert entries_of(report)[MOVED].decision.holding == (Guard.RE_ENABLED,)
    assert [alert.code for alert in report.alerts] == ["re-enabled"]
    assert quick.plesk.switch(MOVED) is Switch.ON


def test_a_re_enabled_switch_is_forgotten_when_the_route_was_here_again(quick: Scene) -> None:
    quick.once()
    quick.plesk.toggle(MOVED, Switch.ON)
    quick.once()
    quick.comes_back(MOVED)
    quick.once()
    quick.moves(MOVED)

    assert outcomes_of(quick.once()) == {MOVED: "done"}


def test_a_review_lifts_re_enabled(quick: Scene) -> None:
    quick.once()
    quick.plesk.toggle(MOVED, Switch.ON)
    plan = quick.once().plan

    assert outcomes_of(quick.once(reviewed=plan.digest)) == {MOVED: "done"}


def test_re_enabled_and_off_again_by_a_person_is_no_switch_of_ours(quick: Scene) -> None:
    quick.once()
    quick.plesk.toggle(MOVED, Switch.ON)
    quick.once()
    quick.plesk.toggle(MOVED, Switch.OFF)
    quick.once()
    quick.comes_back(MOVED)

    quick.passes(2)

    assert quick.plesk.switch(MOVED) is Switch.OFF
    assert quick.history().claim is Claim.NONE


def test_a_name_removed_and_made_anew_is_no_longer_ours(quick: Scene) -> None:
    quick.once()
    del quick.plesk.domains[MOVED]
    quick.passes(3, every=DAY)
    quick.plesk.host(MOVED, switch=Switch.OFF)
    quick.comes_back(MOVED)

    quick.once()

    assert quick.history().claim is Claim.NONE
    assert quick.plesk.switch(MOVED) is Switch.OFF


def test_a_name_that_a_panel_leaves_out_for_a_pass_is_still_turned_on_again(quick: Scene) -> None:
    quick.once()
    listed = quick.plesk.domains.pop(MOVED)
    quick.once()
    quick.plesk.domains[MOVED] = listed
    quick.comes_back(MOVED)

    quick.once()

    assert quick.plesk.switch(MOVED) is Switch.ON


@pytest.mark.parametrize("trouble", ["shrunk", "odd"])
def test_a_name_that_a_troubled_panel_does_not_list_stays_ours(tmp_path: Path, trouble: str) -> None:
    others = tuple(f"d{number}.example" for number in range(9))
    scene = Scene(tmp_path, MOVED, *others)
    scene.comes_back(*others)
    scene.once()
    hosted = dict(scene.plesk.domains)
    if trouble == "odd":
        scene.plesk.oddities = ("site 4 was not understood",)
        del scene.plesk.domains[MOVED]
    else:
        scene.plesk.domains.clear()
    scene.once()
    scene.plesk.domains.update(hosted)
    scene.comes_back(MOVED)

    scene.once()

    assert scene.plesk.switch(MOVED) is Switch.ON


# ---- what is never touched


@pytest.mark.parametrize("switch", [Switch.NOT_CONFIGURED, Switch.UNKNOWN])
def test_what_is_not_managed_is_never_touched(quick: Scene, switch: Switch) -> None:
    quick.plesk.toggle(MOVED, switch)

    report = quick.passes(3)

    assert entries_of(report)[MOVED].decision.verdict is Verdict.HOLD
    assert quick.plesk.writes == []


def test_a_suspended_domain_is_held_and_decided_again_once_active(quick: Scene) -> None:
    active = quick.plesk.domains[MOVED]
    quick.plesk.domains[MOVED] = replace(active, is_suspended=True)
    held = quick.once()
    quick.plesk.domains[MOVED] = active

    assert entries_of(held)[MOVED].decision.holding == (Guard.SUSPENDED,)
    assert outcomes_of(quick.once()) == {MOVED: "done"}


def test_a_policy_may_turn_off_gateways_and_then_coming_to_one_is_no_return(tmp_path: Path) -> None:
    policy = Policy(confirm=AT_ONCE, actions={Route.GATEWAY: Action.TURN_OFF}, unknown_provider=UnknownProvider.WINDOW)
    scene = Scene(tmp_path, MOVED, policy=policy)
    scene.view.publish(mx("in.filter.example"), MOVED)

    scene.passes(2)

    assert scene.plesk.writes == [(MOVED, "off")]


# ---- how little is written


def history_writes(folder: Path) -> int:
    """Count what is written to the table of names from now on, by a trigger of our own."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM told").fetchone()[0])


def watch_histories(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection, connection:
        connection.execute("CREATE TABLE told (what TEXT)")
        connection.execute("CREATE TRIGGER told_new AFTER INSERT ON names BEGIN INSERT INTO told VALUES ('new'); END")
        connection.execute("CREATE TRIGGER told_old AFTER UPDATE ON names BEGIN INSERT INTO told VALUES ('old'); END")


def test_an_unchanged_pass_writes_no_history_rows(quick: Scene) -> None:
    quick.plesk.host("null.example", "gateway.example", "broken.example", "off.example")
    quick.view.publish(NullMX(ttl=HOUR), "null.example")
    quick.view.publish(mx("in.filter.example"), "gateway.example")
    quick.view.publish(SILENT, "broken.example")
    quick.plesk.toggle("off.example", Switch.OFF)
    quick.view.publish(HERE, "off.example")
    quick.once()
    watch_histories(quick.folder)

    quick.passes(5)

    assert history_writes(quick.folder) == 0


def test_a_pass_writes_rows_only_for_names_on_their_way_to_a_change(patient: Scene) -> None:
    patient.once()
    watch_histories(patient.folder)
    patient.clock.move(HOUR)

    patient.passes(3)

    assert history_writes(patient.folder) == 3  # moved.example, and never here.example


def test_a_confirmed_name_that_is_held_is_written_once_a_day_at_most(tmp_path: Path) -> None:
    confirm = Confirmation(sightings=3, window=2 * HOUR)
    scene = Scene(tmp_path, MOVED, mode=Mode.REPORT, policy=Policy(confirm=confirm))
    scene.passes(4)
    watch_histories(scene.folder)
    scene.clock.move(HOUR)

    scene.passes(48)

    assert history_writes(scene.folder) == 2
