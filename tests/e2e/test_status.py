"""``status``: what keeps mailswitch from its work, and the exit code for whoever watches it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailswitch.core.domain import Switch
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

MOVED = "moved0.example"


@pytest.fixture
def play(staged: Staged) -> Play:
    return staged(a_world())


def test_it_never_ran(play: Play) -> None:
    code, out, _ = play.run("status")

    assert code == 1
    assert "never ran" in out
    assert not (play.stage.directory / "ledger.db").exists()
    assert play.asked() == 0


def test_it_is_well(play: Play) -> None:
    play.ok("once")

    code, out, _ = play.run("status")

    assert code == 0
    assert out.startswith("healthy, mode report, last pass ")
    assert "web01  ok" in out


def test_the_document_has_every_key(play: Play) -> None:
    play.ok("once")

    document = play.json("status")

    assert document["schema"] == "mailswitch/status/1"
    assert set(document) >= {
        "healthy", "now", "mode", "paused", "last_run", "next_pass", "unsettled", "refused_mail", "problems",
        "warnings", "servers",
    }  # fmt: skip
    (server,) = document["servers"]
    assert (server["name"], server["healthy"], server["stale"]) == ("web01", True, False)


def test_a_pass_that_is_too_long_ago_is_stale(play: Play) -> None:
    play.ok("once")
    play.let_pass(timedelta(hours=2))
    assert play.run("status")[0] == 0

    play.let_pass(timedelta(hours=2))

    code, out, _ = play.run("status")
    assert code == 1
    assert "web01  stale" in out


def test_a_server_that_failed_is_failing_until_it_is_read_again(play: Play) -> None:
    play.stage.panel("web01").misbehave(Misbehaviour(fault=Fault.WRONG_KEY))
    play.run("once")
    assert play.run("status")[0] == 1

    play.ok("once")

    assert play.run("status")[0] == 0


def test_a_change_that_failed_is_told(play: Play) -> None:
    play.stage.panel("web01").misbehave(Misbehaviour(fault=Fault.NOT_APPLIED))
    play.run("once", "--apply")

    code, out, _ = play.run("status")

    assert code == 1
    assert "1 change failed in the last pass: mailswitch history shows what and why" in out


def test_switches_off_in_mode_report_are_a_loud_warning(play: Play) -> None:
    play.ok("once", "--apply")

    code, out, _ = play.run("status")

    assert code == 0
    assert "1 switch is off by mailswitch, and in mode report nobody turns them on again" in out


def test_refused_mail_in_mode_report_is_named_and_non_zero(play: Play) -> None:
    play.ok("once", "--apply")
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 mail.web01.example.\n")
    play.ok("once")

    code, out, _ = play.run("status")
    assert code == 1
    assert f"Mail is refused for 1 name that should be on again: {MOVED} (web01)" in out

    play.ok("once", "--apply")
    assert play.run("status")[0] == 0


def test_refused_mail_while_paused_is_named_and_non_zero(staged: Staged) -> None:
    play = staged(a_world(tail=AT_ONCE.replace("config: {", "config: {mode: enforce, ")))
    play.ok("once")
    play.ok("pause")
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 mail.web01.example.\n")
    play.ok("once")

    code, out, _ = play.run("status")

    assert code == 1
    assert MOVED in out
    assert "Paused by" in out


def test_mail_of_a_name_that_is_off_by_somebody_else_is_not_called_refused(play: Play) -> None:
    play.stage.panel("web01").set_switch("here0.example", Switch.OFF)
    play.ok("once")

    assert play.run("status")[0] == 0


def test_a_server_that_was_added_since_is_not_called_well(play: Play) -> None:
    play.ok("once")
    play.edit_config("servers:\n", "servers:\n- {name: web02, panel: local, plesk: /nowhere/plesk}\n")

    code, out, _ = play.run("status")

    assert code == 1
    assert "web02  never looked at" in out


# ---- over time, as far as the ledger can tell


def test_a_move_is_due_after_three_sightings_over_a_day(staged: Staged) -> None:
    play = staged(a_world(tail="config: {mode: enforce}\n"))
    for _ in range(4):
        play.ok("once")
        assert play.writes() == []
        play.let_pass(timedelta(hours=7))

    play.ok("once")

    assert play.writes() == [(MOVED, "off")]


def test_a_long_gap_is_credited_with_half_the_window_only(staged: Staged) -> None:
    play = staged(a_world(tail="config: {mode: enforce}\n"))
    for hours in (1, 25):
        play.ok("once")
        play.let_pass(timedelta(hours=hours))

    play.ok("once")

    assert play.writes() == []
    assert "credited          13 h" in play.ok("explain", MOVED)


def test_one_look_at_home_starts_the_confirmation_over(staged: Staged) -> None:
    play = staged(a_world(tail="config: {mode: enforce}\n"))
    for _ in range(4):
        play.ok("once")
        play.let_pass(timedelta(hours=7))
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 mail.web01.example.\n")
    play.ok("once")
    play.let_pass(timedelta(hours=7))
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 aspmx.l.google.com.\n")

    play.ok("once")

    assert play.writes() == []


def test_an_approval_ends_after_30_days(staged: Staged) -> None:
    play = staged(a_world(tail=AT_ONCE.replace("config: {", "config: {mode: approve, ")))
    play.ok("approve", MOVED)
    play.let_pass(timedelta(days=31))

    play.ok("once")

    assert play.writes() == []
    assert "expired" in play.ok("approve", "--list")


def test_a_pin_ends_when_it_says(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("pin", MOVED, "--reason", "holidays", "--until", "2d")
    play.ok("once", "--apply")
    assert play.writes() == []
    play.let_pass(timedelta(days=3))

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]
