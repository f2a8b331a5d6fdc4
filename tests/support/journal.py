"""A journal for tests: entries in a file, and a ``journalctl`` that shows them as the real one does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["Journal", "entry"]

_PROGRAM = """\
#!{python}
import json, sys, time
from pathlib import Path
folder = Path({folder!r})
words = sys.argv[1:]
(folder / "asked").open("a").write(json.dumps(words) + "\\n")
if (folder / "failing").exists():
    print("No journal files were opened due to insufficient permissions.", file=sys.stderr)
    sys.exit(1)
assert words[-1] == "SYSLOG_FACILITY=2" and "--output=json" in words, words
lines = (folder / "entries.json").read_bytes().splitlines()
found = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
if "--cursor" in found:
    # A cursor that is gone is where its entry would be: at the next one that is there.
    place = lambda cursor: int(cursor.split(";")[1].partition("=")[2], 16)
    wanted = place(found["--cursor"])
    lines = [line for line in lines if place(json.loads(line)["__CURSOR"]) >= wanted]
for line in lines:
    sys.stdout.buffer.write(line + b"\\n")
sys.stdout.flush()
if (folder / "hanging").exists():
    time.sleep(600)
"""


def entry(number: int, at: datetime, program: str, text: Any, **fields: Any) -> dict[str, Any]:
    """Return an entry as journalctl shows it; ``fields`` replace others, and None leaves one out."""
    usual = {
        "__CURSOR": f"s=09ae;i={number:x};b=43e2;m=1;t={number:x};x=f7",
        "__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1_000_000)),
        "SYSLOG_IDENTIFIER": program if program == "dovecot" else f"postfix/{program}",
        "SYSLOG_PID": "4711",
        "_PID": "4711",
        "_UID": "102",
        "MESSAGE": text,
    }
    return {key: value for key, value in (usual | fields).items() if value is not None}


class Journal:
    """A journal in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journalctl = folder / "journalctl"
        self.journalctl.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)), encoding="utf-8")
        self.journalctl.chmod(0o755)
        self.replace(b"")

    def add(self, entries: Iterable[dict[str, Any]]) -> None:
        """Append entries."""
        with (self.folder / "entries.json").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in entries)

    def replace(self, octets: bytes) -> None:
        """Be a recorded journal."""
        (self.folder / "entries.json").write_bytes(octets)

    def forget(self, number: int) -> None:
        """Lose the oldest entries, as vacuuming does."""
        lines = (self.folder / "entries.json").read_bytes().splitlines(keepends=True)
        self.replace(b"".join(lines[number:]))

    def be(self, what: str) -> None:
        """Be ``failing`` or ``hanging`` from now on."""
        (self.folder / what).touch()

    @property
    def asked(self) -> list[list[str]]:
        """How it was called."""
        return [json.loads(line) for line in (self.folder / "asked").read_text(encoding="utf-8").splitlines()]
