"""The UDP sockets of one vantage: a few source ports, from which datagrams come in batches.

Facts:

- A connected socket hears its peer only, and learns of an unreachable port (RFC 5452 §9.1, RFC 1122 §4.1.3.3).
- The system picks an unpredictable port for a socket that connects without one (RFC 6056 §3.3.1).
- One wake-up of the event loop costs as much as reading several datagrams: each reads many.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Self

from mailswitch.lookup.vantages import VantageSettings
from mailswitch.lookup.wire import open_socket

__all__ = ["MAX_UNDER_WAY", "PORTS", "Ports"]

PORTS = 8
"""Source ports of one vantage."""
MAX_UNDER_WAY = PORTS * 200
"""Questions under way at once: the answers of more might not fit into the sockets' buffers."""
_DRAINED_AT_ONCE = 64
_MAX_DATAGRAM = 65535


class Ports:
    """Sockets opened when first used, each connected to the vantage from a port of its own.

    Used as a context manager within one event loop.
    """

    def __init__(self, settings: VantageSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[int, socket.socket] = {}
        self._arrived: list[tuple[int, list[bytes]]] = []
        self._broken: list[tuple[int, OSError]] = []
        self._woken: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        """Return itself; nothing is opened yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every socket."""
        for port in self._sockets.values():
            self._loop.remove_reader(port)
            port.close()
        self._sockets.clear()

    def send(self, packets: Iterable[tuple[int, bytes]]) -> None:
        """Send packets, each from one of the ports, 0 to 7; one that the system has no room for is lost, as on its way.

        Where the vantage cannot be reached, the port is among those that are ``broken`` from then on.
        """
        sockets = self._sockets
        for port, packet in packets:
            try:
                (sockets.get(port) or self._open(port)).send(packet)
            except BlockingIOError:
                pass
            except OSError as error:
                self._broken.append((port, error))  # it may well be about packets sent before

    async def wait(self, seconds: float) -> None:
        """Wait until a datagram or an error is there, or ``wake`` is called; at most so long."""
        if self._arrived or self._broken:
            return
        self._woken = self._loop.create_future()
        timer = self._loop.call_later(seconds, self.wake)
        try:
            await self._woken
        finally:
            timer.cancel()
            self._woken = None

    def wake(self) -> None:
        """End the waiting."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def arrived(self) -> list[tuple[int, list[bytes]]]:
        """Return ports, and the datagrams that came to them since the last time."""
        taken, self._arrived = self._arrived, []
        return taken

    def broken(self) -> list[tuple[int, OSError]]:
        """Return the ports that heard of an error since the last time."""
        taken, self._broken = self._broken, []
        return taken

    def _open(self, port: int) -> socket.socket:
        opened = open_socket(self._settings, socket.SOCK_DGRAM)
        try:
            opened.connect((str(self._settings.address), self._settings.port))
        except OSError:
            opened.close()
            raise
        self._sockets[port] = opened
        self._loop.add_reader(opened, partial(self._drain, port, opened))
        return opened

    def _drain(self, port: int, opened: socket.socket) -> None:
        receive, arrived = opened.recv, list[bytes]()
        self._arrived.append((port, arrived))
        try:
            for _ in range(_DRAINED_AT_ONCE):
                arrived.append(receive(_MAX_DATAGRAM))
        except BlockingIOError:
            pass
        except OSError as error:
            self._broken.append((port, error))
        self.wake()
