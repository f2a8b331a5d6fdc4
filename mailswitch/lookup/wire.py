"""One query sent, and the one message that answers it: sockets, time-outs, truncation.

Facts:

- Ids and source ports are random for each query, and a reply has to come from where the query went and repeat its id
  and question (RFC 5452 §9.1). Letter case is mixed at random and has to come back, which makes guessing harder still.
- A truncated answer is asked for again over TCP (RFC 7766 §5).
- Fragments get lost and can be forged (RFC 9715 §1); 1232 octets pass nearly everywhere whole (DNS Flag Day 2020).
- A server that cannot read a query may leave the question out of its reply, which then can only be a failure.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype

from mailswitch.lookup.answers import parse_message
from mailswitch.lookup.replies import Again, Unreliable
from mailswitch.lookup.vantages import Transport, VantageSettings

__all__ = ["Heard", "exchange", "make_query", "with_mixed_case"]

Heard = dns.message.Message | Unreliable

_PAYLOAD = 1232
_MAX_DATAGRAM = 65535
_HEADER_OCTETS = 12
_ANSWERING = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})


def make_query(owner: dns.name.Name, rdtype: dns.rdatatype.RdataType, *, edns: int) -> dns.message.QueryMessage:
    """Return a recursive query with a random id; ``edns`` is 0, or -1 for none."""
    return dns.message.make_query(
        owner, rdtype, use_edns=edns, payload=_PAYLOAD, id=secrets.randbelow(65536), flags=dns.flags.RD
    )


def with_mixed_case(name: dns.name.Name) -> dns.name.Name:
    """Return ``name`` with each letter in upper or lower case at random."""
    return dns.name.Name([bytes(_either_case(octet) for octet in label) for label in name.labels])


async def exchange(
    query: dns.message.QueryMessage, settings: VantageSettings, seconds: Callable[[], float]
) -> dns.message.Message | Unreliable:
    """Return the whole message that answers ``query``: over UDP, and over TCP if that was truncated.

    ``seconds`` tells, for each of the two, how long it may take from now on.
    """
    if settings.transport is Transport.TCP:
        over, heard = "over TCP", await _timed(_over_tcp, query, settings, seconds())
    else:
        heard = await _timed(_over_udp, query, settings, seconds())
        if isinstance(heard, Unreliable) or not heard.flags & dns.flags.TC:
            return heard
        over, heard = "truncated over UDP, and over TCP", await _timed(_over_tcp, query, settings, seconds())
    if isinstance(heard, Unreliable):
        return replace(heard, reason=f"{over} {heard.reason}")
    return Unreliable(f"{over} truncated", Again.ONCE) if heard.flags & dns.flags.TC else heard


async def _timed(
    way: Callable[[dns.message.QueryMessage, VantageSettings], Awaitable[Heard]],
    query: dns.message.QueryMessage,
    settings: VantageSettings,
    seconds: float,
) -> Heard:
    try:
        async with asyncio.timeout(seconds):
            return await way(query, settings)
    except TimeoutError:
        return Unreliable(f"no answer within {max(seconds, 0):.3g} s", Again.ALWAYS)
    except OSError as error:
        return Unreliable(f"not reachable: {error.strerror or type(error).__name__}", Again.ALWAYS)


async def _over_udp(query: dns.message.QueryMessage, settings: VantageSettings) -> Heard:
    """Wait for the datagram that answers; whatever does not match is passed over."""
    loop = asyncio.get_running_loop()
    with _socket(settings, socket.SOCK_DGRAM) as udp:
        # A connected socket hears its peer only, and of an unreachable port at once.
        udp.connect((str(settings.address), settings.port))
        await loop.sock_sendall(udp, query.to_wire())
        while True:
            heard = _matched(query, await loop.sock_recv(udp, _MAX_DATAGRAM))
            if heard is not None:
                return heard


async def _over_tcp(query: dns.message.QueryMessage, settings: VantageSettings) -> Heard:
    loop = asyncio.get_running_loop()
    with _socket(settings, socket.SOCK_STREAM) as tcp:
        await loop.sock_connect(tcp, (str(settings.address), settings.port))
        await loop.sock_sendall(tcp, query.to_wire(prepend_length=True))
        size = await _read(tcp, 2)
        packet = await _read(tcp, int.from_bytes(size)) if size else b""
        if not packet:
            return Unreliable("the connection was closed before the answer was whole", Again.ALWAYS)
        return _matched(query, packet) or Unreliable("an answer to another question", Again.ONCE)


def _socket(settings: VantageSettings, kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if settings.address.version == 6 else socket.AF_INET, kind)
    made.settimeout(0)  # asyncio's sockets never block
    return made


async def _read(tcp: socket.socket, size: int) -> bytes:
    """Return ``size`` octets, or none at all when the connection ends before."""
    loop, read = asyncio.get_running_loop(), bytearray()
    while len(read) < size:
        part = await loop.sock_recv(tcp, size - len(read))
        if not part:
            return b""
        read += part
    return bytes(read)


def _matched(query: dns.message.QueryMessage, packet: bytes) -> Heard | None:
    """Return the message in ``packet`` if it answers ``query``, None if it is somebody else's or nobody's."""
    if len(packet) < _HEADER_OCTETS or int.from_bytes(packet[:2]) != query.id:
        return None
    message = parse_message(packet)
    if message is not None:
        return message if _answers(message, query) else None
    beginning = parse_message(packet, question_only=True)
    if beginning is None or not _answers(beginning, query):
        return None
    # Some servers cut a truncated message in the middle of a record: TCP mends that, too.
    return beginning if beginning.flags & dns.flags.TC else Unreliable("a malformed answer", Again.ONCE)


def _answers(message: dns.message.Message, query: dns.message.QueryMessage) -> bool:
    if not message.flags & dns.flags.QR or message.opcode() != dns.opcode.QUERY:
        return False
    if not message.question:
        return message.rcode() not in _ANSWERING
    asked = query.question[0]
    return len(message.question) == 1 and all(
        # Octet by octet: names themselves compare without regard to case.
        (echoed.name.labels, echoed.rdtype, echoed.rdclass) == (asked.name.labels, asked.rdtype, asked.rdclass)
        for echoed in message.question
    )


def _either_case(octet: int) -> int:
    is_letter = bytes((octet,)).isalpha()
    return octet ^ 0x20 if is_letter and secrets.randbits(1) else octet
