"""Other processes at a ledger, started from tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from mailswitch.ledger.lock import retry_while_running
from mailswitch.ledger.place import open_place
from mailswitch.ledger.store import StoredLedger

_ROOT = Path(__file__).parents[2]
_LIMIT_SECONDS = 60


def run_to_its_end(url: str, what: str) -> int:
    """Run the child to its end and return how it ended."""
    return subprocess.run(_command(url, what), cwd=_ROOT, timeout=_LIMIT_SECONDS, check=False).returncode


@contextmanager
def child_that_is_ready(url: str, what: str) -> Iterator[subprocess.Popen[str]]:
    """Start the child and wait until it says that it is ready; at the end it is told to go on, and ends well."""
    with subprocess.Popen(
        _command(url, what), cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            if child.stdout is None or child.stdout.readline() != "ready\n":
                raise AssertionError(f"the child that was to {what} did not get ready")
            yield child
        finally:
            child.communicate("go on\n", timeout=_LIMIT_SECONDS)


@contextmanager
def locked_soon(url: str) -> Iterator[StoredLedger]:
    """Open under the pass lock after a kill: a PostgreSQL server takes a moment to see that its client is gone."""
    place = open_place(url)
    if url.startswith("postgresql"):

        def try_it() -> None:
            with place.locked():
                pass

        retry_while_running(try_it, timedelta(seconds=_LIMIT_SECONDS))
    with place.locked() as ledger:
        yield ledger


def _command(url: str, what: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "tests.support.ledger_child", url, what]
