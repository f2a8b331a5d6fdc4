"""How fast lookups are, beside other ways of asking, in one interleaved run on loopback; and what a whole pass takes.

Run it from the project's folder: ``.venv/bin/python -m benchmarks.lookup``. Prints, as Markdown, one table with a line
for each goal: the figure, and whether it holds. Figures are medians of all repetitions, in which the ways of asking
take turns. Servers have the last core to themselves, whoever asks has the first one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import goals
from benchmarks.answering import exchange_of
from benchmarks.others import available, versions
from benchmarks.runs import TIMING, Run, Survey, by_engine, by_survey, by_threads
from benchmarks.servers import client_on_first_core, far_resolver, resolver
from benchmarks.table import Line, heading
from benchmarks.whole_pass import measured_line
from mailswitch.core.names import DomainName
from mailswitch.lookup.vantages import Codec

__all__ = ["main"]

_DELAY_SECONDS = (0.02, 0.05)
_LOSS = 0.01
_FAR_WINDOW = 1000
_LIMIT = 1500.0
_RATE = _LIMIT * 0.99


class _Bench:
    """One run of the benchmark: the lines so far, and who was asked with what."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._chosen = chosen
        self._began = time.monotonic()
        self.lines: list[Line] = []
        self.unresolved = 0
        self.servers: set[str] = set()
        self.versions: list[str] = []

    def near(self) -> None:
        """P1 to P7 and P12: everybody asks the same resolver, in turns."""
        count, hosts = self._chosen.names, max(1, self._chosen.names // 10)
        fewer = max(1, count // 5)
        names = [DomainName(f"d{number}.example") for number in range(count)]
        runs: dict[str, list[Run]] = {}
        surveys: list[Survey] = []
        with resolver(count, hosts) as server, tempfile.TemporaryDirectory() as folder:
            self._tell(f"P1 to P7, P12: {count:,} names; {server.what}")
            self.servers.add(server.what)
            ways: dict[str, Callable[[], Run]] = {
                "fast": partial(by_engine, server.port, names),
                "dnspython": partial(by_engine, server.port, names[:fewer], Codec.DNSPYTHON),
                "threads": partial(by_threads, server.port, names[: max(1, count // 20)]),
            }
            others = available(self._chosen.peers_python, server.port, count, fewer, Path(folder))
            self.versions = versions(self._chosen.peers_python, list(others), self._chosen.massdns_version)
            if server.is_cold:
                by_survey(server.port, count)
            for repetition in range(self._chosen.repetitions):
                for way, run in ways.items():
                    runs.setdefault(way, []).append(run())
                for way, run in others.items():
                    try:
                        runs.setdefault(way, []).append(run())
                    except subprocess.CalledProcessError as error:
                        self._tell(f"{way} failed, and this repetition of it does not count: {error}")
                surveys.append(by_survey(server.port, count))
                self._tell(f"repetition {repetition + 1} of {self._chosen.repetitions}")
            remembering = by_survey(server.port, count, is_twice=True)
        runs = {way: each for way, each in runs.items() if each}
        self.unresolved += sum(run.unresolved for way in ways for run in runs[way])
        self.unresolved += sum(survey.unresolved for survey in surveys)
        self.lines += goals.near(runs, surveys)
        exchanges = len({exchange_of(number, hosts) for number in range(count)})
        self.lines.append(goals.counted([*surveys, remembering], exchanges))

    def million(self) -> None:
        """P8 and P9: surveys of very many names beside those of fewer."""
        many, count = self._chosen.many, self._chosen.names
        fewer: list[Survey] = []
        more: list[Survey] = []
        with resolver(many, max(1, many // 10)) as server:
            self._tell(f"P8, P9: {many:,} names; {server.what}")
            self.servers.add(server.what)
            if server.is_cold:
                by_survey(server.port, many)
            for repetition in range(self._chosen.many_repetitions):
                fewer.append(by_survey(server.port, count))
                more.append(by_survey(server.port, many))
                self._tell(f"repetition {repetition + 1} of {self._chosen.many_repetitions}")
        self.unresolved += sum(survey.unresolved for survey in [*fewer, *more])
        self.lines += goals.million(fewer, more)

    def far(self) -> None:
        """P10 and P11: a resolver behind a slow network that loses packets, and one that limits."""
        count = self._chosen.names
        names = [DomainName(f"d{number}.example") for number in range(count)]
        slow, strict = replace(TIMING, concurrency=_FAR_WINDOW), replace(TIMING, rate=_RATE)
        far: list[Run] = []
        limited: list[Run] = []
        hosts = max(1, count // 10)
        with (
            far_resolver(hosts, delay=_DELAY_SECONDS, loss=_LOSS) as away,
            far_resolver(hosts, limit=_LIMIT) as limiter,
        ):
            self._tell(f"P10, P11: {away.what}")
            for repetition in range(self._chosen.repetitions):
                far.append(by_engine(away.port, names, timing=slow))
                limited.append(by_engine(limiter.port, names[: min(count, int(5 * _RATE))], timing=strict))
                self._tell(f"repetition {repetition + 1} of {self._chosen.repetitions}")
        self.unresolved += sum(run.unresolved for run in [*far, *limited])
        self.lines += [
            goals.far(far, window=_FAR_WINDOW, round_trip=sum(_DELAY_SECONDS) / 2),
            goals.limited(limited, rate=_RATE, limit=_LIMIT),
        ]

    def whole_pass(self) -> None:
        """P13: a pass over many servers, each process on whatever core is free."""
        self._tell(f"P13: {self._chosen.pass_names:,} names on {self._chosen.pass_servers:,} servers")
        self.lines.append(measured_line(self._chosen.pass_names, self._chosen.pass_servers))

    def report(self) -> str:
        """Return the table, with what stands above and below it."""
        scale = f"{self._chosen.names:,} names, {self._chosen.repetitions} repetitions"
        if "many" not in self._chosen.without:
            scale += f", {self._chosen.many_repetitions} of {self._chosen.many:,}"
        lines = sorted(self.lines, key=lambda line: int(line.number[1:]))
        return "\n".join(
            [
                *heading(self.versions or ["dnspython"], scale),
                *map(str, lines),
                "",
                f"Asked was {' and '.join(sorted(self.servers))}; for P10 and P11 the benchmark's own resolver.",
                f"The run took {time.monotonic() - self._began:,.0f} s; {self.unresolved} questions stayed unresolved.",
            ]
        )

    def _tell(self, progress: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._began:6.0f} s  {progress}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 1 if a question of ours stayed unresolved."""
    bench = _Bench(chosen := _parser().parse_args(arguments))
    with client_on_first_core():
        if "near" not in chosen.without:
            bench.near()
        if "many" not in chosen.without:
            bench.million()
        if "far" not in chosen.without:
            bench.far()
    if "pass" not in chosen.without:
        bench.whole_pass()
    sys.stdout.write(bench.report() + "\n")
    return 1 if bench.unresolved else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lookup", description=__doc__)
    parser.add_argument("--names", type=int, default=100_000, help="domains to ask about (default 100000)")
    parser.add_argument("--repetitions", type=int, default=5, help="interleaved runs of each way (default 5)")
    parser.add_argument("--many", type=int, default=1_000_000, help="domains of P8 (default 1000000)")
    parser.add_argument("--many-repetitions", type=int, default=2, help="surveys of those (default 2)")
    parser.add_argument("--pass-names", type=int, default=100_000, help="domains of P13 (default 100000)")
    parser.add_argument("--pass-servers", type=int, default=200, help="servers of P13 (default 200)")
    parser.add_argument(
        "--without", nargs="*", default=(), choices=("near", "many", "far", "pass"), help="parts to leave out"
    )
    parser.add_argument(
        "--peers-python",
        default=sys.executable,
        metavar="PATH",
        help="an interpreter that has pycares, aiodns and blastdns, as far as they are to be compared with",
    )
    parser.add_argument(
        "--massdns-version", default="(tells no version)", metavar="TEXT", help="the tag or commit massdns was built of"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
