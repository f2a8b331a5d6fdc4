"""``explain``: everything about one name, for the support desk."""

from __future__ import annotations

import json
import unicodedata

import pytest

from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.worlds import Play, Staged, a_world

MOVED = "moved0.example"


def test_every_vantage_is_asked_and_shown(demo: Play) -> None:
    out = demo.ok("explain", "bakery.example")

    opinions = [line.split()[:2] for line in out.splitlines() if line.split()[:1] in (["alpha"], ["beta"], ["gamma"])]
    assert [name for name, _ in opinions] == ["alpha", "beta", "gamma"]
    assert out.count("here  MX mail.web01.hoster.example") == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("moved.example", "It is due, and mode report turns nothing off: mailswitch once --apply turns it off."),
        ("own-server.example", "mailswitch once --apply --plan applies it"),
        ("main-moved.example", "needed-by-alias"),
        ("suspended.example", "suspended"),
        ("arriving.example", "arriving"),
        ("windows-moved.example", "stops-sending"),
        ("www-only.example", "not-managed"),
        ("servfail.example", "SERVFAIL"),
        ("disagree.example", "disagree"),
        ("filter-in-front.example", "gateway"),
        ("off-but-here.example", "somebody else turned it off"),
        ("bakery.example", "it stays on while mail is routed here"),
        ("gmail.com", "gmail.com"),
        ("パン屋.example", "it stays on while mail is routed here"),
    ],
)
def test_it_says_why_and_what_happens_next(demo: Play, name: str, words: str) -> None:
    out = demo.ok("explain", name)

    assert words in out
    assert "What happens next" in out


def test_every_guard_is_listed_with_its_state(demo: Play) -> None:
    document = json.loads(demo.ok("explain", "own-server.example", "--format", "json"))

    assert document["schema"] == "mailswitch/explain/1"
    assert {guard["guard"] for guard in document["guards"]} == {
        "not-managed", "pinned", "suspended", "stops-sending", "needed-by-alias", "own-resolver", "still-receiving",
        "unknown-provider", "unconfirmed", "arriving", "re-enabled", "flapping", "approval",
    }  # fmt: skip
    assert {opinion["vantage"] for opinion in document["opinions"]} == {"alpha", "beta", "gamma"}
    assert document["next"]


def test_an_unknown_domain_is_a_usage_error(demo: Play) -> None:
    assert "nobody.example is not hosted on any server that was asked" in demo.complains(2, "explain", "nobody.example")


def test_a_silent_panel_that_may_host_it_is_a_failure(staged: Staged) -> None:
    play = staged(a_world())
    play.stage.panel("web01").misbehave(Misbehaviour(fault=Fault.WRONG_KEY), times=None)

    assert "cannot tell who hosts" in play.complains(1, "explain", MOVED)


def test_it_changes_and_records_nothing(staged: Staged) -> None:
    play = staged(a_world())

    play.ok("explain", MOVED)

    assert not any(request.is_write for request in play.stage.panel("web01").requests())
    assert not (play.stage.directory / "ledger.db").exists()


def test_it_knows_the_history_of_a_name(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once", "--apply")
    play.ok("pin", "*.example", "--reason", "freeze")

    out = play.ok("explain", MOVED)

    assert "turned off by us  yes (change #1)" in out
    assert "on -> off" in out
    assert "freeze" in out


def test_what_is_off_in_mode_report_is_not_said_to_be_turned_on_at_once(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once", "--apply")

    out = play.ok("explain", MOVED)

    assert "turned on at once" not in out
    assert "mode report turns nothing on" in out


def test_hostile_names_are_written_out(demo: Play) -> None:
    for name in ("hostile-display.example", "hostile-exchange.example", "=1+1.example"):
        out = demo.ok("explain", name)

        assert {c for c in out if unicodedata.category(c) in {"Cc", "Cf"}} <= {"\n"}, name


def test_each_server_that_hosts_it_explains(staged: Staged) -> None:
    play = staged(
        "servers:\n"
        "  - {name: web01, addresses: [203.0.113.10], domains: [{name: both.example}]}\n"
        "  - {name: web02, addresses: [203.0.113.20], domains: [{name: both.example}]}\n"
        "dns: |\n  both.example. 60 IN MX 1 mail.example.\n  mail.example. 60 IN A 203.0.113.10\n"
    )

    out = play.ok("explain", "both.example")
    assert "both.example, domain on web01" in out
    assert "both.example, domain on web02" in out

    assert "domain on web01" not in play.ok("explain", "both.example", "--server", "web02")


def test_a_name_on_two_servers_is_explained_for_both_and_as_json_for_one(staged: Staged) -> None:
    second = (
        "  - name: web02\n    version: '18.0.61'\n    addresses: ['203.0.113.20']\n    domains:\n"
        "      - {name: here0.example, mail: on}\n"
    )
    play = staged(a_world(domains=second))

    text = play.ok("explain", "here0.example")
    problem = play.complains(2, "explain", "here0.example", "--format", "json")
    document = play.json("explain", "here0.example", "--server", "web02")

    assert "here0.example, domain on web01" in text
    assert "here0.example, domain on web02" in text
    assert "--server" in problem
    assert document["server"] == "web02"


NAME_SERVERS = """\
  here0.example. 60 IN NS ns1.hoster.example.
  here0.example. 60 IN NS ns2.elsewhere.example.
  here1.example. 60 IN NS ns2.elsewhere.example.
  ns1.hoster.example. 60 IN A 203.0.113.10
  ns2.elsewhere.example. 60 IN A 192.0.2.53
"""


def test_it_tells_whose_name_servers_serve_the_zone(staged: Staged) -> None:
    sub = "      - {name: shop.here0.example, mail: on}\n"
    play = staged(a_world(domains=sub, dns=NAME_SERVERS))

    assert "ns1.hoster.example (this server), ns2.elsewhere.example (elsewhere)" in play.ok("explain", "here0.example")
    assert "(of the zone here0.example)" in play.ok("explain", "shop.here0.example")
    assert "none point here: ns2.elsewhere.example (elsewhere)" in play.ok("explain", "here1.example")
    assert "not known: neither here2.example nor a name above it" in play.ok("explain", "here2.example")


def test_a_vantage_that_fails_leaves_the_name_servers_to_the_next_and_all_of_them_to_nobody(staged: Staged) -> None:
    def vantages(*failing: str) -> str:
        faults = dict.fromkeys(failing, ", faults: {here0.example: SERVFAIL}")
        listed = [f"  - {{name: {name}, operator: {name}{faults.get(name, '')}}}\n" for name in ("alpha", "beta")]
        return "vantages:\n" + "".join(listed)

    one = staged(a_world(dns=NAME_SERVERS, tail=vantages("alpha")))
    every = staged(a_world(dns=NAME_SERVERS, tail=vantages("alpha", "beta")))

    told = one.json("explain", "here0.example")["usage"]["name_servers"]
    assert told == {
        "reason": None,
        "zone": "here0.example",
        "servers": [
            {"host": "ns1.hoster.example", "addresses": ["203.0.113.10"], "place": "here"},
            {"host": "ns2.elsewhere.example", "addresses": ["192.0.2.53"], "place": "elsewhere"},
        ],
        "left_out": 0,
    }
    assert every.json("explain", "here0.example")["usage"]["name_servers"] == {
        "reason": "alpha: SERVFAIL; beta: SERVFAIL",
        "zone": None,
        "servers": [],
        "left_out": 0,
    }


def test_a_pass_asks_for_no_name_servers(staged: Staged) -> None:
    play = staged(a_world(dns=NAME_SERVERS))

    play.ok("once")
    play.ok("report", "here0.example")

    asked = {kind for vantage in play.stage.world.vantages for _, kind in play.stage.vantage(vantage.name).queries}
    assert "MX" in asked
    assert "NS" not in asked
