"""A steady stream of mail from all senders to all domains, while domains move to and fro and passes run."""

from __future__ import annotations

import json
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle

from mailswitch.core.domain import Switch
from tests.e2e.lab.panel import WRITES
from tests.e2e.lab.places import HERE, PLESK, PROVIDER, mx
from tests.e2e.lab.play import Play
from tests.e2e.lab.scenario import AT_PROVIDER, Scenario
from tests.e2e.lab.senders import ALL, OUTSIDE, Way, send
from tests.e2e.lab.tally import Sent
from tests.e2e.lab.timeline import Change, Course, Streamed, judged
from tests.e2e.lab.waiting import Broken, until

__all__ = ["STREAM"]

_DOMAINS = tuple(f"stream{number}.example" for number in range(9))
_MOVERS = 3
_SECONDS = 40.0
"""After which no domain sets out any more."""
_PAUSE_SECONDS = 0.1
_TURN_SECONDS = 60.0
_MANY = 9
"""Messages to a domain before it moves on."""
_SETTLING_SECONDS = 1.5
"""How long Postfix's processes may still use a table after the panel had them told of a new one: those that are busy
finish what they do."""


class _Stream:
    """Three senders, three movers and a caller of passes, each a thread."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.sent: list[Streamed] = []
        self.not_taken: list[str] = []
        self.passes = 0
        self.moves: dict[str, list[Change]] = {name: [] for name in _DOMAINS}
        self._handed: Counter[str] = Counter()
        self._ending = threading.Event()
        self._publishing = threading.Lock()
        self._counting = threading.Lock()

    def flow(self) -> None:
        """Let everything happen, until all movers are done."""
        started = time.monotonic()
        with ThreadPoolExecutor(len(ALL) + _MOVERS + 1) as pool:
            running = [pool.submit(self._send, way) for way in ALL]
            running.append(pool.submit(self._pass))
            moving = [pool.submit(self._move, _DOMAINS[first::_MOVERS], started) for first in range(_MOVERS)]
            with self._ended_afterwards():
                for one in moving:
                    one.result()
            for one in running:
                one.result()

    @contextmanager
    def _ended_afterwards(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._ending.set()

    # ---- senders

    def _send(self, way: Way) -> None:
        for name in cycle(_DOMAINS):
            if self._ending.wait(_PAUSE_SECONDS):
                return
            with self._counting:
                number = self.play.theatre.next_number(self.play.scenario)
            message = Sent(number=number, sender=way, recipient=f"info@{name}", rightful=frozenset())
            begun = time.time()
            try:
                send(self.play.lab, message)
            except (smtplib.SMTPException, OSError):
                self.not_taken.append(number)  # its sender was told at once
                continue
            streamed = Streamed(number=number, sender=way, domain=name, is_from_outside=way == OUTSIDE, handed_in=begun)
            with self._counting:
                self.sent.append(streamed)
                self._handed[name] += 1

    # ---- passes

    def _pass(self) -> None:
        while not self._ending.is_set():
            self.play.run("once", "--apply")
            self.passes += 1

    # ---- movers

    def _move(self, names: tuple[str, ...], started: float) -> None:
        for name in names:
            if time.monotonic() - started > _SECONDS:
                return
            self._publish(name, AT_PROVIDER, is_here=False)
            self._wait(f"{name} is turned off", partial(self._stands, name, Switch.OFF))
            self._wait_for_mail(name)
            self._publish(name, HERE, is_here=True)
            self._wait(f"{name} is turned on", partial(self._stands, name, Switch.ON))
            self._wait_for_mail(name)
        # A third turn within a week is held: flapping.
        self._publish(names[0], AT_PROVIDER, is_here=False)
        self._wait_for_mail(names[0])

    def _publish(self, name: str, exchange: str, *, is_here: bool) -> None:
        with self._publishing:
            begun = time.time()
            self.play.lab.publish({name: mx(name, exchange)})
            self.moves[name].append(Change(is_here, begun, time.time()))

    def _stands(self, name: str, switch: Switch) -> bool:
        return self.play.panel.switch_of(name) is switch

    def _wait(self, what: str, is_so: Callable[[], object]) -> None:
        until(what, lambda: self._ending.is_set() or is_so(), seconds=_TURN_SECONDS)
        if self._ending.is_set():
            raise Broken(f"the stream ended before {what}")

    def _wait_for_mail(self, name: str) -> None:
        wanted = self._handed[name] + _MANY
        self._wait(f"{_MANY} messages are sent to {name}", lambda: self._handed[name] >= wanted)

    # ---- what happened

    def courses(self) -> dict[str, Course]:
        """Return what happened to each domain."""
        turns: dict[str, list[Change]] = {name: [] for name in _DOMAINS}
        file = self.play.folder / WRITES
        for line in file.read_text().splitlines() if file.exists() else ():
            write = json.loads(line)
            settled = write["done"] + _SETTLING_SECONDS
            turns[write["name"]].append(Change(write["to"] == Switch.ON.value, write["begun"], settled))
        return {name: Course(moves=tuple(self.moves[name]), turns=tuple(turns[name])) for name in _DOMAINS}


def _steady_stream(play: Play) -> None:
    play.host(*({"name": name} for name in _DOMAINS))
    play.run("once", "--apply")
    stream = _Stream(play)
    stream.flow()
    play.settle(stream.sent)
    courses = stream.courses()
    boxes = play.lab.mailboxes
    found = boxes.found()
    rows, problems = judged(
        play.scenario,
        stream.sent,
        courses,
        found,
        boxes.arrivals(),
        now=time.time(),
        here=PLESK,
        away=PROVIDER,
    )
    for row in rows:
        play.add(row)
    for problem in problems:
        play.wrong(problem)
    turns = sum(len(course.turns) for course in courses.values())
    moves = sum(len(course.moves) for course in courses.values())
    play.remark(
        f"{len(stream.sent)} messages, {moves} moves and {turns} turned switches in {stream.passes} passes; "
        f"{len(stream.not_taken)} messages were not taken at the door, and their senders told at once"
    )
    there = [number for number in stream.not_taken if number in found.copies or number in found.bounces]
    play.check(not there, "what was not taken at the door is nowhere")
    play.check(turns >= 2 * _MOVERS, "switches were turned off and on meanwhile")


STREAM = (Scenario("stream", "A steady stream while domains move to and fro", _DOMAINS, _steady_stream),)
