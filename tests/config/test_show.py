"""Values in force, the sample and the key reference."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mailswitch.config.document import parse
from mailswitch.config.never_local import shipped_names
from mailswitch.config.reference import documented_keys, reference
from mailswitch.config.settings import Settings, default_settings, load_text
from mailswitch.config.show import effective, example_text, show

Load = Callable[..., Settings]

ROOT = Path(__file__).parents[2]
XML = """\
ledger: postgresql://u:hunter3@h/d
servers:
  - name: "on"
    url: https://h:8443
    secret_key_file: {key}
    tls: {{fingerprint_sha256: {pin}}}
    local: {{addresses: [203.0.113.7, 198.51.100.0/24], hosts: ["*.f.example"]}}
    policy: {{domains: {{"*.münchen.example": {{no-mail: turn-off}}}}}}
policy: {{never_local: [bank.example], providers: [{{pattern: "mx*.a.example", kind: gateway}}]}}
confirm: {{window: 1h30m}}
limits: {{share: 12.5%}}
"""


@pytest.fixture
def settings(key_file: Path) -> Settings:
    return load_text(XML.format(key=key_file, pin="ab" * 32), origin="f.yaml", environ={})


def test_what_is_shown_loads_again_to_the_same_values(settings: Settings) -> None:
    again = load_text(show(settings), origin="again", environ={})

    assert dict(again) == {**dict(settings), "ledger": "postgresql://u:***@h/d"}


def test_the_default_settings_shown_load_again(tmp_path: Path) -> None:
    again = load_text(show(default_settings()), origin="again", base=tmp_path, environ={})

    assert dict(again) == dict(default_settings())


def test_no_secret_is_shown(settings: Settings) -> None:
    assert "hunter" not in show(settings) + str(effective(settings))
    assert "postgresql://u:***@h/d" in show(settings)


def test_words_that_yaml_would_read_as_booleans_are_quoted(settings: Settings) -> None:
    assert "- name: 'on'" in show(settings)
    assert yaml.safe_load(show(settings))["servers"][0]["name"] == "on"


def test_every_default_in_force_is_shown(settings: Settings) -> None:
    shown = effective(settings)

    assert shown["confirm"] == {
        "sightings": 3, "window": "1h30m", "unknown_provider_window": "3d", "new_domain_age": "14d",
    }  # fmt: skip
    assert shown["limits"] == {"changes": 20, "share": 0.125, "unknown_share": 0.2}
    assert shown["policy"]["incoming_only_since"] == "18.0.51"
    assert [vantage["address"] for vantage in shown["dns"]["vantages"]] == ["9.9.9.10", "1.1.1.1", "8.8.8.8"]


def test_the_origin_cannot_break_out_of_its_comment(key_file: Path) -> None:
    found = load_text("servers: [{name: w, panel: local}]", origin="f\nmode: enforce\x1b", environ={})

    assert yaml.safe_load(show(found))["mode"] == "report"


def test_the_sample_works_as_it_is() -> None:
    found = load_text(example_text(), origin="example", environ={})

    defaults = load_text(
        "servers: [{name: local, panel: local}]\npolicy: {routes: {gateway: hold}}", origin="x", environ={}
    )
    assert dict(found) == dict(defaults)


def switched_on() -> str:
    """Return the sample with every setting that is commented out switched on."""
    return re.sub(r"^#(?=[^ ]|  )", "", example_text(), flags=re.MULTILINE)


def test_everything_commented_out_in_the_sample_is_valid_too(key_file: Path) -> None:
    key_file.with_name("webhook.key").write_text("hush", encoding="utf-8")
    key_file.with_name("webhook.key").chmod(0o600)
    key_file.with_name("named.root").write_text(". NS a.example.\na.example. A 10.0.0.1\n", encoding="ascii")

    found = load_text(switched_on(), origin="example", base=key_file.parent, environ={})

    assert [server.name for server in found.servers] == ["local", "web01"]
    assert len(found.dns.vantages) == 5


def test_the_sample_names_every_key_but_alternatives() -> None:
    written = set()

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                written.add(f"{path}.{key}".lstrip("."))
                walk(inner, f"{path}.{key}")
        elif isinstance(value, list):
            for inner in value:
                walk(inner, f"{path}[]")

    walk(parse(switched_on(), origin="example").value, "")
    missing = {key for key in documented_keys() if key not in written}
    assert missing == {
        f"servers[].{key}"
        for key in (
            "secret_key_env", "secret_key_credential", "login", "password_file", "password_env", "password_credential",
            "plesk", "tls.ca_file", "tls.server_name", "tls.verify",
        )
    } | {f"dns.vantages[].tls.{key}" for key in ("ca_file", "fingerprint_sha256")} | {
        f"notify.webhook.{key}" for key in ("secret_env", "secret_credential", "ca_file")}  # fmt: skip
    assert all(key.rpartition(".")[2] in example_text() for key in missing if key != "servers[].plesk")


def test_the_sample_in_the_repository_is_the_one_that_ships() -> None:
    assert (ROOT / "config" / "mailswitch.example.yaml").read_text(encoding="utf-8") == example_text()


def test_the_key_reference_is_current() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert page == reference(), "run script/config-reference"


def test_every_key_is_described_with_its_default() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]

    assert len(rows) == len(documented_keys()) > 60
    assert all(re.fullmatch(r"\| `\w+` \| [^|]* \| .{8,} \|", row) for row in rows)
    assert "| `mode` | `report` |" in reference()
    assert "| `incoming_only_since` | `18.0.51` |" in reference()


def test_the_shipped_never_local_names_are_large_public_mailbox_domains() -> None:
    names = {name.text for name in shipped_names()}

    assert {"gmail.com", "outlook.com", "yahoo.co.jp", "icloud.com", "gmx.de", "web.de", "qq.com", "nifty.com"} <= names
    assert all(name.is_host_name for name in shipped_names())
    assert not {"google.com", "microsoft.com", "apple.com", "example.com"} & names


def test_the_never_local_file_explains_itself_and_repeats_nothing() -> None:
    lines = (ROOT / "mailswitch" / "config" / "never_local.txt").read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]

    assert lines[0].startswith("# ")
    assert len(names) == len(set(names)) == len(shipped_names())
