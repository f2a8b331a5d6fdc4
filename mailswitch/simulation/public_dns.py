"""A simulated public DNS: one recursive resolver on loopback that knows the records of a world and nothing else.

It answers UDP and TCP on one port, says RA and never AA, and asks nobody. Faults make it misbehave for single names
(design.md section 9). Whatever cannot be read as a query is ignored or answered FORMERR, as real servers do.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.simulation.public_dns_master import overlay, parse_records
from mailswitch.simulation.public_dns_records import PublicRecords

__all__ = ["Fault", "PublicDNSServer", "PublicRecords", "overlay", "parse_records"]

_EDNS_PAYLOAD = 4096
_PLAIN_PAYLOAD = 512
_TCP_IDLE_SECONDS = 10.0
_START_SECONDS = 10.0
_PORT_ATTEMPTS = 20
_REFUSED_TYPES = frozenset({dns.rdatatype.AXFR, dns.rdatatype.IXFR})


class Fault(StrEnum):
    """How a vantage misbehaves for one name, as written in a world (design.md section 9)."""

    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    TIMEOUT = "timeout"
    """No answer at all, over UDP or TCP."""
    TRUNCATED = "truncated"
    """Over UDP an empty answer with TC=1; over TCP the right one."""
    AUTHORITATIVE = "authoritative"
    """The right answer with the AA bit, as from a resolver that serves the zone itself."""


class PublicDNSServer:
    """One vantage of a simulated public DNS, served by a thread of its own.

    Use it as a context manager, or with ``start`` and ``close``. ``port`` 0 takes a free one.
    """

    def __init__(
        self,
        records: PublicRecords,
        faults: Mapping[DomainName, Fault] | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Keep what is to be answered; nothing listens before ``start``."""
        self._records = records
        self._faults = {dns.name.from_text(name.text): fault for name, fault in (faults or {}).items()}
        self._address = address
        self._port = port
        self._lock = threading.Lock()
        self._queries: Counter[tuple[str, str]] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """The address it listens on."""
        return self._address

    @property
    def port(self) -> int:
        """The port it listens on, UDP and TCP; 0 before the start unless one was asked for."""
        return self._port

    @property
    def queries(self) -> Counter[tuple[str, str]]:
        """How often each question was asked so far, by name (lower case, no final dot) and type."""
        with self._lock:
            return Counter(self._queries)

    def replace(self, records: PublicRecords) -> None:
        """Answer from other records from now on: a customer changed the public DNS."""
        self._records = records

    def start(self) -> None:
        """Listen; returns when queries are answered.

        Raises:
            OSError: the address cannot be listened on.
            RuntimeError: it was started already, or its thread did not come up.
        """
        if self._thread is not None:
            raise RuntimeError("this simulated public DNS was started already")
        udp, tcp = _bound_sockets(self._address, self._port)
        self._port = udp.getsockname()[1]
        loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._loop = loop
        self._thread = threading.Thread(
            target=self._serve, args=(loop, udp, tcp, ready), name=f"public-dns-{self._port}", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise RuntimeError(f"the simulated public DNS on {self._address} port {self._port} did not start")

    def close(self) -> None:
        """Stop listening and wait for the thread. Harmless when called again."""
        if self._thread is not None and self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def answer(self, packet: bytes, *, over_tcp: bool) -> bytes | None:
        """Return the reply to one packet, or None where a server stays silent. Never raises."""
        try:
            query = dns.message.from_wire(packet)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, recursion_available=True, our_payload=_EDNS_PAYLOAD)
        fault = self._fill(response, query, over_tcp=over_tcp)
        if fault is Fault.TIMEOUT:
            return None
        if over_tcp:
            return _fitted(response, 65535)
        return _fitted(response, min(query.payload, _EDNS_PAYLOAD) if query.edns >= 0 else _PLAIN_PAYLOAD)

    def _fill(self, response: dns.message.Message, query: dns.message.Message, *, over_tcp: bool) -> Fault | None:
        """Put the answer into ``response``; return the fault that applies to the name."""
        if query.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
            return None
        if len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
            return None
        question = query.question[0]
        name = question.name.canonicalize()
        with self._lock:
            asked = name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
            self._queries[asked] += 1
        if question.rdclass != dns.rdataclass.IN or question.rdtype in _REFUSED_TYPES:
            response.set_rcode(dns.rcode.REFUSED)
            return None
        fault = self._faults.get(name)
        match fault:
            case Fault.SERVFAIL | Fault.REFUSED:
                response.set_rcode(dns.rcode.from_text(fault))
                return fault
            case Fault.TRUNCATED if not over_tcp:
                response.flags |= dns.flags.TC
                return fault
            case Fault.AUTHORITATIVE:
                response.flags |= dns.flags.AA
        finding = self._records.find(question.name, question.rdtype)
        response.set_rcode(finding.rcode)
        response.answer.extend(finding.answer)
        response.authority.extend(finding.authority)
        return fault

    def _serve(
        self, loop: asyncio.AbstractEventLoop, udp: socket.socket, tcp: socket.socket, ready: threading.Event
    ) -> None:
        asyncio.set_event_loop(loop)
        transport, _ = loop.run_until_complete(loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp))
        server = loop.run_until_complete(asyncio.start_server(self._converse, sock=tcp))
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            transport.close()
            server.close()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the queries of one TCP connection in turn (RFC 7766 §6.2.1) until it is idle or closed."""
        try:
            async with asyncio.timeout(_TCP_IDLE_SECONDS) as idle:
                while True:
                    idle.reschedule(asyncio.get_running_loop().time() + _TCP_IDLE_SECONDS)
                    size = int.from_bytes(await reader.readexactly(2))
                    reply = self.answer(await reader.readexactly(size), over_tcp=True)
                    if reply is not None:
                        writer.write(len(reply).to_bytes(2) + reply)
                        await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """Answers each datagram where it came from."""

    def __init__(self, server: PublicDNSServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # Python 3.11's is no subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._server.answer(data, over_tcp=False)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def _fitted(response: dns.message.Message, size: int) -> bytes:
    """Return the wire form within ``size`` octets; a larger one becomes an empty answer with TC=1 (RFC 2181 §9)."""
    try:
        return response.to_wire(max_size=size)
    except dns.exception.TooBig:
        response.flags |= dns.flags.TC
        response.answer.clear()
        response.authority.clear()
        response.additional.clear()
        return response.to_wire(max_size=size)


def _bound_sockets(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket on one port; a free port is looked for until both can have it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((address, port))
            udp.bind(tcp.getsockname())
            tcp.listen()
        except OSError:
            udp.close()
            tcp.close()
            if port or attempt == _PORT_ATTEMPTS:
                raise
        else:
            return udp, tcp
    raise AssertionError("unreachable")
