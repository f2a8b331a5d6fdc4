"""How fast lookups are, beside other ways of asking, in one interleaved run on loopback.

Run it from the project's folder: ``.venv/bin/python -m benchmarks.lookup``. Prints one table with a line for each goal
that is measured: the goal, the median figure of all repetitions, and whether it holds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import dns.rdatatype
import dns.resolver

from benchmarks.answering import exchange_of
from benchmarks.table import Line, heading
from mailswitch.core.mx import Indeterminate
from mailswitch.core.names import DomainName
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.replies import Reply, Unreliable
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings

__all__ = ["main"]

_TIMING = Timing(rate=None, concurrency=200, tries=6)
"""As many under way as the server's one socket holds with default buffers: more would be lost there."""
_THREADS = 32
_PEERS = ("dnsperf", "massdns")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One way of asking, once."""

    queries: int
    seconds: float
    cpu_seconds: float
    unresolved: int = 0

    @property
    def per_second(self) -> float:
        return self.queries / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        return self.cpu_seconds / self.queries * 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 0 unless a question stayed unresolved."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lookup", description=__doc__)
    parser.add_argument("--names", type=int, default=100_000, help="domains to ask about (default 100000)")
    parser.add_argument("--repetitions", type=int, default=5, help="interleaved runs of each way (default 5)")
    chosen = parser.parse_args(arguments)
    names = [DomainName(f"d{number}.example") for number in range(chosen.names)]
    hosts = max(1, chosen.names // 10)
    runs: dict[str, list[_Run]] = {}
    with _server(hosts) as port:
        ways = _ways(names, port)
        for _ in range(chosen.repetitions):
            for way, run in ways.items():
                runs.setdefault(way, []).append(run())
    exchanges = len({exchange_of(number, hosts) for number in range(chosen.names)})
    lines = [*_lines(runs, len(names), exchanges), *_skipped(runs)]
    scale = f"{chosen.names:,} names, {chosen.repetitions} repetitions"
    sys.stdout.write("\n".join([*heading(["dnspython"], scale), *map(str, lines)]) + "\n")
    return 1 if any(run.unresolved for each in runs.values() for run in each) else 0


@contextmanager
def _server(hosts: int) -> Iterator[int]:
    """Run the answering resolver on a core of its own, where there are two."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("answering.py")), str(hosts)], stdout=subprocess.PIPE, text=True
    )
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(process.pid, cores[-1:])
    os.sched_setaffinity(0, cores[:1])
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield int(process.stdout.readline())
    finally:
        os.sched_setaffinity(0, cores)
        process.kill()
        process.communicate()


def _ways(names: Sequence[DomainName], port: int) -> dict[str, Callable[[], _Run]]:
    """Return every way of asking; the slow ones ask about fewer names."""
    settings = VantageSettings(name="loopback", operator="Loopback", address=IPv4Address("127.0.0.1"), port=port)
    fewer, few = names[: max(1, len(names) // 5)], names[: max(1, len(names) // 20)]
    ways: dict[str, Callable[[], _Run]] = {
        "fast": lambda: _by_engine(settings, names, Codec.FAST),
        "dnspython": lambda: _by_engine(settings, fewer, Codec.DNSPYTHON),
        "threads": lambda: _by_threads(port, few),
        "survey": lambda: _by_survey(settings, names),
    }
    if shutil.which("dnsperf"):
        ways["dnsperf"] = lambda: _by_dnsperf(port, names)
    if shutil.which("massdns"):
        ways["massdns"] = lambda: _by_massdns(port, names)
    return ways


def _by_engine(settings: VantageSettings, names: Sequence[DomainName], codec: Codec) -> _Run:
    questions = [(name, dns.rdatatype.MX) for name in names]
    replies: dict[Question, Reply] = {}
    client = VantageClient(settings, _TIMING, lambda: 3600.0, codec)
    began, cpu_began = time.perf_counter(), time.process_time()
    asyncio.run(client.ask_all(questions, replies.__setitem__))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    unresolved = sum(isinstance(reply, Unreliable) for reply in replies.values())
    return _Run(queries=len(names), seconds=seconds, cpu_seconds=cpu, unresolved=unresolved)


def _by_survey(settings: VantageSettings, names: Sequence[DomainName]) -> _Run:
    view = open_public_view([settings], _TIMING, lambda: datetime.now(UTC))
    began, cpu_began = time.perf_counter(), time.process_time()
    with view.sweep(rotation=0) as sweep:
        seen = sweep.first_opinions(names)
        queries = sweep.counts()[0].queries
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    unresolved = sum(isinstance(each.mx, Indeterminate) for each in seen.values())
    return _Run(queries=queries, seconds=seconds, cpu_seconds=cpu, unresolved=unresolved)


def _by_threads(port: int, names: Sequence[DomainName]) -> _Run:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    began, cpu_began = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(lambda name: resolver.resolve(f"{name}.", "MX"), names):
            pass
    return _Run(queries=len(names), seconds=time.perf_counter() - began, cpu_seconds=time.process_time() - cpu_began)


def _by_dnsperf(port: int, names: Sequence[DomainName]) -> _Run:
    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"{name} MX\n" for name in names)
        file.flush()
        return _timed(["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", file.name], len(names))


def _by_massdns(port: int, names: Sequence[DomainName]) -> _Run:
    with tempfile.TemporaryDirectory() as folder:
        resolvers, asked = Path(folder, "resolvers"), Path(folder, "names")
        resolvers.write_text(f"127.0.0.1:{port}\n", encoding="ascii")
        asked.write_text("".join(f"{name}\n" for name in names), encoding="ascii")
        command = ["massdns", "-q", "-r", str(resolvers), "-t", "MX", "-o", "S", "-w", os.devnull, str(asked)]
        return _timed(command, len(names))


def _timed(command: Sequence[str], queries: int) -> _Run:
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return _Run(queries=queries, seconds=seconds, cpu_seconds=cpu)


def _lines(runs: dict[str, list[_Run]], names: int, exchanges: int) -> list[Line]:
    speed = {way: statistics.median(run.per_second for run in each) for way, each in runs.items()}
    cost = {way: statistics.median(run.cpu_microseconds for run in each) for way, each in runs.items()}
    survey = runs["survey"]
    seconds = statistics.median(run.seconds for run in survey) * 100_000 / names
    per_domain = statistics.median(run.cpu_seconds for run in survey) / names * 1e6
    queries, expected = {run.queries for run in survey}, names + 2 * exchanges
    threads, p3 = f"`dns.resolver`, {_THREADS} threads", speed["fast"] / speed["threads"]
    p5 = speed["dnspython"] / speed["threads"]
    less = {way: f"CPU {cost['threads'] / cost[way]:.1f} times less" for way in ("fast", "dnspython")}
    told = f"{speed['fast']:,.0f} against {speed['threads']:,.0f} q/s; {less['fast']}"
    slow = f"{speed['dnspython']:,.0f} q/s; {less['dnspython']}"
    survey_goal = "≤ 3 s, ≤ 25 µs CPU per domain"
    figure = f"{seconds:.1f} s, {per_domain:.0f} µs"
    count = f"{', '.join(f'{each:,}' for each in sorted(queries))} (expected {expected:,})"
    return [
        Line(
            number="P3", what=f"against {threads}", goal="≥ 25 times", figure=f"{p3:.1f} times ({told})", holds=p3 >= 25
        ),
        Line(
            number="P5",
            what="dnspython reads all",
            goal="≥ 4.5 times",
            figure=f"{p5:.1f} times ({slow})",
            holds=p5 >= 4.5,
        ),
        Line(
            number="P6", what="CPU per query", goal="≤ 15 µs", figure=f"{cost['fast']:.1f} µs", holds=cost["fast"] <= 15
        ),
        Line(
            number="P7",
            what="survey, per 100,000 domains",
            goal=survey_goal,
            figure=figure,
            holds=seconds <= 3 and per_domain <= 25,
        ),
        Line(number="P12", what="queries", goal="N + 2 per exchange", figure=count, holds=queries == {expected}),
        *_peer_lines(speed),
    ]


def _peer_lines(speed: dict[str, float]) -> Iterator[Line]:
    if "massdns" in speed:
        ratio = speed["massdns"] / speed["fast"]
        yield Line(
            number="P1",
            what="time against massdns",
            goal="≤ 1.75 times",
            figure=f"{ratio:.2f} times",
            holds=ratio <= 1.75,
        )
    if "dnsperf" in speed:
        ratio = speed["fast"] / speed["dnsperf"]
        yield Line(
            number="P2",
            what="q/s against dnsperf",
            goal="≥ 0.55 times",
            figure=f"{ratio:.2f} times",
            holds=ratio >= 0.55,
        )


def _skipped(runs: dict[str, list[_Run]]) -> list[Line]:
    numbers = {"massdns": "P1", "dnsperf": "P2"}
    return [
        Line(number=numbers[peer], what=f"against {peer}", goal="", figure=f"{peer} is not installed", holds=None)
        for peer in _PEERS
        if peer not in runs
    ]


if __name__ == "__main__":
    sys.exit(main())
