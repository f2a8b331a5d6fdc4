"""What messages of a resolver mean, from saved and from damaged packets; no network."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.mx import MX
from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import parse_message, read_reply, wire_name
from mailswitch.lookup.replies import Again, Found, Nothing, NotThere, Reply, Unfinished, Unreliable
from tests.support.nasty_dns import SOA, reply_to

NAME = DomainName("moved.example")
MX_LINE = "moved.example. 3600 IN MX 10 mx.other.example."


def query(name: str = "moved.example.", rdtype: str = "MX") -> bytes:
    return dns.message.make_query(name, rdtype, use_edns=0).to_wire()


def read(
    *answer: str,
    name: DomainName = NAME,
    rdtype: str = "MX",
    authority: tuple[str, ...] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    with_flags: int = 0,
    without_flags: int = 0,
    extended_errors: tuple[int, ...] = (),
) -> Reply:
    packet = reply_to(
        query(wire_name(name).to_text(), rdtype),
        *answer,
        authority=authority,
        rcode=rcode,
        with_flags=with_flags,
        without_flags=without_flags,
        extended_errors=extended_errors,
    )
    message = parse_message(packet)
    assert message is not None
    return read_reply(message, name, dns.rdatatype.from_text(rdtype))


def test_mx_records_are_read_with_the_smallest_ttl() -> None:
    reply = read(MX_LINE, "MOVED.example. 60 IN MX 20 Backup.Other.Example.")

    assert reply == Found(
        mx=frozenset(
            {
                MX(preference=10, exchange=DomainName("mx.other.example")),
                MX(preference=20, exchange=DomainName("backup.other.example")),
            }
        ),
        ttl=timedelta(seconds=60),
    )


def test_a_root_exchange_is_read_as_it_came() -> None:
    reply = read("moved.example. 60 IN MX 0 .")

    assert reply == Found(mx=frozenset({MX(preference=0, exchange=DomainName("."))}), ttl=timedelta(seconds=60))


def test_addresses_are_read_and_mapped_ones_are_ipv4() -> None:
    reply = read("moved.example. 60 IN AAAA 2001:db8::1", "moved.example. 60 IN AAAA ::ffff:192.0.2.1", rdtype="AAAA")

    assert reply == Found(
        addresses=frozenset({ip_address("2001:db8::1"), ip_address("192.0.2.1")}), ttl=timedelta(seconds=60)
    )


def test_records_of_other_names_types_and_classes_are_passed_over() -> None:
    reply = read("other.example. 60 IN MX 1 a.", "moved.example. 60 IN A 192.0.2.1", authority=(SOA,))

    assert isinstance(reply, Nothing)


def test_a_chain_is_followed_and_its_ttl_counts() -> None:
    reply = read(
        "moved.example. 30 IN CNAME b.example.", "b.example. 90 IN CNAME c.example.", "c.example. 60 IN MX 1 d."
    )

    assert reply == Found(
        mx=frozenset({MX(preference=1, exchange=DomainName("d"))}),
        ttl=timedelta(seconds=30),
        canonical=(DomainName("b.example"), DomainName("c.example")),
    )


def test_a_chain_without_its_end_is_unfinished() -> None:
    assert read("moved.example. 30 IN CNAME b.example.") == Unfinished(
        ttl=timedelta(seconds=30), canonical=(DomainName("b.example"),)
    )


def test_a_chain_that_ends_in_nodata_is_nodata() -> None:
    assert read("moved.example. 600 IN CNAME b.example.", authority=(SOA,)) == Nothing(
        ttl=timedelta(seconds=60), canonical=(DomainName("b.example"),)
    )


def test_nxdomain_behind_a_chain_is_nxdomain() -> None:
    reply = read("moved.example. 30 IN CNAME b.example.", authority=(SOA,), rcode=dns.rcode.NXDOMAIN)

    assert reply == NotThere(ttl=timedelta(seconds=30), canonical=(DomainName("b.example"),))


@pytest.mark.parametrize(
    "chain",
    [
        ("moved.example. 30 IN CNAME moved.example.",),
        ("moved.example. 30 IN CNAME b.example.", "b.example. 30 IN CNAME Moved.example."),
        tuple(f"{'moved' if hop == 0 else f'x{hop}'}.example. 30 IN CNAME x{hop + 1}.example." for hop in range(20)),
        ("moved.example. 30 IN CNAME b.example.", "moved.example. 30 IN CNAME c.example."),
    ],
    ids=["self", "loop", "long", "several"],
)
def test_chains_that_lead_nowhere_are_unreliable(chain: tuple[str, ...]) -> None:
    assert isinstance(read(*chain), Unreliable)


@pytest.mark.parametrize(
    ("rcode", "meaning"), [(dns.rcode.NOERROR, Nothing), (dns.rcode.NXDOMAIN, NotThere)], ids=["nodata", "nxdomain"]
)
def test_a_negative_answer_holds_for_the_smaller_of_the_soas_ttl_and_minimum(
    rcode: dns.rcode.Rcode, meaning: type[Nothing | NotThere]
) -> None:
    assert read(authority=(SOA,), rcode=rcode) == meaning(ttl=timedelta(seconds=60))


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
@pytest.mark.parametrize(
    "authority",
    [
        (),
        ("moved.example. 60 IN NS ns.example.",),
        ("other.test. 60 IN SOA ns. root. 1 2 3 4 5",),
        ("below.moved.example. 60 IN SOA ns. root. 1 2 3 4 5",),
    ],
    ids=["bare", "referral", "strange-zone", "zone-below"],
)
def test_a_negative_answer_without_its_soa_is_unreliable(rcode: dns.rcode.Rcode, authority: tuple[str, ...]) -> None:
    assert isinstance(read(authority=authority, rcode=rcode), Unreliable)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.FORMERR, dns.rcode.NOTIMP])
def test_other_codes_are_unreliable_whatever_comes_with_them(rcode: dns.rcode.Rcode) -> None:
    reply = read(MX_LINE, authority=(SOA,), rcode=rcode)

    assert isinstance(reply, Unreliable)
    assert dns.rcode.to_text(rcode) in reply.reason


def test_servfail_may_pass_and_formerr_does_not() -> None:
    replies = [read(rcode=rcode) for rcode in (dns.rcode.SERVFAIL, dns.rcode.FORMERR)]

    assert [reply.again for reply in replies if isinstance(reply, Unreliable)] == [Again.ONCE, Again.NEVER]


@pytest.mark.parametrize("code", [4, 15, 16, 17])
@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_a_filters_answer_is_unreliable(code: int, rcode: dns.rcode.Rcode) -> None:
    reply = read(MX_LINE, authority=(SOA,), rcode=rcode, extended_errors=(code,))

    assert isinstance(reply, Unreliable)
    assert f"extended error {code}" in reply.reason


def test_other_extended_errors_do_not_spoil_an_answer() -> None:
    assert isinstance(read(MX_LINE, extended_errors=(3,)), Found)


def test_extended_errors_are_told_with_a_failure_but_never_their_text() -> None:
    reply = read(rcode=dns.rcode.SERVFAIL, extended_errors=(6, 9))

    assert reply == Unreliable("SERVFAIL (extended error 6, 9)", Again.ONCE)


def test_an_authoritative_answer_is_no_public_view() -> None:
    assert isinstance(read(MX_LINE, with_flags=dns.flags.AA), Unreliable)


def test_an_answer_without_recursion_is_unreliable() -> None:
    assert read(MX_LINE, without_flags=dns.flags.RA) == Unreliable("it offers no recursion")


def test_more_records_than_anybody_needs_are_not_followed_up() -> None:
    assert isinstance(read(*(f"moved.example. 60 IN MX 1 m{number}.example." for number in range(101))), Unreliable)


@pytest.mark.parametrize("text", ["@", "*.example", "_dmarc.example", r"a\.b.example", r"a\032\007b.example", "."])
def test_names_that_are_no_host_names_are_asked_for_as_they_are(text: str) -> None:
    name = DomainName(text)
    owner = wire_name(name).to_text()

    reply = read(f"{owner} 60 IN MX 1 {owner}", name=name)

    assert isinstance(reply, Found)
    assert wire_name(next(iter(reply.mx)).exchange) == wire_name(name)


def test_malformed_records_make_a_packet_unreadable() -> None:
    packet = bytearray(reply_to(query(), MX_LINE))
    at = packet.index(b"\x02mx\x05other")
    packet[at] = 0xC0  # a compression pointer to nowhere

    assert parse_message(bytes(packet)) is None


def test_a_compression_loop_makes_a_packet_unreadable() -> None:
    packet = reply_to(query(), MX_LINE)
    at = packet.index(b"\x02mx\x05other")
    looped = packet[:at] + bytes((0xC0, at)) + packet[at + 2 :]

    assert parse_message(looped) is None


@given(
    cut=st.integers(0, 400),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    tail=st.binary(max_size=8),
    rdtype=st.sampled_from([dns.rdatatype.MX, dns.rdatatype.A, dns.rdatatype.AAAA]),
)
def test_no_packet_makes_the_reading_raise(
    cut: int, changes: list[tuple[int, int]], tail: bytes, rdtype: dns.rdatatype.RdataType
) -> None:
    packet = bytearray(
        reply_to(
            query(),
            "moved.example. 30 IN CNAME b.example.",
            "b.example. 60 IN MX 10 mx.other.example.",
            "b.example. 60 IN A 192.0.2.1",
            authority=(SOA,),
            extended_errors=(3,),
        )
    )
    for at, value in changes:
        packet[at % len(packet)] = value
    damaged = bytes(packet if cut >= len(packet) else packet[:cut]) + tail

    message = parse_message(damaged)
    beginning = parse_message(damaged, question_only=True)

    assert message is None or isinstance(read_reply(message, NAME, rdtype), Reply)
    assert beginning is None or beginning.id == int.from_bytes(damaged[:2])


@given(packet=st.binary(max_size=80))
def test_no_octets_make_the_reading_raise(packet: bytes) -> None:
    message = parse_message(packet)

    assert message is None or isinstance(read_reply(message, NAME, dns.rdatatype.MX), Reply)
