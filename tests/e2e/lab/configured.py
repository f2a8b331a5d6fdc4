"""The configuration that mailswitch runs with in the lab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.lab import places
from tests.e2e.lab.lab import Lab
from tests.e2e.lab.panel import PORT

__all__ = ["configuration"]


def configuration(lab: Lab, folder: Path, fingerprint: str) -> dict[str, Any]:
    """Return it as nested mappings; everything that is not written here is as shipped."""
    root_hints = folder / "root.hints"
    root_hints.write_text(lab.names.root_hints, encoding="ascii")
    return {
        "mode": "report",
        "ledger": f"sqlite:///{folder}/ledger.db",
        "servers": [
            {
                "name": "plesk",
                "panel": "xml-api",
                "url": f"https://127.0.0.1:{PORT}",
                "secret_key_file": "panel.key",
                "tls": {"fingerprint_sha256": fingerprint},
            }
        ],
        "dns": {
            "vantages": [
                {"name": name, "operator": name.capitalize(), "address": lab.hosts[name].address}
                for name in places.RESOLVERS
            ],
            "root_hints": str(root_hints),
            # Answers hold for a minute at least, which is most of a scenario.
            "remember": False,
        },
        "policy": {"providers": [{"pattern": "*.provider.example", "kind": "mailbox", "provider": "Provider"}]},
        # What takes a day on the internet takes three passes here.
        "confirm": {"sightings": 3, "window": "0s", "unknown_provider_window": "0s"},
        # A handful of names moves here, which is most of the server.
        "limits": {"changes": 100, "share": "100%", "unknown_share": "100%"},
    }
