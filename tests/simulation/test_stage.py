"""Whole worlds on loopback, with the configuration that the program is given."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from mailswitch.config.settings import load
from mailswitch.core.domain import Switch
from mailswitch.core.errors import ConfigError
from mailswitch.core.policy import Mode
from mailswitch.simulation.stage import Stage
from mailswitch.simulation.world_file import parse_world, read_world
from tests.support.agent import packet, post

DEMO = Path(__file__).parents[2] / "mailswitch" / "simulation" / "demo.yaml"

WORLD = """\
servers:
  - name: web01
    addresses: [203.0.113.10]
    domains: [{name: moved.example, mail: on}]
  - name: web02
    panel: local
    addresses: [203.0.113.20]
    domains: [{name: local.example, mail: off}]
dns: |
  moved.example. 3600 IN MX 1 aspmx.l.google.com.
  kept.example. 3600 IN MX 1 mx.kept.example.
vantages:
  - {name: a, operator: One}
  - {name: b, operator: Two, dns: "seen.example. 60 IN MX 5 b.example."}
config:
  mode: enforce
  dns: {quorum: 2}
  confirm: {sightings: 1, window: 0s}
  servers: [{name: web01, accept_full_off: on, local: {hosts: [in.example]}}]
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(parse_world(WORLD), tmp_path / "new" / "world") as running:
        yield running


def exchanges(stage: Stage, vantage: str, name: str) -> list[str]:
    query = dns.message.make_query(name, dns.rdatatype.MX)
    server = stage.vantage(vantage)
    reply = dns.query.udp(query, server.address, port=server.port, timeout=5)
    return [record.exchange.to_text() for rrset in reply.answer for record in rrset]


def test_the_configuration_is_one_that_the_program_accepts(stage: Stage) -> None:
    settings = load(stage.config_path)

    assert settings.mode is Mode.ENFORCE
    assert (settings.confirm.sightings, settings.dns.quorum, len(settings.dns.vantages)) == (1, 2, 2)
    assert [vantage.vantage.operator for vantage in settings.dns.vantages] == ["One", "Two"]
    assert settings.server("web01").accept_full_off
    assert settings.server("web01").url == stage.xml_api("web01").url
    assert settings.server("web02").plesk == stage.directory / "panels" / "web02" / "plesk"
    assert settings.ledger == f"sqlite:///{stage.directory}/ledger.db"
    assert not (stage.directory / "ledger.db").exists()


def test_the_key_in_the_file_opens_the_panel(stage: Stage) -> None:
    secret = load(stage.config_path).secret("web01")

    answer = post(stage.xml_api("web01"), packet("<ip><get/></ip>"), headers={"KEY": secret})

    assert answer.xml.findtext("ip/get/result/status") == "ok"


def test_secrets_are_their_owner_s(stage: Stage) -> None:
    secret_files = [*stage.directory.glob("keys/*"), *stage.directory.glob("panels/*/*.pem"), stage.config_path]

    assert len(secret_files) == 3
    assert [stat.S_IMODE(path.stat().st_mode) for path in secret_files] == [0o600] * 3


def test_the_local_panel_is_a_program(stage: Stage) -> None:
    plesk = load(stage.config_path).server("web02").plesk

    printed = subprocess.run([plesk, "bin", "domain", "--list"], capture_output=True, text=True, timeout=20, check=True)

    assert printed.stdout == "local.example\n"
    assert stage.panel("web02").switch_of("local.example") is Switch.OFF
    with pytest.raises(KeyError):
        stage.xml_api("web02")


def test_a_customer_moves_back_and_every_vantage_sees_it(stage: Stage) -> None:
    before = exchanges(stage, "a", "moved.example")
    stage.change_dns("moved.example. 60 IN MX 10 mail.web01.hoster.example.")

    assert before == ["aspmx.l.google.com."]
    assert exchanges(stage, "a", "moved.example") == ["mail.web01.hoster.example."]
    assert exchanges(stage, "a", "kept.example") == ["mx.kept.example."]
    assert exchanges(stage, "b", "seen.example") == ["b.example."]


def test_the_public_truth_can_be_replaced_as_a_whole(stage: Stage) -> None:
    stage.set_dns("new.example. 60 IN MX 10 mx.new.example.")

    assert exchanges(stage, "b", "new.example") == ["mx.new.example."]
    assert exchanges(stage, "b", "kept.example") == []
    assert exchanges(stage, "b", "seen.example") == ["b.example."]


def test_a_broken_change_of_dns_changes_nothing(stage: Stage) -> None:
    with pytest.raises(ConfigError):
        stage.change_dns("kept.example. IN MX many mx.example.")

    assert exchanges(stage, "a", "kept.example") == ["mx.kept.example."]


def test_a_directory_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(ConfigError, match="not empty"), Stage(parse_world(WORLD), tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_empty_directory_is_used(tmp_path: Path) -> None:
    with Stage(parse_world(WORLD), tmp_path) as stage:
        assert stage.config_path.is_file()


def test_a_place_that_is_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="name another directory"):
        Stage(parse_world(WORLD), tmp_path / "file").start()


def test_nothing_listens_after_the_end(tmp_path: Path) -> None:
    with Stage(parse_world(WORLD), tmp_path) as stage:
        server = stage.xml_api("web01")
    stage.close()

    with pytest.raises(ConnectionRefusedError):
        post(server, packet("<ip><get/></ip>"))


def test_on_and_off_stay_texts_in_what_is_written(stage: Stage) -> None:
    assert "accept_full_off: 'on'" in stage.config_path.read_text(encoding="utf-8")


def test_the_demo_s_world_can_be_staged(tmp_path: Path) -> None:
    world = read_world(DEMO)

    with Stage(world, tmp_path) as stage:
        settings = load(stage.config_path)

    assert [server.name for server in settings.servers] == ["web01", "web02", "web03"]
    assert sum(len(server.domains) for server in world.servers) >= 36


def test_the_demo_says_of_every_name_what_it_shows() -> None:
    lines = DEMO.read_text(encoding="utf-8").splitlines()
    above = [lines[at - 1].strip() for at, line in enumerate(lines) if line.strip().startswith("- {name:")]

    assert len(above) >= 36
    assert all(line.startswith(("#", "- {name:")) for line in above)
