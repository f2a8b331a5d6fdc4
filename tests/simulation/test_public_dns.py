"""The simulated public DNS answers as a recursive resolver does that knows one world."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.names import DomainName
from mailswitch.simulation.public_dns import Fault, PublicDNSServer, parse_records

RECORDS = r"""
moved.example.        3600 IN MX 1 aspmx.l.google.com.
moved.example.        3600 IN A 192.0.2.1
aspmx.l.google.com.    300 IN A 192.0.2.26
www.moved.example.     600 IN CNAME moved.example.
gone.example.               IN CNAME nowhere.example.
round.example.              IN CNAME loop.example.
loop.example.               IN CNAME round.example.
deep.below.example.         IN A 192.0.2.2
*.wild.example.             IN A 192.0.2.3
zone.example.          900 IN SOA ns.zone.example. root.zone.example. 1 2 3 4 60
big.example.                IN TXT "{0}" "{0}" "{0}" "{0}" "{0}" "{0}"
""".replace("{0}", "x" * 250)

FAULTS = {
    DomainName("servfail.example"): Fault.SERVFAIL,
    DomainName("refused.example"): Fault.REFUSED,
    DomainName("slow.example"): Fault.TIMEOUT,
    DomainName("moved.example"): Fault.TRUNCATED,
    DomainName("aspmx.l.google.com"): Fault.AUTHORITATIVE,
}


@pytest.fixture(scope="module")
def server() -> Iterator[PublicDNSServer]:
    with PublicDNSServer(parse_records(RECORDS), FAULTS) as running:
        yield running


def over_udp(server: PublicDNSServer, name: str, rdtype: str, *, edns: int = -1) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, use_edns=edns, payload=1232)
    return dns.query.udp(query, server.address, port=server.port, timeout=5)


def over_tcp(server: PublicDNSServer, name: str, rdtype: str) -> dns.message.Message:
    return dns.query.tcp(dns.message.make_query(name, rdtype), server.address, port=server.port, timeout=5)


def texts(message: dns.message.Message) -> list[str]:
    return [line for rrset in message.answer for line in rrset.to_text().splitlines()]


def test_it_answers_like_a_recursive_resolver(server: PublicDNSServer) -> None:
    message = over_udp(server, "zone.example.", "SOA")

    assert message.rcode() == dns.rcode.NOERROR
    assert message.flags & (dns.flags.RA | dns.flags.AA | dns.flags.RD) == dns.flags.RA | dns.flags.RD
    assert message.answer[0].ttl == 900


def test_names_are_found_in_any_letter_case_and_echoed_as_asked(server: PublicDNSServer) -> None:
    message = over_udp(server, "Deep.BELOW.Example.", "A")

    assert texts(message) == ["Deep.BELOW.Example. 3600 IN A 192.0.2.2"]


def test_a_cname_chain_comes_whole(server: PublicDNSServer) -> None:
    message = over_udp(server, "www.moved.example.", "MX")

    assert texts(message) == [
        "www.moved.example. 600 IN CNAME moved.example.",
        "moved.example. 3600 IN MX 1 aspmx.l.google.com.",
    ]


def test_a_chain_to_nowhere_is_nxdomain_with_the_chain(server: PublicDNSServer) -> None:
    message = over_udp(server, "gone.example.", "MX")

    assert message.rcode() == dns.rcode.NXDOMAIN
    assert texts(message) == ["gone.example. 3600 IN CNAME nowhere.example."]


def test_a_cname_loop_is_servfail(server: PublicDNSServer) -> None:
    assert over_udp(server, "loop.example.", "MX").rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize(
    ("name", "rcode"),
    [
        ("nope.example.", dns.rcode.NXDOMAIN),
        ("below.example.", dns.rcode.NOERROR),
        ("deep.below.example.", dns.rcode.NOERROR),
        ("a.wild.example.", dns.rcode.NOERROR),
    ],
    ids=["missing", "empty-non-terminal", "other-type", "wildcard"],
)
def test_negative_answers_carry_an_soa(server: PublicDNSServer, name: str, rcode: dns.rcode.Rcode) -> None:
    message = over_udp(server, name, "MX")

    assert (message.rcode(), message.answer) == (rcode, [])
    assert [rrset.rdtype for rrset in message.authority] == [dns.rdatatype.SOA]


def test_the_soa_of_the_zone_is_used_with_its_negative_ttl(server: PublicDNSServer) -> None:
    soa = over_udp(server, "nope.zone.example.", "MX").authority[0]

    assert (soa.name.to_text(), soa.ttl) == ("zone.example.", 60)


def test_a_wildcard_answers_for_names_that_are_not_there(server: PublicDNSServer) -> None:
    assert texts(over_udp(server, "a.b.wild.example.", "A")) == ["a.b.wild.example. 3600 IN A 192.0.2.3"]


def test_any_lists_every_rrset(server: PublicDNSServer) -> None:
    assert len(over_tcp(server, "moved.example.", "ANY").answer) == 2


@pytest.mark.parametrize(("edns", "is_truncated"), [(-1, True), (0, True)])
def test_a_big_answer_is_truncated_over_udp_and_whole_over_tcp(
    server: PublicDNSServer, edns: int, is_truncated: bool
) -> None:
    udp, tcp = over_udp(server, "big.example.", "TXT", edns=edns), over_tcp(server, "big.example.", "TXT")

    assert bool(udp.flags & dns.flags.TC) is is_truncated
    assert udp.answer == []
    assert len(tcp.answer) == 1


def test_the_edns_size_decides_what_is_big(server: PublicDNSServer) -> None:
    query = dns.message.make_query("big.example.", "TXT", use_edns=0, payload=4096)

    assert len(dns.query.udp(query, server.address, port=server.port, timeout=5).answer) == 1


@pytest.mark.parametrize("name", ["SERVFAIL", "REFUSED"])
def test_error_faults_apply_to_every_type_and_transport(server: PublicDNSServer, name: str) -> None:
    rcodes = [ask(server, f"{name}.example.", rdtype).rcode() for ask in (over_udp, over_tcp) for rdtype in ("A", "MX")]

    assert rcodes == [dns.rcode.from_text(name)] * 4


def test_a_fault_is_for_exactly_its_name(server: PublicDNSServer) -> None:
    assert over_udp(server, "below.servfail.example.", "A").rcode() == dns.rcode.NXDOMAIN


def test_the_timeout_fault_never_answers(server: PublicDNSServer) -> None:
    query = dns.message.make_query("slow.example.", "A")

    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(query, server.address, port=server.port, timeout=0.1)
    with pytest.raises(dns.exception.Timeout):
        dns.query.tcp(query, server.address, port=server.port, timeout=0.1)


def test_the_truncated_fault_is_mended_by_tcp(server: PublicDNSServer) -> None:
    udp, tcp = over_udp(server, "moved.example.", "MX"), over_tcp(server, "moved.example.", "MX")

    assert (bool(udp.flags & dns.flags.TC), udp.answer) == (True, [])
    assert (bool(tcp.flags & dns.flags.TC), len(tcp.answer)) == (False, 1)


def test_the_authoritative_fault_sets_the_bit_on_a_right_answer(server: PublicDNSServer) -> None:
    message = over_udp(server, "aspmx.l.google.com.", "A")

    assert message.flags & dns.flags.AA
    assert len(message.answer) == 1


@pytest.mark.parametrize(("rdclass", "rdtype"), [("CH", "TXT"), ("IN", "AXFR")])
def test_other_classes_and_transfers_are_refused(server: PublicDNSServer, rdclass: str, rdtype: str) -> None:
    query = dns.message.make_query("moved.example.", rdtype, rdclass)
    reply = server.answer(query.to_wire(), over_tcp=True)

    assert reply is not None
    assert dns.message.from_wire(reply).rcode() == dns.rcode.REFUSED


def test_queries_are_counted_by_name_and_type() -> None:
    with PublicDNSServer(parse_records(RECORDS)) as server:
        over_udp(server, "Moved.example.", "MX")
        over_tcp(server, "moved.example.", "MX")
        over_udp(server, "moved.example.", "A")

        assert server.queries == {("moved.example", "MX"): 2, ("moved.example", "A"): 1}


def test_one_tcp_connection_carries_several_queries(server: PublicDNSServer) -> None:
    with socket.create_connection((server.address, server.port), timeout=5) as connection:
        answers = []
        for name in ("moved.example.", "big.example."):
            query = dns.message.make_query(name, "A")
            dns.query.send_tcp(connection, query)
            answers.append(dns.query.receive_tcp(connection)[0].question[0].name.to_text())

    assert answers == ["moved.example.", "big.example."]


@pytest.mark.parametrize("junk", [b"", b"\0", b"\xff" * 600, b"\0" * 12, b"GET / HTTP/1.0\r\n\r\n"])
def test_it_survives_garbage(server: PublicDNSServer, junk: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(junk, (server.address, server.port))
    with socket.create_connection((server.address, server.port), timeout=5) as tcp:
        tcp.sendall(junk)

    assert over_udp(server, "zone.example.", "SOA").rcode() == dns.rcode.NOERROR


def test_a_reply_is_never_answered(server: PublicDNSServer) -> None:
    reply = dns.message.make_response(dns.message.make_query("moved.example.", "A"))

    assert server.answer(reply.to_wire(), over_tcp=False) is None


@given(position=st.integers(0, 200), value=st.binary(min_size=1, max_size=4))
def test_no_packet_makes_it_raise(position: int, value: bytes) -> None:
    packet = dns.message.make_query("www.moved.example.", "MX", use_edns=0, payload=1232).to_wire()
    at = position % len(packet)
    mutated = packet[:at] + value + packet[at + len(value) :]

    reply = PublicDNSServer(parse_records(RECORDS)).answer(mutated, over_tcp=False)

    assert reply is None or reply[:2] == mutated[:2]


def test_it_can_be_closed_twice_and_then_listens_no_more() -> None:
    server = PublicDNSServer(parse_records(""))
    server.start()
    with pytest.raises(RuntimeError):
        server.start()
    server.close()
    server.close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.address, server.port), timeout=5)


def test_a_port_in_use_is_an_os_error(server: PublicDNSServer) -> None:
    with pytest.raises(OSError, match="in use"):
        PublicDNSServer(parse_records(""), port=server.port).start()


def test_it_serves_ipv6() -> None:
    with PublicDNSServer(parse_records(RECORDS), address="::1") as server:
        assert len(over_udp(server, "deep.below.example.", "A").answer) == 1
