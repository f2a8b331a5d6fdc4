"""The connections to one vantage, over TCP or TLS: few of them, each with many questions under way.

Facts:

- Each message follows its length in two octets; many questions may be under way on one connection and are answered in
  any order (RFC 7766 §6.2.1.1, §7, §8; RFC 7858 §3.3). The fewest connections that do are used (RFC 7766 §6.2.2).
- A server may close a connection whenever it likes; what it has not answered is asked again on another one (RFC 7766
  §6.2.4). Some close after each answer, or after a number of them: what one has answered by then is all that is asked
  of the next.
- A connection that nobody uses is closed after a few seconds (RFC 7766 §6.2.3).
- Only the vantage itself can say anything on a connection to it. One that says what nobody asked is not worth keeping.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from mailswitch.core.traffic import Stray
from mailswitch.lookup.connection import Connection, why_ended
from mailswitch.lookup.vantages import Transport, VantageSettings

__all__ = ["MAX_CONNECTIONS", "Streams"]

MAX_CONNECTIONS = 4
"""Connections to one vantage."""
_CROWD = 100
"""Questions under way on one connection, above which another one is opened."""
_LOOKS_A_PATIENCE = 8
_NEARLY = 0.9
_HEADER_OCTETS = 12


class Streams:
    """Connections opened when first needed; they live as long as their event loop, or until ``close``.

    Ids of questions under way are the caller's to choose, and unique over all connections.
    """

    def __init__(self, settings: VantageSettings, patience: float, stray: Callable[[Stray], None]) -> None:
        """Open nothing yet.

        Args:
            settings: The vantage.
            patience: How many seconds connecting may take, and how long questions may wait for any answer.
            stray: Told of whatever came that is no answer, and of connections that ended with questions open.
        """
        self._settings = settings
        self._patience = patience
        self._stray = stray
        self._wake: Callable[[], None] = lambda: None
        self._context: ssl.SSLContext | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._backlog = deque[tuple[float, bytes]]()
        self._quota = 0
        self._arrived: list[bytes] = []
        self._lost: list[tuple[int, str]] = []

    @property
    def connections(self) -> int:
        """How many connections there are, those that are being made included."""
        return len(self._connections)

    def begin(self, wake: Callable[[], None]) -> None:
        """Go on with a new batch of questions: ``wake`` is called whenever something arrived or got lost."""
        self._wake = wake
        self._backlog.clear()
        self._arrived.clear()
        self._lost.clear()

    def send(self, packet: bytes) -> None:
        """Send a query as soon as a connection has room for it; one that finds none in time is dropped."""
        self._backlog.append((asyncio.get_running_loop().time(), packet))
        self._dispatch()

    def unanswered(self, ident: int) -> None:
        """Leave the connection of a query that was waited for in vain, if nothing else was answered there meanwhile."""
        now = asyncio.get_running_loop().time()
        for connection in self._connections:
            if ident in connection.waiting and connection.lags(now, self._patience * _NEARLY):
                self._give_up(connection)

    def arrived(self) -> list[bytes]:
        """Return the messages that came since the last time, each with the id of a query on its connection."""
        taken, self._arrived = self._arrived, []
        return taken

    def lost(self) -> list[tuple[int, str]]:
        """Return the ids of queries that got lost with their connection since the last time, each with why."""
        taken, self._lost = self._lost, []
        return taken

    async def close(self) -> None:
        """Close every connection."""
        for task in self._connections.values():
            task.cancel()
        await asyncio.gather(*self._connections.values(), return_exceptions=True)

    def _dispatch(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._backlog and (connection := self._with_room(now)) is not None:
            since, packet = self._backlog.popleft()
            if now - since < self._patience:
                connection.ask(packet, now)

    def _with_room(self, now: float) -> Connection | None:
        """Return the connection for the next question: the least busy of those that do well, or another one."""
        for one in self._connections:
            if one.is_idle(now):
                one.end(None)
        usable = [one for one in self._connections if one.is_open(self._quota)]
        well = [one for one in usable if not one.lags(now, self._patience / 2)]
        best = min(well, key=lambda one: len(one.waiting), default=None)
        if (best is None or len(best.waiting) >= _CROWD) and len(self._connections) < MAX_CONNECTIONS:
            return self._opened(now)
        return best or next(iter(usable), None)

    def _opened(self, now: float) -> Connection:
        connection = Connection(self._received, self._settings, now)
        self._connections[connection] = asyncio.get_running_loop().create_task(self._live(connection))
        return connection

    async def _live(self, connection: Connection) -> None:
        """Connect, and take the connection out of use when it is over, in whatever way."""
        reason: OSError | None = None
        try:
            await self._connect(connection)
            reason = await self._watched(connection)
        except OSError as error:
            reason = error
        finally:
            connection.abort()
            self._connections.pop(connection, None)
        self._over(connection, reason)

    async def _connect(self, connection: Connection) -> None:
        place, port = str(self._settings.address), self._settings.port
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                if self._settings.transport is not Transport.TLS:
                    await loop.create_connection(lambda: connection, place, port)
                    return
                if self._context is None:
                    self._context = self._settings.tls.context()
                name = self._settings.tls.server_name or place
                await loop.create_connection(
                    lambda: connection, place, port, ssl=self._context, server_hostname=name, ssl_shutdown_timeout=1
                )
        except TimeoutError as error:
            raise TimeoutError(f"no connection within {self._patience:.3g} s") from error

    async def _watched(self, connection: Connection) -> OSError | None:
        """Return why a connection ended, None for its own good; one that is silent or idle is left."""
        loop = asyncio.get_running_loop()
        while not connection.ended.done():
            await asyncio.wait([connection.ended], timeout=self._patience / _LOOKS_A_PATIENCE)
            now = loop.time()
            if connection.lags(now, self._patience):
                self._give_up(connection)
            elif connection.is_idle(now) or connection.is_spent(self._quota):
                connection.end(None)
        return connection.ended.result()

    def _give_up(self, connection: Connection) -> None:
        """Take a connection out of use on which nothing is answered."""
        if not connection.has_stalled:
            connection.has_stalled = True
            self._stray(Stray.STALLED)
        connection.end(TimeoutError(f"no answer within {self._patience:.3g} s"))

    def _over(self, connection: Connection, reason: OSError | None) -> None:
        """Tell of what a connection has left unanswered, and ask no more of the next than this one has answered."""
        if connection.waiting:
            if isinstance(reason, TimeoutError):
                self._give_up(connection)
            elif connection.is_made:
                self._stray(Stray.CLOSED)
                if connection.answered and connection.was_busy:
                    self._quota = min(self._quota or connection.answered, connection.answered)
            told = why_ended(reason)
            self._lost += [(ident, told) for ident in connection.waiting]
        self._dispatch()
        self._wake()

    def _received(self, connection: Connection, packet: bytes) -> None:
        """Take one message of a connection."""
        ident = int.from_bytes(packet[:2])
        is_message = len(packet) >= _HEADER_OCTETS
        if not is_message or connection.waiting.pop(ident, None) is None:
            self._stray(Stray.UNKNOWN_ID if is_message else Stray.MALFORMED)
            connection.strays += 1
            return
        connection.answered += 1
        self._arrived.append(packet)
        if connection.is_spent(self._quota):
            connection.end(None)
        self._wake()
