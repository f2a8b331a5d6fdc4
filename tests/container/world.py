"""The world that surrounds the daemon in the container: a hoster's names, where their mail is, and what was done."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mailswitch.core.domain import Switch
from mailswitch.simulation.state import PanelState
from tests.container.machine import Broken, Container, until

__all__ = ["CONFIG", "FOLDER", "HERE", "KEY", "MOVED", "POLICY", "PROGRAM", "World", "tell"]

PROGRAM = "/opt/mailswitch/bin/mailswitch"
CONFIG = "/etc/mailswitch/mailswitch.yaml"
KEY = "/etc/mailswitch/panel.key"
FOLDER = "/var/lib/simulated-plesk"
MOVED = [f"moved{number}.example" for number in range(20)]
HERE = [f"here{number}.example" for number in range(20)]
POLICY = """
confirm: {sightings: 1, window: 0s, unknown_provider_window: 0s}
limits: {changes: 100, share: 100%}
"""
"""What moved goes off at once, however much it is."""


def tell(text: str) -> None:
    """Print lines at once: what is read is a log that grows."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class World:
    """What every step needs."""

    def __init__(self, container: Container) -> None:
        self.box = container
        self.gone: set[str] = set()

    def check(self, is_so: object, what: str) -> None:
        """Say that something is as it must be, or end."""
        if not is_so:
            raise Broken(f"not so: {what}")
        tell(f"   ok  {what}")

    @property
    def panel(self) -> PanelState:
        """The simulated panel's state, which lies in the container's folder."""
        return PanelState(self.box.file(f"{FOLDER}/panel.db"))

    def publish(self) -> None:
        """Write public DNS, in which the names of `gone` are at a large mailbox provider."""
        lines = ["mail.plesk.example. 3600 IN A 203.0.113.10", "aspmx.l.google.com. 300 IN A 192.0.2.26"]
        for name in (*MOVED, *HERE):
            exchange = "aspmx.l.google.com." if name in self.gone else "mail.plesk.example."
            lines.append(f"{name}. 300 IN MX 10 {exchange}")
        self.box.file(f"{FOLDER}/zone").write_text("\n".join(lines) + "\n")

    def move(self, names: list[str]) -> None:
        """Let customers move."""
        self.gone |= set(names)
        self.publish()
        self.box.run("systemctl", "reload", "simulated-plesk")

    def written(self) -> Counter[str]:
        """Return how often each name's switch was written."""
        return Counter(write.name.text for write in self.panel.writes())

    def are_off(self, names: list[str]) -> bool:
        return all(self.panel.switch_of(name) is Switch.OFF for name in names)

    def mailswitch(self, *words: str, variables: Mapping[str, str] | None = None) -> str:
        return self.box.run(PROGRAM, *words, variables=variables)

    def changes(self) -> list[dict[str, Any]]:
        """Return the ledger's changes."""
        found: list[dict[str, Any]] = json.loads(self.mailswitch("history", "--format", "json"))["changes"]
        return found

    def check_each_changed_once(self, names: list[str]) -> None:
        """Check that each switch was written once and recorded as done once."""
        times = self.written()
        self.check(
            {name: times[name] for name in names} == dict.fromkeys(names, 1), "each switch was written exactly once"
        )
        recorded = Counter(change["name"] for change in self.changes() if change["outcome"] == "done")
        self.check(
            {name: recorded[name] for name in names} == dict.fromkeys(names, 1),
            "and is on record exactly once, as done",
        )
        self.check(not [change for change in self.changes() if change["outcome"] is None], "no intent is open")

    def configure(self, text: str) -> None:
        """Replace the configuration's text; its owner and mode stay."""
        self.box.file(CONFIG).write_text(text)

    def drop_in(self, unit: str, name: str, text: str) -> None:
        """Give a unit settings of the administrator's own, as ``systemctl edit`` does."""
        folder = self.box.file(f"/etc/systemd/system/{unit}.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.conf").write_text(text)
        self.box.run("systemctl", "daemon-reload")

    def await_off(self, names: list[str], *, seconds: float = 90) -> None:
        """Wait until all of the names are off."""
        until("all are off", lambda: self.are_off(names), seconds=seconds)
