"""One call of a ledger in a process of its own, which is killed for good on its way through the database's code.

Run as ``python -m tests.months.dying``, with what to call pickled on standard input. It never ends by itself.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from mailswitch.ledger.place import open_place

__all__ = ["call_and_die"]

_PATIENCE = 60.0
_WAIT = timedelta(seconds=10)


def call_and_die(ledger: Path, marker: Path, instructions: int, name: str, /, *args: Any, **known: Any) -> None:
    """Have a child make one call of the ledger and be killed after so many of SQLite's instructions, or right after."""
    called = pickle.dumps((ledger, marker, instructions, name, args, known))
    child = [sys.executable, "-m", "tests.months.dying"]
    ended = subprocess.run(child, input=called, timeout=_PATIENCE, check=False, cwd=Path(__file__).parents[2])
    if ended.returncode != -signal.SIGKILL:
        raise AssertionError(f"the child of {name} was not killed: {ended.returncode}")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _main() -> None:
    ledger, marker, instructions, name, args, known = pickle.load(sys.stdin.buffer)  # noqa: S301 - our parent's
    left = instructions

    def count_down() -> int:
        nonlocal left
        left -= 1
        if left < 0:
            _die()
        return 0

    def begin_counting(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count_down, 1)

    with open_place(f"sqlite:///{ledger}", marker=marker).writer(wait=_WAIT) as opened:
        event.listen(Engine, "begin", begin_counting)
        getattr(opened, name)(*args, **known)
        _die()


if __name__ == "__main__":
    _main()
