"""Sends moved.example's stranded mail on in a process of its own, which may kill itself on the way.

``python -m tests.support.rescue_child FOLDER PORT LOG STAGE``; a stage is ``intend``, ``intended``, ``replied``, or
``none``, and ``sleep`` waits for ever before the intent (for those who kill from outside).
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from mailswitch.core.mailboxes import Content, Examined
from mailswitch.core.rescue import Handover, Letter
from mailswitch.service.rescue_ports import Outbox
from tests.support.rescuing import Desk


class Dying:
    """An outbox whose process is killed at a stage of the second message."""

    def __init__(self, outbox: Outbox, stage: str) -> None:
        self._outbox = outbox
        self._stage = stage
        self._sent = 0

    def examine(self, content: Content) -> Examined:
        return self._outbox.examine(content)

    def obstacle(self, examined: Examined) -> str | None:
        return self._outbox.obstacle(examined)

    def send(self, letter: Letter, content: Content, examined: Examined, *, commit: object) -> Handover:
        assert callable(commit)
        self._sent += 1

        def dying() -> bool:
            self._die_at("intend")
            is_agreed = bool(commit())
            self._die_at("intended")
            return is_agreed

        handover = self._outbox.send(letter, content, examined, commit=dying)
        self._die_at("replied")
        return handover

    def close(self) -> None:
        self._outbox.close()

    def _die_at(self, stage: str) -> None:
        if stage == self._stage and self._sent == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Send, and say what came of it."""
    folder, port, log, stage = sys.argv[1:]
    desk = Desk(Path(folder), int(port), Path(log))
    desk.scene.clock.move(timedelta(minutes=1))  # no process looks before the one that came before it
    desk.outbox = Dying(desk.outbox, stage)
    result = desk.send(batch=3)
    counts = sorted((str(outcome), number) for outcome, number in result.counts.items())
    sys.stdout.write(f"{counts} {result.stopped} {len(result.perhaps)}\n")


if __name__ == "__main__":
    main()
