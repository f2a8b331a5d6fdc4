"""World files: what they mean, and that every problem in one is told at once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from mailswitch.core.domain import Kind, Platform, Switch
from mailswitch.core.errors import ConfigError
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.simulation.first_day import first_day
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.public_dns import Fault as DnsFault
from mailswitch.simulation.world import DEFAULT_CREATED, DEFAULT_VANTAGES, World, WorldDomain
from mailswitch.simulation.world_file import (
    DomainSection,
    ServerSection,
    VantageSection,
    WorldSection,
    parse_world,
    read_world,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

DESIGN_EXAMPLE = """\
servers:
  - name: web01
    version: "18.0.61"
    addresses: [{private: 10.0.0.5, public: 203.0.113.10}, "2001:db8::10"]
    domains:
      - {name: moved.example, mail: on, created: 2021-04-01}            # kind: domain
      - {name: shop.moved.example, kind: subdomain, of: moved.example, mail: on}
      - {name: more.example, kind: addon, of: moved.example, mail: not-configured, status: 16}
      - {name: alias.example, kind: alias, of: moved.example, mail: on}
dns: |                                     # RFC 1035 master file with absolute names: the public truth
  moved.example. 3600 IN MX 1 aspmx.l.google.com.
vantages:                                  # optional; default three that tell the truth
  - {name: a}
  - name: b
    dns: "moved.example. 3600 IN MX 10 other.example."
    faults: {broken.example: SERVFAIL, slow.example: timeout}
config: {confirm: {sightings: 1, window: 0s}}   # optional, merged into the written configuration
"""

SMALL = """\
servers:
  - name: web01
    addresses: [203.0.113.10]
"""


def world(text: str) -> World:
    return parse_world(text, origin="w.yaml", now=NOW)


def hosted(text: str) -> tuple[WorldDomain, ...]:
    lines = "".join(f"      - {line}\n" for line in text.strip().splitlines())
    return world(SMALL + "    domains:\n" + lines).servers[0].domains


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        world(text)
    return raised.value.problems


def test_the_example_of_the_design_means_what_it_says() -> None:
    found = world(DESIGN_EXAMPLE)

    server = found.servers[0]
    assert [(d.name.text, d.kind, d.switch, d.status) for d in server.domains] == [
        ("moved.example", Kind.DOMAIN, Switch.ON, 0),
        ("shop.moved.example", Kind.SUBDOMAIN, Switch.ON, 0),
        ("more.example", Kind.ADDON, Switch.NOT_CONFIGURED, 16),
        ("alias.example", Kind.ALIAS, Switch.ON, 0),
    ]
    assert server.domains[0].created == date(2021, 4, 1)
    assert (server.addresses[0].address, server.addresses[0].public) == (address("10.0.0.5"), address("203.0.113.10"))
    assert server.addresses[1].public is None
    assert found.vantages[1].faults == {DomainName("broken.example"): "SERVFAIL", DomainName("slow.example"): "timeout"}
    assert (found.vantages[1].operator, found.config) == ("b", {"confirm": {"sightings": "1", "window": "0s"}})


def test_what_is_left_out_has_defaults() -> None:
    found = world(SMALL + "    domains: [{name: x.example}]\n")

    server = found.servers[0]
    assert (server.version, server.platform, server.panel) == ("18.0.61", Platform.LINUX, "xml-api")
    assert server.host_name == DomainName("web01.hoster.example")
    assert (server.domains[0].switch, server.domains[0].created) == (Switch.ON, DEFAULT_CREATED)
    assert (found.vantages, found.dns, found.config) == (DEFAULT_VANTAGES, "", {})


@pytest.mark.parametrize(
    ("written", "switch"),
    [
        ("on", Switch.ON), ("'on'", Switch.ON), ("yes", Switch.ON), ("True", Switch.ON),
        ("off", Switch.OFF), ('"off"', Switch.OFF), ("no", Switch.OFF), ("FALSE", Switch.OFF),
        ("not-configured", Switch.NOT_CONFIGURED),
    ],
)  # fmt: skip
def test_booleans_and_strings_mean_the_same_for_mail(written: str, switch: Switch) -> None:
    assert hosted(f"{{name: x.example, mail: {written}}}")[0].switch is switch


def test_created_may_be_relative_to_now() -> None:
    assert hosted("{name: x.example, created: -20d}")[0].created == date(2026, 11, 3)


@pytest.mark.parametrize(
    ("written", "ascii_name", "display"),
    [
        ("bücher.example", "xn--bcher-kva.example", "bücher.example"),
        ("BÜCHER.example", "xn--bcher-kva.example", "bücher.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", "bücher.example"),
        ("パン屋.example", "xn--odk8c277n.example", "パン屋.example"),
        ("xn--a.example", "xn--a.example", "xn--a.example"),
        ('"*.example.jp"', "*.example.jp", "*.example.jp"),
        ("_acme.example", "_acme.example", "_acme.example"),
    ],
)
def test_names_are_kept_as_a_labels_and_shown_as_u_labels(written: str, ascii_name: str, display: str) -> None:
    found = hosted(f"{{name: {written}}}")[0]

    assert (found.name.text, found.display) == (ascii_name, display)


def test_what_the_panel_shows_may_be_hostile() -> None:
    assert hosted('{name: x.example, display: "\\u202E<script>"}')[0].display == "\u202e<script>"


def test_panels_may_misbehave_from_the_start() -> None:
    text = SMALL + "    faults: [licence-expired, {fault: error, code: 1013, on: mail/set_prefs}]\n"

    assert world(text).servers[0].faults == (
        Misbehaviour(fault=Fault.LICENCE_EXPIRED),
        Misbehaviour(fault=Fault.ERROR, code=1013, on="mail/set_prefs"),
    )


def test_every_problem_is_told_at_once_with_its_line() -> None:
    found = problems(
        """\
servers:
  - name: web01
    addressen: [203.0.113.10]
    platform: beos
    domains:
      - {name: a.example, mail: maybe}
      - {name: a.example}
      - {name: b.example, kind: alias, of: c.example, mail: not-configured}
      - {name: no name, created: yesterday, status: many}
  - name: web01
    addresses: [not-an-address]
dns: |
  a.example. IN MX 10 mx.example.

  a.example. IN MX ten mx.example.
vantages:
  - {name: a, faults: {x.example: HICCUP}}
  - {name: b, dns: "relative IN A 192.0.2.1"}
config:
  confirm: {sightnings: 1}
  servers: [{name: web09}]
"""
    )

    told = "\n".join(found)
    for expected in (
        "w.yaml:3: servers[0].addressen: unknown key 'addressen' (did you mean 'addresses'?)",
        "w.yaml:4: servers[0].platform: 'beos' is not one of linux, windows",
        "w.yaml:6: servers[0].domains[0].mail: 'maybe' is not one of on, off, not-configured",
        "w.yaml:7: servers[0].domains[1].name: this server hosts 'a.example' already",
        "w.yaml:8: servers[0].domains[2].mail: an alias has mail on or off",
        "w.yaml:8: servers[0].domains[2].of: this server hosts no 'c.example'",
        "w.yaml:9: servers[0].domains[3].name: 'no name' is not a domain name",
        "w.yaml:9: servers[0].domains[3].created: 'yesterday' is no date",
        "w.yaml:9: servers[0].domains[3].status: a whole number is expected",
        "w.yaml:10: servers[1].name: there is a server 'web01' already",
        "w.yaml:11: servers[1].addresses[0]: 'not-an-address' is no IP address",
        "w.yaml:15: dns: ",
        "w.yaml:17: vantages[0].faults['x.example']",
        "w.yaml:18: vantages[1].dns: ",
        "w.yaml:20: config.confirm.sightnings: unknown key 'sightnings' (did you mean 'sightings'?)",
        "w.yaml:21: config.servers[0].name: this world has no server 'web09'",
    ):
        assert expected in told
    assert [int(problem.split(":")[1]) for problem in found] == sorted(int(problem.split(":")[1]) for problem in found)


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ("{name: a.example, of: b.example}", "a main domain belongs to nothing"),
        ("{name: a.example, kind: addon}", "what is this addon of?"),
        ("{name: a.example, kind: addon, of: a.exampla}", "this server hosts no 'a.exampla'"),
        ("{name: m.example}\n{name: a.example, kind: alias, of: n.example}", "did you mean 'm.example'?"),
        ("{name: m.example}\n{name: s.other.example, kind: subdomain, of: m.example}", "a name that ends with it"),
        (
            "{name: m.example}\n{name: x.example, kind: alias, of: m.example}\n"
            "{name: y.example, kind: addon, of: x.example}",
            "is of the kind alias, which has no addon",
        ),
        ("{name: a.example, kind: main}", "'main' is not one of domain, addon, subdomain, alias"),
        ("{name: .}", "is the root"),
        ("{name: a.example, created: -99999d}", "is no date"),
    ],
)
def test_what_cannot_be_is_said(domains: str, message: str) -> None:
    lines = "".join(f"      - {line}\n" for line in domains.splitlines())

    assert any(message in problem for problem in problems(SMALL + "    domains:\n" + lines))


def test_a_quorum_needs_two_operators() -> None:
    assert (
        "vantages of 2 operators" in problems(SMALL + "vantages: [{name: a, operator: x}, {name: b, operator: x}]")[0]
    )


def test_the_extras_of_a_server_are_checked_where_they_are_written() -> None:
    found = problems(SMALL + "config:\n  servers:\n    - name: web01\n      acept_full_off: true\n")

    assert found == (
        "w.yaml:7: config.servers[0].acept_full_off: unknown key 'acept_full_off' (did you mean 'accept_full_off'?)",
    )


@pytest.mark.parametrize("text", ["", "servers: []", "servers: web01", "just words", "- a\n- b", "servers: [null]"])
def test_what_is_no_world_is_a_configuration_error(text: str) -> None:
    assert problems(text)


def test_a_file_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_world(tmp_path / "no.yaml")


def test_the_first_day_has_the_numbers_it_promises() -> None:
    found = world(first_day())

    names = [domain.name.text for domain in found.servers[0].domains]
    assert len(names) == 400
    assert [sum(name.startswith(kind) for name in names) for kind in ("here", "moved", "own", "filtered")] == [
        250, 100, 40, 10,
    ]  # fmt: skip
    assert all(domain.created < date(2020, 1, 1) for domain in found.servers[0].domains)
    assert found.config == {}


DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "worlds.md").read_text(encoding="utf-8")


def test_the_documented_example_is_a_world() -> None:
    found = world(DOCUMENTATION.split("```yaml\n")[1].split("```")[0])

    assert [domain.display for domain in found.servers[0].domains][-1] == "bücher.example"
    assert [vantage.operator for vantage in found.vantages] == ["a", "Other", "c"]


@pytest.mark.parametrize("section", [WorldSection, ServerSection, DomainSection, VantageSection])
def test_every_key_is_documented(section: type[BaseModel]) -> None:
    assert [key for key in section.model_fields if f"`{key}`" not in DOCUMENTATION] == []


@pytest.mark.parametrize("word", [*Fault, *DnsFault])
def test_every_fault_is_documented(word: str) -> None:
    assert f"`{word}`" in DOCUMENTATION
