"""``pin``, ``unpin``, ``approve``, ``pause``, ``resume``: what operators want, kept with who and when."""

from __future__ import annotations

import pytest

from tests.support.worlds import AT_ONCE, Play, Staged, a_world

MOVED = "moved0.example"


@pytest.fixture
def play(staged: Staged) -> Play:
    return staged(a_world(moved=2, unknown=1))


# ---- pins


def test_a_pinned_name_is_held_with_who_and_why(play: Play) -> None:
    assert play.ok("pin", MOVED, "--reason", "asked by phone") == f"{MOVED} is pinned\n"

    document = play.json("once", "--apply")

    assert play.writes() == [("moved1.example", "off")]
    reasons = {reason["code"]: reason["text"] for reason in play.names(document)[MOVED]["reasons"]}
    assert "asked by phone" in reasons["pinned"]


def test_a_pattern_pins_what_is_below_it_and_not_the_name_itself(staged: Staged) -> None:
    domains = "      - {name: sub.moved0.example, kind: subdomain, of: moved0.example, mail: on}\n"
    play = staged(a_world(domains=domains, dns="  sub.moved0.example. 60 IN MX 1 aspmx.l.google.com.\n"))
    play.ok("pin", "*.moved0.example", "--reason", "test")

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


def test_a_pin_never_switches_and_unpin_lets_go(play: Play) -> None:
    play.ok("pin", "*.example", "--reason", "test")
    play.ok("once", "--apply")
    assert play.writes() == []

    play.ok("unpin", "*.example")
    play.ok("once", "--apply")

    assert len(play.writes()) == 2


def test_a_second_pin_replaces_the_first(play: Play) -> None:
    play.ok("pin", MOVED, "--reason", "first")
    play.ok("pin", "MOVED0.example.", "--reason", "second", "--until", "2099-01-31")

    (pin,) = play.json("pin", "--list")["pins"]

    assert (pin["reason"], pin["until"][:10]) == ("second", "2099-01-31")
    assert "second" in play.ok("pin", "--list")


def test_a_pin_holds_an_international_name_however_it_is_typed(staged: Staged) -> None:
    play = staged(
        a_world(domains="      - {name: bücher.example}\n", dns="  bücher.example. 60 IN MX 1 aspmx.l.google.com.\n")
    )
    play.ok("pin", "Bücher.example", "--reason", "test")

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs a DOMAIN"),
        ((MOVED,), "--reason"),
        ((MOVED, "--reason", " "), "--reason"),
        (("no..name", "--reason", "x"), "no..name"),
        ((MOVED, "--reason", "x", "--until", "2020-01-01"), "in the past"),
        ((MOVED, "--reason", "x", "--until", "tomorrow"), "no date"),
        ((MOVED, "--reason", "x", "--until", "2026-13-01"), "no date"),
    ],
)
def test_a_pin_that_makes_no_sense_is_a_usage_error(play: Play, arguments: tuple[str, ...], words: str) -> None:
    assert words in play.complains(2, "pin", *arguments)
    assert play.json("pin", "--list")["pins"] == []


def test_unpin_without_a_pin_is_a_usage_error(play: Play) -> None:
    assert "there is no pin" in play.complains(2, "unpin", MOVED)


def test_a_pin_needs_no_panel_and_no_dns(play: Play) -> None:
    play.ok("pin", MOVED, "--reason", "test")
    play.ok("pin", "--list")

    assert play.asked() == 0


# ---- approvals


def test_approvals_are_listed_with_who_for_what_and_until_when(play: Play) -> None:
    play.ok("approve", "unknown0.example", "--despite", "unknown-provider")

    (approval,) = play.json("approve", "--list")["approvals"]

    assert (approval["name"], approval["route"]) == ("unknown0.example", "elsewhere")
    assert approval["despite"] == ["unknown-provider"]
    assert approval["exchanges"] == ["mx.nobody-knows.example"]
    assert "unknown0.example" in play.ok("approve", "--list")


def test_several_names_are_approved_or_none(play: Play) -> None:
    complaint = play.complains(2, "approve", MOVED, "nobody.example", "here0.example")

    assert "nobody.example is not hosted" in complaint
    assert "here0.example: nothing to approve" in complaint
    assert play.json("approve", "--list")["approvals"] == []


def test_there_is_nothing_to_approve_about_a_name_that_is_off(play: Play) -> None:
    play.ok("once", "--apply")

    assert "nothing to approve" in play.complains(2, "approve", MOVED)


@pytest.mark.parametrize(
    ("guard", "words"), [("pinned", "no review lifts this guard"), ("nonsense", "no such guard"), ("", "no such guard")]
)
def test_only_guards_a_review_lifts_can_be_named(play: Play, guard: str, words: str) -> None:
    assert words in play.complains(2, "approve", MOVED, "--despite", guard)
    assert play.asked() == 0


def test_approve_needs_a_name(play: Play) -> None:
    assert "at least one DOMAIN" in play.complains(2, "approve")


def test_an_approved_name_is_still_held_by_what_no_review_lifts(staged: Staged) -> None:
    play = staged(a_world(moved=1, unknown=1, tail=AT_ONCE.replace("config: {", "config: {mode: approve, ")))
    play.ok("approve", MOVED)
    play.ok("pin", MOVED, "--reason", "test")

    play.ok("once")

    assert play.writes() == []


# ---- pause


def test_a_pause_is_shown_by_whoever_asks(play: Play) -> None:
    play.ok("once")
    play.ok("pause", "--reason", "data centre move")

    code, status, _ = play.run("status")
    assert code == 1
    assert "data centre move" in status
    assert "data centre move" in play.ok("report")
    assert "data centre move" in play.ok("explain", MOVED)


def test_pausing_twice_and_resuming_twice_is_harmless(play: Play) -> None:
    play.ok("pause")
    assert "paused already" in play.ok("pause")

    assert "changes are made again" in play.ok("resume")
    assert "there was no pause" in play.ok("resume")


def test_switches_that_are_due_to_be_on_wait_for_the_end_of_a_pause(play: Play) -> None:
    play.ok("once", "--apply")
    play.ok("pause")
    play.stage.change_dns(f"{MOVED}. 60 IN MX 1 mail.web01.example.\n")
    play.ok("once", "--apply")
    assert play.switch(MOVED) == "off"

    play.ok("resume")
    play.ok("once", "--apply")

    assert play.switch(MOVED) == "on"
