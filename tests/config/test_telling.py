"""Notices and metrics in a configuration: what is taken, what is refused, and that no secret is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path

import pytest
import yaml

from mailswitch.config.addresses import host, loopback, mailbox, time_of_day, webhook_url
from mailswitch.config.settings import Settings, load_text
from mailswitch.config.show import show
from mailswitch.core.errors import ConfigError

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

SERVERS = "servers: [{name: web01, panel: local}]\n"
SECRET = "f00d-hunter2"
NOTIFY = """\
notify:
  mail: {to: [a@example.net, b@münchen.example], sender: mailswitch@example.net}
  webhook: {url: "https://hooks.example.net/T0KEN/x?y=z", secret_env: HOOK}
  digest: "07:00"
metrics: {listen: "[::1]:9732", textfile: m.prom}
"""


def test_nothing_is_told_until_it_is_configured(load_yaml: Load) -> None:
    settings = load_yaml(SERVERS)

    assert (settings.notify.mail, settings.notify.webhook, settings.notify.digest) == (None, None, None)
    assert (settings.metrics.listen, settings.metrics.textfile) == (None, None)
    with pytest.raises(ConfigError, match=r"notify\.webhook is not configured"):
        settings.webhook_secret()


def test_every_way_can_be_configured(load_yaml: Load, tmp_path: Path) -> None:
    settings = load_yaml(SERVERS + NOTIFY, {"HOOK": SECRET})

    mail, webhook = settings.notify.mail, settings.notify.webhook
    assert mail is not None
    assert mail.to == ("a@example.net", "b@xn--mnchen-3ya.example")
    assert (mail.host, mail.port, mail.timeout) == ("localhost", 25, timedelta(seconds=10))
    assert webhook is not None
    assert settings.webhook_secret() == SECRET
    assert settings.notify.digest == time(7)
    assert str(settings.metrics.listen) == "[::1]:9732"
    assert settings.metrics.textfile == tmp_path / "m.prom"


def test_one_address_needs_no_list(load_yaml: Load) -> None:
    settings = load_yaml(SERVERS + "notify: {mail: {to: root, sender: root}}")

    assert settings.notify.mail is not None
    assert settings.notify.mail.to == ("root",)


def test_neither_the_secret_nor_the_webhook_s_path_is_shown(load_yaml: Load) -> None:
    settings = load_yaml(SERVERS + NOTIFY, {"HOOK": SECRET})

    told = show(settings) + repr(settings)
    assert SECRET not in told
    assert "T0KEN" not in told
    assert yaml.safe_load(show(settings))["notify"]["webhook"]["url"] == "https://hooks.example.net/***"


def test_what_is_shown_loads_again(load_yaml: Load) -> None:
    settings = load_yaml(SERVERS + NOTIFY.replace("/T0KEN/x?y=z", ""), {"HOOK": SECRET})

    again = load_text(show(settings), origin="again", environ={"HOOK": SECRET})

    assert dict(again) == dict(settings)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("notify: {digest: '07:00'}", "notify.digest: there is no way to send it: write notify.mail or notify.webhook"),
        ("notify: {mail: {to: [], sender: a@b.example}}", "notify.mail.to: at least one address is needed"),
        ("notify: {mail: {to: x@y.example}}", "notify.mail.sender: this key is missing"),
        (
            "notify: {webhook: {url: 'https://h/'}}",
            "notify.webhook: no secret is given to sign with: write secret_file, secret_env or secret_credential",
        ),
        (
            "notify: {webhook: {url: 'https://h/', secret_file: web01.key, secret_env: A}}",
            "notify.webhook.secret_env: secret_file says already where the secret is: write one of them",
        ),
        (
            "notify: {webhook: {url: 'https://h/', secret_env: NOT_THERE}}",
            "notify.webhook.secret_env: the environment variable named here is not set",
        ),
        ("notify: {mail: {to: x@y.example, sender: x@y.example, timeout: 0s}}", "has to be longer than 0s"),
        ("notify: {mail: {to: x@y.example, sender: x@y.example, port: 0}}", "has to be at least 1"),
        ("notify: {email: {to: x}}", "unknown key 'email' (did you mean 'mail'?)"),
        ("metrics: {listen: '0.0.0.0:9732'}", "can be reached from outside: metrics are given on loopback only"),
        ("metrics: {textfile: m.txt}", "does not end in .prom: node_exporter reads no other files"),
    ],
)
def test_each_mistake_is_told_at_its_place(problems_in: Problems, text: str, problem: str) -> None:
    found = problems_in(SERVERS + text)

    assert len(found) == 1
    assert problem in found[0]
    assert found[0].startswith("2: ")


def test_an_open_secret_file_and_an_unusable_authority_are_told_together(problems_in: Problems, tmp_path: Path) -> None:
    (tmp_path / "hook.key").write_text(SECRET, encoding="utf-8")
    (tmp_path / "hook.key").chmod(0o604)
    (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")

    found = problems_in(SERVERS + "notify: {webhook: {url: 'https://h/', secret_file: hook.key, ca_file: ca.pem}}")

    assert ["open to every user" in one for one in found].count(True) == 1
    assert ["no PEM certificate" in one for one in found].count(True) == 1


# --- The readers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "wanted"), [("07:00", time(7)), ("0:05", time(0, 5)), (" 23:59 ", time(23, 59))])
def test_a_time_of_day_is_hours_and_minutes(text: str, wanted: time) -> None:
    assert time_of_day(text) == wanted


@pytest.mark.parametrize("text", ["7", "24:00", "07:60", "07:00:00", "7am", "", "\u0660\u0667:\u0660\u0660"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time of day"):
        time_of_day(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("127.0.0.1:9732", "127.0.0.1:9732"), ("127.9.9.9:1", "127.9.9.9:1"), ("localhost:80", "127.0.0.1:80")],
)
def test_loopback_places_are_taken(text: str, wanted: str) -> None:
    assert str(loopback(text)) == wanted


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", ":9732", "h:1", "[::1:1", ""],
)
def test_places_that_others_can_reach_or_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"outside|no address|port"):
        loopback(text)


@pytest.mark.parametrize("text", ["a@b.example", "root", "first.last+tag@sub.example.net", "o'hara@b.example"])
def test_mail_addresses_are_taken(text: str) -> None:
    assert mailbox(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "@b.example", "a@", "a b@c.example", "a@b..example", "Alice <a@b.example>", "a@b.example\nBcc: x@y.example",
        "a@[127.0.0.1]", '"a b"@c.example', "-@*.example", "a..b@c.example", "x" * 65 + "@b.example", "<a@b.example>",
        "a@b.example,c@d.example", "ä@b.example",
    ],
)  # fmt: skip
def test_what_is_no_single_mail_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no mail address"):
        mailbox(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("localhost", "localhost"), ("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("MX.example", "mx.example")],
)
def test_a_mail_server_is_a_name_or_an_address(text: str, wanted: str) -> None:
    assert host(text) == wanted


@pytest.mark.parametrize("text", ["", "a b", "h:25", "https://h", "_x.example"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither"):
        host(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://h.example/a?b=c",
        "https://192.0.2.1:8443",
        "http://localhost:1/x",
        "http://127.0.0.1/",
        "http://[::1]:9/",
    ],
)
def test_webhooks_are_https_or_on_this_machine(text: str) -> None:
    assert webhook_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://h.example/", "http://127.0.0.1.example/", "ftp://h/", "h.example", "https://", "https://u:p@h/",
        "https://h/#f", "https://h:0/", "https://h:x/", "https://h/\r\nX: y", "https://h /", "https://[::1/",
        "https://h/" + "x" * 2_000, "https://h/ä",
    ],
)  # fmt: skip
def test_webhooks_that_would_give_something_away_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|names|has)"):
        webhook_url(text)
