"""The last opinion before a change: real name servers beside a world's resolvers, from the configuration to the report.

The root holds all of the world's names itself. Its servers listen at port 53, as hints name none, so this needs root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.real_dns import Net, Server
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

pytestmark = [pytest.mark.dns_servers, pytest.mark.root]

MOVED = "moved0.example"
ELSEWHERE = f"{MOVED}. 3600 IN MX 10 aspmx.l.google.com.\n"
HERE = f"{MOVED}. 3600 IN MX 10 mail.web01.example.\n"
ROOT = ". 300 SOA a.root.example. admin.root.example. 1 3600 600 86400 120\n. 300 NS a.root.example.\n"
HOSTS = "mail.web01.example. 3600 IN A 203.0.113.10\naspmx.l.google.com. 300 IN A 192.0.2.26\n"

Serving = Callable[..., AbstractContextManager[Net]]


@pytest.fixture
def world() -> str:
    return a_world()


@pytest.fixture
def play(staged: Staged, world: str) -> Play:
    return staged(world)


@pytest.fixture
def serving(tmp_path: Path, play: Play) -> Serving:
    """Sets up a root whose two servers say this about the moved name, and has the program ask it."""
    (tmp_path / "net").mkdir()
    net = Net(tmp_path / "net", port=53)
    hints = tmp_path / "named.root"
    hints.write_text(net.hints, encoding="ascii")

    @contextmanager
    def set_up(*said: str, authoritative: str = "prefer") -> Iterator[Net]:
        play.edit_config("authoritative: 'off'", f"authoritative: {authoritative}\n  root_hints: {hints}")
        servers = [
            Server(numbers=(number,), zones={".": ROOT + HOSTS + records}) for number, records in enumerate(said, 1)
        ]
        with net.serving(servers):
            yield net

    return set_up


def opinion(play: Play) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the domain and the last opinion that ``explain`` shows."""
    document = play.json("explain", MOVED)
    return document["domain"], document["opinions"][-1]


def test_the_domain_s_own_servers_are_a_vantage_in_explain_and_in_the_evidence(play: Play, serving: Serving) -> None:
    with serving(ELSEWHERE, ELSEWHERE):
        domain, last = opinion(play)
        text = play.ok("explain", MOVED)
        play.ok("once", "--apply")

    assert (last["vantage"], last["operator"], last["route"]) == (
        "authoritative",
        "the domain's own servers",
        "elsewhere",
    )
    assert (domain["route"], domain["vantages"]) == ("elsewhere", 4)
    assert "authoritative  (the domain's own servers)  elsewhere  MX aspmx.l.google.com" in text
    assert play.writes() == [(MOVED, "off")]
    (change,) = play.json("history")["changes"]
    assert "authoritative" in [one["vantage"] for one in change["evidence"]["vantages"]]


def test_a_name_server_may_be_this_very_machine(play: Play, serving: Serving) -> None:
    with serving(ELSEWHERE, ELSEWHERE) as net:
        ours = f"[{net.address(1)}, {net.address(2)}]"
        play.edit_config("  mail_log: 'off'\n", f"  mail_log: 'off'\n  local: {{addresses: {ours}}}\n")
        domain, last = opinion(play)

    assert (domain["route"], last["route"]) == ("elsewhere", "elsewhere")


@pytest.mark.parametrize("authoritative", ["prefer", "require"])
def test_mail_that_comes_here_by_the_domain_s_own_word_is_not_turned_off(
    play: Play, serving: Serving, authoritative: str
) -> None:
    with serving(HERE, HERE, authoritative=authoritative):
        domain, last = opinion(play)
        play.ok("once", "--apply")

    assert (domain["route"], last["route"]) == ("unknown", "here")
    assert play.writes() == []


def test_doctor_tells_whether_the_root_answers(play: Play, serving: Serving) -> None:
    with serving(ELSEWHERE, ELSEWHERE):
        found = play.ok("doctor")
    silent = play.ok("doctor")

    assert "2 of 2 root servers answer: name servers can be asked directly" in found
    assert "the domains' own name servers give no last opinion" in silent


BROKEN = {
    "disagree": (ELSEWHERE, HERE),
    "unreachable": (ELSEWHERE,),
    "nobody": (),
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_where_they_give_no_answer_the_quorum_decides(play: Play, serving: Serving, said: tuple[str, ...]) -> None:
    with serving(*said):
        domain, last = opinion(play)
        play.ok("once", "--apply")

    assert (domain["route"], last["route"]) == ("elsewhere", "unknown")
    assert play.writes() == [(MOVED, "off")]


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_where_their_word_is_required_nothing_is_turned_off_without_it(
    play: Play, serving: Serving, said: tuple[str, ...]
) -> None:
    with serving(*said, authoritative="require"):
        domain, _ = opinion(play)
        out = play.ok("explain", MOVED)
        play.ok("once", "--apply")

    assert domain["route"] == "unknown"
    assert "not confirmed as required (authoritative: no answer about MX: " in out
    assert play.writes() == []


def failing(*vantages: str) -> str:
    """Return a world in which these of three vantages cannot answer for the name: its signatures may be broken."""
    lines = "".join(
        f"  - {{name: {name}, faults: {{{MOVED}: SERVFAIL}}}}\n" if name in vantages else f"  - {{name: {name}}}\n"
        for name in "abc"
    )
    return a_world(tail=AT_ONCE.replace("}}", "}, limits: {unknown_share: 100%}}")) + "vantages:\n" + lines


@pytest.mark.parametrize(("world", "writes"), [(failing("a", "b"), [(MOVED, "off")]), (failing("a", "b", "c"), [])])
def test_they_count_as_one_of_the_quorum_and_are_none_alone(
    play: Play, serving: Serving, writes: list[tuple[str, str]]
) -> None:
    with serving(ELSEWHERE, ELSEWHERE):
        for _ in "abc":  # each has its turn to be asked first
            play.ok("once", "--apply")

    assert play.writes() == writes


def test_what_comes_back_is_turned_on_whatever_they_say(play: Play, serving: Serving) -> None:
    play.ok("once", "--apply")
    play.stage.change_dns(HERE)

    with serving(authoritative="require"):
        play.ok("once", "--apply")

    assert play.writes() == [(MOVED, "off"), (MOVED, "on")]


def test_they_are_not_asked_about_names_that_stay_as_they_are(play: Play, serving: Serving, tmp_path: Path) -> None:
    play.edit_config("mode: report", f"mode: report\nmetrics: {{textfile: {tmp_path / 'mailswitch.prom'}}}")
    with serving(ELSEWHERE, ELSEWHERE):
        play.ok("once")

    counted = (tmp_path / "mailswitch.prom").read_text(encoding="utf-8")
    asked = [line for line in counted.splitlines() if "last_pass_lookups" in line and 'vantage="authoritative"' in line]
    # The root for com and example; both its servers for the one name that moved, and its exchange's A and AAAA.
    assert [line.rpartition(" ")[2] for line in asked if 'result="answered"' in line] == ["10.0"]
