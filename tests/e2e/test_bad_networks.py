"""Whole passes through networks that lose, delay, reorder, cut off, forge and limit: the right route, or none.

What must never come of it is a domain that seems to have no MX, or a change that a calm network would not have led to.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailswitch.core.traffic import Stray
from mailswitch.simulation.certificates import authority, issued, server_context
from tests.support.bad_network import NETWORKS, Network, between, limiting, losing, silent, truncating
from tests.support.stream_dns import StreamDNS, answering
from tests.support.worlds import Play, Staged, a_world

_DOMAINS = """\
      - {name: implicit.example, mail: on, created: 2015-05-05}
      - {name: nullmx.example, mail: on, created: 2015-05-05}
      - {name: gone.example, mail: on, created: 2015-05-05}
      - {name: dangling.example, mail: on, created: 2015-05-05}
"""
_DNS = """\
  implicit.example. 3600 IN A 203.0.113.10
  nullmx.example. 3600 IN MX 0 .
  dangling.example. 3600 IN MX 10 nowhere.example.
"""
_TAIL = (
    "config: {confirm: {sightings: 1, window: 0s, unknown_provider_window: 0s},"
    " limits: {share: 1.0, unknown_share: 1.0}, dns: {timeout: 1s, tries: 6, rate: 2000}}\n"
)
WORLD = a_world(moved=3, here=6, unknown=1, domains=_DOMAINS, dns=_DNS, tail=_TAIL)


@pytest.fixture
def staged(staged_for_each_codec: Staged) -> Staged:
    """Each network here is passed with replies read in either way."""
    return staged_for_each_codec


@pytest.fixture
def play(staged: Staged) -> Play:
    return staged(WORLD)


def routes(play: Play) -> dict[str, str]:
    code, out, err = play.run("report", "--format", "json")
    assert code in {0, 1}, err  # 1: not one name that is on is seen to route here
    return {name: entry["route"] for name, entry in play.names(json.loads(out)).items()}


@pytest.fixture
def truth(staged: Staged) -> dict[str, str]:
    """The routes that a calm network leads to."""
    found = routes(staged(WORLD))
    assert set(found.values()) == {"elsewhere", "here", "implicit-here", "no-mail", "no-domain", "dangling"}
    return found


def everywhere(network: Network) -> dict[str, Network]:
    return dict.fromkeys("abc", network)


def impatient(play: Play) -> None:
    """Have a world's program ask once and no more, where nothing would come of more."""
    play.edit_config("tries: '6'", "tries: 1")


@pytest.mark.parametrize("kind", NETWORKS)
def test_what_a_network_does_to_packets_changes_no_route(play: Play, truth: dict[str, str], kind: str) -> None:
    with between(play, **everywhere(NETWORKS[kind])):
        assert routes(play) == truth


@pytest.mark.parametrize("name", "abc")
def test_truncation_changes_no_route(play: Play, truth: dict[str, str], name: str) -> None:
    with truncating(play, name) as streams:
        assert routes(play) == truth
        assert streams.queries > 0


def test_heavy_loss_leaves_the_right_route_or_none(play: Play, truth: dict[str, str]) -> None:
    impatient(play)
    with between(play, **everywhere(losing(0.6))):
        found = routes(play)

    assert {name: route for name, route in found.items() if route not in {truth[name], "unknown"}} == {}
    assert "unknown" in found.values()


def test_one_dead_vantage_leaves_every_route_to_the_others(play: Play, truth: dict[str, str]) -> None:
    play.stage.vantage("b").close()

    assert routes(play) == truth


def test_two_dead_vantages_leave_what_needs_no_quorum_and_say_what_is_missing(
    play: Play, truth: dict[str, str]
) -> None:
    impatient(play)
    with between(play, b=silent(), c=silent()):
        document = play.json("report")

    found = {name: entry["route"] for name, entry in play.names(document).items()}
    assert {name: route for name, route in found.items() if route not in {truth[name], "unknown"}} == {}
    assert {found[f"moved{number}.example"] for number in range(3)} == {"unknown"}
    (text,) = [alert["text"] for alert in document["alerts"] if alert["code"] == "lookups-incomplete"]
    assert "b left" in text
    assert "c left" in text
    assert text.endswith("look at the vantages with mailswitch doctor")


def test_moved_names_are_turned_off_all_the_same_where_a_quorum_is_left(play: Play) -> None:
    play.stage.vantage("b").close()

    play.run("once", "--apply")

    assert sorted(play.writes()) == [(f"moved{number}.example", "off") for number in range(3)]


def test_no_vantage_at_all_means_no_route_at_all_and_no_change(play: Play) -> None:
    impatient(play)
    with between(play, **everywhere(silent())):
        document = play.json("once", "--apply", code=0)

    assert {entry["route"] for entry in play.names(document).values()} == {"unknown"}
    assert play.writes() == []
    (text,) = [alert["text"] for alert in document["alerts"] if alert["code"] == "lookups-incomplete"]
    assert text.startswith("14 of 14 names are unknown")
    assert all(f"{name} left" in text for name in "abc")


def test_a_vantage_that_limits_its_rate_is_slowed_down_for_and_answers(play: Play, truth: dict[str, str]) -> None:
    with between(play, **everywhere(limiting(50, 5))):
        assert routes(play) == truth


def test_a_sweep_ends_with_its_deadline_and_says_what_is_missing(play: Play) -> None:
    play.edit_config("timeout: 1s", "timeout: 1s\n  deadline: 1s")
    began = time.monotonic()
    with between(play, **everywhere(silent())):
        document = play.json("report")

    assert time.monotonic() - began < 10  # without it six tries of a second each, twice
    assert {entry["route"] for entry in play.names(document).values()} == {"unknown"}
    (text,) = [alert["text"] for alert in document["alerts"] if alert["code"] == "lookups-incomplete"]
    assert "had no time any more: dns.deadline, dns.rate" in text
    reasons = [reason["text"] for entry in play.names(document).values() for reason in entry["reasons"]]
    assert any("the sweep's deadline of 0:00:01 passed" in text for text in reasons)


@pytest.fixture
def counted(play: Play, tmp_path: Path) -> Play:
    """A world whose metrics are written to a file."""
    with play.config_path.open("a", encoding="utf-8") as file:
        file.write(f"metrics: {{textfile: {tmp_path / 'mailswitch.prom'}}}\n")
    return play


def samples(path: Path) -> dict[tuple[str, ...], float]:
    text = path.read_text(encoding="utf-8")
    return {
        (sample.name, sample.labels.get("vantage", ""), *filter(None, [sample.labels.get("kind")])): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_forged_answers_change_nothing_and_are_counted_by_vantage_and_kind(counted: Play, tmp_path: Path) -> None:
    with between(counted, **everywhere(NETWORKS["forges"])):
        document = counted.json("once", "--apply", code=0)

    found = samples(tmp_path / "mailswitch.prom")
    kinds = (Stray.UNKNOWN_ID, Stray.OTHER_QUESTION, Stray.OTHER_CASE, Stray.MALFORMED, Stray.OTHER_NAMES, Stray.LATE)
    assert {name for name, _ in counted.writes()} == {f"moved{number}.example" for number in range(3)}
    assert [
        (vantage, kind) for vantage in "abc" for kind in kinds
        if not found["mailswitch_lookup_strays_total", vantage, kind.value]
    ] == []  # fmt: skip
    assert found["mailswitch_lookup_unmatched_datagrams_total", ""] >= len(counted.names(document))


def test_lost_packets_are_counted_and_the_pace_is_told(counted: Play, tmp_path: Path) -> None:
    with between(counted, a=losing(0.2), c=losing(0.3)):
        counted.run("once", "--apply")

    found = samples(tmp_path / "mailswitch.prom")
    assert found["mailswitch_lookup_retries_total", "a"] > 0
    assert found["mailswitch_lookup_timeouts_total", "a"] > 0
    assert found["mailswitch_lookup_timeouts_total", "c"] > found["mailswitch_lookup_timeouts_total", "b"] == 0
    assert found["mailswitch_vantage_given_up", "c"] == 0
    assert 0 < found["mailswitch_vantage_rate", "b"] <= 2000
    assert found["mailswitch_vantage_round_trip_seconds", "b"] > 0


# ---- over TLS


def over_tls(play: Play, name: str, stack: ExitStack, folder: Path, *, bears: str) -> StreamDNS:
    """Have a vantage asked over TLS, by a name."""
    server = play.stage.vantage(name)
    ca = authority()
    (folder / "ca.pem").write_bytes(ca.identity.certificate_pem)
    context = server_context(issued(ca, bears).write(folder / "server.pem"))

    def whole(query: bytes) -> bytes:
        answer = server.answer(query, over_tcp=True)
        assert answer is not None
        return answer

    streams = stack.enter_context(StreamDNS(answering(whole), context))
    play.edit_config(
        f"{server.address}:{server.port}",
        f"tls://{server.address}:{streams.port}\n    tls: {{ca_file: '{folder}/ca.pem', server_name: dns.example.net}}",
    )
    return streams


def test_vantages_over_tls_and_udp_find_the_same_routes(play: Play, truth: dict[str, str], tmp_path: Path) -> None:
    with ExitStack() as stack:
        streams = over_tls(play, "b", stack, tmp_path, bears="dns.example.net")

        assert routes(play) == truth
        assert streams.queries > 0
        assert play.stage.vantage("a").queries


def test_a_vantage_with_another_s_certificate_is_asked_nothing_and_told(play: Play, tmp_path: Path) -> None:
    with ExitStack() as stack:
        streams = over_tls(play, "b", stack, tmp_path, bears="dns.example.org")
        document = play.json("report")
        code, out, _ = play.run("doctor")

        assert streams.queries == 0
        assert code == 1
    assert play.stage.vantage("b").queries[("moved0.example", "MX")] == 0
    assert document["summary"]["domains"] == 14
    assert "set tls.server_name, tls.ca_file or tls.fingerprint_sha256" in " ".join(out.split())
