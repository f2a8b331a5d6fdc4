"""What public DNS does, and what comes of it: moves, returns, faults, lies and silence."""

from __future__ import annotations

import pytest

from mailswitch.core.domain import Switch
from tests.support.worlds import Play, Staged, a_world

MOVED = "moved0.example"


@pytest.fixture
def staged(staged_for_each_codec: Staged) -> Staged:
    """Each world here is looked at with replies read in either way."""
    return staged_for_each_codec


def with_vantages(**rest: str) -> str:
    """Return a world whose vantages a, b and c have these keys beside their names."""
    lines = "".join(
        f"  - {{name: {name}, {rest[name]}}}\n" if name in rest else f"  - {{name: {name}}}\n" for name in "abc"
    )
    return a_world() + "vantages:\n" + lines


def fault(word: str) -> str:
    """Return the key of a vantage that does this to the moved name."""
    return f"faults: {{{MOVED}: {word}}}"


def entry(play: Play, name: str = MOVED) -> dict[str, object]:
    """Return what a dry run says of one name."""
    found: dict[str, object] = play.names(play.json("report"))[name]
    return found


# ---- moves and returns


def test_a_domain_that_comes_back_is_on_again_after_one_pass(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once", "--apply")
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 mail.web01.example.\n")

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off"), (MOVED, "on")]
    assert play.switch(MOVED) == "on"


def test_a_domain_that_moves_behind_a_filter_is_on_again(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once", "--apply")
    play.stage.change_dns(
        f"{MOVED}. 60 IN MX 1 eu-smtp-inbound-1.mimecast.com.\neu-smtp-inbound-1.mimecast.com. 60 IN A 192.0.2.66\n"
    )

    play.ok("once", "--apply")

    assert play.switch(MOVED) == "on"


def test_a_domain_that_moves_on_stays_off_and_is_told(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once", "--apply")
    play.stage.change_dns(f"{MOVED}. 60 IN MX 0 .\n")

    document = play.json("once", "--apply")

    assert play.writes() == [(MOVED, "off")]
    assert [(alert["code"], alert["name"]) for alert in document["alerts"]] == [
        ("route-changed", MOVED),
        ("mail-log", None),  # a simulated server has none
    ]


def test_a_domain_somebody_else_turned_off_is_not_turned_on(staged: Staged) -> None:
    play = staged(
        a_world(
            domains="      - {name: off.example, mail: off}\n", dns="  off.example. 60 IN MX 1 mail.web01.example.\n"
        )
    )

    document = play.json("once", "--apply")

    assert play.switch("off.example") == "off"
    assert ("off-here", "off.example") in {(alert["code"], alert["name"]) for alert in document["alerts"]}


def test_what_somebody_turned_on_again_is_held(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once", "--apply")
    play.stage.panel("web01").set_switch(MOVED, Switch.ON)

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]
    found = entry(play)
    assert (found["decision"], found["on_review"]) == ("hold", True)
    assert "re-enabled" in str(found["reasons"])


def test_a_move_made_while_the_world_runs_is_seen(staged: Staged) -> None:
    play = staged(a_world(moved=0))
    play.ok("once", "--apply")
    play.stage.change_dns("here0.example. 60 IN MX 1 aspmx.l.google.com.\n")

    play.ok("once", "--apply")

    assert play.writes() == [("here0.example", "off")]


# ---- faults of single vantages


@pytest.mark.parametrize("word", ["SERVFAIL", "REFUSED", "timeout", "authoritative"])
def test_a_quorum_decides_where_one_vantage_cannot_answer(staged: Staged, word: str) -> None:
    play = staged(with_vantages(b=fault(word)))

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


@pytest.mark.parametrize("word", ["SERVFAIL", "REFUSED", "authoritative"])
def test_one_answer_is_no_quorum(staged: Staged, word: str) -> None:
    play = staged(with_vantages(a=fault(word), b=fault(word)))

    play.ok("once", "--apply")

    assert play.writes() == []
    found = entry(play)
    assert (found["route"], found["decision"], found["on_review"]) == ("unknown", "hold", False)


def test_a_truncated_answer_is_asked_for_over_tcp(staged: Staged) -> None:
    play = staged(with_vantages(a=fault("truncated"), b=fault("truncated"), c=fault("truncated")))

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


@pytest.mark.parametrize(
    "lie",
    [
        f"{MOVED}. 60 IN MX 1 mail.web01.example.",
        f"{MOVED}. 60 IN MX 0 .",
        "aspmx.l.google.com. 60 IN A 203.0.113.10",
    ],
    ids=["here", "null MX", "an exchange here"],
)
@pytest.mark.parametrize("liar", ["a", "b", "c"])
def test_one_vantage_that_sees_something_else_holds_a_turn_off(staged: Staged, liar: str, lie: str) -> None:
    play = staged(with_vantages(**{liar: f'dns: "{lie}"'}))

    play.ok("once", "--apply")

    assert play.writes() == []


def test_vantages_that_see_different_known_hosts_agree_that_mail_is_elsewhere(staged: Staged) -> None:
    play = staged(
        with_vantages(
            b=f'dns: "{MOVED}. 60 IN MX 1 alt1.aspmx.l.google.com.\\nalt1.aspmx.l.google.com. 60 IN A 192.0.2.27"'
        )
    )

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


@pytest.mark.parametrize("stranger", ["a", "b", "c"])
def test_one_vantage_that_sees_a_host_nobody_knows_makes_it_a_case_for_review(staged: Staged, stranger: str) -> None:
    play = staged(with_vantages(**{stranger: f'dns: "{MOVED}. 60 IN MX 1 mx.nobody-knows.example."'}))

    play.ok("once", "--apply")

    assert play.writes() == []
    found = entry(play)
    assert (found["route"], found["provider"], found["on_review"]) == ("elsewhere", None, True)


def test_one_vantage_that_lags_does_not_hold_a_turn_on(staged: Staged) -> None:
    play = staged(with_vantages(c=f'dns: "{MOVED}. 60 IN MX 1 aspmx.l.google.com."'))
    play.ok("once", "--apply")
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 mail.web01.example.\n")

    for _ in range(3):  # the first opinion rotates; one of three passes at most begins with the one that lags
        play.ok("once", "--apply")

    assert play.switch(MOVED) == "on"


def test_two_vantages_of_one_operator_are_one_opinion(staged: Staged) -> None:
    play = staged(with_vantages(a="operator: One", b="operator: one", c=fault("SERVFAIL")))

    play.ok("once", "--apply")

    assert play.writes() == []


def test_a_lie_of_one_vantage_is_shown_by_explain(staged: Staged) -> None:
    play = staged(with_vantages(c=f'dns: "{MOVED}. 60 IN MX 1 mail.web01.example."'))

    out = play.ok("explain", MOVED)

    assert "disagree" in out
    assert "mail.web01.example" in out


# ---- silence


@pytest.fixture
def deaf(staged: Staged) -> Play:
    """A world in which a name was turned off, and every vantage died since."""
    play = staged(a_world(moved=1, here=8))
    play.ok("once", "--apply")
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 mail.web01.example.\nhere0.example. 60 IN MX 1 aspmx.l.google.com.\n")
    for name in "abc":
        play.stage.vantage(name).close()
    return play


def test_dead_vantages_make_every_name_unknown_and_change_nothing(deaf: Play) -> None:
    document = deaf.json("once", "--apply")

    assert deaf.writes() == [(MOVED, "off")]
    assert {found["route"] for found in deaf.names(document).values()} == {"unknown"}
    assert document["summary"]["done"] == document["summary"]["turn_off"] == document["summary"]["turn_on"] == 0


def test_dead_vantages_make_status_fail_and_doctor_name_them(deaf: Play) -> None:
    deaf.run("once", "--apply")

    code, out, _ = deaf.run("status")
    assert code == 1
    assert "limits.unknown_share" in out

    code, out, _ = deaf.run("doctor")
    assert code == 1
    assert [line.split()[2] for line in out.splitlines() if line.startswith("problem")] == ["a", "b", "c"]


def test_dead_vantages_never_lead_to_a_plan(deaf: Play) -> None:
    assert "nothing to change" in deaf.run("report")[1]


def test_an_unknown_pass_does_not_count_as_a_sighting(staged: Staged) -> None:
    play = staged(with_vantages(a=fault("SERVFAIL"), b=fault("SERVFAIL"), c=fault("SERVFAIL")))

    play.ok("once")

    assert "sightings         none" in play.ok("explain", MOVED)
