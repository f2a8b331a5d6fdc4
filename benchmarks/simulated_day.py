"""The daemon through hours of an injected clock: does it grow?

``python -m benchmarks.simulated_day CONFIG HOURS`` is run by `benchmarks.daemon`. Everything is real but time: the
panel and DNS are asked on loopback, the ledger is a file, metrics are written. The clocks move by one pulse of
`mailswitch.service.clockwork` at a time, and stand while a pass runs. Prints one JSON object, with memory in bytes.

Facts:

- What a process keeps resident is more than what it holds: an allocator gives back to the system only what is free at
  its end or fills whole pages. So what is held is counted too: by the allocator, and as objects of Python.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.spent import in_use, resident
from mailswitch.config.settings import load
from mailswitch.core.errors import MailswitchError
from mailswitch.core.reports import PassReport
from mailswitch.lookup.survey import open_public_view
from mailswitch.service.clockwork import PULSE
from mailswitch.service.daemon import Daemon
from mailswitch.service.logs import Log, LogObserver, open_log
from mailswitch.service.observers import DaemonState, PassContext, PassObserver, PassReason
from mailswitch.service.parts import Parts, parts_of
from mailswitch.service.systemd_notify import Notifier
from mailswitch.service.telling import observers_of
from mailswitch.service.wiring import setup_of, timing_of, vantages_of

__all__ = ["Look", "main"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the process has after a sweep, in octets but for the last."""

    resident: int
    in_use: int
    """Allocated and not freed."""
    blocks: int
    """Pieces of memory that Python's objects are made of."""


@dataclass
class _Clock:
    """Both clocks at once; nobody sets the wall clock here."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    elapsed: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.started + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed.total_seconds()


@dataclass
class _Witness:
    """An observer that counts."""

    passes: int = 0
    sweeps: int = 0
    names: int = 0
    """That the last sweep looked at."""
    failures: list[str] = field(default_factory=list)

    def pass_done(self, report: PassReport, context: PassContext) -> None:
        self.passes += 1
        self.failures += [f"{server.name}: {server.error.text}" for server in report.servers if server.error]
        if context.reason is PassReason.SWEEP:
            self.sweeps += 1
            self.names = sum(len(server.domains) for server in report.servers)

    def pass_failed(self, error: MailswitchError, context: PassContext) -> None:
        del context
        self.failures.append(str(error))

    def ticked(self, state: DaemonState) -> None:
        pass

    def close(self) -> None:
        pass


def main(arguments: Sequence[str]) -> int:
    """Live and print what came of it; return 1 if a pass failed."""
    path, span = Path(arguments[0]), timedelta(hours=int(arguments[1]))
    clock, witness, log = _Clock(), _Witness(), open_log(sys.stderr, is_terminal=False)

    def load_parts() -> Parts:
        return _parts(path, clock, witness, log)

    parts = load_parts()
    with parts.setup.ledger.daemon_lock() as check_lock:
        with parts.setup.ledger.writer(wait=timedelta(seconds=30)):
            pass  # it is made
        daemon = Daemon(
            load_parts, parts, check_lock=check_lock, monotonic=clock.monotonic, notifier=Notifier(), log=log
        )
        looks = _live(daemon, clock, witness, span)
    found = {
        "passes": witness.passes,
        "names": witness.names,
        "looks": [asdict(look) for look in looks],
        "failures": witness.failures,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if witness.failures else 0


def _parts(path: Path, clock: _Clock, witness: _Witness, log: Log) -> Parts:
    settings = load(path)
    view = open_public_view(vantages_of(settings), timing_of(settings), now=clock.now)
    setup = replace(setup_of(settings), now=clock.now, public_view=view)

    def observers() -> tuple[PassObserver, ...]:
        return (LogObserver(log), witness, *observers_of(settings, witness.failures.append))

    return parts_of(settings, setup, observers)


def _live(daemon: Daemon, clock: _Clock, witness: _Witness, span: timedelta) -> list[Look]:
    """Turn the wheels for ``span``; return what was seen after each sweep."""
    looks: list[Look] = []
    daemon.begin()
    while clock.elapsed < span:
        daemon.beat()
        daemon.pulse()
        while daemon.next_moment() <= clock.now():
            daemon.work()
            daemon.pulse()
        if witness.sweeps > len(looks):
            gc.collect()
            looks.append(Look(resident=resident(), in_use=in_use(), blocks=sys.getallocatedblocks()))
        clock.elapsed += PULSE
    daemon.end()
    return looks


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
