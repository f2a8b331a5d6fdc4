"""A server whose own resolver still leads a moved name back to it: the whole program, from panel to panel."""

from __future__ import annotations

import pytest

from mailswitch.core.errors import ConfigError
from mailswitch.simulation.public_dns import overlay
from tests.support.worlds import Play, Staged, a_world

MOVED = "moved0.example"
ZONE = f"{MOVED}. 3600 IN MX 10 mail.web01.example."
STALE = f"dns: '{ZONE}', faults: {{{MOVED}: authoritative}}"
"""Plesk's own name server, with the zone from before the move."""


def a_server_that_asks(resolver: str) -> str:
    """Return a world with one moved name, and what its server's own resolver sees otherwise."""
    return a_world().replace("    domains:\n", f"    resolver: {{{resolver}}}\n    domains:\n", 1)


def reasons(play: Play) -> dict[str, str]:
    """Return why the moved name is what it is, by code."""
    return {one["code"]: one["text"] for one in play.names(play.json("report"))[MOVED]["reasons"]}


def test_a_name_that_the_server_s_own_resolver_leads_back_is_held_by_every_command(staged: Staged) -> None:
    play = staged(a_server_that_asks(STALE))

    told = reasons(play)["own-resolver"]
    text = play.ok("report")
    play.ok("once", "--apply")
    why = play.ok("explain", MOVED)

    assert "leads its mail back here" in told
    assert "MX mail.web01.example" in told
    assert "own-resolver: 1 - let /etc/resolv.conf name a resolver without this zone" in text
    assert "mail from this server would bounce" in why
    assert play.writes() == []


def test_no_review_of_the_plan_turns_it_off(staged: Staged) -> None:
    play = staged(a_server_that_asks(STALE))

    document = play.json("report")
    play.ok("once", "--apply", "--plan", document["run"]["plan"])

    assert document["summary"]["on_review"] == 0
    assert play.writes() == []


@pytest.mark.parametrize("word", ["SERVFAIL", "REFUSED", "timeout"])
def test_a_name_that_the_server_s_own_resolver_cannot_tell_is_held(staged: Staged, word: str) -> None:
    play = staged(a_server_that_asks(f"faults: {{{MOVED}: {word}}}"))

    assert "no resolver of this server's own tells where its mail goes" in reasons(play)["own-resolver"]


@pytest.mark.parametrize("resolver", ["faults: {}", f"faults: {{{MOVED}: authoritative}}"])
def test_a_resolver_that_sees_what_the_public_sees_holds_nothing_even_with_authority(
    staged: Staged, resolver: str
) -> None:
    play = staged(a_server_that_asks(resolver))

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


def test_once_the_zone_is_gone_the_name_is_turned_off(staged: Staged) -> None:
    play = staged(a_server_that_asks(STALE))
    play.ok("once", "--apply")
    play.stage.own_resolver("web01").replace(play.stage.records)

    play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off")]


@pytest.fixture
def bouncing(staged: Staged) -> Play:
    """Return a server that was made to ask a stale zone when the moved name was off already."""
    play = staged(a_server_that_asks("faults: {}"))
    play.ok("once", "--apply")
    play.stage.own_resolver("web01").replace(overlay(play.stage.records, ZONE))
    return play


def test_a_name_that_is_off_already_is_turned_on_again_before_more_of_its_mail_bounces(bouncing: Play) -> None:
    play = bouncing

    play.ok("once", "--apply")
    play.ok("once", "--apply")
    history = play.ok("history", MOVED)

    assert play.writes() == [(MOVED, "off"), (MOVED, "on")]
    assert "leads its mail back here" in history
    assert "own-resolver" in reasons(play)


def test_in_mode_report_it_stays_off_and_alerts_and_the_status_say_so(bouncing: Play) -> None:
    play = bouncing

    document = play.json("once")
    code, out, _ = play.run("status")

    alerts = {one["code"]: one for one in document["alerts"]}
    assert alerts["bounced-here"]["name"] == MOVED
    assert "led back here by this server's own resolver" in alerts["bounced-here"]["text"]
    assert "this server's own mail to it bounces" in alerts["mail-refused"]["text"]
    assert "1 name is still off by mailswitch and should be on" in out
    assert (code, play.switch(MOVED)) == (1, "off")


def test_once_the_resolver_is_mended_a_review_turns_it_off_again_within_the_week(bouncing: Play) -> None:
    play = bouncing
    play.ok("once", "--apply")
    play.stage.own_resolver("web01").replace(play.stage.records)

    play.ok("once", "--apply")
    held = reasons(play)
    play.ok("once", "--apply", "--plan", play.json("report")["run"]["plan"])

    assert "flapping" in held
    assert play.writes() == [(MOVED, "off"), (MOVED, "on"), (MOVED, "off")]


def test_doctor_warns_of_the_same_resolver(staged: Staged) -> None:
    play = staged(a_server_that_asks(STALE))

    _, out, _ = play.run("doctor")

    assert "own resolver 127.0.0" in out
    assert f"serves zones of names hosted here ({MOVED})" in out


def test_a_broken_zone_of_a_server_s_resolver_is_told_with_its_place(staged: Staged) -> None:
    with pytest.raises(ConfigError, match=r"servers\[0\]\.resolver\.dns"):
        staged(a_server_that_asks("dns: 'moved0.example. 3600 IN MX ten mail.'"))


def test_nobody_is_asked_about_names_that_stay_as_they_are(staged: Staged) -> None:
    play = staged(a_server_that_asks(STALE))
    play.ok("report")

    asked = {name for name, _ in play.stage.own_resolver("web01").queries}

    assert asked == {MOVED, "mail.web01.example"}
