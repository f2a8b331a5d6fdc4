"""The benchmark of whole passes runs, on few names; its figures come from a run by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.hoster import Hoster, exchanges_of

_ROOT = Path(__file__).parent.parent.parent


def test_the_benchmark_sees_every_name_and_an_unchanged_pass_writes_as_few_rows_with_ten_times_the_names() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.whole_pass", "--names", "600", "--servers", "3"],
        check=False,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=110,
    )

    assert done.returncode == 0, done.stderr
    (row,) = re.findall(r"^\| P13 \| (.*) \|$", done.stdout, re.MULTILINE)
    (rows, fewer) = re.findall(r"an unchanged pass writes (\d+) rows, with a tenth of the names (\d+)", row)[0]
    assert rows == fewer
    queries = {
        what: int(count.replace(",", "")) for what, count in re.findall(r"(\w+) \d+ µs \(\d+ s, ([\d,]+) queries", row)
    }
    assert set(queries) == {"first", "unchanged", "remembered"}
    assert queries["first"] == queries["unchanged"] >= 600 + 2 * exchanges_of(600)
    # One in a hundred is on its way to a change: of it alone the vantages are asked, with its exchange.
    assert queries["remembered"] <= 600 * 0.01 * 3 + 2 * 3 * 6
    assert done.stdout.splitlines()[0].split("; ")[-1].startswith("600 names on 3 servers")


def test_every_name_is_hosted_once_and_where_its_number_says() -> None:
    hoster = Hoster(names=1003, servers=7)

    hosted = [(number, server) for server in range(7) for number in hoster.hosted(server)]

    assert [number for number, _ in hosted] == list(range(1003))
    assert all(hoster.server_of(number) == server for number, server in hosted)
