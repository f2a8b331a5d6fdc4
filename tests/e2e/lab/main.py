"""Play everything: ``python -m tests.e2e.lab.main FOLDER PROGRAM``, within the namespaces of script/mail-proof."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.lab import places
from tests.e2e.lab.hosts import Host
from tests.e2e.lab.lab import Lab
from tests.e2e.lab.moves import MOVES
from tests.e2e.lab.paper import Printed, paper
from tests.e2e.lab.places import HERE, mx
from tests.e2e.lab.play import Play
from tests.e2e.lab.relays import BEHIND_FILTER, RELAYS, SPLIT, past_week
from tests.e2e.lab.rescuing import RESCUING
from tests.e2e.lab.scenario import Scenario
from tests.e2e.lab.stream import STREAM
from tests.e2e.lab.tally import table
from tests.e2e.lab.theatre import Theatre, tell
from tests.e2e.lab.views import SPECIAL, VIEWS
from tests.e2e.lab.waiting import Broken

__all__ = ["SCENARIOS", "main"]

_PAST = Scenario("before", "What the mail log tells of the days before", (), past_week)
SCENARIOS = (_PAST, *sorted((*MOVES, *RELAYS, *VIEWS, *RESCUING), key=lambda one: one.letter), *STREAM)
_VERSIONS = (
    ("Postfix", ("postconf", "-d", "-h", "mail_version")),
    ("Dovecot", ("dovecot", "--version")),
    ("NSD", ("nsd", "-v")),
    ("Unbound", ("unbound", "-V")),
)


def main() -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(prog="script/mail-proof")
    parser.add_argument("folder", type=Path)
    parser.add_argument("program", type=Path)
    letters = [one.letter for one in SCENARIOS]
    parser.add_argument("--only", action="append", default=[], choices=letters, metavar="SCENARIO")
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--set-up-seconds", type=int, default=0, help="what installing took, for the paper")
    given = parser.parse_args()
    # The first process of a namespace is not ended by a signal that it does not await.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    theatre = Theatre(_started(given.folder), given.program)
    tell(f"   started ({time.monotonic() - started:.0f} s)")
    chosen = [one for one in SCENARIOS if one is _PAST or not given.only or one.letter in given.only]
    for scenario in chosen:
        _play(theatre, scenario)
        tell(f"   ({time.monotonic() - started:.0f} s)")
    tell(table(theatre.rows))
    if theatre.problems:
        for postfix in theatre.lab.postfix.values():
            tell(f"== the end of the mail log of {postfix.host.name}\n{postfix.log()}")
    for problem in theatre.problems:
        tell(f"WRONG: {problem}")
    if given.write is not None and not theatre.problems:
        given.write.write_text(
            _printed(theatre, chosen, given.set_up_seconds + time.monotonic() - started), encoding="utf-8"
        )
    return 1 if theatre.problems else 0


def _started(folder: Path) -> Lab:
    tell("== the lab")
    hosted = [places.COTENANT, *places.FILLERS, *(name for one in SCENARIOS for name in one.names)]
    zones = {**places.INFRASTRUCTURE, **{name: mx(name, HERE) for name in hosted}}
    lab = Lab(folder, zones, replace(SPECIAL, filtered=frozenset({BEHIND_FILTER}), split=frozenset({SPLIT})))
    lab.start()
    return lab


def _play(theatre: Theatre, scenario: Scenario) -> None:
    tell(f"== {scenario.letter}: {scenario.title}")
    play = Play(theatre, scenario.letter)
    try:
        scenario.act(play)
        play.check(not play.panel.violations(), "the panel was asked for nothing that is not allowed")
    except Broken as error:
        play.wrong(str(error))
    finally:
        play.close()


def _printed(theatre: Theatre, chosen: Sequence[Scenario], seconds: float) -> str:
    return paper(
        Printed(
            rows=tuple(theatre.rows),
            titles={one.letter: one.title for one in chosen},
            remarks=tuple(theatre.remarks),
            when=f"{datetime.now(UTC):%Y-%m-%d}",
            took_seconds=round(seconds),
            machine=f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}",
            versions=tuple(_version(theatre.lab.plesk, name, command) for name, command in _VERSIONS),
        )
    )


def _version(host: Host, name: str, command: tuple[str, ...]) -> str:
    done = host.try_run(*command)
    found = re.search(r"[0-9]+(?:\.[0-9]+)+", done.stdout + done.stderr)
    return name if found is None else f"{name} {found.group()}"


if __name__ == "__main__":
    sys.exit(main())
