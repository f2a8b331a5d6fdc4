"""Replies of many shapes, and what dnspython makes of one: what the fast reading is held against."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import read_reply
from mailswitch.lookup.queries import query_packet, question, wire_form
from mailswitch.lookup.replies import Reply
from mailswitch.lookup.wire import Heard, matched
from mailswitch.simulation.public_dns import PublicDNSServer, parse_records
from tests.support.nasty_dns import SOA, reply_to
from tests.support.recording import Recording, read_recordings

__all__ = [
    "NAME",
    "TYPES",
    "Recorded",
    "asked_for",
    "by_dnspython",
    "mutated",
    "real_replies",
    "recorded_replies",
    "resolver_replies",
]

NAME = DomainName("moved.example")
TYPES = (dns.rdatatype.MX, dns.rdatatype.A, dns.rdatatype.AAAA)
_RECORDS = """
moved.example.   3600 IN MX 1 mx.other.example.
moved.example.        IN MX 5 Backup.Other.example.
moved.example.        IN A 192.0.2.26
moved.example.        IN A 192.0.2.27
moved.example.        IN AAAA 2001:db8::26
moved.example.        IN AAAA ::ffff:192.0.2.1
nullmx.example.       IN MX 0 .
alias.example.        IN CNAME moved.example.
text.example.         IN TXT "x"
odd.example.          IN MX 1 a\\.b.example.
far.example.          IN MX 1 mx.some.where.else.test.
"""

Recorded = tuple[DomainName, dns.rdatatype.RdataType, bytes, bytes]
"""A name, a type, the question section that asks for them, and a reply."""


def asked_for(text: str, rdtype: dns.rdatatype.RdataType) -> bytes:
    """Return a question section in lower case."""
    return question(wire_form(DomainName(text)), rdtype)


def by_dnspython(
    packet: bytes, asked: bytes, name: DomainName, rdtype: dns.rdatatype.RdataType
) -> Heard | Reply | None:
    """Return what the whole way through dnspython makes of a packet."""
    message = matched(packet, packet[:2], asked)
    if not isinstance(message, dns.message.Message) or message.flags & dns.flags.TC:
        return message
    return read_reply(message, name, rdtype)


def resolver_replies() -> Iterator[Recorded]:
    """Return replies of the simulated resolver to questions of every kind."""
    server = PublicDNSServer(parse_records(_RECORDS))
    for text in ("moved", "nullmx", "alias", "text", "odd", "far", "nowhere"):
        name = DomainName(f"{text}.example")
        for rdtype in TYPES:
            for has_edns in (True, False):
                asked = asked_for(name.text, rdtype)
                packet = server.answer(query_packet(4711, asked, has_edns=has_edns), over_tcp=False)
                assert packet is not None
                yield name, rdtype, asked, packet


def real_replies(recordings: Iterable[Recording]) -> Iterator[Recorded]:
    """Return replies of real servers, each with the question as it was put."""
    for each in recordings:
        (question,) = dns.message.from_wire(each.packet).question
        name = DomainName(question.name.to_text(omit_final_dot=True).lower())
        yield name, question.rdtype, each.packet[12 : 12 + len(asked_for(name.text, question.rdtype))], each.packet


def recorded_replies() -> Iterator[Recorded]:
    """Return all there are: of the simulated resolver, in shapes that other servers use, and of real servers.

    What is a name server's is there once more, as if a resolver had said it: else its flags alone would tell.
    """
    yield from resolver_replies()
    yield from _shaped_replies()
    for name, rdtype, asked, packet in real_replies(read_recordings()):
        yield name, rdtype, asked, packet
        if not packet[3] & dns.flags.RA:
            flags = int.from_bytes(packet[2:4]) & ~dns.flags.AA | dns.flags.RA
            yield name, rdtype, asked, packet[:2] + flags.to_bytes(2) + packet[4:]


def _shaped_replies() -> Iterator[Recorded]:
    """Return replies in shapes that other servers use."""
    asked = asked_for(NAME.text, dns.rdatatype.MX)
    query = query_packet(4711, asked, has_edns=True)
    mx = ("moved.example. 60 IN MX 1 a.example.", "moved.example. 60 IN MX 1 b.a.example.")
    packets = [
        reply_to(query, *mx, authority=("example. 60 IN NS ns.example.",)),
        reply_to(query, *mx, with_flags=dns.flags.AD),
        reply_to(query, *mx, with_flags=dns.flags.AA),
        reply_to(query, *mx, extended_errors=(3,)),
        reply_to(query, *mx, rcode=dns.rcode.NXDOMAIN, authority=(SOA,)),
        reply_to(query, authority=(SOA, "example. 60 IN NS ns.example.")),
        reply_to(query, authority=("moved.example. 60 IN SOA . . 1 2 3 4 4294967295",)),
        reply_to(query, authority=("other.test. 60 IN SOA . . 1 2 3 4 5",)),
        reply_to(query, authority=("ved.example. 60 IN SOA . . 1 2 3 4 5",)),
        reply_to(query, authority=(". 60 IN SOA . . 1 2 3 4 5",)),
        reply_to(query, *(f"moved.example. 60 IN MX {n} mx{n}.example." for n in range(60))),
    ]
    yield from ((NAME, dns.rdatatype.MX, asked, packet) for packet in packets)


def mutated(chance: random.Random, packet: bytes) -> bytes:
    """Change, cut, double or insert a few octets, mostly behind the question, as a fuzzer does."""
    mutant = bytearray(packet)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(2 if chance.random() < 0.2 else min(31, len(mutant) - 1), len(mutant))
        match chance.randrange(8):
            case 0:
                mutant[at:] = mutant[at : at + chance.randrange(40)]
            case 1:
                mutant[at:at] = chance.randbytes(chance.randrange(1, 4))
            case 2:
                mutant[at : at + 2] = (0xC000 | chance.randrange(64)).to_bytes(2)
            case 3:
                mutant[at] ^= 1 << chance.randrange(8)
            case 4:
                mutant[at] = chance.choice((0, 1, 4, 63, 64, 127, 128, 191, 192, 255))
            case 5:
                mutant[at] = (mutant[at] + chance.choice((-1, 1))) % 256
            case 6:
                mutant[at : at + 2] = mutant[at : at + 2].swapcase()
            case _:
                mutant[at] = chance.randrange(256)
        if len(mutant) < 32:
            break
    return bytes(mutant)
