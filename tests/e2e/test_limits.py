"""Limits in front of turn-offs: what is refused, what the refusal says, and what passes it."""

from __future__ import annotations

import re

import pytest

from mailswitch.core.domain import Switch
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

SHARE = 3


def with_limits(limits: str) -> str:
    """Return the end of a world with these limits, whose configuration needs no confirmation."""
    return AT_ONCE.replace("config: {", f"config: {{limits: {{{limits}}}, ")


def plan_command(out: str) -> list[str]:
    """Return the arguments of the command that a refusal says passes it."""
    (command,) = set(re.findall(r"mailswitch (once --apply --plan [0-9a-f]{16})", out))
    return str(command).split()


@pytest.fixture
def moved_at_once(staged: Staged) -> Play:
    """A server with 300 names, 30 of which moved on one day: as many as the share allows, more than the number."""
    return staged(a_world(moved=30, here=270))


def test_thirty_names_at_once_are_refused_and_nothing_is_written(moved_at_once: Play) -> None:
    code, out, _ = moved_at_once.run("once", "--apply")

    assert code == 3
    assert moved_at_once.writes() == []
    assert "turning off 30 switches is more than limits.changes allows: 20" in out
    assert "Due to be turned off, but a limit stands in front: 30" in out
    assert out.count("limits.changes allows") == 1
    assert moved_at_once.json("history")["changes"] == []


def test_the_command_a_refusal_names_applies_all_of_it(moved_at_once: Play) -> None:
    _, out, _ = moved_at_once.run("once", "--apply")

    moved_at_once.ok(*plan_command(out))

    assert len(moved_at_once.writes()) == 30
    assert moved_at_once.run("once", "--apply")[0] == 0


def test_the_dry_run_shows_the_limit_and_the_same_command(moved_at_once: Play) -> None:
    code, out, _ = moved_at_once.run("report")

    assert code == 0
    assert "Due to be turned off, but a limit stands in front: 30" in out
    moved_at_once.ok(*plan_command(out))
    assert len(moved_at_once.writes()) == 30


def test_a_refused_name_is_told_in_the_documents(moved_at_once: Play) -> None:
    document = moved_at_once.json("once", "--apply", code=3)

    entry = moved_at_once.names(document)["moved0.example"]
    assert entry["outcome"] == "refused"
    assert "limits.changes" in entry["error"]
    assert document["summary"]["done"] == 0
    alerts = [alert for alert in document["alerts"] if alert["code"] == "limits.changes"]
    assert [alert["server"] for alert in alerts] == ["web01"]


def test_status_tells_of_a_refused_pass(moved_at_once: Play) -> None:
    moved_at_once.run("once", "--apply")

    code, out, _ = moved_at_once.run("status")

    assert code == 1
    assert "limits.changes" in out


def test_the_share_is_never_less_than_three(staged: Staged) -> None:
    three = staged(a_world(moved=3, here=5))
    three.ok("once", "--apply")
    assert len(three.writes()) == SHARE

    four = staged(a_world(moved=4, here=5))
    code, out, _ = four.run("once", "--apply")
    assert code == 3
    assert "turning off 4 switches is more than limits.share allows: 3 (10% of 9 names, never less than 3)" in out
    assert four.writes() == []


def test_limits_count_the_last_24_hours(staged: Staged) -> None:
    play = staged(a_world(moved=2, here=8))
    play.ok("once", "--apply")
    play.stage.change_dns(
        "here0.example. 60 IN MX 1 aspmx.l.google.com.\nhere1.example. 60 IN MX 1 aspmx.l.google.com.\n"
    )

    code, out, _ = play.run("once", "--apply")

    assert code == 3
    assert "turning off 2 switches with 2 in the last 24 hours is more than limits.share allows: 3" in out
    assert len(play.writes()) == 2


def test_what_was_reviewed_does_not_count(staged: Staged) -> None:
    play = staged(a_world(moved=6, here=8))
    play.ok("once", "--apply", "--plan", play.json("report")["run"]["plan"])
    play.stage.change_dns("here0.example. 60 IN MX 1 aspmx.l.google.com.\n")

    play.ok("once", "--apply")

    assert play.writes()[-1] == ("here0.example", "off")


def test_turn_ons_pass_every_limit(staged: Staged) -> None:
    play = staged(a_world(moved=30, here=10))
    play.ok("once", "--apply", "--plan", play.json("report")["run"]["plan"])
    back = "".join(f"moved{number}.example. 60 IN MX 1 mail.web01.example.\n" for number in range(30))
    play.stage.change_dns(back + "here0.example. 60 IN MX 1 aspmx.l.google.com.\n")

    play.ok("once", "--apply")

    assert sorted(play.writes()[30:-1]) == sorted((f"moved{number}.example", "on") for number in range(30))
    assert play.writes()[-1] == ("here0.example", "off")


def test_names_nobody_may_host_are_neither_stopped_nor_counted(staged: Staged) -> None:
    names = ("gmail.com", "outlook.com", "yahoo.com")
    domains = "".join(f"      - {{name: {name}, mail: on}}\n" for name in names)
    dns = "".join(f"  {name}. 60 IN MX 1 aspmx.l.google.com.\n" for name in names)
    play = staged(a_world(moved=3, here=5, domains=domains, dns=dns))

    document = play.json("once", "--apply")

    assert document["summary"]["done"] == 6
    assert [alert["name"] for alert in document["alerts"] if alert["code"] == "never-local"] == list(names)


def test_names_nobody_may_host_pass_where_others_are_refused(staged: Staged) -> None:
    domains = "      - {name: gmail.com, mail: on}\n"
    play = staged(
        a_world(moved=1, here=5, domains=domains, dns="  gmail.com. 60 IN MX 1 aspmx.l.google.com.\n",
                tail=with_limits("changes: 0"))
    )  # fmt: skip

    code, _, _ = play.run("once", "--apply")

    assert code == 3
    assert play.writes() == [("gmail.com", "off")]


def test_the_configured_number_is_what_counts(staged: Staged) -> None:
    play = staged(a_world(moved=2, here=5, tail=with_limits("changes: 1")))

    assert "limits.changes allows: 1" in play.run("once", "--apply")[1]
    assert play.writes() == []


def faulty(*names: str) -> str:
    """Return vantages none of which answers about these names."""
    faults = ", ".join(f"{name}.example: SERVFAIL" for name in names)
    return "vantages:\n" + "".join(f"  - {{name: {one}, faults: {{{faults}}}}}\n" for one in "abc")


def test_nothing_is_turned_off_in_a_first_pass_where_vantages_fail(staged: Staged) -> None:
    play = staged(a_world(moved=1, here=8) + faulty(*(f"here{number}" for number in range(6))))

    code, out, _ = play.run("once", "--apply")

    assert code == 3
    assert play.writes() == []
    assert "limits.unknown_share" in out


def test_nothing_is_turned_off_where_many_names_became_unknown(staged: Staged) -> None:
    play = staged(a_world(moved=0, here=10))
    play.ok("once", "--apply")
    for name in "abc":
        vantage = play.stage.vantage(name)
        vantage.close()
    play.stage.change_dns("here0.example. 60 IN MX 1 aspmx.l.google.com.\n")

    code, out, _ = play.run("once", "--apply")

    assert (code, play.writes()) == (0, [])
    assert "unknown: 10" in out
    assert "limits.unknown_share" in out
    assert "pass the limit" not in out  # there is nothing to pass
    assert play.run("status")[0] == 1


def test_too_many_unknown_names_refuse_what_is_due(staged: Staged) -> None:
    play = staged(a_world(moved=0, here=10))
    play.ok("once", "--apply")
    broken = "".join(f"here{number}.example. 60 IN MX 1 broken{number}.example.\n" for number in range(1, 4))
    play.stage.change_dns(broken + "here0.example. 60 IN MX 1 aspmx.l.google.com.\n")
    assert play.json("once", "--apply")["summary"]["done"] == 1  # dangling exchanges are no unknown routes

    again = staged(a_world(moved=0, here=10) + faulty("broken"))
    again.ok("once", "--apply")
    broken = "".join(f"here{number}.example. 60 IN MX 1 broken.example.\n" for number in range(1, 4))
    again.stage.change_dns(broken + "here0.example. 60 IN MX 1 aspmx.l.google.com.\n")

    code, out, _ = again.run("once", "--apply")

    assert (code, again.writes()) == (3, [])
    assert "3 of 10 names with a known route are unknown now, more than limits.unknown_share allows: 20%" in out


def test_a_shrunken_inventory_refuses_turn_offs(staged: Staged) -> None:
    play = staged(a_world(moved=1, here=20, tail=AT_ONCE.replace("sightings: 1", "sightings: 2")))
    play.ok("once", "--apply")
    for number in range(10, 20):
        play.stage.panel("web01").remove(f"here{number}.example")

    code, out, _ = play.run("once", "--apply")

    assert (code, play.writes()) == (3, [])
    assert "the panel lists only 11 names where it had 21" in out


def test_an_emptied_inventory_is_told(staged: Staged) -> None:
    play = staged(a_world(moved=0, here=3))
    play.ok("once", "--apply")
    for number in range(3):
        play.stage.panel("web01").remove(f"here{number}.example")

    _, out, _ = play.run("once", "--apply")

    assert "lists no names where it had 3" in out


def test_a_few_removed_names_are_no_shrinking(staged: Staged) -> None:
    play = staged(a_world(moved=1, here=20, tail=AT_ONCE.replace("sightings: 1", "sightings: 2")))
    play.ok("once", "--apply")
    for number in range(5):
        play.stage.panel("web01").remove(f"here{number}.example")

    play.ok("once", "--apply")

    assert play.writes() == [("moved0.example", "off")]


def test_a_reviewed_plan_passes_a_shrunken_inventory(staged: Staged) -> None:
    play = staged(a_world(moved=1, here=20, tail=AT_ONCE.replace("sightings: 1", "sightings: 2")))
    play.ok("once", "--apply")
    for number in range(10, 20):
        play.stage.panel("web01").remove(f"here{number}.example")
    _, out, _ = play.run("once", "--apply")

    play.ok(*plan_command(out))

    assert play.writes() == [("moved0.example", "off")]


def test_a_server_whose_own_addresses_must_be_incomplete_is_refused(staged: Staged) -> None:
    play = staged(a_world(moved=6, here=0))

    code, out, _ = play.run("once", "--apply")

    assert (code, play.writes()) == (1, [])
    assert "ours-incomplete" in out
    assert "local.addresses" in out


def test_a_server_confirmed_in_the_configuration_is_believed(staged: Staged) -> None:
    tail = AT_ONCE.replace(
        "config: {", "config: {limits: {share: 1}, servers: [{name: web01, local: {confirmed: true}}], "
    )
    play = staged(a_world(moved=6, here=0, tail=tail))

    play.ok("once", "--apply")

    assert len(play.writes()) == 6
    assert play.stage.panel("web01").switch_of("moved0.example") is Switch.OFF
