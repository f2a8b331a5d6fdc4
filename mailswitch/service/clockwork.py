"""What turns the daemon's wheels: APScheduler runs the passes, signals are heard, a pulse looks after both.

Facts:

- APScheduler 3 counts by the wall clock: set back, it would run nothing for as long as it was set back. The pulse
  counts by the monotonic clock, notices, and plans anew.
- A job that is still running when it is due again is dropped by APScheduler. So the next pass is planned when the one
  before has ended, and nothing is ever dropped.
- Python runs signal handlers between two steps of the main thread; a SimpleQueue may be put to there.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from queue import Empty, SimpleQueue
from types import FrameType

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from mailswitch.service.daemon import Daemon
from mailswitch.service.logs import Log
from mailswitch.service.parts import Parts
from mailswitch.service.systemd_notify import Notifier

__all__ = ["PULSE", "STOPPING_TAKES", "Clockwork", "Word", "serve", "signals_heard"]

PULSE = timedelta(seconds=2)
STOPPING_TAKES = timedelta(seconds=15)
"""How long a change under way is waited for; systemd and people wait 20 s."""
_BEAT = timedelta(seconds=10)
_MIGRATION_WAITS = timedelta(seconds=30)
_PASS, _HEART = "pass", "heart"


class Word(Enum):
    """What the main thread is told."""

    STOP = auto()
    RELOAD = auto()
    PASS_ENDED = auto()


@contextmanager
def signals_heard(words: SimpleQueue[Word]) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into STOP, and SIGHUP into RELOAD."""

    def heard(number: int, _frame: FrameType | None) -> None:
        words.put(Word.RELOAD if number == signal.SIGHUP else Word.STOP)

    former = {number: signal.signal(number, heard) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class Clockwork:
    """Runs a daemon until it is told to stop."""

    def __init__(self, daemon: Daemon, words: SimpleQueue[Word], *, pulse: timedelta = PULSE) -> None:
        """Prepare; nothing runs before `run`."""
        logging.getLogger("apscheduler").addHandler(logging.NullHandler())
        logging.getLogger("apscheduler").propagate = False
        self._daemon, self._words, self._pulse = daemon, words, pulse
        self._planned: datetime | None = None
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1), _PASS: ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._heard, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

    def run(self) -> bool:
        """Run until STOP is heard; return whether everything had ended then, or a pass is still under way."""
        self._scheduler.start()
        self._wind()
        self._daemon.begin()
        self._plan(anew=True)
        while (word := self._next_word(self._pulse)) is not Word.STOP:
            if word is Word.RELOAD:
                self._daemon.reload()
            if self._daemon.pulse():
                self._wind()
                self._planned = None
            self._plan(anew=word is Word.PASS_ENDED)
        return self._stopped()

    def _stopped(self) -> bool:
        self._daemon.stop()
        until = time.monotonic() + STOPPING_TAKES.total_seconds()
        while self._daemon.is_busy and (left := until - time.monotonic()) > 0:
            self._next_word(timedelta(seconds=min(left, 1.0)))
        self._daemon.end()
        has_ended = not self._daemon.is_busy
        # A round under way would look for its job in vain once the scheduler is shut down, and end in a traceback:
        # no other begins, and listing the jobs waits for the lock under which this one runs.
        self._scheduler.pause()
        self._scheduler.get_jobs()
        self._scheduler.shutdown(wait=has_ended)
        return has_ended

    def _next_word(self, wait: timedelta) -> Word | None:
        try:
            return self._words.get(timeout=wait.total_seconds())
        except Empty:
            return None

    def _heard(self, event: JobExecutionEvent) -> None:
        if event.job_id == _PASS:
            self._words.put(Word.PASS_ENDED)

    def _wind(self) -> None:
        self._scheduler.add_job(
            self._daemon.beat, IntervalTrigger(seconds=_BEAT.total_seconds()), id=_HEART, replace_existing=True
        )

    def _plan(self, *, anew: bool) -> None:
        """Have the next pass run when it is due; not while one runs, for the end of that one is heard."""
        if self._daemon.is_busy:
            return
        moment = self._daemon.next_moment()
        if anew or moment != self._planned:
            self._planned = moment
            self._scheduler.add_job(
                self._daemon.work, DateTrigger(moment), id=_PASS, replace_existing=True, executor=_PASS
            )


def serve(load: Callable[[], Parts], *, notifier: Notifier, log: Log) -> bool:
    """Be the daemon of a ledger until a signal ends it; return whether everything had ended then.

    Args:
        load: Reads the configuration, now and on SIGHUP.
        notifier: Speaks to systemd.
        log: What it does.

    Raises:
        ConfigError: the configuration has problems.
        AlreadyRunning: the ledger has a daemon.
        LedgerError: the ledger cannot be used.
    """
    parts = load()
    words: SimpleQueue[Word] = SimpleQueue()
    with signals_heard(words), parts.setup.ledger.daemon_lock() as check_lock:
        with parts.setup.ledger.writer(wait=_MIGRATION_WAITS):
            pass  # it is made, or brought up to date
        daemon = Daemon(load, parts, check_lock=check_lock, monotonic=time.monotonic, notifier=notifier, log=log)
        return Clockwork(daemon, words).run()
