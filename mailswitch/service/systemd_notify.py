"""Tells systemd how the daemon fares, over the socket it names; without one, nothing is told.

Facts (sd_notify(3), systemd.service(5)):

- ``NOTIFY_SOCKET`` is the path of a datagram socket, or with a leading ``@`` an abstract one.
- ``RELOADING=1`` carries ``MONOTONIC_USEC``, and ``READY=1`` ends it.
- ``WATCHDOG_USEC`` is how long systemd waits for ``WATCHDOG=1``; it is meant for the process ``WATCHDOG_PID`` only.
- Children would speak in our name if they found the socket in their environment.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import timedelta

from mailswitch.report.clean import printable

__all__ = ["Notifier"]

_LONGEST_STATUS = 200
_LONGEST_WAIT = 0.5
"""Seconds for a socket that is full."""


class Notifier:
    """Speaks to systemd. What cannot be said is lost without a word: nobody would hear of it."""

    def __init__(self, address: str | None = None, *, watchdog: timedelta | None = None) -> None:
        """Speak to the socket at ``address``; ``watchdog`` is how often it wants to be fed at the least."""
        self._address = "\0" + address[1:] if address is not None and address.startswith("@") else address
        self._status: str | None = None
        self.watchdog = watchdog

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Return what speaks to the systemd that started this process, and take its words from the environment."""
        address = environ.pop("NOTIFY_SOCKET", None)
        span, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_meant = span.isdecimal() and int(span) > 0 and pid in {"", str(os.getpid())}
        return cls(address, watchdog=timedelta(microseconds=int(span)) if is_meant else None)

    def ready(self, status: str) -> None:
        """Say that the daemon works, after a start or a reload."""
        self._status = status
        self._say("READY=1", _status_line(status))

    def status(self, text: str) -> None:
        """Say in one line how it is; a line that was said last is not said again."""
        if text != self._status:
            self._status = text
            self._say(_status_line(text))

    def reloading(self, monotonic: timedelta) -> None:
        """Say that the configuration is read anew, at this moment of the system's monotonic clock."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={monotonic // timedelta(microseconds=1)}")

    def stopping(self) -> None:
        """Say that the daemon ends."""
        self._status = None
        self._say("STOPPING=1", _status_line("stopping"))

    def feed(self) -> None:
        """Say that it makes progress."""
        if self.watchdog is not None:
            self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
            speaker.settimeout(_LONGEST_WAIT)
            speaker.connect(self._address)
            speaker.sendall("\n".join(lines).encode())


def _status_line(text: str) -> str:
    return f"STATUS={printable(text)[:_LONGEST_STATUS]}"
