"""The reading of replies record by record: it may decline, never differ from ``dns.message``'s, never raise."""

from __future__ import annotations

import random
import struct

import dns.flags
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.names import DomainName
from mailswitch.lookup.low_level import read_low_level
from mailswitch.lookup.queries import query_packet
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply, Unfinished
from tests.support.nasty_dns import SOA, reply_to
from tests.support.readings import NAME, TYPES, Recorded, asked_for, by_dnspython, mutated, recorded_replies

MUTATIONS = 10_000
"""For each of four seeds."""
ASKED = asked_for(NAME.text, dns.rdatatype.MX)
QUERY = query_packet(4711, ASKED, has_edns=True)
MX = "moved.example. 60 IN MX 10 mx.example."


def shaped() -> list[Recorded]:
    """Replies that the fast reading leaves to others."""
    alias = "moved.example. 60 IN CNAME b.example."
    packets = [
        reply_to(QUERY, alias),
        reply_to(QUERY, alias, "B.example. 30 IN MX 10 mx.example.", "b.example. 90 IN MX 20 a\\.b.example."),
        reply_to(QUERY, alias, authority=(SOA,)),
        reply_to(QUERY, alias, authority=(SOA,), rcode=dns.rcode.NXDOMAIN),
        reply_to(QUERY, alias, "moved.example. 60 IN CNAME c.example."),
        reply_to(QUERY, alias, "b.example. 60 IN CNAME moved.example."),
        reply_to(QUERY, MX, MX, authority=("example. 60 IN NS ns.example.", "example. 60 IN DS 1 8 2 " + "ab" * 32)),
        reply_to(QUERY, MX, 'moved.example. 5 IN TXT "x" "y"', "other.example. 5 IN A 192.0.2.1"),
        reply_to(QUERY, MX, extended_errors=(3, 22)),
        reply_to(QUERY, MX, extended_errors=(15,)),
        reply_to(QUERY, authority=(SOA,), rcode=dns.rcode.NXDOMAIN, extended_errors=(17,)),
        reply_to(QUERY, MX, with_flags=dns.flags.AA),
        reply_to(QUERY, MX, without_flags=dns.flags.RA),
        reply_to(QUERY, MX, with_flags=dns.flags.TC),
        reply_to(QUERY, rcode=dns.rcode.SERVFAIL),
        reply_to(QUERY, authority=("example. 60 IN NS ns.example.",)),
    ]
    return [(NAME, dns.rdatatype.MX, ASKED, packet) for packet in packets]


CORPUS = [*recorded_replies(), *shaped()]


def read_both_ways(packet: bytes, asked: bytes, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply | None:
    """Return this reading, which is none or the same as that of ``dns.message``."""
    reading = read_low_level(packet, asked, name, rdtype)
    assert reading is None or reading == by_dnspython(packet, asked, name, rdtype), packet.hex()
    return reading


def test_every_shape_of_an_answer_in_good_order_is_read() -> None:
    readings = [type(read_both_ways(packet, asked, name, rdtype)) for name, rdtype, asked, packet in shaped()]

    declined = type(None)
    assert readings == [
        Unfinished, Found, Nothing, NotThere, declined, declined, Found, Found, Found,
        declined, declined, declined, declined, declined, declined, declined,
    ]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CORPUS)))
def test_recorded_replies_are_read_as_dnspython_reads_them_and_so_is_every_beginning(case: int) -> None:
    name, rdtype, asked, packet = CORPUS[case]
    readings = [read_both_ways(packet[:size], asked, name, rdtype) for size in range(len(packet) + 1)]

    assert set(map(type, readings[:-1])) <= {type(None)}
    assert read_both_ways(packet + b"\0", asked, name, rdtype) is None


@pytest.mark.parametrize("seed", range(4))  # in four parts, so that they run side by side
def test_mutated_replies_are_never_read_in_another_way(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same mutants each time
    read = 0
    for _ in range(MUTATIONS):
        name, rdtype, asked, packet = chance.choice(CORPUS)
        read += read_both_ways(mutated(chance, packet), asked, name, rdtype) is not None

    assert read > MUTATIONS // 50  # else the mutants would have shown nothing


@given(
    counts=st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)),
    rdtype=st.sampled_from(TYPES),
    records=st.lists(
        st.tuples(
            st.sampled_from([b"\xc0\x0c", b"\0", b"\xc0\x12", b"\x01b\xc0\x12", b"\xc0\x00"]),
            st.sampled_from([1, 2, 5, 6, 15, 16, 28, 41, 46, 47, 250, 255, 65280]),
            st.sampled_from([1, 1, 1, 3, 254, 255, 1232]),
            st.sampled_from([0, 60, 0x80000000, 0x01000000]),
            st.one_of(
                st.binary(max_size=24),
                st.sampled_from([b"\0\x0a\xc0\x0c", b"\xc0\x12", b"\x01b\xc0\x12", b"\0\x0f\0\2\0\x11", b"\0\0" * 11]),
            ),
        ),
        max_size=5,
    ),
)
def test_generated_replies_are_never_read_in_another_way(
    counts: tuple[int, int, int], rdtype: dns.rdatatype.RdataType, records: list[tuple[bytes, int, int, int, bytes]]
) -> None:
    asked = asked_for(NAME.text, rdtype)
    written = b"".join(
        owner + struct.pack("!HHIH", kind, rdclass, ttl, len(data)) + data
        for owner, kind, rdclass, ttl, data in records
    )

    reading = read_both_ways(struct.pack("!6H", 1, 0x8180, 1, *counts) + asked + written, asked, NAME, rdtype)

    assert reading is None or isinstance(reading, Found | Nothing | NotThere | Unfinished)


def test_more_records_than_any_answer_has_are_declined_unread() -> None:
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes(4)
    packet = struct.pack("!6H", 1, 0x8180, 1, 501, 0, 0) + ASKED + record * 501

    assert read_low_level(packet, ASKED, NAME, dns.rdatatype.MX) is None
