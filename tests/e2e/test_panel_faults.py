"""Panels that misbehave: the right outcome, words to act on, exit code 1, and never a second write without a read."""

from __future__ import annotations

import pytest

from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

MOVED = "moved0.example"
QUICK = AT_ONCE.replace("config: {", "config: {servers: [{name: web01, read_timeout: 1s}], ")

TWO = """\
servers:
  - name: web01
    addresses: [203.0.113.10]
    domains: [{name: one.example}, {name: here1.example}]
  - name: web02
    addresses: [203.0.113.20]
    domains: [{name: two.example}, {name: here2.example}]
dns: |
  one.example. 60 IN MX 1 aspmx.l.google.com.
  two.example. 60 IN MX 1 aspmx.l.google.com.
  here1.example. 60 IN MX 1 mail1.example.
  here2.example. 60 IN MX 1 mail2.example.
  mail1.example. 60 IN A 203.0.113.10
  mail2.example. 60 IN A 203.0.113.20
  aspmx.l.google.com. 300 IN A 192.0.2.26
config: {confirm: {sightings: 1, window: 0s}}
"""


def misbehave(play: Play, fault: Fault, *, on: str = "any", times: int | None = None, server: str = "web01") -> None:
    """Let a panel misbehave, for ever unless a number is given."""
    play.stage.panel(server).misbehave(Misbehaviour(fault=fault, on=on, seconds=30), times=times)


def journal(play: Play, server: str = "web01") -> list[str]:
    """Return the reads and writes of switches, as ``r`` and ``w``, in order; the inventory is left out."""
    interesting = {"mail/get_prefs": "r", "mail/set_prefs": "w"}
    requests = play.stage.panel(server).requests()
    return [interesting[name] for request in requests for name in request.operations if name in interesting]


def outcome(play: Play) -> tuple[str, str]:
    """Return the last change's outcome and error."""
    change = play.json("history")["changes"][0]
    return str(change["outcome"]), str(change["error"])


# ---- writes


def test_a_write_whose_reply_was_lost_is_done_if_it_is_seen_to_be(staged: Staged) -> None:
    play = staged(a_world())
    misbehave(play, Fault.REPLY_LOST, times=1)

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]
    assert outcome(play)[0] == "done"
    assert journal(play)[-3:] == ["r", "w", "r"]


def test_a_write_answered_by_half_is_done_if_it_is_seen_to_be(staged: Staged) -> None:
    play = staged(a_world())
    misbehave(play, Fault.CUT_OFF, on="write", times=1)

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]
    assert outcome(play)[0] == "done"
    assert journal(play)[-3:] == ["r", "w", "r"]


def test_a_write_answered_too_late_may_still_be_done_and_is_settled_by_the_next_pass(staged: Staged) -> None:
    play = staged(a_world(tail=QUICK))
    misbehave(play, Fault.SLOW, on="write", times=1)

    code, out, _ = play.run("once", "--apply")

    assert code == 1
    assert journal(play)[-3:] == ["r", "w", "r"]
    assert outcome(play)[0] == "unsettled"
    assert "silent for 1 s" in out

    play.run("once", "--apply")

    # It reads before anything else, and only then turns what is still on.
    settled = journal(play)[journal(play).index("w") + 2 :]
    assert settled[0] == "r"
    assert [change["outcome"] for change in play.json("history")["changes"]] == ["done", "failed"]


def test_a_write_that_was_accepted_and_not_done_has_failed(staged: Staged) -> None:
    play = staged(a_world())
    misbehave(play, Fault.NOT_APPLIED, times=1)

    code, out, _ = play.run("once", "--apply")

    assert code == 1
    assert play.switch(MOVED) == "on"
    assert outcome(play)[0] == "failed"
    assert "Failed: 1" in out
    assert journal(play)[-3:] == ["r", "w", "r"]


def test_what_failed_is_tried_again_by_the_next_pass(staged: Staged) -> None:
    play = staged(a_world())
    misbehave(play, Fault.NOT_APPLIED, times=1)
    play.run("once", "--apply")

    play.ok("once", "--apply")

    assert play.switch(MOVED) == "off"
    assert [change["outcome"] for change in play.json("history")["changes"]] == ["done", "failed"]


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.GARBAGE, Fault.SERVER_ERROR, Fault.REDIRECT, Fault.ERROR])
def test_a_write_that_was_refused_or_answered_by_nonsense_has_failed(staged: Staged, fault: Fault) -> None:
    play = staged(a_world())
    misbehave(play, fault, on="mail/set_prefs", times=1)

    code, out, _ = play.run("once", "--apply")

    assert code == 1
    assert play.writes() == []
    found, error = outcome(play)
    assert found in {"failed", "unsettled"}
    assert error in out
    assert MOVED in out
    assert journal(play).count("w") == 1
    assert journal(play)[-1] == "r"


def test_three_failures_in_a_row_end_the_applying_on_a_server(staged: Staged) -> None:
    play = staged(a_world(moved=5, here=60))
    misbehave(play, Fault.NOT_APPLIED)

    document = play.json("once", "--apply", code=1)

    outcomes = [found["outcome"] for name, found in play.names(document).items() if name.startswith("moved")]
    assert sorted(outcomes) == ["failed", "failed", "failed", "refused", "refused"]
    assert journal(play).count("w") == 3


def test_a_switch_somebody_turned_meanwhile_is_left_alone(staged: Staged) -> None:
    play = staged(a_world(moved=1))
    play.ok("once", "--apply")
    play.ok("switch", MOVED, "on", "--reason", "the customer asked")

    play.ok("once", "--apply")

    assert play.switch(MOVED) == "on"


# ---- reads


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.WRONG_KEY, "11003"),
        (Fault.LICENCE_EXPIRED, "1030"),
        (Fault.HTML, "the reply is a web page"),
        (Fault.GARBAGE, "the reply is no packet"),
        (Fault.SERVER_ERROR, "HTTP status 500"),
        (Fault.REDIRECT, "redirect"),
    ],
)
def test_a_panel_that_cannot_be_read_ends_in_1_and_words_to_act_on(staged: Staged, fault: Fault, words: str) -> None:
    play = staged(a_world())
    misbehave(play, fault)

    code, out, _ = play.run("once", "--apply")

    assert code == 1
    assert "Servers that failed: 1" in out
    assert words in out
    assert "web01" in out
    assert play.writes() == []
    assert not any(request.is_write for request in play.stage.panel("web01").requests())


@pytest.mark.parametrize("fault", [Fault.CUT_OFF, Fault.ERROR])
def test_a_read_that_may_succeed_when_tried_again_is_tried_again(staged: Staged, fault: Fault) -> None:
    play = staged(a_world())
    misbehave(play, fault, on="mail/get_prefs", times=1)

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


def test_a_panel_slower_than_its_time_out_is_told(staged: Staged) -> None:
    play = staged(a_world(tail=QUICK))
    misbehave(play, Fault.SLOW)

    code, out, _ = play.run("report")

    assert code == 1
    assert "the panel was silent for 1 s: look at its load, or raise read_timeout" in out


def test_a_wrong_key_is_not_tried_again(staged: Staged) -> None:
    play = staged(a_world())
    misbehave(play, Fault.WRONG_KEY)

    play.run("report")

    assert len(play.stage.panel("web01").requests()) == 1


def test_status_tells_what_failed_and_for_how_long(staged: Staged) -> None:
    play = staged(a_world())
    misbehave(play, Fault.LICENCE_EXPIRED)
    play.run("once")

    code, out, _ = play.run("status")

    assert code == 1
    assert "failing" in out
    assert "licence" in out


def test_a_panel_that_tells_no_switch_at_all_has_failed(staged: Staged) -> None:
    play = staged(a_world(moved=2))
    misbehave(play, Fault.ERROR, on="mail/get_prefs")

    code, out, _ = play.run("once", "--apply")

    assert (code, play.writes()) == (1, [])
    assert "error 1023" in out
    assert play.run("status")[0] == 1


# ---- several servers


def test_a_server_that_fails_stops_nobody_else(staged: Staged) -> None:
    play = staged(TWO)
    misbehave(play, Fault.WRONG_KEY, server="web02")

    document = play.json("once", "--apply", code=1)

    assert play.writes("web01") == [("one.example", "off")]
    assert play.writes("web02") == []
    assert [server["error"] is None for server in document["servers"]] == [True, False]


def test_a_server_whose_writes_fail_stops_nobody_else(staged: Staged) -> None:
    play = staged(TWO)
    misbehave(play, Fault.NOT_APPLIED, server="web01")

    document = play.json("once", "--apply", code=1)

    assert play.switch("two.example", "web02") == "off"
    outcomes = {name: found["outcome"] for name, found in play.names(document).items()}
    assert (outcomes["one.example"], outcomes["two.example"]) == ("failed", "done")


def test_a_server_that_recovers_is_done_by_the_next_pass(staged: Staged) -> None:
    play = staged(TWO)
    misbehave(play, Fault.WRONG_KEY, server="web02")
    play.run("once", "--apply")
    play.stage.panel("web02").clear_misbehaviour()

    play.ok("once", "--apply")

    assert play.writes("web02") == [("two.example", "off")]
    play.ok("status")


# ---- no secret anywhere


@pytest.mark.parametrize("fault", [Fault.WRONG_KEY, Fault.HTML, Fault.REDIRECT, Fault.CUT_OFF])
@pytest.mark.parametrize("command", [("once", "--apply"), ("doctor",)], ids=lambda command: command[0])
def test_the_key_is_in_no_message_and_no_record(staged: Staged, fault: Fault, command: tuple[str, ...]) -> None:
    play = staged(a_world())
    key = (play.stage.directory / "keys" / "web01.key").read_text(encoding="ascii").strip()
    misbehave(play, fault, times=1)

    _, out, err = play.run(*command)

    assert key not in out + err
    ledger = play.stage.directory / "ledger.db"
    assert not ledger.exists() or key.encode() not in ledger.read_bytes()
