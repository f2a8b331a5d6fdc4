"""A configuration file: taken, or refused with every problem in words fit to be shown. Nothing it names is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mailswitch.config.document import decode
from mailswitch.config.settings import load_text
from mailswitch.core.errors import ConfigError

__all__ = ["MAX_OCTETS", "TOKENS", "seeds", "try_one"]

MAX_OCTETS = 3_000
_WORDS = (
    "mode", "ledger", "servers", "- name", "panel", "url", "secret_key", "tls", "verify", "local", "addresses", "dns",
    "quorum", "vantages", "operator", "address", "policy", "routes", "domains", "never_local", "confirm", "window",
    "limits", "changes", "share", "schedule", "interval", "jitter", "notify", "mail", "webhook", "metrics",
)  # fmt: skip
TOKENS = (
    *(f"{word}: ".encode() for word in _WORDS),
    b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"- ", b"\n  ", b"{}", b"[]", b"24h", b"10%", b"~", b"0x1",
)  # fmt: skip
_NOWHERE = Path("/nonexistent")


def try_one(data: bytes) -> None:
    """Check one file."""
    try:
        load_text(decode(data, origin="fuzzed"), origin="fuzzed", base=_NOWHERE, environ={})
    except ConfigError as error:
        if not all(line.isprintable() for line in str(error).split("\n")):
            raise AssertionError(f"a problem's text is not fit to be shown: {error!s}") from error


def seeds() -> Iterator[bytes]:
    """Return small files, right and wrong ones."""
    server = "servers: [{name: web01, panel: local}]\n"
    for text in (
        server,
        server + "mode: enforce\nconfirm: {sightings: 1, window: 0s}\nlimits: {share: 10%}\n",
        server + "policy: {routes: {gateway: turn-off, here: turn-off}, never_local: [bank.example]}\n",
        server + "dns: {quorum: 2, vantages: [{name: a, operator: A, address: '192.0.2.1:5353'}]}\n",
        "servers:\n  - name: web01\n    panel: xml-api\n    url: https://web01.example:8443\n    secret_key_file: k\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "servers: !!python/object/apply:os.system ['true']\n",
        "mode: report\nmode: enforce\n",
        "\ufeffservers: []\n",
        "servers: {a: [}\n",
        "- 1\n- 2\n",
        "schedule: {interval: 1h, jitter: 10m, keep: 3d}\n",
    ):
        yield text.encode()
    yield b"\xff\xfe\x00"
    yield b"[" * 300
