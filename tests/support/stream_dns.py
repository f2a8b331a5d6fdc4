"""A DNS server on loopback that speaks TCP or TLS, and behaves on each connection as a test wants it to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from typing import Self

from mailswitch.lookup.trust import TlsTrust
from mailswitch.lookup.vantages import Transport, VantageSettings

__all__ = ["Behaviour", "Caller", "StreamDNS", "answering", "framed"]


def framed(packet: bytes) -> bytes:
    """Return a message with its length before it."""
    return len(packet).to_bytes(2) + packet


class Caller:
    """One client's connection, as the server sees it."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        """0 for the first connection to the server."""
        self.asked = 0
        self._reader, self._writer = reader, writer

    async def query(self) -> bytes:
        """Return the next query; raises IncompleteReadError when the client has closed."""
        size = int.from_bytes(await self._reader.readexactly(2))
        query = await self._reader.readexactly(size)
        self.asked += 1
        return query

    async def queries(self, number: int) -> list[bytes]:
        """Return so many queries."""
        return [await self.query() for _ in range(number)]

    async def some(self) -> bytes:
        """Return the octets that come next, whatever they are."""
        return await self._reader.read(65536)

    async def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._writer.write(octets)
        await self._writer.drain()

    async def silence(self) -> None:
        """Read and say nothing until the client closes."""
        while await self._reader.read(65536):
            pass


Behaviour = Callable[[Caller], Awaitable[None]]


def answering(reply: Callable[[bytes], bytes]) -> Behaviour:
    """Answer each query with one message."""

    async def behave(caller: Caller) -> None:
        while True:
            await caller.send(framed(reply(await caller.query())))

    return behave


class StreamDNS:
    """Runs ``behave`` for each connection; closes it when that returns."""

    def __init__(self, behave: Behaviour, context: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.callers: list[Caller] = []
        self.port = 0

    def settings(self, transport: Transport = Transport.TCP, **trust: object) -> VantageSettings:
        """The server as a vantage; ``trust`` is what a `TlsTrust` takes."""
        return VantageSettings(
            name="stream",
            operator="Stream",
            address=IPv4Address("127.0.0.1"),
            port=self.port,
            transport=transport,
            tls=TlsTrust(**trust),  # type: ignore[arg-type]
        )

    @property
    def queries(self) -> int:
        """How many queries came on all connections."""
        return sum(caller.asked for caller in self.callers)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, awaitable: Awaitable[None]) -> None:
        async def run() -> None:
            await awaitable

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = Caller(len(self.callers), reader, writer)
        self.callers.append(caller)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._behave(caller)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
