"""One connection to a vantage, over TCP or TLS, and the questions that are under way on it.

Facts:

- Each message follows its length in two octets (RFC 7766 §8), so none is longer than 65535.
- Nothing is written before the other side's certificate is found right (RFC 8310 §5).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from mailswitch.lookup.trust import WrongCertificate
from mailswitch.lookup.vantages import VantageSettings

__all__ = ["Connection", "why_ended"]

_IDLE_SECONDS = 2.0
"""Without a question: many servers close a connection not much later."""
_MOST_STRAYS = 100
_LENGTH_OCTETS = 2


class Connection(asyncio.Protocol):
    """One connection, and the questions that are under way on it."""

    def __init__(self, received: Callable[[Connection, bytes], None], settings: VantageSettings, now: float) -> None:
        self._received = received
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._buffer = bytearray()
        self._heard_at = now
        self._used_at = now
        self.waiting: dict[int, float] = {}
        """The ids of the questions under way, the first asked first, each with when it was asked."""
        self.asked = self.answered = self.strays = 0
        self.has_stalled = False
        self.ended: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()

    def ask(self, packet: bytes, now: float) -> None:
        """Put a query, as soon as the connection stands."""
        self.waiting[int.from_bytes(packet[:2])] = self._used_at = now
        self.asked += 1
        framed = len(packet).to_bytes(_LENGTH_OCTETS) + packet
        if self._transport is None:
            self._unsent.append(framed)
        else:
            self._transport.write(framed)

    def is_open(self, quota: int) -> bool:
        """Whether more may be asked: at most ``quota`` questions in all, 0 for any number."""
        return not self.ended.done() and (not quota or self.asked < quota)

    def lags(self, now: float, seconds: float) -> bool:
        """Whether a question is open and none was answered for so long."""
        oldest = next(iter(self.waiting.values()), None)
        return oldest is not None and now - max(oldest, self._heard_at) > seconds

    def is_spent(self, quota: int) -> bool:
        """Whether it has answered all that it takes."""
        return not self.waiting and not self.is_open(quota)

    def is_idle(self, now: float) -> bool:
        """Whether nothing has been asked for so long that the server may be about to close it."""
        return not self.waiting and now - self._used_at > _IDLE_SECONDS

    @property
    def is_made(self) -> bool:
        """Whether it ever stood."""
        return self._transport is not None

    @property
    def was_busy(self) -> bool:
        """Whether questions were open already when it answered for the last time."""
        return min(self.waiting.values(), default=self._heard_at) < self._heard_at

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    # --- What asyncio calls ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Check the certificate, and put what was to be asked meanwhile."""
        self._transport = cast("asyncio.Transport", transport)
        secured = transport.get_extra_info("ssl_object")
        try:
            if secured is not None:
                self._settings.tls.check(secured)
        except WrongCertificate as error:
            self.end(error)
            self.abort()
            return
        self._heard_at = asyncio.get_running_loop().time()
        # In one piece: small writes wait for each other (RFC 7766 §8).
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Take what came apart into messages."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= _LENGTH_OCTETS and not self.ended.done():
            end = at + _LENGTH_OCTETS + int.from_bytes(self._buffer[at : at + _LENGTH_OCTETS])
            if end > len(self._buffer):
                break
            before = self.answered
            self._received(self, bytes(self._buffer[at + _LENGTH_OCTETS : end]))
            if self.answered > before:
                self._heard_at = asyncio.get_running_loop().time()
            if self.strays >= _MOST_STRAYS:
                self.end(ConnectionError("it said what nobody asked, again and again"))
            at = end
        del self._buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        self.end(exc if isinstance(exc, OSError) else None)

    def end(self, reason: OSError | None) -> None:
        """Take the connection out of use; the first reason given counts."""
        with suppress(asyncio.InvalidStateError):
            self.ended.set_result(reason)


def why_ended(reason: OSError | None) -> str:
    """Return why a connection ended, for people."""
    match reason:
        case None:
            return "the connection was closed before the answer was whole"
        case ssl.SSLCertVerificationError(verify_message=message):
            return f"its certificate is refused: {message}"
        case ssl.SSLError(reason=str() as code):
            return f"no TLS: {code.lower().replace('_', ' ')}"
        case OSError(errno=int() as number) if not isinstance(reason, ssl.SSLError):
            return f"not reachable: {os.strerror(number)}"
        case _:
            return str(reason) or f"not reachable: {type(reason).__name__}"
