"""The wheels with the real APScheduler: nothing due is dropped, nothing overlaps, no clock set back delays a pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import cast

from mailswitch.service.clockwork import Clockwork, Word
from mailswitch.service.daemon import Daemon

PULSE = timedelta(milliseconds=20)
SOON = 30.0
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def from_now(span: timedelta) -> datetime:
    return datetime.now(UTC) + span


@dataclass
class Driven:
    """What the wheels drive, with an agenda of moments: each pass takes the next one, and at the end waits for ever."""

    moments: list[datetime]
    jumps: list[bool] = field(default_factory=list)
    """What the pulses say of the clock, in turn; after a jump the first moment is now."""
    during: Callable[[], None] = lambda: None
    passes: int = 0
    at_once: int = 0
    most_at_once: int = 0
    beats: int = 0
    ended: bool = False
    has_worked: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        pass

    def pulse(self) -> bool:
        has_jumped = self.jumps.pop(0) if self.jumps else False
        if has_jumped:
            self.moments[0] = from_now(timedelta(0))
        return has_jumped

    def beat(self) -> None:
        self.beats += 1

    def next_moment(self) -> datetime:
        return self.moments[0] if self.moments else from_now(DAY)

    @property
    def is_busy(self) -> bool:
        return self.at_once > 0

    def work(self) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.during()
        self.moments.pop(0)
        self.passes += 1
        self.at_once -= 1
        if not self.moments:
            self.has_worked.set()

    def stop(self) -> None:
        pass

    def end(self) -> None:
        self.ended = True


@contextmanager
def turning(driven: Driven) -> Iterator[None]:
    words: SimpleQueue[Word] = SimpleQueue()
    wheels = threading.Thread(target=Clockwork(cast(Daemon, driven), words, pulse=PULSE).run)
    wheels.start()
    try:
        yield
    finally:
        words.put(Word.STOP)
        wheels.join(SOON)
    assert not wheels.is_alive()
    assert driven.ended


def test_what_was_due_hours_ago_is_done_once_and_not_dropped() -> None:
    driven = Driven([from_now(-9 * HOUR)])

    with turning(driven):
        assert driven.has_worked.wait(SOON)

    assert driven.passes == 1


def test_what_comes_due_while_a_pass_runs_is_done_after_it_and_not_beside_it() -> None:
    pulses = threading.Event()
    driven = Driven([from_now(-HOUR)] * 3, during=lambda: cast(None, pulses.wait(PULSE.total_seconds() * 5)))

    with turning(driven):
        assert driven.has_worked.wait(SOON)

    assert (driven.passes, driven.most_at_once) == (3, 1)


def test_a_clock_that_was_set_back_by_a_day_delays_no_pass_by_a_day() -> None:
    """APScheduler alone would wait until the wall clock says tomorrow, and so would the heart that beats by it."""
    driven = Driven([from_now(DAY)], jumps=[False, False, True])

    with turning(driven):
        assert driven.has_worked.wait(SOON)

    assert driven.passes == 1
