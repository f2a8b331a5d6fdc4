"""The simulated Plesk of the lab: the XML API on 127.0.0.1:8443, whose every write goes on into Postfix's tables.

``python -m tests.e2e.lab.panel serve FOLDER`` runs on the Plesk server until it is told to end;
``… write FOLDER`` writes the tables once, as Plesk does when somebody at the panel changed something.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from mailswitch.core.domain import Switch
from mailswitch.simulation.plesk_xml import XmlApiServer
from mailswitch.simulation.schemas import SchemaSet
from mailswitch.simulation.state import PanelState
from tests.e2e.lab.plesk import TABLES, mail_tables

__all__ = ["CERTIFICATE", "PORT", "READY", "STATE", "WRITES", "MailPanel", "main"]

PORT = 8443
STATE, CERTIFICATE, READY = "panel.db", "panel.pem", "ready"
WRITES = "writes.jsonl"
"""When each switch was turned: one JSON object a line."""
_SECONDS = 30
_writing = threading.Lock()


class MailPanel(PanelState):
    """A panel that has a mail server."""

    def perform(self, name: str, to: Switch, *, interface: str, is_applied: bool) -> None:
        """Turn a switch, and tell Postfix before the request is answered."""
        begun = time.time()
        super().perform(name, to, interface=interface, is_applied=is_applied)
        if is_applied:
            self.write_tables()
            told = {"name": name, "to": to.value, "begun": begun, "done": time.time()}
            with (self.path.parent / WRITES).open("a", encoding="ascii") as file:
                file.write(json.dumps(told) + "\n")

    def write_tables(self) -> None:
        """Write Postfix's tables as the switches are, each by rename, and have it read them."""
        with _writing, tempfile.TemporaryDirectory(dir=TABLES) as folder:
            for name, text in mail_tables(self).texts().items():
                new = Path(folder) / name
                new.write_text(text, encoding="ascii")
                subprocess.run(["postmap", f"hash:{new}"], check=True, timeout=_SECONDS)
                new.with_name(f"{name}.db").rename(Path(TABLES) / f"{name}.db")
            subprocess.run(["postfix", "reload"], check=True, timeout=_SECONDS, capture_output=True)


def main(words: list[str]) -> int:
    """Run the program and return its exit code."""
    match words:
        case ["serve", folder]:
            _serve(Path(folder))
        case ["write", folder]:
            MailPanel(Path(folder) / STATE).write_tables()
        case _:
            sys.stderr.write("usage: python -m tests.e2e.lab.panel serve|write FOLDER\n")
            return 2
    return 0


def _serve(folder: Path) -> None:
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    state = MailPanel(folder / STATE)
    state.write_tables()
    with XmlApiServer(state, folder / CERTIFICATE, schemas=SchemaSet.from_environment(), port=PORT):
        (folder / READY).touch()
        signal.sigwait(signals)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
