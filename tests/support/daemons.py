"""A daemon whose clocks stand until they are moved, in a `Scene`; and somebody who listens where systemd would."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mailswitch.core.errors import MailswitchError
from mailswitch.core.reports import PassReport
from mailswitch.core.timetable import Timetable
from mailswitch.service.daemon import Daemon
from mailswitch.service.logs import LogObserver, open_log
from mailswitch.service.observers import DaemonState, PassContext
from mailswitch.service.parts import Parts
from mailswitch.service.systemd_notify import Notifier
from tests.support.ports import HOUR, Scene


@dataclass
class Witness:
    """An observer that keeps what it was told."""

    passes: list[tuple[PassReport, PassContext]] = field(default_factory=list)
    failures: list[tuple[MailswitchError, PassContext]] = field(default_factory=list)
    states: list[DaemonState] = field(default_factory=list)
    closed: int = 0

    def pass_done(self, report: PassReport, context: PassContext) -> None:
        self.passes.append((report, context))

    def pass_failed(self, error: MailswitchError, context: PassContext) -> None:
        self.failures.append((error, context))

    def ticked(self, state: DaemonState) -> None:
        self.states.append(state)

    def close(self) -> None:
        self.closed += 1


class Ear:
    """A datagram socket that systemd would listen at."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)

    def heard(self) -> list[str]:
        """Return what was said since the last time."""
        self._socket.settimeout(0)
        said = []
        while True:
            try:
                said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return said

    def close(self) -> None:
        self._socket.close()


class Played:
    """A daemon and its world."""

    def __init__(self, scene: Scene, *, interval: timedelta = HOUR, ear: Ear | None = None) -> None:
        self.scene = scene
        self.witness = Witness()
        self.page = io.StringIO()
        self.interval = interval
        self.elapsed = timedelta(0)
        self.load: Callable[[], Parts] = self.parts
        log = open_log(self.page, is_terminal=False)
        self._observers = (LogObserver(log), self.witness)
        with scene.place.writer(wait=timedelta(seconds=5)):
            pass  # the ledger is made before a daemon begins
        self.daemon = Daemon(
            lambda: self.load(),  # noqa: PLW0108 - a test may replace it
            self.parts(),
            check_lock=lambda: None,
            monotonic=self.elapsed_seconds,
            notifier=Notifier(None if ear is None else ear.path, watchdog=timedelta(seconds=60)),
            log=log,
        )
        self.daemon.begin()

    def parts(self) -> Parts:
        return Parts(
            setup=self.scene.setup,
            timetable=Timetable(interval=self.interval),
            keep=timedelta(days=400),
            ledger="the ledger",
            longest_silence=10 * HOUR,
            open_observers=lambda: self._observers,
        )

    def elapsed_seconds(self) -> float:
        return self.elapsed.total_seconds()

    def move(self, span: timedelta, *, jump: timedelta = timedelta(0)) -> None:
        """Let time pass, with the wall clock set by ``jump`` meanwhile; nothing is done in it."""
        self.elapsed += span
        self.scene.clock.move(span + jump)

    def step(self) -> bool:
        """Do what is due as the wheels do; return whether anything was."""
        self.daemon.pulse()
        if self.daemon.next_moment() > self.scene.clock.at:
            return False
        self.daemon.work()
        return True

    def settle(self) -> None:
        """Do all that is due now."""
        while self.step():
            pass

    def live(self, span: timedelta) -> None:
        """Let time pass and do everything when it is due."""
        end = self.elapsed + span
        self.settle()
        while self.elapsed < end:
            wait = self.daemon.next_moment() - self.scene.clock.at
            self.move(max(min(wait, end - self.elapsed), timedelta(seconds=1)))
            self.daemon.beat()
            self.settle()

    @property
    def moments(self) -> list[datetime]:
        return [report.started for report, _ in self.witness.passes]

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.page.getvalue().splitlines()]

    def events(self, *wanted: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] in wanted]


@contextmanager
def listening(folder: Path) -> Iterator[Ear]:
    ear = Ear(folder)
    try:
        yield ear
    finally:
        ear.close()


def failing_with(error: MailswitchError) -> Callable[[], Parts]:
    """Return a configuration that cannot be read."""

    def load() -> Parts:
        raise error

    return load


def with_another_ledger(played: Played) -> Callable[[], Parts]:
    return lambda: replace(played.parts(), ledger="another")
