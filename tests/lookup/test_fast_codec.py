"""The fast reading of replies: it may decline, never differ from dnspython's, never raise, never loop."""

from __future__ import annotations

import random
import struct

import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.names import DomainName
from mailswitch.lookup.fast_codec import FastCodec
from mailswitch.lookup.queries import query_packet, question, wire_form
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply
from tests.support.nasty_dns import reply_to
from tests.support.readings import NAME, TYPES, asked_for, by_dnspython, mutated, recorded_replies, resolver_replies

MUTATIONS = 50_000
"""For each of four seeds."""


def read_both_ways(packet: bytes, asked: bytes, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply | None:
    """Return the fast reading, which is none or the same as dnspython's."""
    fast = FastCodec().read(packet, asked)
    assert fast is None or fast == by_dnspython(packet, asked, name, rdtype), packet.hex()
    return fast


CORPUS = [*recorded_replies()]


@pytest.mark.parametrize(
    ("text", "rdtype", "meaning"),
    [
        ("moved.example", dns.rdatatype.MX, Found),
        ("moved.example", dns.rdatatype.A, Found),
        ("moved.example", dns.rdatatype.AAAA, Found),
        ("nullmx.example", dns.rdatatype.MX, Found),
        ("far.example", dns.rdatatype.MX, Found),
        ("text.example", dns.rdatatype.MX, Nothing),
        ("nowhere.example", dns.rdatatype.A, NotThere),
        ("alias.example", dns.rdatatype.MX, type(None)),
        ("odd.example", dns.rdatatype.MX, type(None)),
    ],
)
def test_the_usual_replies_are_read_fast_and_others_declined(
    text: str, rdtype: dns.rdatatype.RdataType, meaning: type[Reply | None]
) -> None:
    readings = [
        read_both_ways(packet, asked, name, kind)
        for name, kind, asked, packet in resolver_replies()
        if (name.text, kind) == (text, rdtype)
    ]

    assert [type(reading) for reading in readings] == [meaning] * 2


@pytest.mark.parametrize("case", range(len(CORPUS)))
def test_recorded_replies_are_read_as_dnspython_reads_them_and_so_is_every_beginning(case: int) -> None:
    name, rdtype, asked, packet = CORPUS[case]
    readings = [read_both_ways(packet[:size], asked, name, rdtype) for size in range(len(packet) + 1)]

    assert set(map(type, readings[:-1])) == {type(None)}
    assert read_both_ways(packet + b"\0", asked, name, rdtype) is None


@pytest.mark.parametrize("seed", range(4))  # in four parts, so that they run side by side
def test_mutated_replies_are_never_read_in_another_way(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same mutants each time
    codec = FastCodec()
    fast = 0
    for _ in range(MUTATIONS):
        name, rdtype, asked, packet = chance.choice(CORPUS)
        mutant = mutated(chance, packet)
        reading = codec.read(mutant, asked)
        if reading is not None:
            fast += 1
            assert reading == by_dnspython(mutant, asked, name, rdtype), mutant.hex()

    assert fast > MUTATIONS // 50  # else the mutants would have shown nothing


OWNER = struct.Struct("!HHHIH")


@given(
    header=st.tuples(st.sampled_from([0x8180, 0x8080, 0x8183, 0x8580, 0x8380, 0x81A0]), st.integers(0, 2)),
    rdata=st.lists(
        st.tuples(
            st.sampled_from([1, 15, 28, 6, 5]),
            st.sampled_from([0, 60, 0x7FFFFFFF, 0x80000000]),
            st.one_of(
                st.binary(max_size=20),
                st.builds(
                    lambda preference, labels, end: (
                        preference + b"".join(bytes((len(label),)) + label for label in labels) + end
                    ),
                    st.binary(min_size=2, max_size=2),
                    st.lists(st.binary(min_size=1, max_size=5), max_size=3),
                    st.one_of(st.just(b"\0"), st.integers(0xC000, 0xC050).map(lambda to: to.to_bytes(2))),
                ),
                st.binary(min_size=4, max_size=4),
                st.binary(min_size=16, max_size=16),
            ),
        ),
        max_size=4,
    ),
    rdtype=st.sampled_from(TYPES),
    opt=st.sampled_from([b"", bytes.fromhex("00002904d0000000000000"), bytes.fromhex("00002904d0000080000000")]),
)
def test_generated_replies_are_never_read_in_another_way(
    header: tuple[int, int],
    rdata: list[tuple[int, int, bytes]],
    rdtype: dns.rdatatype.RdataType,
    opt: bytes,
) -> None:
    flags, authorities = header
    asked = asked_for(NAME.text, rdtype)
    answers = max(0, len(rdata) - authorities)
    counts = struct.pack("!HHHHHH", 1, flags, 1, answers, len(rdata) - answers, bool(opt))
    records = b"".join(OWNER.pack(0xC00C, kind, 1, ttl, len(data)) + data for kind, ttl, data in rdata)

    reading = read_both_ways(counts + asked + records + opt, asked, NAME, rdtype)

    assert reading is None or isinstance(reading, Found | Nothing | NotThere)


@given(tail=st.binary(max_size=60), flags=st.sampled_from([0x8180, 0x8183]), answers=st.integers(0, 3))
def test_no_octets_behind_a_question_make_the_reading_raise_or_differ(tail: bytes, flags: int, answers: int) -> None:
    asked = asked_for(NAME.text, dns.rdatatype.MX)
    packet = struct.pack("!HHHHHH", 1, flags, 1, answers, 0 if answers else 1, 0) + asked + tail

    reading = read_both_ways(packet, asked, NAME, dns.rdatatype.MX)

    assert reading is None or isinstance(reading, Found | Nothing | NotThere)


@pytest.mark.parametrize("asked", [b"", asked_for("other.example", dns.rdatatype.MX)])
@pytest.mark.parametrize("size", [0, 1, 2, 11, 12, 40])
def test_short_packets_and_other_questions_are_declined(asked: bytes, size: int) -> None:
    packet = reply_to(query_packet(1, asked_for(NAME.text, dns.rdatatype.MX), has_edns=True))

    assert FastCodec().read(packet[:size], asked) is None


def test_exchanges_are_one_value_however_often_they_are_read() -> None:
    codec = FastCodec()
    name, _, asked, packet = CORPUS[0]
    first, second = codec.read(packet, asked), codec.read(packet, asked)

    assert name == NAME
    assert isinstance(first, Found)
    assert isinstance(second, Found)
    assert {id(mx.exchange) for mx in first.mx} == {id(mx.exchange) for mx in second.mx}


def test_equal_octets_of_different_types_are_different_answers() -> None:
    """Sixteen octets are an AAAA record, and may as well be a preference and a name."""
    octets = b"\0\x0a\x0cabcdefghijkl\0"
    codec = FastCodec()
    readings = []
    for rdtype in (dns.rdatatype.AAAA, dns.rdatatype.MX):
        asked = asked_for(NAME.text, rdtype)
        record = OWNER.pack(0xC00C, rdtype, 1, 60, len(octets)) + octets
        packet = struct.pack("!HHHHHH", 1, 0x8180, 1, 1, 0, 0) + asked + record
        readings.append(codec.read(packet, asked))
        assert readings[-1] == by_dnspython(packet, asked, NAME, rdtype)

    assert [isinstance(each, Found) and bool(each.mx) for each in readings] == [False, True]


MANY_NAMES = tuple(
    DomainName(text) for text in ("a.b.example", "c.b.example", "a.bb.sample", "\\001a.b.example", "b.example")
)


@given(
    labels=st.lists(st.sampled_from([b"\x01a", b"\x02mx", b"\x01", b"\xc0"]), max_size=3),
    target=st.integers(0xC000, 0xC030),
    order=st.lists(st.sampled_from(MANY_NAMES), min_size=2, max_size=8),
    double=st.booleans(),
)
def test_what_is_remembered_of_a_record_is_never_taken_for_another_name(
    labels: list[bytes], target: int, order: list[DomainName], double: bool
) -> None:
    """The same octets are another exchange where the question ends otherwise."""
    codec = FastCodec()
    rdata = b"\0\x0a" + b"".join(labels) + target.to_bytes(2)
    record = OWNER.pack(0xC00C, dns.rdatatype.MX, 1, 60, len(rdata)) + rdata
    for name in order:
        asked = asked_for(name.text, dns.rdatatype.MX)
        packet = struct.pack("!HHHHHH", 1, 0x8180, 1, 1 + double, 0, 0) + asked + record * (1 + double)

        reading = codec.read(packet, asked)

        assert reading is None or reading == by_dnspython(packet, asked, name, dns.rdatatype.MX)


@pytest.mark.parametrize("rdtype", [0x0101, 0x010F, 0x011C, 2])
def test_records_of_other_types_are_declined(rdtype: int) -> None:
    asked = question(wire_form(NAME), rdtype)
    record = OWNER.pack(0xC00C, rdtype, 1, 60, 4) + bytes(4)
    packet = struct.pack("!HHHHHH", 1, 0x8180, 1, 1, 0, 0) + asked + record

    assert FastCodec().read(packet, asked) is None
