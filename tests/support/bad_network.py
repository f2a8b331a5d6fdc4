"""Networks before vantages, simulated or real ones: they lose, delay, reorder, double, cut off, forge and limit."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

import dns.flags
import dns.message
import dns.rcode

from tests.support.nasty_dns import FromElsewhere, NastyDNS, To, reply_to
from tests.support.stream_dns import StreamDNS, answering
from tests.support.worlds import Play

__all__ = [
    "NETWORKS",
    "Network",
    "between",
    "delaying",
    "doubling",
    "forging",
    "limiting",
    "losing",
    "reordering",
    "silent",
    "truncated",
    "truncating",
]

Datagrams = Iterable[bytes | FromElsewhere | To]


class Resolver(Protocol):
    """What stands behind a network."""

    def answer(self, packet: bytes, *, over_tcp: bool) -> bytes | None:
        """Return the reply to one packet."""


Network = Callable[[Resolver], NastyDNS]
"""Makes what stands before a vantage."""


def _true(server: Resolver, query: bytes) -> bytes:
    answer = server.answer(query, over_tcp=False)
    assert answer is not None
    return answer


def _before(make: Callable[[Resolver, NastyDNS, bytes], Datagrams]) -> Network:
    def network(server: Resolver) -> NastyDNS:
        relay = NastyDNS(lambda query: make(server, relay, query))
        return relay

    return network


def losing(share: float) -> Network:
    """Lose that share of the queries: of each question always the same tries, at every vantage."""

    def network(server: Resolver) -> NastyDNS:
        seen = Counter[str]()

        def make(query: bytes) -> Datagrams:
            question = dns.message.from_wire(query).question[0].to_text().lower()
            seen[question] += 1
            is_lost = zlib.crc32(f"{question} {seen[question]}".encode()) % 1000 < share * 1000
            return [] if is_lost else [_true(server, query)]

        return NastyDNS(make)

    return network


def delaying() -> Network:
    """Hold every answer back until the next query comes."""

    def network(server: Resolver) -> NastyDNS:
        held: list[To] = []

        def late(query: bytes) -> Datagrams:
            held.append(To(relay.sources[-1], _true(server, query)))
            return held[-2:-1]

        relay = NastyDNS(late)
        return relay

    return network


def reordering() -> Network:
    """Give answers in fours, the last one first; what is asked again is given out at once."""

    def network(server: Resolver) -> NastyDNS:
        held: list[To] = []
        seen = Counter[str]()

        def in_fours(query: bytes) -> Datagrams:
            name = dns.message.from_wire(query).question[0].to_text().lower()
            seen[name] += 1
            held.append(To(relay.sources[-1], _true(server, query)))
            if len(held) < 4 and seen[name] == 1:
                return []
            given = held[::-1]
            held.clear()
            return given

        relay = NastyDNS(in_fours)
        return relay

    return network


def doubling() -> Network:
    """Give every answer three times."""
    return _before(lambda server, _, query: [_true(server, query)] * 3)


def silent() -> Network:
    """Answer nothing."""
    return _before(lambda *_: [])


def limiting(rate: float, burst: int) -> Network:
    """Drop what is above a rate, as public resolvers do."""

    def network(server: Resolver) -> NastyDNS:
        tokens, at = float(burst), time.monotonic()

        def limited(query: bytes) -> Datagrams:
            nonlocal tokens, at
            now = time.monotonic()
            tokens, at = min(burst, tokens + (now - at) * rate), now
            if tokens < 1:
                return []
            tokens -= 1
            return [_true(server, query)]

        return NastyDNS(limited)

    return network


def forging() -> Network:
    """Send forged answers of every kind before each true one, and one after it that is right in everything but that.

    None comes after a failure: the question is open still, and such a one would be its answer.
    """

    def make(server: Resolver, _: NastyDNS, query: bytes) -> Datagrams:
        read = dns.message.from_wire(query)
        question = read.question[0]
        lie = f"{question.name} 60 IN MX 1 mail.web01.example."
        other = dns.message.make_query("other.example.", question.rdtype, id=read.id).to_wire()
        cased = dns.message.make_query(question.name.to_text().swapcase(), question.rdtype, id=read.id).to_wire()
        forged_id = bytes((query[0] ^ 0x55, query[1] ^ 0xAA)) + query[2:]
        true = _true(server, query)
        with_gift = dns.message.from_wire(true)
        gift = reply_to(query, "mail.web01.example. 60 IN A 192.0.2.66", "aspmx.l.google.com. 60 IN A 203.0.113.10")
        with_gift.additional = dns.message.from_wire(gift).answer
        return [
            FromElsewhere(reply_to(query, lie)),
            reply_to(forged_id, lie),
            reply_to(other, lie),
            reply_to(cased, lie),
            b"\xff" * 7,
            with_gift.to_wire(),
            *[reply_to(query, lie)] * (with_gift.rcode() != dns.rcode.SERVFAIL),
        ]

    return _before(make)


NETWORKS = {
    "loses a fifth": losing(0.2),
    "answers late": delaying(),
    "reorders": reordering(),
    "doubles": doubling(),
    "forges": forging(),
}


@contextmanager
def between(play: Play, **networks: Network) -> Iterator[dict[str, NastyDNS]]:
    """Put networks before vantages of a staged world, by their names, until the end of the block."""
    with ExitStack() as stack:
        relays = {}
        for name, network in networks.items():
            server = play.stage.vantage(name)
            relay = relays[name] = stack.enter_context(network(server))
            play.edit_config(f"{server.address}:{server.port}", f"{server.address}:{relay.port}")
        yield relays


@contextmanager
def truncated(server: Resolver) -> Iterator[StreamDNS]:
    """Put before a resolver what truncates everything over UDP, at the port where answers are whole over TCP."""

    def whole(query: bytes) -> bytes:
        answer = server.answer(query, over_tcp=True)
        assert answer is not None
        return answer

    with (
        StreamDNS(answering(whole)) as streams,
        NastyDNS(lambda query: [reply_to(query, with_flags=dns.flags.TC)], port=streams.port),
    ):
        yield streams


@contextmanager
def truncating(play: Play, name: str) -> Iterator[StreamDNS]:
    """Have a vantage truncate everything over UDP; over TCP the answers are whole."""
    server = play.stage.vantage(name)
    with truncated(server) as streams:
        play.edit_config(f"{server.address}:{server.port}", f"{server.address}:{streams.port}")
        yield streams
