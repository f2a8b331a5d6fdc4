"""``switch``, ``revert`` and ``history``: what people do and undo, on the record."""

from __future__ import annotations

import pytest

from mailswitch.core.domain import Switch
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

MOVED = "moved0.example"
HERE = "here0.example"
BOTH = """\
servers:
  - {name: web01, addresses: [203.0.113.10], domains: [{name: both.example}, {name: one.example}]}
  - {name: web02, addresses: [203.0.113.20], domains: [{name: both.example}, {name: two.example}]}
dns: |
  both.example. 60 IN MX 1 mail.example.
  one.example. 60 IN MX 1 mail.example.
  two.example. 60 IN MX 1 mail2.example.
  mail.example. 60 IN A 203.0.113.10
  mail2.example. 60 IN A 203.0.113.20
"""


@pytest.fixture
def applied(staged: Staged) -> Play:
    """A world in which three names were turned off by a pass."""
    play = staged(a_world(moved=3))
    play.ok("once", "--apply")
    return play


def changes(play: Play, *arguments: str) -> list[dict[str, object]]:
    """Return changes on record, newest first."""
    found: list[dict[str, object]] = play.json("history", *arguments)["changes"]
    return found


# ---- switch


def test_a_switch_is_turned_by_hand_and_recorded_with_who_and_why(staged: Staged) -> None:
    play = staged(a_world())

    out = play.ok("switch", HERE, "off", "--reason", "moves tonight")

    assert play.switch(HERE) == "off"
    assert f"web01: {HERE}: done: on -> off (change 1)" in out
    (change,) = changes(play)
    assert (change["actor"], change["reason"], change["outcome"]) == ("person", "moves tonight", "done")
    assert change["by"]


def test_what_a_person_turned_off_is_never_turned_on_by_itself(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("switch", HERE, "off", "--reason", "test")

    play.ok("once", "--apply")

    assert play.switch(HERE) == "off"


def test_what_a_person_turned_on_is_not_turned_off_by_itself(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once", "--apply")
    play.ok("switch", MOVED, "on", "--reason", "the customer still reads mail here")

    play.ok("once", "--apply")

    assert play.switch(MOVED) == "on"


def test_a_switch_that_stands_so_already_is_nothing_to_do(staged: Staged) -> None:
    play = staged(a_world())

    assert "nothing-to-do" in play.ok("switch", HERE, "on", "--reason", "test")
    assert play.writes() == []
    assert changes(play) == []


@pytest.mark.parametrize("reason", [(), ("--reason", ""), ("--reason", "  ")])
def test_a_switch_by_hand_needs_a_reason(staged: Staged, reason: tuple[str, ...]) -> None:
    play = staged(a_world())

    assert "--reason" in play.complains(2, "switch", HERE, "off", *reason)
    assert play.asked() == 0


def test_a_revert_may_go_without_a_reason_but_not_with_an_empty_one(applied: Play) -> None:
    assert "--reason" in applied.complains(2, "revert", "--all", "--reason", " ")
    assert applied.switch(MOVED) == "off"


@pytest.mark.parametrize("to", ["not-configured", "unknown", "of", ""])
def test_a_switch_can_only_be_on_or_off(staged: Staged, to: str) -> None:
    play = staged(a_world())

    play.complains(2, "switch", HERE, to, "--reason", "test")

    assert play.asked() == 0


def test_a_name_nobody_hosts_cannot_be_switched(staged: Staged) -> None:
    play = staged(a_world())

    assert "nobody.example is not hosted there (asked: web01)" in play.complains(
        2, "switch", "nobody.example", "off", "--reason", "test"
    )


def test_a_name_on_two_servers_needs_to_say_which(staged: Staged) -> None:
    play = staged(BOTH)

    complaint = play.complains(2, "switch", "both.example", "off", "--reason", "test")
    assert "--server" in complaint
    assert "web01, web02" in complaint
    assert play.writes("web01") == play.writes("web02") == []

    play.ok("switch", "both.example", "off", "--reason", "test", "--server", "web02")
    assert (play.writes("web01"), play.writes("web02")) == ([], [("both.example", "off")])


def test_a_name_that_is_not_configured_is_never_touched(staged: Staged) -> None:
    play = staged(a_world(domains="      - {name: unset.example, mail: not-configured}\n"))

    assert "not configured" in play.complains(2, "switch", "unset.example", "on", "--reason", "test")
    assert play.writes() == []


def test_a_switch_by_hand_that_does_not_take_has_failed(staged: Staged) -> None:
    play = staged(a_world())
    play.stage.panel("web01").misbehave(Misbehaviour(fault=Fault.NOT_APPLIED))

    code, out, _ = play.run("switch", HERE, "off", "--reason", "test")

    assert code == 1
    assert "failed" in out
    assert changes(play)[0]["outcome"] == "failed"


@pytest.mark.parametrize("command", [("switch", HERE, "off", "--reason", "test"), ("revert", "--all")])
def test_nothing_is_done_by_hand_while_paused(applied: Play, command: tuple[str, ...]) -> None:
    applied.ok("pause")
    before = applied.writes()

    assert "mailswitch resume" in applied.complains(3, *command)
    assert applied.writes() == before


def test_an_international_name_is_switched_by_its_u_label(staged: Staged) -> None:
    play = staged(a_world(domains="      - {name: bücher.example, mail: on}\n"))

    play.ok("switch", "Bücher.example", "off", "--reason", "test")

    assert play.writes() == [("xn--bcher-kva.example", "off")]


def test_results_come_as_a_document_too(staged: Staged) -> None:
    document = staged(a_world()).json("switch", HERE, "off", "--reason", "test")

    assert document["schema"] == "mailswitch/results/1"
    (result,) = document["results"]
    assert list(result) == ["server", "name", "outcome", "text", "change"]
    assert (result["name"], result["outcome"], result["change"]) == (HERE, "done", 1)


# ---- revert


def test_a_domain_is_reverted(applied: Play) -> None:
    applied.ok("revert", MOVED)

    assert [applied.switch(f"moved{number}.example") for number in range(3)] == ["on", "off", "off"]


def test_a_change_is_reverted_by_its_number(applied: Play) -> None:
    (change,) = (one for one in changes(applied) if one["name"] == "moved1.example")

    applied.ok("revert", str(change["id"]))

    assert [applied.switch(f"moved{number}.example") for number in range(3)] == ["off", "on", "off"]
    assert changes(applied)[0]["reverts"] == change["id"]


def test_a_run_is_reverted_whole(applied: Play) -> None:
    applied.stage.change_dns("here0.example. 60 IN MX 1 aspmx.l.google.com.\n")
    run = changes(applied)[0]["run"]

    applied.ok("revert", "--run", str(run))

    assert [applied.switch(f"moved{number}.example") for number in range(3)] == ["on", "on", "on"]


def test_everything_is_reverted(applied: Play) -> None:
    document = applied.json("revert", "--all", "--reason", "wrong resolver")

    assert {result["outcome"] for result in document["results"]} == {"done"}
    assert {to for _, to in applied.writes()[3:]} == {"on"}
    assert {change["reason"] for change in changes(applied)[:3]} == {"wrong resolver"}


def test_revert_all_leaves_alone_what_a_person_turned_off(applied: Play) -> None:
    applied.ok("switch", HERE, "off", "--reason", "test")

    applied.ok("revert", "--all")

    assert applied.switch(HERE) == "off"


def test_what_was_reverted_is_not_turned_off_again(applied: Play) -> None:
    applied.ok("revert", "--all")
    before = applied.writes()

    document = applied.json("once", "--apply")

    assert applied.writes() == before
    assert "re-enabled" in {reason["code"] for reason in applied.names(document)[MOVED]["reasons"]}


def test_a_turn_by_hand_can_be_reverted_too(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("switch", HERE, "off", "--reason", "test")

    play.ok("revert", HERE)

    assert play.switch(HERE) == "on"


def test_reverting_everything_twice_is_nothing_to_do(applied: Play) -> None:
    applied.ok("revert", "--all")

    assert "nothing to revert" in applied.ok("revert", "--all")


@pytest.mark.parametrize("what", [(HERE,), ("999",), ("--run", "none"), ("nobody.example",)])
def test_there_has_to_be_something_to_revert(applied: Play, what: tuple[str, ...]) -> None:
    before = applied.writes()

    assert "no change on record that still stands" in applied.complains(2, "revert", *what)
    assert applied.writes() == before


@pytest.mark.parametrize("what", [(), (MOVED, "--all"), ("--all", "--run", "x"), (MOVED, "--run", "x")])
def test_what_to_revert_is_said_in_one_way(applied: Play, what: tuple[str, ...]) -> None:
    assert "in one way" in applied.complains(2, "revert", *what)


def test_revert_works_in_mode_enforce_and_the_next_pass_leaves_it(staged: Staged) -> None:
    play = staged(a_world(tail=AT_ONCE.replace("config: {", "config: {mode: enforce, ")))
    play.ok("once")
    play.ok("revert", MOVED)

    play.ok("once")

    assert play.switch(MOVED) == "on"


def test_one_server_of_several_is_reverted(staged: Staged) -> None:
    play = staged(BOTH)
    for server in ("web01", "web02"):
        play.ok("switch", "both.example", "off", "--reason", "test", "--server", server)

    play.ok("revert", "both.example", "--server", "web01")

    assert (play.switch("both.example", "web01"), play.switch("both.example", "web02")) == ("on", "off")


def test_a_revert_on_a_silent_panel_has_failed(applied: Play) -> None:
    applied.stage.panel("web01").misbehave(Misbehaviour(fault=Fault.WRONG_KEY), times=None)

    code, out, _ = applied.run("revert", "--all")

    assert code == 1
    assert "failed" in out


def test_a_switch_somebody_turned_at_the_panel_is_not_turned_twice(applied: Play) -> None:
    applied.stage.panel("web01").set_switch(MOVED, Switch.ON)
    before = applied.writes()

    applied.ok("revert", MOVED)

    assert applied.writes() == before


# ---- history


def test_history_before_the_first_pass_is_empty(staged: Staged) -> None:
    play = staged(a_world())

    assert play.json("history")["changes"] == []
    assert "No changes" in play.ok("history")
    assert not (play.stage.directory / "ledger.db").exists()


def test_history_is_newest_first_and_can_be_narrowed(applied: Play) -> None:
    applied.ok("revert", MOVED)
    run = changes(applied)[-1]["run"]

    assert [change["id"] for change in changes(applied)] == [4, 3, 2, 1]
    assert [change["id"] for change in changes(applied, "--limit", "2")] == [4, 3]
    assert {change["name"] for change in changes(applied, MOVED)} == {MOVED}
    assert len(changes(applied, "--run", str(run))) == 3
    assert changes(applied, "--server", "web02") == []
    assert changes(applied, "nobody.example") == []


def test_history_has_the_evidence_of_each_change(applied: Play) -> None:
    evidence = changes(applied, MOVED)[0]["evidence"]

    assert isinstance(evidence, dict)
    assert {one["route"] for one in evidence["vantages"]} == {"elsewhere"}
    assert evidence["mx"][0]["exchange"] == "aspmx.l.google.com"


def test_history_shows_hostile_reasons_written_out(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("switch", HERE, "off", "--reason", "evil \x1b[2J\u202e")

    out = play.ok("history")

    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "evil" in out
