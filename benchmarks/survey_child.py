"""One survey in a process of its own: prints, as JSON, what it took. Run by `benchmarks.lookup`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import NoReturn

from benchmarks.runs import TIMING, Survey, vantage
from benchmarks.spent import most_resident
from mailswitch.core.mx import Addresses, Indeterminate, Observation
from mailswitch.core.names import DomainName
from mailswitch.lookup.memory import AnswerMemory
from mailswitch.lookup.survey import open_public_view


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("names", type=int)
    parser.add_argument("--twice", action="store_true", help="sweep again, with what the first sweep heard remembered")
    chosen = parser.parse_args(arguments)
    sys.stdout.write(json.dumps(asdict(_surveyed(chosen.port, chosen.names, is_twice=chosen.twice))) + "\n")


def _surveyed(port: int, count: int, *, is_twice: bool) -> Survey:
    names = [DomainName(f"d{number}.example") for number in range(count)]
    memory = AnswerMemory(None, _complain) if is_twice else None
    view = open_public_view([vantage(port)], TIMING, lambda: datetime.now(UTC), memory=memory)
    began, cpu_began = time.perf_counter(), time.process_time()
    with view.sweep(rotation=0, is_kept=is_twice) as sweep:
        seen = sweep.first_opinions(names)
        queries = sweep.counts()[0].queries
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    unresolved = sum(map(_is_unresolved, seen.values()))
    again = None
    if is_twice:
        with view.sweep(rotation=0, is_kept=True) as sweep:
            seen = sweep.first_opinions(names, remembered=names)
            again = sweep.counts()[0].queries
    return Survey(
        names=count,
        queries=queries,
        again=again,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        most_resident=most_resident(),
        unresolved=unresolved,
    )


def _is_unresolved(seen: Observation) -> bool:
    if isinstance(seen.mx, Indeterminate):
        return True
    return any(not isinstance(host, Addresses) or host.unanswered is not None for _, host in seen.hosts)


def _complain(complaint: str) -> NoReturn:
    raise RuntimeError(complaint)


if __name__ == "__main__":
    _main()
