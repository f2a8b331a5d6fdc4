"""Who serves a name's zone, from real servers on loopback: sound ones, and ones that misbehave in each way."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta
from ipaddress import IPv4Address, ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from mailswitch.core.mx import Address, Addresses, Indeterminate, NoSuchHost, address
from mailswitch.core.names import DomainName
from mailswitch.core.zone import ZoneAnswer, ZoneServers
from mailswitch.lookup.vantages import Timing, Transport, VantageSettings
from mailswitch.lookup.zone_servers import ZoneLookup
from mailswitch.simulation.public_dns import Fault, PublicDNSServer, parse_records
from tests.support.asking import codec_in_use
from tests.support.nasty_dns import SOA, NastyDNS, reply_to

pytestmark = pytest.mark.usefixtures("each_codec")

PATIENT = Timing(timeout=timedelta(seconds=10))
HASTY = Timing(timeout=timedelta(milliseconds=200))
MOVED = DomainName("moved.example")
WORLD = """
moved.example. 60 IN NS ns1.hoster.example.
moved.example. 60 IN NS ns2.elsewhere.example.
ns1.hoster.example. 60 IN A 203.0.113.10
ns1.hoster.example. 60 IN AAAA 2001:db8::10
ns2.elsewhere.example. 60 IN CNAME real.elsewhere.example.
real.elsewhere.example. 60 IN A 192.0.2.53
www.moved.example. 60 IN A 203.0.113.10
alias.moved.example. 60 IN CNAME other.example.
other.example. 60 IN NS ns2.elsewhere.example.
loop.example. 60 IN CNAME loop.example.
dead.example. 60 IN NS gone.example.
dead.example. 60 IN NS loop.example.
mail.only.example. 60 IN A 192.0.2.1
"""


def seen_by(server: PublicDNSServer, name: str = "a", transport: Transport = Transport.UDP) -> VantageSettings:
    return VantageSettings(
        name=name, operator=name, address=ip_address(server.address), port=server.port, transport=transport
    )


def asked_for(query: bytes) -> tuple[str, dns.rdatatype.RdataType]:
    (question,) = dns.message.from_wire(query).question
    return question.name.to_text(omit_final_dot=True).lower(), question.rdtype


def a_lookup(vantages: Sequence[VantageSettings], timing: Timing = PATIENT, **clock: Callable[[], float]) -> ZoneLookup:
    return ZoneLookup(vantages, timing, codec_in_use(), **clock)


def servers_of(name: str, *, transport: Transport = Transport.UDP) -> ZoneAnswer:
    with PublicDNSServer(parse_records(WORLD)) as server:
        return a_lookup([seen_by(server, transport=transport)]).name_servers(DomainName(name))


def addresses_in(told: ZoneAnswer) -> dict[str, set[Address]]:
    assert isinstance(told, ZoneServers), told
    return {
        one.name.text: set(one.host.addresses) if isinstance(one.host, Addresses) else set() for one in told.servers
    }


def nasty(answer: Callable[[bytes], bytes], name: DomainName = MOVED, timing: Timing = PATIENT) -> ZoneAnswer:
    with NastyDNS(lambda query: [answer(query)]) as server:
        return a_lookup([server.settings()], timing).name_servers(name)


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_zones_name_servers_are_told_by_name_with_their_addresses(transport: Transport) -> None:
    told = servers_of("moved.example", transport=transport)

    assert list(addresses_in(told).items()) == [
        ("ns1.hoster.example", {address("203.0.113.10"), address("2001:db8::10")}),
        ("ns2.elsewhere.example", {address("192.0.2.53")}),
    ]
    assert isinstance(told, ZoneServers)
    assert (told.zone, told.left_out) == (MOVED, 0)


@pytest.mark.parametrize(
    "name",
    ["www.moved.example", "not.there.moved.example", "*.moved.example", "alias.moved.example"],
    ids=["no-ns", "not-there", "wildcard", "alias"],
)
def test_a_name_without_name_servers_is_in_the_closest_zone_above_that_has_some(name: str) -> None:
    told = servers_of(name)

    assert isinstance(told, ZoneServers)
    assert told.zone == MOVED
    assert len(told.servers) == 2


def test_a_zone_that_an_answer_names_is_asked_about_at_once_without_the_names_between() -> None:
    def answer(query: bytes) -> bytes:
        name, rdtype = asked_for(query)
        if name == "moved.example" and rdtype == dns.rdatatype.NS:
            return reply_to(query, "moved.example. 60 IN NS ns.moved.example.")
        return reply_to(query, authority=(SOA.replace("example.", "moved.example.", 1),), rcode=dns.rcode.NXDOMAIN)

    with NastyDNS(lambda query: [answer(query)]) as server:
        told = a_lookup([server.settings()]).name_servers(DomainName("a.b.c.d.moved.example"))
        asked = [asked_for(query)[0] for query in server.udp_queries]

    assert isinstance(told, ZoneServers)
    assert told.servers[0].host == NoSuchHost()
    assert asked[:2] == ["a.b.c.d.moved.example", "moved.example"]
    assert set(asked[2:]) == {"ns.moved.example"}


def test_the_registrys_name_servers_are_nobodys_own() -> None:
    def answer(query: bytes) -> bytes:
        if asked_for(query)[0] == "example":
            return reply_to(query, "example. 60 IN NS ns.registry.example.")
        return reply_to(query, authority=(SOA,), rcode=dns.rcode.NXDOMAIN)

    assert nasty(answer) == Indeterminate("neither moved.example nor a name above it has name servers of its own")
    assert nasty(answer, DomainName("example")) == Indeterminate(
        "neither example nor a name above it has name servers of its own"
    )


def test_a_zone_of_somebody_else_in_an_answer_is_not_followed() -> None:
    """Without an SOA of the name's own zone there is nothing to rely on, and nobody else is asked about."""

    def answer(query: bytes) -> bytes:
        return reply_to(query, authority=(SOA.replace("example.", "victim.test.", 1),))

    with NastyDNS(lambda query: [answer(query)]) as server:
        told = a_lookup([server.settings()]).name_servers(MOVED)
        asked = {asked_for(query)[0] for query in server.udp_queries}

    assert isinstance(told, Indeterminate)
    assert "without the zone's SOA" in told.reason
    assert asked == {"moved.example"}


def test_the_way_up_is_bounded() -> None:
    name = DomainName(".".join(["a"] * 40) + ".example")
    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,))]) as server:
        told = a_lookup([server.settings()]).name_servers(name)
        asked = len(server.udp_queries)

    assert told == Indeterminate(f"none of the 8 names from {name} upwards has name servers")
    assert asked == 8


def test_of_many_name_servers_a_few_are_looked_up_and_the_others_counted() -> None:
    records = [f"moved.example. 60 IN NS ns{number:02}.victim.test." for number in range(90)]

    def answer(query: bytes) -> bytes:
        if asked_for(query) == ("moved.example", dns.rdatatype.NS):
            return reply_to(query, *records)
        return reply_to(query, authority=(SOA.replace("example.", "test.", 1),), rcode=dns.rcode.NXDOMAIN)

    def stream(query: bytes) -> bytes:
        reply = answer(query)
        return len(reply).to_bytes(2) + reply

    def truncated(query: bytes) -> bytes:
        return reply_to(query, with_flags=dns.flags.TC) if "NS" in asked_for(query)[1].name else answer(query)

    with NastyDNS(lambda query: [truncated(query)], stream) as server:
        told = a_lookup([server.settings()]).name_servers(MOVED)
        looked_up = {asked_for(query)[0] for query in server.udp_queries} - {"moved.example"}

    assert isinstance(told, ZoneServers)
    assert told.left_out == 82
    assert looked_up == {f"ns{number:02}.victim.test" for number in range(8)}
    assert {one.host for one in told.servers} == {NoSuchHost()}


def test_more_name_servers_than_anybody_has_are_nothing_to_rely_on() -> None:
    records = [f"moved.example. 60 IN NS ns{number}.victim.test." for number in range(101)]
    told = nasty(lambda query: reply_to(query, *records))

    assert told == Indeterminate("nasty: 101 records, and more than 100 are not followed up")


def test_a_name_server_whose_name_leads_in_circles_or_nowhere_is_told_without_an_address() -> None:
    told = servers_of("dead.example")

    assert isinstance(told, ZoneServers)
    gone, loop = told.servers
    assert gone.host == NoSuchHost()
    assert isinstance(loop.host, Indeterminate)


def test_name_servers_that_lead_to_one_another_and_chains_without_an_end_come_to_an_end() -> None:
    turns = itertools.count()

    def answer(query: bytes) -> bytes:
        name, rdtype = asked_for(query)
        if rdtype == dns.rdatatype.NS:
            return reply_to(query, *(f"moved.example. 60 IN NS {each}.example." for each in ("a", "b", "long")))
        target = {"a.example": "b", "b.example": "a"}.get(name, f"long{next(turns)}")
        return reply_to(query, f"{name}. 60 IN CNAME {target}.example.")

    told = nasty(answer)

    assert isinstance(told, ZoneServers)
    a, b, long = (one.host for one in told.servers)
    assert a == b == Indeterminate("A: the CNAME chain is a loop; AAAA: the CNAME chain is a loop")
    assert isinstance(long, Indeterminate)
    assert "no end after 8 more questions" in long.reason


def test_a_name_that_leads_in_circles_is_not_known() -> None:
    def circle(query: bytes) -> bytes:
        name, _ = asked_for(query)
        return reply_to(query, f"{name}. 60 IN CNAME x.example.", f"x.example. 60 IN CNAME {name}.")

    assert nasty(circle) == Indeterminate("nasty: the CNAME chain is a loop, or longer than any that is meant")


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.AUTHORITATIVE, Fault.TIMEOUT])
def test_where_a_vantage_fails_the_next_one_is_asked(fault: Fault) -> None:
    records = parse_records(WORLD)
    with PublicDNSServer(records, {MOVED: fault}) as bad, PublicDNSServer(records) as good:
        vantages = [seen_by(bad, "bad"), seen_by(good, "good")]
        told = a_lookup(vantages, HASTY if fault is Fault.TIMEOUT else PATIENT).name_servers(MOVED)

    assert isinstance(told, ZoneServers)
    assert bad.queries["moved.example", "NS"] == (1 if fault is Fault.AUTHORITATIVE else 2)


def test_the_first_vantage_that_can_tell_is_the_only_one_asked() -> None:
    records = parse_records(WORLD)
    with PublicDNSServer(records) as first, PublicDNSServer(records) as second:
        a_lookup([seen_by(first), seen_by(second)]).name_servers(MOVED)

    assert first.queries["moved.example", "NS"] == 1
    assert not second.queries


def test_where_every_vantage_fails_each_says_why() -> None:
    with PublicDNSServer(parse_records(""), {MOVED: Fault.SERVFAIL}) as one, NastyDNS() as other:
        told = a_lookup([seen_by(one), other.settings()], HASTY).name_servers(MOVED)

    assert told == Indeterminate("a: SERVFAIL; nasty: no answer within 0.2 s")


def test_octets_that_are_no_answer_are_not_known() -> None:
    def garbage(query: bytes) -> bytes:
        return reply_to(query, "moved.example. 60 IN NS ns.example.")[:-3]

    told = nasty(garbage)

    assert told == Indeterminate("nasty: a malformed answer")


def test_a_port_where_nobody_listens_is_not_known() -> None:
    with NastyDNS() as server:
        settings = server.settings()

    told = a_lookup([settings], HASTY).name_servers(MOVED)

    assert isinstance(told, Indeterminate)
    assert told.reason.startswith("nasty: not reachable")


def test_all_of_it_has_an_end_in_time() -> None:
    """The clock leaps at each look, so that the deadline of all vantages passes after a few questions."""
    clock = itertools.count(0.0, 3.0)
    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,))]) as server:
        lookup = a_lookup([server.settings()] * 9, PATIENT, monotonic=lambda: next(clock))
        told = lookup.name_servers(DomainName(".".join(["a"] * 40) + ".example"))
        asked = len(server.udp_queries)

    assert isinstance(told, Indeterminate)
    assert "nasty: no answer within 20 s for all there is" in told.reason
    assert 0 < asked < 8


def test_addresses_that_there_is_no_time_left_for_are_not_known() -> None:
    clock = itertools.chain([0.0, 1.0, 1.0], itertools.repeat(30.0))
    with NastyDNS(lambda query: [reply_to(query, "moved.example. 60 IN NS ns.example.")]) as server:
        told = a_lookup([server.settings()], monotonic=lambda: next(clock)).name_servers(MOVED)

    assert isinstance(told, ZoneServers)
    assert isinstance(told.servers[0].host, Indeterminate)


def test_odd_names_are_told_as_they_are_written_in_master_files() -> None:
    told = nasty(
        lambda query: (
            reply_to(query, "moved.example. 60 IN NS \\027[2J\\.x.example.", "moved.example. 60 IN NS .")
            if asked_for(query)[1] == dns.rdatatype.NS
            else reply_to(query, authority=(". 60 IN SOA . . 1 2 3 4 5",))
        )
    )

    assert isinstance(told, ZoneServers)
    assert [one.name.text for one in told.servers] == [".", "\\027[2j\\.x.example"]


def test_the_vantage_alone_is_asked_and_never_a_name_server_itself() -> None:
    with PublicDNSServer(parse_records(WORLD)) as server:
        a_lookup([seen_by(server)]).name_servers(MOVED)

    assert IPv4Address(server.address).is_loopback
    assert set(server.queries) == {
        ("moved.example", "NS"),
        ("ns1.hoster.example", "A"),
        ("ns1.hoster.example", "AAAA"),
        ("ns2.elsewhere.example", "A"),
        ("ns2.elsewhere.example", "AAAA"),
    }
