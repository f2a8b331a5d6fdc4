"""A DNS server on loopback that sends whatever a test wants it to, and what tests build replies with."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from mailswitch.lookup.vantages import Transport, VantageSettings

__all__ = ["SOA", "FromElsewhere", "NastyDNS", "To", "reply_to"]

SOA = "example. 900 IN SOA ns.example. root.example. 1 7200 900 1209600 60"


@dataclass(frozen=True, slots=True)
class FromElsewhere:
    """A datagram that is to come from another port than the one asked."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class To:
    """A datagram that is to go where an earlier query came from."""

    source: tuple[str, int]
    packet: bytes


Datagrams = Iterable[bytes | FromElsewhere | To]


def _silent(_: bytes) -> Datagrams:
    return ()


class NastyDNS:
    """Answers each UDP query with the datagrams that ``udp`` makes of it, each TCP query with the octets of ``tcp``.

    ``port`` is that of another server over TCP, beside which this one answers over UDP only.

    ``tcp`` gives the raw stream, length included; None keeps the connection open and silent, empty octets close it.
    """

    def __init__(
        self,
        udp: Callable[[bytes], Datagrams] = _silent,
        tcp: Callable[[bytes], bytes | None] = lambda _: None,
        *,
        port: int | None = None,
    ) -> None:
        self._udp_answer, self._tcp_answer = udp, tcp
        self.udp_queries: list[bytes] = []
        self.tcp_queries: list[bytes] = []
        self.sources: list[tuple[str, int]] = []
        self._listener, self._udp = _bound(port)
        self.port: int = self._udp.getsockname()[1]
        self._other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._waker, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def settings(self, transport: Transport = Transport.UDP) -> VantageSettings:
        """The server as a vantage."""
        return VantageSettings(
            name="nasty", operator="Nasty", address=IPv4Address("127.0.0.1"), port=self.port, transport=transport
        )

    def __enter__(self) -> Self:
        for waiting in (self._udp, self._listener, self._woken):
            self._selector.register(waiting, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.close()
        self._thread.join()
        self._selector.close()
        for made in (self._udp, self._other, self._listener, self._woken, *self._connections):
            made.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._udp:
                    self._answer_datagram()
                elif key.fileobj is self._listener:
                    connection, _ = self._listener.accept()
                    self._connections.append(connection)
                    self._selector.register(connection, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    self._answer_stream(key.fileobj)

    def _answer_datagram(self) -> None:
        query, source = self._udp.recvfrom(65535)
        self.udp_queries.append(query)
        self.sources.append(source)
        for datagram in self._udp_answer(query):
            if isinstance(datagram, FromElsewhere):
                self._other.sendto(datagram.packet, source)
            elif isinstance(datagram, To):
                self._udp.sendto(datagram.packet, datagram.source)
            else:
                self._udp.sendto(datagram, source)

    def _answer_stream(self, connection: socket.socket) -> None:
        received = connection.recv(65537)
        if received:
            self.tcp_queries.append(received[2:])
        answer = self._tcp_answer(received[2:]) if received else b""
        if answer:
            connection.sendall(answer)
        if answer is not None:
            self._selector.unregister(connection)
            connection.shutdown(socket.SHUT_WR)


def _bound(port: int | None) -> tuple[socket.socket, socket.socket]:
    """Return a TCP and a UDP socket on one port; a free one is looked for until both can have it."""
    while True:
        listener = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(("127.0.0.1", listener.getsockname()[1] if port is None else port))
        except OSError:
            listener.close()
            udp.close()
            if port is not None:
                raise
        else:
            return listener, udp


def reply_to(
    query: bytes,
    *answer: str,
    authority: tuple[str, ...] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    with_flags: int = 0,
    without_flags: int = 0,
    extended_errors: tuple[int, ...] = (),
) -> bytes:
    """Return a recursive resolver's reply to a query, with the given records and what the test wants to be wrong."""
    read = dns.message.from_wire(query)
    response = dns.message.make_response(read, recursion_available=True)
    response.flags = (response.flags | with_flags) & ~without_flags
    if extended_errors:
        response.use_edns(0, options=[dns.edns.EDEOption(code, "a text") for code in extended_errors])  # type: ignore[arg-type]
    response.set_rcode(rcode)
    response.answer = _rrsets(answer)
    response.authority = _rrsets(authority)
    return response.to_wire(max_size=65535)


def _rrsets(lines: Iterable[str]) -> list[dns.rrset.RRset]:
    rrsets = []
    for line in lines:
        name, ttl, rdclass, rdtype, rdata = line.split(maxsplit=4)
        rrsets.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, rdata))
    return rrsets
