"""P13: what a whole pass over many names on many servers takes of our process.

Run it from the project's folder: ``.venv/bin/python -m benchmarks.whole_pass``. The servers are one process of their
own and public DNS is another (`benchmarks.hoster`); the passes are made in a third, by what `mailswitch once` is made
of: inventories over the XML API, survey, routes, decisions, the ledger, the report as JSON. Prints one table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, event

from benchmarks.hoster import exchanges_of
from benchmarks.spent import most_resident
from benchmarks.table import Line, heading
from mailswitch.config.settings import load
from mailswitch.report.json_report import report_json
from mailswitch.service.observe import Scope
from mailswitch.service.reconcile import PassRequest, once
from mailswitch.service.setup import Setup
from mailswitch.service.wiring import setup_of
from mailswitch.simulation.certificates import self_signed

__all__ = ["main", "measured_line"]

_GOAL = 200.0
"""Microseconds of CPU for each domain."""
_VANTAGES = 3
_LONGEST = 3600.0
_PACKAGES = ("dnspython", "requests", "SQLAlchemy")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """One pass, as the process that made it tells."""

    domains: int
    queries: int
    cpu_seconds: float
    seconds: float
    rows: int
    """Rows of the ledger that were written."""
    octets: int
    """Of the report."""
    errors: int

    @property
    def cpu_microseconds(self) -> float:
        """CPU for each domain."""
        return self.cpu_seconds / max(1, self.domains) * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The passes of one process, and the most memory it had, in octets."""

    passes: dict[str, _Pass]
    most_resident: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 1 if a pass left out a name or had errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_pass", description=__doc__)
    parser.add_argument("--names", type=int, default=100_000, help="domains in all (default 100000)")
    parser.add_argument("--servers", type=int, default=200, help="simulated servers (default 200)")
    parser.add_argument("--make", type=Path, metavar="CONFIG", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.make is not None:
        sys.stdout.write(json.dumps(asdict(_made(chosen.make))) + "\n")
        return 0
    line = measured_line(chosen.names, chosen.servers)
    scale = f"{chosen.names:,} names on {chosen.servers:,} servers"
    sys.stdout.write("\n".join([*heading(_PACKAGES, scale), str(line)]) + "\n")
    return 0


def measured_line(names: int, servers: int) -> Line:
    """Return the table's line for P13; everything runs on loopback and ends with it.

    Raises:
        RuntimeError: a pass did not see every name.
    """
    whole, tenth = _measured(names, servers), _measured(max(servers, names // 10), servers)
    for run, expected in ((whole, names), (tenth, max(servers, names // 10))):
        for what, one in run.passes.items():
            if one.domains != expected or one.errors:
                raise RuntimeError(f"the {what} pass saw {one.domains} of {expected} names, with {one.errors} errors")
    costs = {what: one.cpu_microseconds for what, one in whole.passes.items()}
    rows, fewer = whole.passes["unchanged"].rows, tenth.passes["unchanged"].rows
    told = ", ".join(
        f"{what} {costs[what]:.0f} µs ({one.seconds:.0f} s, {one.queries:,} queries)"
        for what, one in whole.passes.items()
    )
    memory = f"{whole.most_resident / 1e6:.0f} MB at most"
    written = f"an unchanged pass writes {rows} rows, with a tenth of the names {fewer}"
    return Line(
        number="P13",
        what="whole pass, one run",
        goal="≤ 200 µs CPU per domain; rows that do not grow with the domains",
        figure=f"{told}; {memory}; {written}; {exchanges_of(names):,} exchanges",
        holds=max(costs.values()) <= _GOAL and rows <= fewer,
    )


def _measured(names: int, servers: int) -> _Run:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        config = _configured(Path(folder), names, servers, stack)
        command = [sys.executable, "-m", "benchmarks.whole_pass", "--make", str(config)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=_LONGEST)
    found = json.loads(done.stdout)
    passes = {what: _Pass(**one) for what, one in found["passes"].items()}
    return _Run(passes=passes, most_resident=found["most_resident"])


def _configured(folder: Path, names: int, servers: int, stack: ExitStack) -> Path:
    """Start the hoster and write the configuration that goes with it."""
    identity = self_signed("localhost")
    pem = identity.write(folder / "panels.pem")
    panels = stack.enter_context(_program(str(names), str(servers), "--panels", str(pem)))
    resolver = stack.enter_context(_program(str(names), str(servers), "--vantages", str(_VANTAGES)))
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text("not-checked\n", encoding="ascii")
    document = {
        "ledger": f"sqlite:///{folder / 'ledger.db'}",
        "servers": [
            {
                "name": f"web{number}",
                "panel": "xml-api",
                "url": f"https://127.0.0.1:{port}",
                "secret_key_file": str(key),
                "tls": {"fingerprint_sha256": identity.fingerprint},
            }
            for number, port in enumerate(panels)
        ],
        "dns": {
            "rate": 100_000,
            "concurrency": 100,
            "tries": 6,
            # The made-up names have no servers of their own, and nothing leaves loopback.
            "authoritative": "off",
            "own_resolvers": False,
            "vantages": [
                {"name": f"v{each}", "operator": f"operator {each}", "address": f"127.0.0.1:{port}"}
                for each, port in enumerate(resolver)
            ],
        },
        "confirm": {"sightings": 1, "window": "0s", "unknown_provider_window": "0s"},
    }
    config = folder / "mailswitch.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


@contextmanager
def _program(*arguments: str) -> Iterator[list[int]]:
    """Run a part of the hoster until the end; what it gives are its ports."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.hoster", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


# ---- The process that is measured


def _made(config: Path) -> _Run:
    """Make the passes: the first one, one in which everything is asked anew, and one that may remember."""
    rows = 0

    @event.listens_for(Engine, "after_cursor_execute")
    def count(_connection: Any, cursor: Any, statement: str, *_more: Any) -> None:
        nonlocal rows
        if statement.lstrip().split(None, 1)[0] in {"INSERT", "UPDATE", "DELETE"}:
            rows += max(0, cursor.rowcount)

    setup = setup_of(load(config))
    passes = {}
    for what, scope in (("first", Scope()), ("unchanged", Scope(is_fresh=True)), ("remembered", Scope())):
        rows = 0
        made = _timed(setup, scope)
        passes[what] = _Pass(**made, rows=rows)
    return _Run(passes=passes, most_resident=most_resident())


def _timed(setup: Setup, scope: Scope) -> dict[str, Any]:
    cpu, began = time.process_time(), time.perf_counter()
    report = once(setup, PassRequest(by="benchmark", scope=scope))
    octets = len(report_json(report))
    return {
        "cpu_seconds": time.process_time() - cpu,
        "seconds": time.perf_counter() - began,
        "domains": sum(len(server.domains) for server in report.servers),
        "queries": sum(one.queries for one in report.lookups),
        "octets": octets,
        "errors": sum(server.error is not None for server in report.servers)
        + sum(one.failures for one in report.lookups),
    }


if __name__ == "__main__":
    sys.exit(main())
