"""The configuration a world runs under: what its places make necessary, the world's own ``config`` laid over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mailswitch.config import rules
from mailswitch.config.document import Document, Place, Problem, check
from mailswitch.config.messages import path_text
from mailswitch.config.models import RootSection

__all__ = ["PanelPlace", "VantagePlace", "broken_config", "configuration", "merged", "yaml_text"]

_RATE = 10_000
"""Questions a second to one vantage: loopback is nobody's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPlace:
    """Where one server's panel is: a URL with a key and a fingerprint, or a ``plesk`` program."""

    name: str
    url: str | None = None
    key_file: Path | None = None
    fingerprint: str | None = None
    plesk: Path | None = None
    mail_log: Path | None = None
    mailboxes: Path | None = None
    resolver: str | None = None
    """Where the server's own resolver listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VantagePlace:
    """Where one vantage listens."""

    name: str
    operator: str
    endpoint: str


def configuration(
    panels: Sequence[PanelPlace], vantages: Sequence[VantagePlace], *, ledger: Path, over: Mapping[str, object]
) -> dict[str, Any]:
    """Return the configuration as nested mappings of texts."""
    base: dict[str, Any] = {
        "mode": "report",
        "ledger": f"sqlite:///{ledger}",
        "servers": [_server(panel) for panel in panels],
        "dns": {
            "vantages": [
                {"name": vantage.name, "operator": vantage.operator, "address": vantage.endpoint}
                for vantage in vantages
            ],
            # A world has no root and asks nobody outside it.
            "authoritative": "off",
            "timeout": "1s",
            "tries": 2,
            "rate": _RATE,
            "own_resolvers": False,  # those of the machine the simulation runs on
            "remember": False,  # what is rehearsed takes minutes, and its TTLs are those of real domains
        },
    }
    return merged(base, over)


def _server(panel: PanelPlace) -> dict[str, Any]:
    # The log of the machine the simulation runs on is none of the simulated server's.
    mail_log: Any = "off" if panel.mail_log is None else {"paths": [str(panel.mail_log)]}
    server: dict[str, Any] = {"name": panel.name, "mail_log": mail_log}
    if panel.resolver is not None:
        server["resolvers"] = [panel.resolver]
    if panel.mailboxes is not None:
        server["mailboxes"] = {"path": str(panel.mailboxes)}
    if panel.plesk is not None:
        return {**server, "panel": "local", "plesk": str(panel.plesk)}
    return {
        **server,
        "panel": "xml-api",
        "url": panel.url,
        "secret_key_file": str(panel.key_file),
        "tls": {"fingerprint_sha256": panel.fingerprint},
    }


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``over`` over ``base``: sections are merged, the list of servers by name, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merged(below, value)
        elif key == "servers" and isinstance(below, list) and isinstance(value, list):
            result[key] = _servers_merged(below, value)
        else:
            result[key] = value
    return result


def _servers_merged(base: list[Any], over: list[Any]) -> list[Any]:
    extras = {item.get("name"): item for item in over if isinstance(item, Mapping)}
    return [merged(server, extras[server["name"]]) if server["name"] in extras else server for server in base]


def yaml_text(value: Mapping[str, Any], *, head: str) -> str:
    """Return YAML with the comment ``head``; texts that YAML 1.1 would read as something else are quoted."""
    body = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=100)
    return "".join(f"# {line}\n" for line in head.splitlines()) + body


def broken_config(document: Document) -> tuple[Problem, ...]:
    """Return what is wrong with the ``config`` of a world, as the program would say it of the written configuration."""
    root = document.value if isinstance(document.value, dict) else {}
    over = root.get("config")
    if over is None:
        return ()
    if not isinstance(over, dict):
        return ()  # the model of the world says so
    names = _server_names(root)
    panels = [PanelPlace(name=name, url=f"https://127.0.0.1:{at}", key_file=Path("key"), fingerprint="ab" * 32)
              for at, name in enumerate(names, start=1)]  # fmt: skip
    vantages = [VantagePlace(name=name, operator=name, endpoint=f"127.0.0.{at}") for at, name in enumerate("abc", 1)]
    value = configuration(panels, vantages, ledger=Path("/ledger.db"), over=over)
    lines = {_moved(place, over, names): line for place, line in document.lines.items() if place[:1] == ("config",)}
    written = Document(value, document.origin, lines)
    _, found = check(RootSection, written)
    return tuple(
        Problem(problem.line, f"{path_text(('config',))}.{problem.path}" if problem.path else "config", problem.message)
        for problem in (*found, *rules.problems(written))
    )


def _server_names(root: Mapping[str, Any]) -> list[str]:
    servers = root.get("servers")
    names = [item.get("name") for item in servers if isinstance(item, dict)] if isinstance(servers, list) else []
    return list(dict.fromkeys(name for name in names if isinstance(name, str))) or ["web01"]


def _moved(place: Place, over: Mapping[str, Any], names: list[str]) -> Place:
    """Return where a place of the world's ``config`` is in the merged configuration."""
    inner = place[1:]
    if len(inner) < 2 or inner[0] != "servers" or not isinstance(inner[1], int):
        return inner
    servers = over.get("servers")
    item = servers[inner[1]] if isinstance(servers, list) and inner[1] < len(servers) else None
    name = item.get("name") if isinstance(item, Mapping) else None
    return ("servers", names.index(name), *inner[2:]) if name in names else inner
