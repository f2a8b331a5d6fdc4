"""``once``: what each mode applies, reviewed plans, approvals, pauses, and the lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailswitch.ledger.lock import file_lock
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

OFF = "off"


def in_mode(mode: str) -> str:
    """Return the end of a world whose configuration has this mode and needs no confirmation."""
    return AT_ONCE.replace("config: {", f"config: {{mode: {mode}, ")


def switches(play: Play, *names: str) -> list[str]:
    """Return how the switches stand at the panel."""
    return [play.switch(f"{name}.example") for name in names]


# ---- what a mode does by itself


def test_mode_report_applies_nothing_and_remembers_what_it_saw(staged: Staged) -> None:
    play = staged(a_world())

    document = play.json("once")

    assert play.writes() == []
    assert document["run"]["dry_run"] is True
    assert document["summary"]["turn_off"] == 1
    assert play.json("history")["changes"] == []
    assert "sightings         1" in play.ok("explain", "moved0.example")


def test_apply_turns_off_what_is_due_and_nothing_else(staged: Staged) -> None:
    play = staged(a_world(moved=2, unknown=1))

    document = play.json("once", "--apply")

    assert play.writes() == [("moved0.example", OFF), ("moved1.example", OFF)]
    assert document["run"]["mode"] == "enforce"
    assert document["run"]["dry_run"] is False
    assert (document["summary"]["done"], document["summary"]["failed"]) == (2, 0)
    outcomes = {name: entry["outcome"] for name, entry in play.names(document).items()}
    assert {name for name, outcome in outcomes.items() if outcome == "done"} == {"moved0.example", "moved1.example"}
    assert switches(play, "unknown0", "here0") == ["on", "on"]


def test_a_second_apply_changes_nothing(staged: Staged) -> None:
    play = staged(a_world(moved=2))
    play.ok("once", "--apply")
    before = play.writes()

    document = play.json("once", "--apply")

    assert play.writes() == before
    assert document["summary"]["turn_off"] == document["summary"]["turn_on"] == document["summary"]["done"] == 0


def test_mode_enforce_applies_by_itself(staged: Staged) -> None:
    play = staged(a_world(tail=in_mode("enforce")))

    play.ok("once")

    assert play.writes() == [("moved0.example", OFF)]


def test_mode_approve_holds_what_nobody_approved_even_with_apply(staged: Staged) -> None:
    play = staged(a_world(tail=in_mode("approve")))

    document = play.json("once", "--apply")

    assert play.writes() == []
    entry = play.names(document)["moved0.example"]
    assert (entry["decision"], entry["on_review"]) == ("hold", True)
    assert "approval" in {reason["code"] for reason in entry["reasons"]}


def test_an_approval_lets_the_next_pass_apply(staged: Staged) -> None:
    play = staged(a_world(moved=2, tail=in_mode("approve")))

    play.ok("approve", "moved0.example")
    play.ok("once")

    assert play.writes() == [("moved0.example", OFF)]


def test_an_approval_does_not_lift_other_guards_unless_they_are_named(staged: Staged) -> None:
    play = staged(a_world(moved=0, unknown=1, tail=in_mode("approve")))

    play.ok("approve", "unknown0.example")
    play.ok("once")
    assert play.writes() == []

    play.ok("approve", "unknown0.example", "--despite", "unknown-provider")
    play.ok("once")
    assert play.writes() == [("unknown0.example", OFF)]


def test_an_approval_is_bound_to_the_exchanges_it_was_given_for(staged: Staged) -> None:
    play = staged(a_world(tail=in_mode("approve")))
    play.ok("approve", "moved0.example")
    play.stage.change_dns("moved0.example. 60 IN MX 1 mx.zoho.eu.\nmx.zoho.eu. 60 IN A 192.0.2.99\n")

    play.ok("once")

    assert play.writes() == []


def test_an_approval_is_used_in_mode_enforce_too(staged: Staged) -> None:
    play = staged(a_world(moved=0, unknown=1, tail=in_mode("enforce")))
    play.ok("approve", "unknown0.example", "--despite", "unknown-provider")

    play.ok("once")

    assert play.writes() == [("unknown0.example", OFF)]


def test_it_takes_several_passes_over_a_day_by_default(staged: Staged) -> None:
    play = staged(a_world(tail="config: {mode: enforce}\n"))

    for _ in range(4):
        play.ok("once")

    document = play.json("once")
    entry = play.names(document)["moved0.example"]
    assert play.writes() == []
    assert (entry["decision"], entry["on_review"]) == ("hold", True)
    assert "unconfirmed" in {reason["code"] for reason in entry["reasons"]}


def test_an_alias_is_switched_by_itself(staged: Staged) -> None:
    alias = "      - {name: alias.example, kind: alias, of: here0.example, mail: on}\n"
    play = staged(a_world(moved=0, domains=alias, dns="  alias.example. 60 IN MX 1 aspmx.l.google.com.\n"))

    play.ok("once", "--apply")

    assert play.writes() == [("alias.example", OFF)]
    assert play.switch("here0.example") == "on"


# ---- a reviewed plan


def test_a_reviewed_plan_applies_also_what_was_on_review(staged: Staged) -> None:
    play = staged(a_world(moved=1, unknown=2))
    plan = play.json("report")["run"]["plan"]

    document = play.json("once", "--apply", "--plan", plan.upper())

    assert switches(play, "moved0", "unknown0", "unknown1", "here0") == [OFF, OFF, OFF, "on"]
    assert document["summary"]["done"] == 3


def test_a_reviewed_plan_may_come_as_the_file_of_its_report(staged: Staged, tmp_path: Path) -> None:
    play = staged(a_world(moved=1, unknown=2))
    path = tmp_path / "plan.json"
    play.ok("report", "--format", "json", "--output", str(path))

    play.ok("once", "--apply", "--plan", str(path))

    assert len(play.writes()) == 3


def test_nothing_is_left_of_a_plan_that_was_applied(staged: Staged) -> None:
    play = staged(a_world(moved=1, unknown=1))
    plan = play.json("report")["run"]["plan"]
    play.ok("once", "--apply", "--plan", plan)

    document = play.json("report")

    assert document["summary"]["on_review"] == document["summary"]["turn_off"] == 0
    assert "nothing to change" in play.ok("report")


def test_a_plan_that_differs_is_refused_whole(staged: Staged) -> None:
    play = staged(a_world(moved=2))
    plan = play.json("report")["run"]["plan"]
    play.stage.change_dns("moved1.example. 60 IN MX 1 mail.web01.example.\n")

    complaint = play.complains(3, "once", "--apply", "--plan", plan)

    assert play.writes() == []
    assert f"plan {plan} was reviewed" in complaint
    assert "nothing was changed" in complaint


def test_a_plan_file_that_differs_tells_what_does(staged: Staged, tmp_path: Path) -> None:
    play = staged(a_world(moved=2, unknown=1))
    path = tmp_path / "plan.json"
    play.ok("report", "--format", "json", "--output", str(path))
    play.stage.change_dns("moved1.example. 60 IN MX 1 mail.web01.example.\nhere0.example. 60 IN MX 1 mx.zoho.eu.\n")
    play.stage.change_dns("mx.zoho.eu. 60 IN A 192.0.2.99\nunknown0.example. 60 IN MX 1 mx.zoho.eu.\n")

    complaint = play.complains(3, "once", "--apply", "--plan", str(path))

    assert play.writes() == []
    told = [line for line in complaint.splitlines() if "web01" in line]
    assert {name for name in ("moved0", "moved1", "here0", "unknown0") if any(name in line for line in told)} == {
        "moved1", "here0", "unknown0",
    }  # fmt: skip


def test_a_pass_that_refused_a_plan_still_remembers_what_it_saw(staged: Staged) -> None:
    play = staged(a_world())

    play.complains(3, "once", "--apply", "--plan", "0" * 16)

    assert "sightings         1" in play.ok("explain", "moved0.example")


def test_a_failed_server_comes_before_a_plan_that_differs(staged: Staged) -> None:
    """design.md section 7: where several exit codes apply, 1 comes before 3."""
    play = staged(a_world())
    plan = play.json("report")["run"]["plan"]
    play.stage.panel("web01").misbehave(Misbehaviour(fault=Fault.WRONG_KEY), times=None)

    complaint = play.complains(1, "once", "--apply", "--plan", plan)

    assert "web01" in complaint
    assert "11003" in complaint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"moved0.example"', '"here0.example"'),
        ('"route": "elsewhere"', '"route": "parked"'),
        ('"on_review": true', '"on_review": false'),
        ("aspmx.l.google.com", "mx.example"),
        ('"schema": "mailswitch/report/1"', '"schema": "mailswitch/report/2"'),
        ('"servers":', '"servants":'),
    ],
)
def test_an_altered_plan_file_is_a_usage_error(staged: Staged, tmp_path: Path, old: str, new: str) -> None:
    play = staged(a_world(unknown=1))
    path = tmp_path / "plan.json"
    play.ok("report", "--format", "json", "--output", str(path))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    before = play.asked()

    complaint = play.complains(2, "once", "--apply", "--plan", str(path))

    assert "plan file" in complaint
    assert play.asked() == before


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe\x00", b'{"schema": 1}', b"[" * 100_000])
def test_a_plan_file_that_is_no_report_is_a_usage_error(staged: Staged, tmp_path: Path, content: bytes) -> None:
    play = staged(a_world())
    path = tmp_path / "plan.json"
    path.write_bytes(content)

    assert "plan file" in play.complains(2, "once", "--apply", "--plan", str(path))
    assert play.asked() == 0


@pytest.mark.parametrize("plan", ["0123", "none.json", "", "g" * 16, "\x1b[2J"])
def test_a_plan_that_is_neither_digest_nor_file_is_a_usage_error(staged: Staged, plan: str) -> None:
    play = staged(a_world())

    complaint = play.complains(2, "once", "--apply", "--plan", plan)

    assert "neither a plan's digest" in complaint
    assert "\x1b" not in complaint
    assert play.asked() == 0


def test_a_plan_in_mode_report_needs_apply(staged: Staged) -> None:
    play = staged(a_world())

    assert "add --apply" in play.complains(2, "once", "--plan", "0" * 16)
    assert play.asked() == 0


def test_a_plan_in_mode_approve_needs_no_apply_and_no_approval(staged: Staged) -> None:
    play = staged(a_world(unknown=1, tail=in_mode("approve")))
    plan = play.json("report")["run"]["plan"]

    play.ok("once", "--plan", plan)

    assert switches(play, "moved0", "unknown0") == [OFF, OFF]


def test_a_pin_is_not_lifted_by_a_review(staged: Staged) -> None:
    play = staged(a_world(moved=2))
    play.ok("pin", "moved1.example", "--reason", "asked for")
    plan = play.json("report")["run"]["plan"]

    play.ok("once", "--apply", "--plan", plan)

    assert play.writes() == [("moved0.example", OFF)]


# ---- pause, lock


def test_a_pause_stops_changes_and_not_observation(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("pause", "--reason", "migration")

    code, out, _ = play.run("once", "--apply")

    assert play.writes() == []
    assert code == 0
    assert "Paused by" in out
    assert "migration" in out
    assert "sightings         1" in play.ok("explain", "moved0.example")


def test_a_reviewed_plan_is_refused_while_paused(staged: Staged) -> None:
    play = staged(a_world())
    plan = play.json("report")["run"]["plan"]
    play.ok("pause")

    complaint = play.complains(3, "once", "--apply", "--plan", plan)

    assert play.writes() == []
    assert "mailswitch resume" in complaint


def test_after_resume_changes_are_made_again(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("pause")
    play.ok("once", "--apply")
    play.ok("resume")

    play.ok("once", "--apply")

    assert play.writes() == [("moved0.example", OFF)]


@pytest.mark.parametrize(
    "command",
    [("once", "--apply"), ("switch", "moved0.example", "off", "--reason", "test"), ("revert", "--all")],
    ids=lambda command: command[0],
)
def test_no_two_passes_at_once(staged: Staged, command: tuple[str, ...]) -> None:
    play = staged(a_world())
    play.ok("once")
    before = play.asked()

    with file_lock(lock_file(play), "the test's"):
        complaint = play.complains(5, *command)

    assert "another pass is running" in complaint
    assert play.asked() == before
    assert play.writes() == []


@pytest.mark.parametrize("command", [("report",), ("explain", "moved0.example"), ("status",), ("history",)])
def test_commands_that_only_look_take_no_lock(staged: Staged, command: tuple[str, ...]) -> None:
    play = staged(a_world())
    play.ok("once")

    with file_lock(lock_file(play), "the test's"):
        play.ok(*command)


def lock_file(play: Play) -> Path:
    """Return the lock beside the world's ledger."""
    (path,) = play.stage.directory.glob("ledger*lock")
    return path


# ---- formats


def test_csv_tells_outcomes(staged: Staged) -> None:
    lines = staged(a_world()).ok("once", "--apply", "--format", "csv").splitlines()

    (row,) = (line for line in lines if "moved0.example" in line)
    assert ",done," in row


def test_text_names_the_run_which_history_and_revert_know(staged: Staged) -> None:
    play = staged(a_world())

    out = play.ok("once", "--apply")

    run = play.json("history")["changes"][0]["run"]
    assert f"(run {run})" in out
    assert json.loads(play.ok("revert", "--run", run, "--format", "json"))["results"][0]["outcome"] == "done"
