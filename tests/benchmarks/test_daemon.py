"""The benchmark of the daemon runs, on few names and for moments; its figures come from a run by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent.parent
_MOST_GROWTH = 20.0
"""Megabytes: far above noise, and above what a tool adds that watches the process."""


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.daemon", *options],
        check=False,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={"PATH": "/nowhere"},
        timeout=110,
    )


def test_the_benchmark_prints_every_goal_and_the_daemon_ends_well_and_does_not_grow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = _run("--names", "100", "--idle", "3", "--hours", "4")

    assert done.returncode == 0, done.stderr
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stdout}")
    rows = dict(re.findall(r"^\| (D\d) \| (.*) \|$", done.stdout, re.MULTILINE))
    assert set(rows) == {"D1", "D2", "D3", "D4", "D5"}
    assert "too short a stretch" in rows["D2"]
    assert rows["D2"].endswith("skipped")
    assert "exit code 0 after" in rows["D3"]
    assert "4 passes" in rows["D4"]
    (held,) = re.findall(r"([+-][\d.]+) MB in use", rows["D4"])
    (kept,) = re.findall(r"([+-][\d.]+) MB \(", rows["D5"])
    assert max(float(held), float(kept)) <= _MOST_GROWTH
    assert done.stdout.splitlines()[0].split("; ")[-1].startswith("100 names, 3 s idle, 4 simulated hours")


def test_too_few_hours_to_tell_of_growth_are_refused() -> None:
    done = _run("--hours", "2")

    assert done.returncode == 2
    assert "3 or more" in done.stderr
