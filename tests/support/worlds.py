"""Whole worlds for tests: a staged Plesk and public DNS, and the real program run against them in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, update

from mailswitch.cli.main import main
from mailswitch.ledger.columns import Moment
from mailswitch.ledger.tables import METADATA
from mailswitch.simulation.stage import Stage
from mailswitch.simulation.world_file import parse_world

Ending = tuple[int, str, str]

HEAD = """\
servers:
  - name: web01
    version: "18.0.61"
    addresses: ["203.0.113.10"]
    domains:
"""

PUBLIC = """\
dns: |
  mail.web01.example. 3600 IN A 203.0.113.10
  aspmx.l.google.com. 300 IN A 192.0.2.26
  mx.nobody-knows.example. 300 IN A 198.51.100.9
"""

AT_ONCE = "config: {confirm: {sightings: 1, window: 0s, unknown_provider_window: 0s}}\n"


def a_world(
    *, moved: int = 1, here: int = 8, unknown: int = 0, domains: str = "", dns: str = "", tail: str = AT_ONCE
) -> str:
    """Return a world with one server: names that moved to a known host, that are here, that are nobody knows where."""
    names = {
        "moved": [f"moved{number}.example" for number in range(moved)],
        "here": [f"here{number}.example" for number in range(here)],
        "unknown": [f"unknown{number}.example" for number in range(unknown)],
    }
    exchanges = {"moved": "aspmx.l.google.com.", "here": "mail.web01.example.", "unknown": "mx.nobody-knows.example."}
    listed = "".join(
        f"      - {{name: {name}, mail: on, created: 2015-05-05}}\n" for group in names.values() for name in group
    )
    records = "".join(f"  {name}. 3600 IN MX 10 {exchanges[kind]}\n" for kind, group in names.items() for name in group)
    return HEAD + listed + domains + PUBLIC + records + dns + tail


@dataclass(frozen=True)
class Play:
    """One staged world with the program at hand."""

    stage: Stage
    capture: pytest.CaptureFixture[str]
    seen: dict[tuple[str, ...], Ending] | None = None
    """What was run before, for a world that only is looked at: the same question is not asked twice."""

    def run(self, *arguments: str) -> Ending:
        """Run the program and return its exit code, its output and its complaints."""
        if self.seen is None:
            return self._run(arguments)
        if arguments not in self.seen:
            self.seen[arguments] = self._run(arguments)
        return self.seen[arguments]

    def _run(self, arguments: tuple[str, ...]) -> Ending:
        self.capture.readouterr()
        code = main(["--config", str(self.stage.config_path), *arguments])
        shown = self.capture.readouterr()
        return code, shown.out, shown.err

    def ok(self, *arguments: str) -> str:
        """Run the program, insist that it ends with 0, and return its output."""
        code, out, err = self.run(*arguments)
        assert code == 0, (arguments, code, out, err)
        return out

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run the program with ``--format json`` and return the document."""
        ended, out, err = self.run(*arguments, "--format", "json")
        assert ended == code, (arguments, ended, out, err)
        return json.loads(out)

    def complains(self, code: int, *arguments: str) -> str:
        """Run the program, insist on an exit code, and return what it complained of."""
        ended, out, err = self.run(*arguments)
        assert ended == code, (arguments, ended, out, err)
        return err

    def names(self, document: Any) -> dict[str, Any]:
        """Return the names of a JSON report by their text."""
        return {entry["name"]: entry for server in document["servers"] for entry in server["domains"]}

    def switch(self, name: str, server: str = "web01") -> str:
        """Return how a switch stands at the panel."""
        return self.stage.panel(server).switch_of(name).value

    def writes(self, server: str = "web01") -> list[tuple[str, str]]:
        """Return every switch the panel was asked to turn, oldest first."""
        return [(write.name.text, write.to.value) for write in self.stage.panel(server).writes()]

    def asked(self) -> int:
        """Return how many requests all panels had so far."""
        return sum(len(panel.requests()) for panel in self.stage.panels.values())

    def let_pass(self, span: timedelta) -> None:
        """Let time go by, as far as the ledger can tell: every moment in it is moved into the past."""
        engine = create_engine(f"sqlite:///{self.stage.directory / 'ledger.db'}")
        with engine.begin() as connection:
            for table in METADATA.sorted_tables:
                moments = [column for column in table.columns if isinstance(column.type, Moment)]
                for row in connection.execute(select(table)).mappings().all():
                    earlier = {column.name: row[column.name] - span for column in moments if row[column.name]}
                    same = [column == row[column.name] for column in table.primary_key]
                    connection.execute(update(table).where(*same).values(earlier))
        engine.dispose()

    def edit_config(self, old: str, new: str) -> None:
        """Change the world's configuration as an administrator with an editor does."""
        text = self.config_path.read_text(encoding="utf-8")
        assert old in text, text
        self.config_path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def config_path(self) -> Path:
        """Where the world's configuration is."""
        return self.stage.config_path


Staged = Callable[[str], Play]

PROGRAM = (sys.executable, "-c", "from mailswitch.cli.main import entry; entry()")


def as_process(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def staging(folder: Path, capture: pytest.CaptureFixture[str]) -> Iterator[Staged]:
    """Give a function that stages worlds below ``folder`` until the end of the block."""
    with ExitStack() as stack:
        count = 0

        def staged(text: str) -> Play:
            nonlocal count
            count += 1
            stage = Stage(parse_world(text), folder / f"world{count}")
            play = Play(stack.enter_context(stage), capture)
            stack.callback(_no_violations, stage)
            return play

        yield staged


def _no_violations(stage: Stage) -> None:
    for name, panel in stage.panels.items():
        assert panel.violations() == (), name
