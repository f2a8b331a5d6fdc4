"""The benchmark of lookups runs, on few names; its figures come from a run by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent


def test_the_benchmark_prints_every_goal_and_names_the_peers_it_skips() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lookup", "--names", "1000", "--repetitions", "1"],
        check=True,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={"PATH": "/nowhere"},
        timeout=100,
    )

    rows = dict(re.findall(r"^\| (P\d+) \| (.*) \|$", done.stdout, re.MULTILINE))
    assert set(rows) == {"P1", "P2", "P3", "P5", "P6", "P7", "P12"}
    assert "massdns is not installed" in rows["P1"]
    assert "dnsperf is not installed" in rows["P2"]
    assert "1,240 (expected 1,240) | pass" in rows["P12"]
    assert "Python" in done.stdout.splitlines()[0]
    assert "1 repetitions" in done.stdout.splitlines()[0]
