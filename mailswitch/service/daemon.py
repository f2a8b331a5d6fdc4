"""The daemon: one pass after another, as the agenda has them due. `mailswitch.service.clockwork` turns its wheels.

`Daemon.work` makes passes, on one thread and one after another; everything else is called on another thread and waits
for nothing. What both need is behind one lock that is never held while anything is asked or told.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from mailswitch.core import agenda as agendas
from mailswitch.core.agenda import Agenda
from mailswitch.core.errors import AlreadyRunning, ConfigError, LedgerError, MailswitchError, Stopped
from mailswitch.core.reports import PassReport
from mailswitch.core.skips import Skips
from mailswitch.core.timetable import Reading, Task
from mailswitch.service.audience import Audience
from mailswitch.service.inbox import Inbox, Standing, write_beside
from mailswitch.service.logs import Log
from mailswitch.service.observe import Scope
from mailswitch.service.observers import DaemonState, PassContext
from mailswitch.service.parts import Parts
from mailswitch.service.reconcile import PassRequest, once
from mailswitch.service.signs import Signs, status_line
from mailswitch.service.systemd_notify import Notifier

__all__ = ["Daemon"]

_BUSY_LEDGER = timedelta(seconds=3)
_AFTER_A_FAILURE = timedelta(minutes=5)
_TICK = timedelta(seconds=30)
_ENDING_TAKES = timedelta(seconds=1)
_PRUNED_AT_ONCE = 1000


class Daemon:
    """Holds a ledger's daemon lock by ``check_lock``, makes the passes that are due, and tells how it fares."""

    def __init__(
        self,
        load: Callable[[], Parts],
        parts: Parts,
        *,
        check_lock: Callable[[], None],
        monotonic: Callable[[], float],
        notifier: Notifier,
        log: Log,
    ) -> None:
        """Put the daemon together; nothing happens before `begin`."""
        self._load, self._parts, self._check_lock = load, parts, check_lock
        self._monotonic, self._notifier, self._log = monotonic, notifier, log
        self._audience = Audience(log)
        self._inbox = Inbox(parts.setup.ledger)
        self._standing = Standing()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._agenda: Agenda = agendas.start(parts.timetable, _servers(parts), self._reading())
        self._started = self._agenda.reading.wall
        self._jump = timedelta(0)
        self._failing: dict[str, str] = {}
        self._trouble: str | None = None
        self._is_working = False
        self._task: Task | None = None
        self._signs = Signs(self._now)
        self._ticked: timedelta | None = None

    # ---- Called by the wheels

    def begin(self) -> None:
        """Say that the daemon works; the first pass follows."""
        self._audience.replace(self._parts.open_observers)
        self._log.info("daemon_started", servers=_servers(self._parts))
        self._notifier.ready(self._status())

    def pulse(self) -> bool:
        """Look at the clocks and at what others left; return whether the wall clock was found to have been set."""
        names = self._inbox.rechecks()
        with self._lock:
            self._notice()
            self._agenda = agendas.asked(self._agenda, names)
            jump, self._jump, now = self._jump, timedelta(0), self._agenda.reading
        if jump:
            self._log.warning("clock_jumped", seconds=round(jump.total_seconds()))
            self._signs.beat()  # whatever beats by the wall clock is wound anew
        if self._ticked is None or now.monotonic - self._ticked >= _TICK:
            self._tick(now)
        self._notifier.status(self._status())
        if self._signs.is_alive(is_busy=self.is_busy, longest_silence=self._parts.longest_silence):
            self._notifier.feed()
        return bool(jump)

    @property
    def beat(self) -> Callable[[], None]:
        """What the scheduler calls now and then, to show that it runs what is due."""
        return self._signs.beat

    def next_moment(self) -> datetime:
        """Return when `work` has something to do."""
        with self._lock:
            return agendas.next_moment(self._agenda)

    @property
    def is_busy(self) -> bool:
        """Whether `work` is under way."""
        return self._is_working

    def reload(self) -> None:
        """Read the configuration anew; one with problems is refused, and what was in force stays."""
        self._notifier.reloading(self._now())
        try:
            parts = self._load()
            if parts.ledger != self._parts.ledger:
                raise ConfigError("ledger: another one needs a restart of the daemon (systemctl restart mailswitch)")
        except MailswitchError as error:
            for reason in error.problems if isinstance(error, ConfigError) else (str(error),):
                self._log.error("configuration_refused", reason=reason)
        else:
            with self._lock:
                self._parts = parts
                self._agenda = agendas.rewritten(self._agenda, parts.timetable, _servers(parts))
                self._failing = {name: code for name, code in self._failing.items() if name in self._agenda.servers}
            self._audience.replace(parts.open_observers)
            self._log.info("configuration_reloaded", servers=_servers(parts))
        self._notifier.ready(self._status())

    def stop(self) -> None:
        """Ask for the end: the change under way is finished, and nothing else is begun."""
        self._stopping.set()
        self._notifier.stopping()

    def end(self) -> None:
        """Leave everything as if no daemon had been; what could not be finished is settled by the next one."""
        if not self.is_busy:
            self._audience.replace(tuple)
        self._inbox.close()
        write_beside(self._parts.setup.ledger, self._log, lambda ledger: ledger.set_next_passes({}), wait=_ENDING_TAKES)
        self._log.info("daemon_stopped", outcome="settled by the next pass" if self.is_busy else "done")

    # ---- Called by the scheduler

    def work(self) -> None:
        """Make the pass that is due, if any; else forget what is old, if it is time to."""
        if self._stopping.is_set():
            return
        self._is_working = True
        with self._lock:
            self._notice()
            task = self._task = agendas.due(self._agenda)
            parts, is_pruning = self._parts, self._agenda.prune <= self._agenda.reading.wall
            self._signs.moved("")
        try:
            if task is not None:
                self._make_pass(parts, task)
            elif is_pruning:
                self._prune(parts)
        finally:
            self._task, self._is_working = None, False

    def _make_pass(self, parts: Parts, task: Task) -> None:
        started, since = parts.setup.now(), self._now()
        try:
            self._check_lock()
            report = once(parts.setup, self._request(task))
        except AlreadyRunning:
            with self._lock:
                self._notice()
                self._agenda = agendas.postponed(self._agenda, _BUSY_LEDGER)
        except Stopped:
            return
        except MailswitchError as error:
            self._failed(task, error, since=since, started=started)
        except Exception as error:  # noqa: BLE001 - a bug in a pass is told, and the next pass is made all the same
            text = f"{error!r}: {traceback.format_exc(limit=-3)}"
            self._failed(task, LedgerError(f"unexpected error, please report it: {text}"), since=since, started=started)
        else:
            self._done(parts, task, report, since=since, started=started)

    def _request(self, task: Task) -> PassRequest:
        return PassRequest(
            by="daemon",
            scope=Scope(names=task.names, servers=frozenset(task.servers)),
            skips=self._skips,
            progress=self._advanced,
            is_stopping=self._is_stopping,
        )

    def _notice(self) -> None:
        """Read the clocks. A jump that a pass comes upon is left for the next pulse to tell."""
        self._agenda = agendas.noticed(self._agenda, self._reading())
        self._jump += self._agenda.jump

    def _skips(self) -> Skips:
        with self._lock:
            self._notice()
            return self._agenda.skips

    def _advanced(self, done: int, total: int) -> None:
        self._signs.moved(f" ({done} of {total} names)")

    def _is_stopping(self) -> bool:
        self._signs.moved()
        return self._stopping.is_set()

    def _done(self, parts: Parts, task: Task, report: PassReport, *, since: timedelta, started: datetime) -> None:
        found = {server.name: server.error.code for server in report.servers if server.error is not None}
        with self._lock:
            self._notice()
            outlooks = [agendas.outlook_of(server, self._agenda.reading.wall) for server in report.servers]
            self._agenda = agendas.after(self._agenda, task, outlooks, started=started)
            former = {name: code for name, code in self._failing.items() if name in task.servers}
            self._failing = {name: code for name, code in self._failing.items() if name not in task.servers} | found
        if self._trouble is not None:
            self._trouble = None
            self._log.info("passes_recovered")
        self._write_next_passes(parts)
        context = replace(
            self._context(task, since),
            newly_failing=tuple(name for name, code in found.items() if former.get(name) != code),
            recovered=tuple(name for name in former if name not in found),
        )
        self._audience.tell(lambda observer: observer.pass_done(report, context))
        self._ticked = None

    def _failed(self, task: Task, error: MailswitchError, *, since: timedelta, started: datetime) -> None:
        """Try again later; the same trouble is told once."""
        with self._lock:
            self._notice()
            if not task.names:
                self._agenda = agendas.after(self._agenda, task, (), started=started)
            self._agenda = agendas.postponed(self._agenda, _AFTER_A_FAILURE)
        if str(error) != self._trouble:
            self._trouble = str(error)
            context = self._context(task, since)
            self._audience.tell(lambda observer: observer.pass_failed(error, context))

    def _context(self, task: Task, since: timedelta) -> PassContext:
        failing = tuple(self._failing)
        return PassContext(reason=task.reason, servers=task.servers, elapsed=self._now() - since, failing=failing)

    def _write_next_passes(self, parts: Parts) -> None:
        with self._lock:
            moments = agendas.next_passes(self._agenda)
        write_beside(parts.setup.ledger, self._log, lambda ledger: ledger.set_next_passes(moments))

    def _prune(self, parts: Parts) -> None:
        before = parts.setup.now() - parts.keep
        pruned = write_beside(
            parts.setup.ledger, self._log, lambda ledger: ledger.prune(before=before, limit=_PRUNED_AT_ONCE)
        )
        with self._lock:
            self._agenda = agendas.pruned(self._agenda, is_all=(pruned or 0) < _PRUNED_AT_ONCE)
        if pruned:
            self._log.info("ledger_pruned", pruned=pruned)

    # ---- How it stands

    def _tick(self, now: Reading) -> None:
        self._ticked = now.monotonic
        self._standing = self._inbox.standing() or self._standing
        self._audience.tick(
            DaemonState(
                at=now.wall,
                started=self._started,
                is_busy=self.is_busy,
                is_paused=self._standing.is_paused,
                unsettled=self._standing.unsettled,
                next_pass=self._next_pass(),
                failing=tuple(self._failing),
            )
        )

    def _next_pass(self) -> datetime | None:
        with self._lock:
            return min(agendas.next_passes(self._agenda).values(), default=None)

    def _status(self) -> str:
        return status_line(
            looking_at=() if self._task is None else self._task.servers,
            progress=self._signs.progress,
            watched=len(self._agenda.servers),
            next_pass=self._next_pass(),
            trouble=self._trouble,
            failing=tuple(self._failing),
            is_paused=self._standing.is_paused,
        )

    def _now(self) -> timedelta:
        return timedelta(seconds=self._monotonic())

    def _reading(self) -> Reading:
        return Reading(wall=self._parts.setup.now(), monotonic=self._now())


def _servers(parts: Parts) -> list[str]:
    return [server.name for server in parts.setup.servers]
