"""A process that makes real passes, each in a process of its own that kills itself at a given call of a port.

Run as ``python -m tests.support.pass_child CONFIG``. Each line on standard input is ``LEDGER-URL N``: it makes one pass
(``once --apply``) that is killed right before the N-th call to a panel or write to the ledger, or not at all with 0,
and prints how that process ended, as `subprocess` would tell it. Forked rather than started anew, to be quick.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mailswitch.ledger.place import open_place
from mailswitch.service.ports import LedgerPlace, Panel
from mailswitch.service.reconcile import PassRequest, once
from mailswitch.service.setup import ManagedServer, Setup

_PANEL = frozenset({"inventory", "read_switch", "turn"})
_LEDGER = frozenset({"begin_run", "record_pass", "intend", "settle", "finish_run"})


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Fate:
    """Counts the calls of ports and strikes before one of them."""

    def __init__(self, fatal: int, end: Callable[[], None]) -> None:
        self._left, self._end = fatal, end

    def strike(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._end()


class _Watched:
    """Anything behind a port, with some of its methods counted."""

    def __init__(self, inner: object, counted: frozenset[str], fate: _Fate) -> None:
        self._inner, self._counted, self._fate = inner, counted, fate

    def __getattr__(self, name: str) -> Any:
        if name in self._counted:
            self._fate.strike()
        return getattr(self._inner, name)


class _WatchedPlace:
    """A ledger's place, whose writes are counted."""

    def __init__(self, inner: LedgerPlace, fate: _Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @contextmanager
    def locked(self) -> Iterator[Any]:
        with self._inner.locked() as ledger:
            yield _Watched(ledger, _LEDGER, self._fate)


def doomed(setup: Setup, fatal: int, end: Callable[[], None] = _die) -> Setup:
    """Return what a pass works with that ends before the call with the number ``fatal``; 0 spares it."""
    fate = _Fate(fatal, end)

    def opener(server: ManagedServer) -> Callable[[], Panel]:
        def opened() -> Any:
            return _Watched(server.open_panel(), _PANEL, fate)

        return opened

    place: Any = _WatchedPlace(setup.ledger, fate)
    servers = tuple(replace(server, open_panel=opener(server)) for server in setup.servers)
    return replace(setup, servers=servers, ledger=place)


def main(config: str) -> None:
    from mailswitch.config.settings import load
    from mailswitch.service.wiring import setup_of

    setup = setup_of(load(Path(config)))
    for line in sys.stdin:
        url, fatal = line.split()
        child = os.fork()
        if child == 0:
            here = replace(setup, ledger=open_place(url))
            once(doomed(here, int(fatal)), PassRequest(by="child", is_enforcing=True))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
