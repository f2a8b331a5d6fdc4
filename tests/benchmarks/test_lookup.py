"""The benchmark of lookups runs, on few names; its figures come from a run by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent.parent
_SMALL = ("--names", "1000", "--repetitions", "1", "--many", "2000", "--many-repetitions", "1")
_FEW_SERVERS = ("--pass-names", "60", "--pass-servers", "2")


def run(*options: str, path: str = "/nowhere") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lookup", *options],
        check=True,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={"PATH": path},
        timeout=110,
    )
    return done.stdout


def test_the_benchmark_prints_every_goal_and_names_the_peers_it_skips() -> None:
    told = run(*_SMALL, *_FEW_SERVERS)

    rows = re.findall(r"^\| (P\d+) \| (.*) \|$", told, re.MULTILINE)
    assert sorted({number for number, _ in rows}, key=lambda number: int(number[1:])) == [
        f"P{number}" for number in range(1, 14)
    ]
    skipped = {text.split(" | ")[2] for _, text in rows if text.endswith("| skipped")}
    assert {f"{peer} is not installed" for peer in ("massdns", "dnsperf", "node", "Go miekg/dns")} <= skipped
    assert all(text.rsplit(" | ", 1)[1] in {"pass", "**short**", "skipped"} for _, text in rows)
    assert "1,240 (expected 1,240), then 0 | pass" in dict(rows)["P12"]
    assert ", 0 unresolved, " in dict(rows)["P10"]
    assert ", 0 unresolved, " in dict(rows)["P11"]
    assert dict(rows)["P13"].startswith("whole pass, one run | ")
    heading = told.splitlines()[0]
    assert "Python" in heading
    assert "dnspython" in heading
    assert "1,000 names, 1 repetitions" in heading
    assert "0 questions stayed unresolved" in told.splitlines()[-1]


def test_parts_of_the_benchmark_can_be_left_out() -> None:
    told = run("--names", "300", "--repetitions", "1", "--without", "near", "many", "pass")

    assert re.findall(r"^\| (P\d+) ", told, re.MULTILINE) == ["P10", "P11"]


@pytest.mark.dns_servers
def test_where_unbound_is_on_path_it_is_what_everybody_asks() -> None:
    told = run(*_SMALL, "--without", "far", "pass", path="/usr/sbin:/usr/local/sbin")

    assert re.findall(r"^\| (P\d+) ", told, re.MULTILINE)[-2:] == ["P9", "P12"]
    assert "| 1,240 (expected 1,240), then 0 | pass |" in told
    assert re.search(r"^Asked was Unbound \d\S+; for P10", told, re.MULTILINE)
    assert "0 questions stayed unresolved" in told.splitlines()[-1]
