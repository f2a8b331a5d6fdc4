"""What the daemon takes from a machine while it has nothing to do, and whether it grows.

Run it from the project's folder: ``.venv/bin/python -m benchmarks.daemon``. A world is staged on loopback in this
process. ``mailswitch run`` makes its first pass there, then is watched between passes and stopped with SIGTERM; after
that another process lives 24 simulated hours (`benchmarks.simulated_day`). Prints one table with a line for each goal.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.simulated_day import Look
from benchmarks.spent import cpu_seconds, most_resident, resident
from benchmarks.table import Line, heading
from mailswitch.simulation.stage import Stage
from mailswitch.simulation.world_file import parse_world

__all__ = ["main"]

_MEMORY_GOAL = 100.0
_CPU_GOAL = 0.2
_HELD = 2.5
"""Megabytes: Python's table of interned strings is made anew now and then, and may double once, by 2 MB."""
_BLOCKS = 0.005
_NOISE = 4.0
"""Megabytes of free pages that an allocator keeps more or less of without anything having grown."""
_FIRST_PASS_TAKES = 60.0
_SETTLING = 5.0
"""Seconds after a pass in which its tick, its metrics and its end are still told."""
_STOPPING_TAKES = 20.0
_DAY_TAKES = 3600.0
_PACKAGES = ("apscheduler", "dnspython", "requests", "SQLAlchemy")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Idle:
    """A real daemon between two passes; memory in bytes."""

    names: int
    resident: int
    most: int
    cpu_percent: float
    passes: int
    """Made until the end of the idle stretch; more than one would have disturbed it."""
    exit_code: int
    stopped_within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """What the process that lives the simulated hours says; memory in bytes."""

    passes: int
    names: int
    looks: list[Look]
    """After each sweep."""
    failures: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 1 if a pass disturbed the idle stretch, left out names or was left out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.daemon", description=__doc__)
    parser.add_argument("--names", type=int, default=1000, help="domains on the one server (default 1000)")
    parser.add_argument("--idle", type=float, default=120.0, help="seconds to watch between passes (default 120)")
    parser.add_argument("--hours", type=int, default=24, help="simulated hours, one sweep in each (default 24)")
    chosen = parser.parse_args(arguments)
    if chosen.hours < 3:
        parser.error("--hours: growth is what is between the second sweep and the last, so it takes 3 or more")
    with tempfile.TemporaryDirectory() as folder:
        idle = _idle(Path(folder, "idle"), chosen.names, chosen.idle)
        day = _day(Path(folder, "day"), chosen.names, chosen.hours)
    lines = [*_idle_lines(idle, chosen.idle), *_day_lines(day, chosen.hours)]
    scale = f"{chosen.names:,} names, {chosen.idle:g} s idle, {chosen.hours} simulated hours"
    sys.stdout.write("\n".join([*heading(_PACKAGES, scale), *map(str, lines)]) + "\n")
    is_sound = idle.passes == 1 and idle.names == day.names == chosen.names and len(day.looks) == chosen.hours
    return 0 if is_sound else 1


def _world(names: int, metrics: Path) -> str:
    """Return a world of one server: of twenty names one has moved to a known host, one to nobody knows where."""
    exchanges = ["aspmx.l.google.com.", "mx.nobody-knows.example.", *["mail.web01.example."] * 18]
    hosted = [(f"d{number}.example", exchanges[number % len(exchanges)]) for number in range(names)]
    domains = "".join(f"      - {{name: {name}, mail: on, created: 2015-05-05}}\n" for name, _ in hosted)
    records = "".join(f"  {name}. 3600 IN MX 10 {exchange}\n" for name, exchange in hosted)
    return (
        'servers:\n  - name: web01\n    version: "18.0.61"\n    addresses: ["203.0.113.10"]\n'
        f"    domains:\n{domains}"
        "dns: |\n  mail.web01.example. 3600 IN A 203.0.113.10\n  aspmx.l.google.com. 300 IN A 192.0.2.26\n"
        f"  mx.nobody-knows.example. 300 IN A 198.51.100.9\n{records}"
        f"config: {{schedule: {{interval: 1h, jitter: 0s}}, metrics: {{textfile: {json.dumps(str(metrics))}}}}}\n"
    )


@contextmanager
def _staged(folder: Path, names: int) -> Iterator[Stage]:
    with Stage(parse_world(_world(names, folder.with_suffix(".prom"))), folder) as stage:
        yield stage


# ---- Between passes


def _idle(folder: Path, names: int, seconds: float) -> _Idle:
    log = folder.with_suffix(".log")
    with _staged(folder, names) as stage, ExitStack() as stack:
        # As at every start but the very first, the ledger is there and knows the names.
        subprocess.run([*_program(stage.config_path), "once"], check=True, stdout=subprocess.DEVNULL)
        process = stack.enter_context(_running(stage.config_path, log))
        _await_first_pass(process, log)
        time.sleep(_SETTLING)
        began, spent = time.monotonic(), cpu_seconds(process.pid)
        time.sleep(seconds)
        percent = (cpu_seconds(process.pid) - spent) / (time.monotonic() - began) * 100
        now, most, finished = resident(process.pid), most_resident(process.pid), _finished(log)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=_STOPPING_TAKES * 2)
        return _Idle(
            names=finished[-1]["domains"],
            resident=now,
            most=most,
            cpu_percent=percent,
            passes=len(finished),
            exit_code=code,
            stopped_within=time.monotonic() - began,
        )


@contextmanager
def _running(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon, in no systemd's name; it is over at the end, whatever happened."""
    environment = {name: value for name, value in os.environ.items() if name not in {"NOTIFY_SOCKET", "WATCHDOG_USEC"}}
    with log.open("wb") as page:
        process = subprocess.Popen([*_program(config), "run"], env=environment, stdin=subprocess.DEVNULL, stderr=page)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _program(config: Path) -> list[str]:
    return [sys.executable, "-c", "from mailswitch.cli.main import entry; entry()", "--config", str(config)]


def _await_first_pass(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _FIRST_PASS_TAKES
    while not _finished(log):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the daemon made no pass:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.1)


def _finished(log: Path) -> list[dict[str, int]]:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [json.loads(line) for line in lines if line.endswith("\n")]
    return [line for line in whole if line["event"] == "pass_finished"]


def _idle_lines(idle: _Idle, seconds: float) -> list[Line]:
    has_stopped = idle.exit_code == 0 and idle.stopped_within <= _STOPPING_TAKES
    finest = 1 / seconds  # the system counts in hundredths of a second
    is_told = finest < _CPU_GOAL / 4
    watched = f"{seconds:g} s watched, to {finest:.2f} %{'' if is_told else ': too short a stretch'}"
    return [
        Line(
            number="D1",
            what="resident memory between passes",
            goal=f"≤ {_MEMORY_GOAL:.0f} MB",
            figure=f"{_megabytes(idle.resident):.1f} MB ({_megabytes(idle.most):.1f} MB at most, in the pass)",
            holds=_megabytes(idle.resident) <= _MEMORY_GOAL,
        ),
        Line(
            number="D2",
            what="CPU between passes",
            goal=f"< {_CPU_GOAL} %",
            figure=f"{idle.cpu_percent:.2f} % of a core ({watched})",
            holds=idle.cpu_percent < _CPU_GOAL if is_told else None,
        ),
        Line(
            number="D3",
            what="end after SIGTERM",
            goal=f"exit code 0 within {_STOPPING_TAKES:.0f} s",
            figure=f"exit code {idle.exit_code} after {idle.stopped_within:.1f} s",
            holds=has_stopped,
        ),
    ]


# ---- A day


def _day(folder: Path, names: int, hours: int) -> _Day:
    with _staged(folder, names) as stage, folder.with_suffix(".log").open("wb") as page:
        command = [sys.executable, "-m", "benchmarks.simulated_day", str(stage.config_path), str(hours)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=page, check=False, timeout=_DAY_TAKES)
    day = _day_of(json.loads(done.stdout)) if done.stdout else None
    if day is None or len(day.looks) < hours or day.failures:
        told = folder.with_suffix(".log").read_text(encoding="utf-8")
        raise RuntimeError(f"the simulated hours went wrong: {day}\n{told}")
    return day


def _day_of(told: dict[str, Any]) -> _Day:
    return _Day(**{**told, "looks": [Look(**look) for look in told["looks"]]})


def _day_lines(day: _Day, hours: int) -> list[Line]:
    sweeps = len(day.looks)
    second, middle, last = (day.looks[at - 1] for at in (2, sweeps // 2 + 1, sweeps))
    held, blocks = _megabytes(last.in_use - second.in_use), last.blocks / second.blocks - 1
    kept = _megabytes(last.resident - second.resident)
    return [
        Line(
            number="D4",
            what=f"what {hours} simulated hours leave behind",
            goal=f"nothing (≤ {_HELD:g} MB, ≤ {_BLOCKS:.1%} of Python's blocks)",
            figure=f"{held:+.2f} MB in use, {last.blocks - second.blocks:+,} to {second.blocks:,} of Python's blocks "
            f"({day.passes} passes)",
            holds=held <= _HELD and blocks <= _BLOCKS,
        ),
        Line(
            number="D5",
            what=f"resident growth in {hours} simulated hours",
            goal=f"none beyond the allocator's noise (≤ {_NOISE:g} MB)",
            figure=f"{kept:+.2f} MB ({_megabytes(second.resident):.1f} after sweep 2, "
            f"{_megabytes(middle.resident):.1f} after {sweeps // 2 + 1}, "
            f"{_megabytes(last.resident):.1f} after {sweeps})",
            holds=kept <= _NOISE,
        ),
    ]


def _megabytes(size: int) -> float:
    return size / 1e6


if __name__ == "__main__":
    sys.exit(main())
