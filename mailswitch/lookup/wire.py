"""The one message that answers a query, and queries one at a time: sockets, time-outs, truncation.

Facts:

- A reply has to come from where the query went and repeat its id and question (RFC 5452 §9.1), letter case included.
- A truncated answer is asked for again over TCP (RFC 7766 §5).
- A message over TCP has up to 65535 octets: room for thousands of records that nobody needs and that take their time
  to read.
- A server that cannot read a query may leave the question out of its reply, which then can only be a failure.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass

from mailswitch.core.traffic import Stray
from mailswitch.lookup.answers import ANSWERING, parse_message
from mailswitch.lookup.queries import Entropy, query_packet, question
from mailswitch.lookup.replies import Again, Unreliable
from mailswitch.lookup.streams import Streams
from mailswitch.lookup.vantages import Transport, VantageSettings

__all__ = ["Heard", "Query", "exchange", "make_query", "matched", "not_reachable", "open_socket", "stray_in"]

Heard = dns.message.Message | Unreliable

_MAX_RECORDS = 500
_MAX_DATAGRAM = 65535
_HEADER_OCTETS = 12


@dataclass(slots=True, eq=False)
class Query:
    """A query on its way."""

    packet: bytes
    asked: bytes
    """Its question section, which the answer has to repeat."""


def make_query(name: bytes, rdtype: int, entropy: Entropy) -> Query:
    """Return a recursive query with EDNS, a random id and mixed case for a name in wire form."""
    asked = question(entropy.mixed_case(name), rdtype)
    return Query(query_packet(entropy.number() & 0xFFFF, asked, has_edns=True), asked)


async def exchange(
    query: Query,
    settings: VantageSettings,
    seconds: Callable[[], float],
    streams: Streams | None = None,
    passed_over: Callable[[Stray], None] = lambda _: None,
) -> Heard:
    """Return the whole message that answers ``query``: over UDP, and over TCP if that was truncated; or over TLS.

    Args:
        query: What is asked.
        settings: Whom.
        seconds: Tells, for each of the two, how long it may take from now on.
        streams: Connections to go on with; without them there is one for this query alone.
        passed_over: Told of each datagram that does not answer the query.
    """
    over = ""
    if settings.transport is Transport.UDP:
        heard = await _over_udp_in_time(query, settings, seconds(), passed_over)
        if isinstance(heard, Unreliable) or not heard.flags & dns.flags.TC:
            return heard
        over = "truncated over UDP, and over TCP: "
    left = max(seconds(), 0)
    if streams is None:
        single = Streams(settings, left, lambda _: None)
        try:
            heard = await _over_stream(query, single, left)
        finally:
            await single.close()
    else:
        heard = await _over_stream(query, streams, left)
    if isinstance(heard, Unreliable):
        return replace(heard, reason=over + heard.reason)
    return Unreliable(over + "truncated", Again.ONCE) if heard.flags & dns.flags.TC else heard


def matched(packet: bytes, ident: bytes, asked: bytes) -> Heard | None:
    """Return the message in ``packet`` if it answers the query, None if it is somebody else's or nobody's.

    ``ident`` is the query's id, ``asked`` its question section.
    """
    if len(packet) < _HEADER_OCTETS or packet[:2] != ident:
        return None
    message = None if _is_bloated(packet) else parse_message(packet)
    if message is not None:
        return message if _answers(message, asked) else None
    beginning = parse_message(packet, question_only=True)
    if beginning is None or not _answers(beginning, asked):
        return None
    # Some servers cut a truncated message in the middle of a record: TCP mends that, too.
    return beginning if beginning.flags & dns.flags.TC else Unreliable("a malformed answer", Again.ONCE)


def stray_in(packet: bytes, asked: bytes, heard: Heard | None) -> Stray | None:
    """Return what is odd about a packet with a query's id, None for one in order.

    ``asked`` is the query's question section, ``heard`` what `matched` made of the packet.
    """
    if heard is None:
        echoed = packet[_HEADER_OCTETS : _HEADER_OCTETS + len(asked)]
        if echoed == asked:
            return Stray.MALFORMED
        return Stray.OTHER_CASE if echoed.lower() == asked.lower() else Stray.OTHER_QUESTION
    if isinstance(heard, Unreliable):
        return Stray.BLOATED if _is_bloated(packet) else Stray.MALFORMED
    return Stray.OTHER_NAMES if heard.additional else None


def not_reachable(error: OSError) -> Unreliable:
    """Return what a vantage's network error means for a question."""
    return Unreliable(f"not reachable: {error.strerror or type(error).__name__}", Again.ALWAYS)


def open_socket(settings: VantageSettings, kind: socket.SocketKind) -> socket.socket:
    """Return a socket of the vantage's family that never blocks; the system gives it a random port when it connects."""
    made = socket.socket(socket.AF_INET6 if settings.address.version == 6 else socket.AF_INET, kind)
    made.settimeout(0)
    return made


async def _over_udp_in_time(
    query: Query, settings: VantageSettings, seconds: float, passed_over: Callable[[Stray], None]
) -> Heard:
    try:
        async with asyncio.timeout(seconds):
            return await _over_udp(query, settings, passed_over)
    except TimeoutError:
        return _no_answer(seconds)
    except OSError as error:
        return not_reachable(error)


async def _over_udp(query: Query, settings: VantageSettings, passed_over: Callable[[Stray], None]) -> Heard:
    """Wait for the datagram that answers; whatever does not match is passed over."""
    loop = asyncio.get_running_loop()
    with open_socket(settings, socket.SOCK_DGRAM) as udp:
        # A connected socket hears its peer only, and of an unreachable port at once.
        udp.connect((str(settings.address), settings.port))
        await loop.sock_sendall(udp, query.packet)
        while True:
            packet = await loop.sock_recv(udp, _MAX_DATAGRAM)
            heard = matched(packet, query.packet[:2], query.asked)
            if heard is not None:
                return heard
            is_ours = packet[:2] == query.packet[:2]
            passed_over((stray_in(packet, query.asked, None) if is_ours else None) or Stray.UNKNOWN_ID)


async def _over_stream(query: Query, streams: Streams, seconds: float) -> Heard:
    """Wait for what comes of one query."""
    woken = asyncio.Event()
    streams.begin(woken.set)
    streams.send(query.packet)
    try:
        async with asyncio.timeout(seconds):
            while True:
                await woken.wait()
                for packet in streams.arrived():
                    if packet[:2] == query.packet[:2]:
                        heard = matched(packet, packet[:2], query.asked)
                        return heard or Unreliable("an answer to another question", Again.ONCE)
                for ident, reason in streams.lost():
                    if ident == int.from_bytes(query.packet[:2]):
                        return Unreliable(reason, Again.ALWAYS)
                woken.clear()
    except TimeoutError:
        return _no_answer(seconds)


def _no_answer(seconds: float) -> Unreliable:
    return Unreliable(f"no answer within {max(seconds, 0):.3g} s", Again.ALWAYS)


def _is_bloated(packet: bytes) -> bool:
    """Whether a message announces more records than any answer about mail has."""
    return sum(int.from_bytes(packet[at : at + 2]) for at in (6, 8, 10)) > _MAX_RECORDS


def _answers(message: dns.message.Message, asked: bytes) -> bool:
    if not message.flags & dns.flags.QR or message.opcode() != dns.opcode.QUERY:
        return False
    if not message.question:
        return message.rcode() not in ANSWERING
    # Octet by octet: names themselves compare without regard to case.
    return len(message.question) == 1 and all(
        question(echoed.name.to_wire() or b"", echoed.rdtype) == asked and echoed.rdclass == dns.rdataclass.IN
        for echoed in message.question
    )
