"""Play everything: ``python -m tests.e2e.lab.main FOLDER PROGRAM``, within the namespaces of script/mail-proof."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from tests.e2e.lab import places
from tests.e2e.lab.lab import Lab, Special
from tests.e2e.lab.places import HERE, mx
from tests.e2e.lab.play import Play, Theatre, tell
from tests.e2e.lab.scenarios import SCENARIOS
from tests.e2e.lab.tally import table
from tests.e2e.lab.waiting import Broken


def main() -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("program", type=Path)
    parser.add_argument("--only", action="append", default=[])
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    chosen = [one for one in SCENARIOS if not given.only or one.letter in given.only]
    hosted = [places.COTENANT, *places.FILLERS, *(name for one in SCENARIOS for name in one.names)]
    zones = {**places.INFRASTRUCTURE, **{name: mx(name, HERE) for name in hosted}}
    lab = Lab(given.folder, zones, Special())
    tell("== the lab")
    lab.start()
    tell(f"   started ({time.monotonic() - started:.0f} s)")
    theatre = Theatre(lab, given.program)
    broken = []
    for scenario in chosen:
        tell(f"== {scenario.letter}: {scenario.title}")
        play = Play(theatre, scenario.letter, scenario.title)
        try:
            scenario.act(play)
        except Broken as error:
            broken.append(str(error))
            tell(f"   BROKEN  {error}")
        finally:
            play.close()
        tell(f"   ({time.monotonic() - started:.0f} s)")
    tell(table(theatre.rows))
    problems = [*broken, *(problem for row in theatre.rows for problem in row.problems)]
    for problem in problems:
        tell(f"WRONG: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
