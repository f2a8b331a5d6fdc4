"""The ``local`` panel beside ``xml-api``, and what an inventory of 2,000 domains costs on either."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

DOMAINS = 2_000
CHUNK = 250
KINDS = """\
      - {name: addon.example, kind: addon, of: here0.example, mail: on}
      - {name: sub.here0.example, kind: subdomain, of: here0.example, mail: on}
      - {name: alias.example, kind: alias, of: here0.example, mail: on}
      - {name: bücher.example, mail: on}
      - {name: unset.example, mail: not-configured}
      - {name: suspended.example, mail: on, status: 16}
"""
MOVED_KINDS = "".join(
    f"  {name}.example. 60 IN MX 1 aspmx.l.google.com.\n"
    for name in ("addon", "sub.here0", "alias", "xn--bcher-kva", "unset", "suspended")
)


def on_panel(panel: str, text: str) -> str:
    """Return the world with its server's panel spoken to in this way."""
    return text.replace("  - name: web01\n", f"  - name: web01\n    panel: {panel}\n", 1)


def every_kind(panel: str) -> str:
    """Return a world with hosted names of every kind, all of which moved."""
    tail = AT_ONCE.replace("config: {", "config: {limits: {share: 1}, ")
    return on_panel(panel, a_world(moved=1, here=8, domains=KINDS, dns=MOVED_KINDS, tail=tail))


def many(panel: str) -> str:
    """Return a world with as many domains as the specification counts calls for; all were turned off long ago."""
    domains = "".join(f"      - {{name: d{number}.example, mail: off}}\n" for number in range(DOMAINS - 1))
    tail = (
        AT_ONCE.replace("config: {", "config: {servers: [{name: web01, chunk: 250}], ")
        if panel == "xml-api"
        else AT_ONCE
    )
    return on_panel(panel, a_world(moved=0, here=1, domains=domains, tail=tail))


def operations(play: Play) -> Counter[str]:
    """Return what the panel was asked, counted."""
    return Counter(name for request in play.stage.panel("web01").requests() for name in request.operations)


def told(play: Play) -> list[dict[str, object]]:
    """Return what a dry run says, without what names the way to the panel."""
    return [entry for server in play.json("report")["servers"] for entry in server["domains"]]


def test_both_panels_lead_to_the_same_report(staged: Staged) -> None:
    by_xml, by_plesk = staged(every_kind("xml-api")), staged(every_kind("local"))

    # Where a suspension shows in the mail service's own row, plesk db does not tell it from an off (section 6).
    of_xml, of_plesk = ({str(entry.pop("name")): entry for entry in told(play)} for play in (by_xml, by_plesk))
    assert (of_xml.pop("suspended.example")["switch"], of_plesk.pop("suspended.example")["switch"]) == ("on", "unknown")
    assert of_xml == of_plesk


@pytest.mark.parametrize("panel", ["xml-api", "local"])
def test_every_kind_of_name_is_turned_off_and_on_again(staged: Staged, panel: str) -> None:
    play = staged(every_kind(panel))
    moved = ["addon.example", "alias.example", "moved0.example", "sub.here0.example", "xn--bcher-kva.example"]

    document = play.json("once", "--apply")
    assert sorted(name for name, _ in play.writes()) == moved
    assert document["summary"]["done"] == len(moved)

    play.ok("revert", "--all")
    assert sorted(play.writes()[len(moved) :]) == [(name, "on") for name in moved]
    assert [play.switch(name) for name in ("unset.example", "suspended.example")] == ["not-configured", "on"]


def test_the_local_panel_writes_through_its_program_alone(staged: Staged) -> None:
    play = staged(every_kind("local"))

    play.ok("once", "--apply")

    assert {write.interface for write in play.stage.panel("web01").writes()} == {"bin"}
    assert {request.kind for request in play.stage.panel("web01").requests() if request.is_write} == {"bin"}
    assert play.stage.panel("web01").requests("xml") == ()


@pytest.mark.parametrize(
    ("fault", "on"), [(Fault.NOT_APPLIED, "write"), (Fault.ERROR, "write"), (Fault.SERVER_ERROR, "write")]
)
def test_a_write_that_fails_on_the_local_panel_has_failed(staged: Staged, fault: Fault, on: str) -> None:
    play = staged(on_panel("local", a_world()))
    play.stage.panel("web01").misbehave(Misbehaviour(fault=fault, on=on), times=1)

    code, out, _ = play.run("once", "--apply")

    assert code == 1
    assert "Failed: 1" in out
    assert play.switch("moved0.example") == "on"
    play.ok("once", "--apply")
    assert play.switch("moved0.example") == "off"


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.SERVER_ERROR, Fault.CUT_OFF])
def test_a_local_panel_that_cannot_be_read_ends_in_1(staged: Staged, fault: Fault) -> None:
    play = staged(on_panel("local", a_world()))
    play.stage.panel("web01").misbehave(Misbehaviour(fault=fault), times=None)

    code, out, _ = play.run("once", "--apply")

    assert code == 1
    assert "Servers that failed: 1" in out
    assert play.writes() == []


def test_a_program_that_is_not_there_is_told(staged: Staged) -> None:
    play = staged(on_panel("local", a_world()))
    (play.stage.directory / "panels" / "web01" / "plesk").unlink()

    code, out, _ = play.run("report")

    assert code == 1
    assert "plesk" in out


# ---- how often a panel is asked


def test_an_inventory_of_2000_domains_takes_few_calls_of_the_xml_api(staged: Staged) -> None:
    play = staged(many("xml-api"))

    document = play.json("report")

    assert document["summary"]["domains"] == DOMAINS
    assert len(play.stage.panel("web01").requests()) <= 2 + math.ceil(DOMAINS / CHUNK)
    assert operations(play)["mail/get_prefs"] == math.ceil(DOMAINS / CHUNK)


def test_an_inventory_of_2000_domains_takes_three_processes_of_the_local_panel(staged: Staged) -> None:
    play = staged(many("local"))

    document = play.json("report")

    assert document["summary"]["domains"] == DOMAINS
    assert len(play.stage.panel("web01").requests()) <= 3


def test_one_sweep_asks_one_vantage_about_most_names_and_each_exchange_once(staged: Staged) -> None:
    play = staged(a_world(moved=1, here=40))

    play.ok("report")

    asked = [play.stage.vantage(name).queries for name in "abc"]
    mx = Counter(question for one in asked for question in one.elements() if question[1] == "MX")
    assert mx["moved0.example", "MX"] == 3
    assert {mx[f"here{number}.example", "MX"] for number in range(40)} == {1}
    assert max(one["mail.web01.example", "A"] for one in asked) == 1
