"""Every class of problem: all at once, with file, line, place, the nearest valid key, and never a secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Problems = Callable[..., list[str]]

SERVERS = "servers: [{name: w, panel: local}]\n"
FINGERPRINT = "ab" * 32

HOSTILE = """\
mode: enforec
ledgr: x
servers:
  - name: web01
    panle: xml-api
    url: http://u:hunter2@h/x
    secret_key: HUNTER2
    secret_key_file: open.key
    tls: {verify: no, fingerprint_sha256: "AB:CD", ca_file: nope.pem}
    local: {addresses: [1.2.3.4/24, x], hosts: ["ex ample"]}
    chunk: 900
  - name: WEB01
    panel: local
    url: https://x
dns:
  quorum: 3
  vantages:
    - {name: a, address: resolver.example}
    - {name: a, address: "tls://9.9.9.9#dns.quad9.net"}
policy:
  routes: {here: turn-off, gatewai: hold}
  sightings: 3
confirm: {window: 15, sightings: 0}
confirm: {}
limits: {share: 110%}
"""


def test_every_problem_is_told_at_once_in_the_order_of_the_file(problems_in: Problems, tmp_path: Path) -> None:
    (tmp_path / "open.key").write_text("hunter2", encoding="ascii")
    (tmp_path / "open.key").chmod(0o644)

    found = problems_in(HOSTILE)

    assert found == [
        "1: mode: 'enforec' is not one of report, approve, enforce (did you mean 'enforce'?)",
        "2: ledgr: unknown key 'ledgr' (did you mean 'ledger'?)",
        "5: servers[0].panle: unknown key 'panle' (did you mean 'panel'?)",
        "6: servers[0].url: the value (not shown here) is not https: the key travels in a header, "
        "so write https://HOST:8443",
        "7: servers[0].secret_key: unknown key 'secret_key' (did you mean 'secret_key_file'?)",
        f"8: servers[0].secret_key_file: the file {tmp_path}/open.key is open to every user (mode 0644): "
        "take their rights away with chmod o=",
        f"9: servers[0].tls.ca_file: the file {tmp_path}/nope.pem cannot be read: No such file or directory",
        "9: servers[0].tls.fingerprint_sha256: 'AB:CD' is no SHA-256 fingerprint: 64 hexadecimal digits are expected, "
        "with or without colons",
        "9: servers[0].tls.verify: nothing is verified, and yet fingerprint_sha256 is given: remove one of them",
        "10: servers[0].local.addresses[0]: '1.2.3.4/24' is no network: write 1.2.3.0/24",
        "10: servers[0].local.addresses[1]: 'x' is neither an IP address nor a network like 203.0.113.0/24",
        "10: servers[0].local.hosts[0]: 'ex ample' is not a domain name: it holds a space or a control character",
        "11: servers[0].chunk: '900' has to be at most 500",
        "12: servers[1].name: another server has this name",
        "14: servers[1].url: the local panel runs the plesk program and takes none: remove it, or write panel: xml-api",
        "17: dns.vantages: a quorum of 3 needs as many operators, and the vantages have 1 operator",
        "18: dns.vantages[0].address: 'resolver.example' is no IP address: a resolver is named by its address, "
        "such as 9.9.9.10",
        "19: dns.vantages[1].address: 'tls://9.9.9.9#dns.quad9.net' names a host beside the address: write the address "
        "alone, and the name as tls.server_name",
        "19: dns.vantages[1].name: another vantage has this name",
        "21: policy.routes.gatewai: 'gatewai' is not one of no-domain, no-mail, here, unknown, backup-here, forwarder, "
        "gateway, parked, dangling, elsewhere, implicit-here, implicit-elsewhere (did you mean 'gateway'?)",
        "21: policy.routes.here: 'here' can never be turn-off: mail may still arrive here (hold or keep)",
        "22: policy.sightings: unknown key 'sightings' (it belongs under 'confirm')",
        "23: confirm.sightings: '0' has to be at least 1",
        "23: confirm.window: '15' has no unit: write 15s for seconds, 15m for minutes, 15h for hours",
        "24: confirm: the key is written twice, first on line 23: remove one",
        "25: limits.share: '110%' is more than the whole: a share lies between 0 and 1 (write 10% for ten percent)",
    ]
    assert "hunter2" not in "\n".join(found).lower()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: servers: this key is missing"),
        ("servers:\n", "1: servers: this key has no value"),
        ("servers: []\n", "1: servers: at least one server is needed"),
        ("servers: x\n", "1: servers: a list is expected, not 'x'"),
        ("- servers\n", "1: a section of keys and values is expected, not a list"),
        ("servers:\n -\n", "2: servers[0]: this key has no value"),
        ("mode:\n" + SERVERS, "1: mode: this key has no value"),
        ("mode: [report]\n" + SERVERS, "1: mode: a list is not one of report, approve, enforce"),
        ("ledger: mysql://h/d\n" + SERVERS, "1: ledger: 'mysql://h/d' is no ledger"),
        (SERVERS + "dns: {quorum: 1}\n", "2: dns.quorum: '1' has to be at least 2"),
        (SERVERS + "dns: {quorum: two}\n", "2: dns.quorum: a whole number is expected, not 'two'"),
        (
            SERVERS + "dns: {quorum: 4}\n",
            "2: dns.quorum: a quorum of 4 needs as many operators, and the vantages have 3 operators",
        ),
        (
            SERVERS + "dns: {vantages: []}\n",
            "2: dns.vantages: a quorum of 2 needs as many operators, and the vantages have 0 operators",
        ),
        (
            SERVERS + "dns: {vantages: [{name: Authoritative, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]}\n",
            "2: dns.vantages[0].name: this name stands for the domain's own name servers: choose another one",
        ),
        (
            SERVERS + "dns: {authoritative: always}\n",
            "2: dns.authoritative: 'always' is not one of require, prefer, off",
        ),
        (SERVERS + "dns: {root_hints: /dev/null}\n", "2: dns.root_hints: the root hints '/dev/null' cannot be used"),
        (SERVERS + "dns: {timeout: 0s}\n", "2: dns.timeout: '0s' has to be longer than 0s"),
        (SERVERS + "dns: {timeout: [1]}\n", "2: dns.timeout: a list: input should be a valid timedelta"),
        (SERVERS + "schedule: {interval: 1 hour}\n", "2: schedule.interval: '1 hour' is no duration"),
        (
            SERVERS + "policy: {routes: {gateway: off}}\n",
            "2: policy.routes.gateway: 'off' is not one of turn-off, hold, keep",
        ),
        (
            SERVERS + "policy: {never_local: ['*.a.example']}\n",
            "2: policy.never_local[0]: '*.a.example' is not the exact name of a domain",
        ),
        (SERVERS + "policy: {never_local: [[a]]}\n", "2: policy.never_local[0]: is not a text"),
        (
            SERVERS + "policy: {providers: [{pattern: a.b, kind: mailbx}]}\n",
            "2: policy.providers[0].kind: 'mailbx' is not one of mailbox, gateway, forwarder, parking (did you mean",
        ),
        (
            SERVERS + "policy: {providers: [{pattern: a.b, kind: mailbox}, {pattern: A.B., kind: gateway}]}\n",
            "2: policy.providers[1].pattern: another row has this pattern",
        ),
        (
            SERVERS + "policy: {domains: {A.example: {}, a.example: {}}}\n",
            "2: policy.domains['a.example']: the same pattern is written above as 'A.example'",
        ),
        (
            SERVERS + "policy: {incoming_only_since: new}\n",
            "2: policy.incoming_only_since: 'new' is no version: write it like 18.0.51",
        ),
        (
            SERVERS + "policy: {never_local: ['a..b']}\n",
            "2: policy.never_local[0]: 'a..b' is not a domain name: a label is",
        ),
        (SERVERS + "policy: {never_local: [_a.example]}\n", "2: policy.never_local[0]: '_a.example' is not the exact"),
        (
            SERVERS + "policy: {providers: [{pattern: 'a b', kind: gateway}]}\n",
            "2: policy.providers[0].pattern: 'a b' is",
        ),
        (
            SERVERS + "policy: {providers: [{pattern: a.b, kind: gateway, provider: ' '}]}\n",
            "2: policy.providers[0].provider: ' ' is not one line of 1 to 100 printable characters",
        ),
        (
            SERVERS + "policy: {unknown_provider: [window]}\n",
            "2: policy.unknown_provider: a list is not one of evidence",
        ),
        (SERVERS + "policy: [x]\n", "2: policy: a section of keys and values is expected, not a list"),
        ("servers: [{name: w, panel: local, plesk: ''}]\n", "1: servers[0].plesk: '' is no path"),
        (
            "servers: [{name: w, panel: local, local: {addresses: [~]}}]\n",
            "1: servers[0].local.addresses[0]: this key has",
        ),
        (SERVERS + "limits: {changes: -1}\n", "2: limits.changes: '-1' has to be at least 0"),
        ("servers: [{name: w, panel: local, chunk: 0}]\n", "1: servers[0].chunk: '0' has to be at least 1"),
        (
            "servers: [{name: w, panel: local, accept_full_off: maybe}]\n",
            "1: servers[0].accept_full_off: on or off is expected, not 'maybe'",
        ),
        ("servers: [{name: '../w', panel: local}]\n", "1: servers[0].name: '../w' is no short word"),
        ("servers: [{name: w, panel: rest}]\n", "1: servers[0].panel: 'rest' is not one of xml-api, local"),
        (
            "servers: [{name: w, panel: local, tls: {verify: no}}]\n",
            "1: servers[0].tls: the local panel runs the plesk program and takes none",
        ),
    ],
)
def test_one_problem_is_told_alone(problems_in: Problems, text: str, problem: str) -> None:
    (found,) = problems_in(text)

    assert found.startswith(problem)


def test_two_local_panels_on_one_machine_are_one_too_many(problems_in: Problems) -> None:
    servers = ("name: a, plesk: /p", "name: b", "name: c, plesk: /p")
    text = "servers:\n" + "".join(f" - {{panel: local, {keys}}}\n" for keys in servers)

    assert problems_in(text) == ["4: servers[2].plesk: another server is this machine's local panel already"]


def test_two_servers_with_one_panel_are_one_too_many(problems_in: Problems) -> None:
    server = "url: '{}', secret_key_file: web01.key"
    text = "servers:\n"
    for name, url in (("a", "https://H.example/"), ("b", "https://h.example")):
        text += f" - {{name: {name}, {server.format(url)}}}\n"

    assert problems_in(text) == ["3: servers[1].url: another server has this panel"]


def test_one_address_is_one_vantage_whoever_is_said_to_run_it(problems_in: Problems) -> None:
    text = SERVERS + "dns:\n vantages:\n - {name: a, address: 9.9.9.9}\n - {name: b, address: 'tcp://9.9.9.9:53'}\n"

    assert problems_in(text) == ["5: dns.vantages[1].address: another vantage is asked at this address"]


def test_operators_are_counted_not_vantages(problems_in: Problems) -> None:
    vantages = "[{name: a, operator: X, address: 9.9.9.9}, {name: b, operator: ' x', address: 9.9.9.10}]"

    (problem,) = problems_in(f"{SERVERS}dns: {{vantages: {vantages}}}\n")

    assert problem.endswith("dns.vantages: a quorum of 2 needs as many operators, and the vantages have 1 operator")


@pytest.mark.parametrize("route", ["here", "backup-here", "implicit-here", "unknown"])
@pytest.mark.parametrize("on_one_server", [False, True])
@pytest.mark.parametrize(
    ("key", "place"),
    [("routes: {ROUTE: turn-off}", "routes"), ("domains: {a.example: {ROUTE: turn-off}}", "domains['a.example']")],
)
def test_mail_that_may_arrive_here_is_never_turned_off(
    problems_in: Problems, key: str, place: str, on_one_server: bool, route: str
) -> None:
    policy = f"policy: {{{key.replace('ROUTE', route)}}}"
    text = f"servers: [{{name: w, panel: local, {policy}}}]\n" if on_one_server else f"{policy}\n{SERVERS}"
    where = f"{'servers[0].' if on_one_server else ''}policy.{place}.{route}"

    assert problems_in(text) == [
        f"1: {where}: '{route}' can never be turn-off: mail may still arrive here (hold or keep)"
    ]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("", "1: servers[0]: no credential is given: write secret_key_file, or login and password_file"),
        ("login: admin", "1: servers[0].login: a login needs password_file, password_env or password_credential"),
        ("password_env: PASS", "1: servers[0].password_env: a password needs the key login"),
        (
            "secret_key_file: web01.key, secret_key_env: PASS",
            "1: servers[0].secret_key_env: secret_key_file says already where the secret is",
        ),
        (
            "login: a, password_env: PASS, password_file: web01.key",
            "1: servers[0].password_env: password_file says already where the secret is",
        ),
        ("secret_key_file: web01.key, login: admin", "1: servers[0].login: secret_key_file is given already"),
        (
            "secret_key_env: PA SS",
            "1: servers[0].secret_key_env: the value (not shown here) is no environment variable's",
        ),
        ('login: "a\\u2028b", password_env: PASS', "1: servers[0].login: 'a\\u2028b' is not one line"),
        (
            "secret_key_env: PASS, plesk: /usr/sbin/plesk",
            "1: servers[0].plesk: only the local panel runs the plesk program",
        ),
        (
            "secret_key_env: PASS, tls: {verify: off, ca_file: ca.pem}",
            "1: servers[0].tls.verify: nothing is verified, and yet ca_file is given",
        ),
        (
            "secret_key_env: PASS, tls: {verify: off, server_name: a.example}",
            "1: servers[0].tls.verify: nothing is verified, and yet server_name is given",
        ),
        (
            f"secret_key_env: PASS, tls: {{fingerprint_sha256: [{FINGERPRINT}], server_name: a.example}}",
            "1: servers[0].tls.server_name: with fingerprint_sha256 nothing else is checked",
        ),
    ],
)
def test_credentials_and_certificate_checks_that_contradict_each_other(
    problems_in: Problems, tmp_path: Path, keys: str, problem: str
) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----", encoding="ascii")

    text = f"servers: [{{name: w, url: 'https://h:8443', {keys}}}]\n"
    (found,) = problems_in(text, {"PASS": "p"})
    assert found.startswith(problem)


def test_an_xml_api_panel_without_a_url_is_told_so(problems_in: Problems) -> None:
    assert problems_in("servers:\n - name: w\n   secret_key_file: web01.key\n") == [
        "2: servers[0].url: this key is missing: write https://HOST:8443"
    ]


@pytest.mark.parametrize("key", ["tls", "dns", "policy"])
def test_hostile_shapes_in_place_of_sections_are_problems_not_crashes(problems_in: Problems, key: str) -> None:
    server = "{name: [w], panel: {a: b}, url: [x], tls: 5, local: [], policy: [[x]], secret_key_file: {a: b}}"
    text = f"servers: [{server}, 5, [x]]\n{key}: [[{{a: b}}]]\ndns_: x\nconfirm: 5\nledger: [x]\n"

    assert len(problems_in(text)) >= 10


def test_control_characters_from_the_file_never_reach_the_message(problems_in: Problems) -> None:
    (problem,) = problems_in(SERVERS + 'mode: "\u202e\u2066x' + "y" * 200 + '"\n')

    assert problem.isprintable()
    assert len(problem) < 150


@pytest.mark.parametrize(
    "text",
    [
        "servers: [{name: w, url: 'https://h', secret_key_env: 'hunter2'}]",
        "servers: [{name: w, url: 'https://h', secret_key_env: 'hunter2-x y'}]",
        "servers: [{name: w, url: 'https://h', secret_key_file: hunter2}]",
        "servers: [{name: w, url: 'https://h', secret_key_credential: hunter2}]",
        "servers: [{name: w, url: 'https://h', secret_key_credential: '../hunter2 x'}]",
        "servers: [{name: w, url: 'https://h', secret_key_file: [hunter2]}]",
        "servers: [{name: w, url: 'https://h', login: a, password: hunter2}]",
        "servers: [{name: w, url: 'https://h', login: a, password_file: {hunter2: x}}]",
        "servers: [{name: w, url: 'https://admin:hunter2@h', secret_key_env: K}]",
        "servers: [{name: w, panel: local}]\nledger: postgresql://u:hunter2@h",
        "servers: [{name: w, panel: local}]\nledger: postgresql://u:hunt/hunter2@h/d",
        "servers: [{name: w, panel: local}]\nledger: mysql://h/d?password=hunter2",
        "servers: [{name: w, panel: local}]\nledger: postgresql://u:hunter2@h/d",
        "servers: [{name: w, panel: local}]\napi_token: hunter2",
    ],
)
def test_what_may_be_a_secret_is_never_repeated(problems_in: Problems, tmp_path: Path, text: str) -> None:
    (tmp_path / "m.yaml").touch()
    (tmp_path / "m.yaml").chmod(0o644)

    assert "hunter2" not in "\n".join(problems_in(text, {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}))


def test_a_password_in_a_file_open_to_every_user_is_a_problem(problems_in: Problems, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").touch()
    (tmp_path / "m.yaml").chmod(0o644)

    assert problems_in(SERVERS + "ledger: postgresql://u:hunter2@h/d\n") == [
        "2: ledger: the password here is open to every user: chmod o= this file"
    ]


@pytest.mark.parametrize(
    ("vantage", "told"),
    [
        (
            '{name: a, address: "9.9.9.9", tls: {server_name: dns.quad9.net}}',
            "tls: the address is not asked over TLS: write tls:// before it, or remove this",
        ),
        (
            f'{{name: a, address: "tls://9.9.9.9", tls: {{server_name: a.example, fingerprint_sha256: {"ab" * 32}}}}}',
            "tls.server_name: with fingerprint_sha256 nothing else is checked: remove one of them",
        ),
        (
            '{name: a, address: "tls://9.9.9.9", tls: {verify: false}}',
            "tls.verify: unknown key 'verify'",
        ),
    ],
    ids=["plain", "pin-and-name", "unverified"],
)
def test_a_vantage_s_certificate_is_checked_in_one_way_or_not_spoken_of(
    problems_in: Problems, vantage: str, told: str
) -> None:
    other = "{name: b, address: 1.1.1.1}"
    found = problems_in(f"servers: [{{name: w, panel: local}}]\ndns:\n  vantages:\n    - {vantage}\n    - {other}\n")

    assert len(found) == 1
    assert found[0].startswith(f"4: dns.vantages[0].{told}")


def test_a_vantage_s_authorities_are_looked_for(problems_in: Problems, tmp_path: Path) -> None:
    found = problems_in(
        "servers: [{name: w, panel: local}]\n"
        "dns: {vantages: [{name: a, address: 'tls://9.9.9.9', tls: {ca_file: no.pem}}, {name: b, address: 1.1.1.1}]}\n"
    )

    assert found == [
        f"2: dns.vantages[0].tls.ca_file: the file {tmp_path}/no.pem cannot be read: No such file or directory"
    ]


@pytest.mark.parametrize("other", ["tls://9.9.9.9", "tcp://9.9.9.9", "tls://9.9.9.9:853", "9.9.9.9:53"])
def test_one_resolver_over_two_transports_is_one_vantage(problems_in: Problems, other: str) -> None:
    found = problems_in(
        "servers: [{name: w, panel: local}]\n"
        f"dns: {{vantages: [{{name: a, address: 9.9.9.9}}, {{name: b, address: '{other}'}}]}}\n"
    )

    assert found == ["2: dns.vantages[1].address: another vantage is asked at this address"]
