"""Loading: every key, its default, and what becomes of it in the core."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.config import settings as subject
from mailswitch.config.cautions import cautions
from mailswitch.config.settings import Settings, default_settings, find_settings, load_text, local_additions, policy_for
from mailswitch.config.values import Authoritative
from mailswitch.core.errors import ConfigError
from mailswitch.core.mx import Vantage
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import DEFAULT_ACTIONS, Action, Confirmation, Limits, Mode, Policy, Route, UnknownProvider
from mailswitch.core.providers import ProviderKind

Load = Callable[..., Settings]

LOCAL = "servers: [{name: w, panel: local}]\n"
XML = "servers:\n  - {name: web01, url: 'https://web01.example.net:8443', secret_key_file: web01.key}\n"

FULL = """\
mode: enforce
ledger: postgresql://mailswitch@db.example/mailswitch
servers:
  - name: web01
    panel: xml-api
    url: https://web01.example.net:8443/
    secret_key_file: web01.key
    tls: {ca_file: ca.pem, server_name: Web01.Example.net}
    local: {addresses: [203.0.113.7, 198.51.100.0/24], hosts: ["*.filter.münchen.example"], confirmed: yes}
    accept_full_off: on
    connect_timeout: 5s
    read_timeout: 10m
    chunk: 500
    policy:
      routes: {parked: turn-off}
      domains: {a.example: {gateway: keep}, "*.own.example": {no-mail: turn-off}}
      unknown_provider: review
      never_local: [Server-Bank.example]
  - name: web02
    panel: local
    plesk: /opt/plesk
dns:
  quorum: 3
  vantages:
    - {name: a, operator: Alpha, address: "127.0.0.1:5301"}
    - {name: b, address: "tcp://[::1]:5302"}
    - {name: c, operator: Gamma, address: "tls://192.0.2.1", tls: {ca_file: ca.pem, server_name: DNS.example.net}}
    - {name: d, address: "tls://192.0.2.2:443", tls: {fingerprint_sha256: "PIN"}}
  timeout: 1s
  tries: 2
  deadline: 20m
  concurrency: 10
  rate: 5
  authoritative: require
  root_hints: named.root
policy:
  routes: {gateway: turn-off, parked: keep}
  domains: {a.example: {gateway: hold, dangling: turn-off}}
  never_local: [bank.example]
  unknown_provider: window
  providers: [{pattern: "*.filter.example.net", kind: gateway, provider: our filters}]
  incoming_only_since: 18.0.60
confirm: {sightings: 5, window: 2d, unknown_provider_window: 1d12h, new_domain_age: 0s}
limits: {changes: 0, share: 25%, unknown_share: 1}
schedule: {interval: 30m, jitter: 0s}
""".replace("PIN", "AB:" * 31 + "AB")


@pytest.fixture
def full(load_yaml: Load, tmp_path: Path) -> Settings:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n", encoding="ascii")
    (tmp_path / "named.root").write_text(". NS a.example.\na.example. A 10.0.0.1\n", encoding="ascii")
    return load_yaml(FULL)


def test_only_servers_are_needed_and_the_rest_has_its_documented_default(load_yaml: Load) -> None:
    found = load_yaml(LOCAL)

    assert (found.mode, found.ledger) == (Mode.REPORT, "sqlite:////var/lib/mailswitch/ledger.db")
    assert (found.dns.quorum, found.dns.timeout, found.dns.tries) == (2, timedelta(seconds=3), 4)
    assert (found.schedule.interval, found.schedule.jitter) == (timedelta(hours=1), timedelta(minutes=10))
    server = found.servers[0]
    assert (server.plesk, server.read_timeout, server.chunk) == (Path("/usr/sbin/plesk"), timedelta(minutes=5), 250)
    assert [vantage.vantage for vantage in found.dns.vantages] == [
        Vantage(name="quad9", operator="Quad9"),
        Vantage(name="cloudflare", operator="Cloudflare"),
        Vantage(name="google", operator="Google"),
    ]
    assert policy_for(found, "w") == Policy(never_local=policy_for(found, "w").never_local)
    assert find_names(policy_for(found, "w")) >= {"gmail.com", "web.de", "docomo.ne.jp"}


def find_names(policy: Policy) -> set[str]:
    return {name.text for name in policy.never_local}


def test_every_key_of_a_server_is_taken(full: Settings, tmp_path: Path) -> None:
    server = full.server("web01")

    assert server.url == "https://web01.example.net:8443"
    assert server.secret_key_file == tmp_path / "web01.key"
    assert server.tls.ca_file == tmp_path / "ca.pem"
    assert server.tls.server_name == DomainName("web01.example.net")
    assert (server.connect_timeout, server.read_timeout) == (timedelta(seconds=5), timedelta(minutes=10))
    assert (server.chunk, server.accept_full_off) == (500, True)
    assert full.server("web02").plesk == Path("/opt/plesk")


def test_every_key_of_dns_is_taken(full: Settings, tmp_path: Path) -> None:
    dns = full.dns

    assert (dns.quorum, dns.timeout, dns.tries) == (3, timedelta(seconds=1), 2)
    assert (dns.deadline, dns.concurrency, dns.rate) == (timedelta(minutes=20), 10, 5)
    assert (dns.authoritative, dns.root_hints) == (Authoritative.REQUIRE, tmp_path / "named.root")
    assert [str(vantage.address) for vantage in dns.vantages] == [
        "127.0.0.1:5301",
        "tcp://[::1]:5302",
        "tls://192.0.2.1",
        "tls://192.0.2.2:443",
    ]
    assert [(one.vantage.operator, one.vantage.address) for one in dns.vantages] == [
        ("Alpha", ipaddress.ip_address("127.0.0.1")),
        ("b", ipaddress.ip_address("::1")),
        ("Gamma", ipaddress.ip_address("192.0.2.1")),
        ("d", ipaddress.ip_address("192.0.2.2")),
    ]


def test_how_a_vantage_s_certificate_is_checked_is_taken(full: Settings, tmp_path: Path) -> None:
    plain, _, named, pinned = (vantage.tls for vantage in full.dns.vantages)

    assert (plain.ca_file, plain.server_name, plain.fingerprint_sha256) == (None, None, ())
    assert (named.ca_file, named.server_name) == (tmp_path / "ca.pem", DomainName("dns.example.net"))
    assert pinned.fingerprint_sha256 == ("ab" * 32,)


def test_a_servers_policy_lies_over_the_general_one(full: Settings) -> None:
    policy = policy_for(full, "web01")

    assert policy.actions == {
        **DEFAULT_ACTIONS, Route.GATEWAY: Action.TURN_OFF, Route.PARKED: Action.TURN_OFF,
    }  # fmt: skip
    assert dict(policy.domain_actions) == {
        NamePattern("a.example"): {Route.GATEWAY: Action.KEEP, Route.DANGLING: Action.TURN_OFF},
        NamePattern("*.own.example"): {Route.NO_MAIL: Action.TURN_OFF},
    }
    assert policy.unknown_provider is UnknownProvider.REVIEW
    assert {"bank.example", "server-bank.example", "gmail.com"} <= find_names(policy)
    assert policy.is_full_off_accepted


def test_another_servers_policy_stays_its_own(full: Settings) -> None:
    policy = policy_for(full, "web02")

    assert policy.actions[Route.PARKED] is Action.KEEP
    assert dict(policy.domain_actions) == {
        NamePattern("a.example"): {Route.GATEWAY: Action.HOLD, Route.DANGLING: Action.TURN_OFF}
    }
    assert policy.unknown_provider is UnknownProvider.WINDOW
    assert "server-bank.example" not in find_names(policy)
    assert not policy.is_full_off_accepted


def test_mode_confirmation_limits_and_quorum_reach_the_policy(full: Settings) -> None:
    policy = policy_for(full, "web02")

    assert (policy.mode, policy.quorum, policy.incoming_only_since) == (Mode.ENFORCE, 3, (18, 0, 60))
    assert policy.limits == Limits(changes=0, share=0.25, unknown_share=1)
    assert policy.confirm == Confirmation(
        sightings=5, window=timedelta(days=2), unknown_provider_window=timedelta(hours=36), new_domain_age=timedelta(0)
    )


def test_providers_are_taken(full: Settings) -> None:
    (row,) = full.policy.providers

    assert (row.pattern, row.kind, row.provider) == (
        NamePattern("*.filter.example.net"), ProviderKind.GATEWAY, "our filters",
    )  # fmt: skip


def test_local_additions_are_split_into_addresses_networks_and_patterns(full: Settings) -> None:
    added = local_additions(full.server("web01"))

    assert added.addresses == {ipaddress.ip_address("203.0.113.7")}
    assert added.networks == (ipaddress.ip_network("198.51.100.0/24"),)
    assert added.hosts == (NamePattern("*.filter.xn--mnchen-3ya.example"),)
    assert added.is_confirmed


@pytest.mark.parametrize("form", ["on", "yes", "true", "'on'", "On", "1"])
def test_both_spellings_of_yes_mean_the_same(load_yaml: Load, form: str) -> None:
    assert load_yaml(f"servers: [{{name: w, panel: local, accept_full_off: {form}}}]").servers[0].accept_full_off


@pytest.mark.parametrize("form", ["off", "no", "false", "'no'", "OFF", "0"])
def test_both_spellings_of_no_mean_the_same(load_yaml: Load, form: str) -> None:
    assert not load_yaml(f"servers: [{{name: w, panel: local, accept_full_off: {form}}}]").servers[0].accept_full_off


@pytest.mark.parametrize("form", ["off", "no", "false", "'off'", "OFF", "'no'"])
def test_both_spellings_of_no_switch_the_last_opinion_off(load_yaml: Load, form: str) -> None:
    settings = load_yaml(f"servers: [{{name: w, panel: local}}]\ndns: {{authoritative: {form}}}")

    assert settings.dns.authoritative is Authoritative.OFF


def test_sections_with_nothing_under_them_count_as_not_written(load_yaml: Load) -> None:
    text = "dns:\npolicy:\n  domains:\n  never_local:\nlimits:\n"
    text += "servers:\n - name: w\n   panel: local\n   tls:\n   local:\n"

    assert load_yaml(text) == load_yaml(LOCAL)


def test_the_secret_is_what_the_file_says(load_yaml: Load) -> None:
    found = load_yaml(XML)

    assert found.secret("web01") == found.secret(found.servers[0]) == "5e0a1c2d-hunter2-f00d"


def test_neither_secrets_nor_the_ledgers_password_are_in_a_repr(load_yaml: Load, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").touch(0o600)
    found = load_yaml("ledger: postgresql://u:hunter2@h/db\n" + XML)

    assert "hunter2" not in repr(found) + str(found) + repr(vars(found.servers[0])) + repr(found.__pydantic_private__)


def test_the_local_panel_has_no_secret(load_yaml: Load) -> None:
    with pytest.raises(ConfigError, match="'w' has no secret"):
        load_yaml(LOCAL).secret("w")


def test_an_unknown_server_is_told_with_the_known_ones(load_yaml: Load) -> None:
    with pytest.raises(ConfigError, match=r"no server is called 'x' .*there are: w"):
        policy_for(load_yaml(LOCAL), "x")


def test_text_is_loaded_with_paths_from_the_given_directory(key_file: Path) -> None:
    assert load_text(XML, origin="here", base=key_file.parent).origin == "here"


def test_the_defaults_are_one_local_server_that_only_reports() -> None:
    found = default_settings()

    assert [(server.panel, server.name != "") for server in found.servers] == [("local", True)]
    assert (found.mode, found.ledger) == (Mode.REPORT, "sqlite:////var/lib/mailswitch/ledger.db")
    assert found.origin == "the default settings"


@pytest.mark.parametrize(
    ("host", "name"), [("web01.example.net", "web01"), ("", "localhost"), ("-ü_.x", "localhost"), ("a b!c", "abc")]
)
def test_the_default_server_is_named_after_the_host(monkeypatch: pytest.MonkeyPatch, host: str, name: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)

    assert default_settings().servers[0].name == name


def test_a_named_file_is_loaded_and_without_one_the_default_path(
    load_yaml: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_yaml(LOCAL)
    monkeypatch.setattr(subject, "DEFAULT_PATH", tmp_path / "m.yaml")

    assert find_settings(None) == find_settings(tmp_path / "m.yaml")


def test_without_any_file_the_defaults_hold_on_a_plesk_server_as_root_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "DEFAULT_PATH", tmp_path / "none.yaml")
    monkeypatch.setattr(subject, "_PLESK", tmp_path / "plesk")
    with pytest.raises(ConfigError, match="mailswitch config init"):
        find_settings(None)
    (tmp_path / "plesk").touch()
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="no Plesk server seen as root"):
        find_settings(None)
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert find_settings(None).servers[0].panel == "local"


def test_a_named_file_that_is_missing_is_an_error_even_on_a_plesk_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it does not exist"):
        find_settings(tmp_path / "none.yaml")


def test_unchecked_certificates_and_a_schedule_that_never_confirms_are_cautions(load_yaml: Load) -> None:
    text = XML.replace("web01.key", "web01.key, tls: {verify: off}") + "confirm: {window: 2h}\n"

    found = cautions(load_yaml(text))

    assert [caution.split(":")[0] for caution in found] == ["servers[0].tls.verify", "confirm.window"]
    assert "1h apart at most" in found[1]


def test_a_window_of_nothing_and_the_defaults_are_no_cautions(load_yaml: Load) -> None:
    assert cautions(load_yaml(XML + "confirm: {window: 0s}\n")) == cautions(load_yaml(XML)) == ()


def test_a_default_file_that_may_not_be_read_is_an_error_not_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "DEFAULT_PATH", tmp_path / ("n" * 300))

    with pytest.raises(ConfigError, match="cannot read the file"):
        find_settings(None)


def test_an_overlong_secret_in_place_of_its_path_is_a_problem_not_a_crash(load_yaml: Load) -> None:
    with pytest.raises(ConfigError, match="the file named here cannot be read") as caught:
        load_yaml(XML.replace("web01.key", "k" * 300))
    assert "kkk" not in str(caught.value)
