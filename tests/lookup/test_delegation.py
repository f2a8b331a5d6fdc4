"""What messages of name servers come to: answers with authority, steps downwards, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.mx import MX, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import parse_message
from mailswitch.lookup.delegation import Delegation, NameServer, Said, read_said
from mailswitch.lookup.replies import Found, Nothing, NotThere, Unfinished, Unreliable

NAME = DomainName("www.shop.example")
ZONE = DomainName("example")
SOA = "example. 900 IN SOA ns.example. root.example. 1 7200 900 1209600 60"


def a_message(
    *answer: str,
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    has_authority: bool = True,
) -> dns.message.Message:
    """Return a server's reply as it is read from the wire."""
    message = dns.message.make_response(dns.message.make_query(NAME.text, dns.rdatatype.MX))
    message.flags |= dns.flags.AA if has_authority else 0
    message.set_rcode(rcode)
    for section, lines in ((message.answer, answer), (message.authority, authority), (message.additional, additional)):
        for line in lines:
            name, ttl, rdclass, rdtype, rdata = line.split(maxsplit=4)
            section.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, rdata))
    read = parse_message(message.to_wire(max_size=65535))
    assert read is not None
    return read


def said(message: dns.message.Message, zone: DomainName = ZONE, name: DomainName = NAME) -> Said:
    return read_said(message, name, dns.rdatatype.MX, zone)


# ---- answers


def test_records_with_authority_are_the_answer() -> None:
    found = said(a_message(f"{NAME}. 60 IN MX 10 mx.example.", f"{NAME}. 50 IN MX 20 mx.net."))

    assert isinstance(found, Found)
    exchanges = {MX(preference=10, exchange=DomainName("mx.example")), MX(preference=20, exchange=DomainName("mx.net"))}
    assert found.mx == exchanges
    assert (found.ttl.seconds, found.canonical) == (50, ())


def test_records_without_authority_are_no_answer() -> None:
    found = said(a_message(f"{NAME}. 60 IN MX 10 mx.example.", has_authority=False))

    assert found == Unreliable("no authority for example (it is lame)")


def test_a_referral_beside_an_answer_without_authority_is_not_followed() -> None:
    records = f"{NAME}. 60 IN MX 10 mx.example.", "shop.example. 60 IN NS ns.shop.example."

    assert isinstance(said(a_message(records[0], authority=records[1:], has_authority=False)), Unreliable)


@pytest.mark.parametrize(
    ("rcode", "kind"), [(dns.rcode.NOERROR, Nothing), (dns.rcode.NXDOMAIN, NotThere)], ids=["nodata", "nxdomain"]
)
def test_a_negative_answer_needs_the_soa_of_the_zone(rcode: dns.rcode.Rcode, kind: type) -> None:
    sound = said(a_message(authority=(SOA,), rcode=rcode))

    assert sound == kind(ttl=timedelta(seconds=60))
    assert isinstance(said(a_message(rcode=rcode)), Unreliable)
    assert isinstance(said(a_message(authority=(SOA,), rcode=rcode, has_authority=False)), Unreliable)


@pytest.mark.parametrize("owner", [".", "other.", "deeper.www.shop.example."])
def test_an_soa_of_another_zone_proves_nothing(owner: str) -> None:
    elsewhere = SOA.replace("example.", owner, 1)

    assert isinstance(said(a_message(authority=(elsewhere,))), Unreliable)


def test_an_soa_of_a_zone_between_is_one_of_the_same_server_s() -> None:
    between = SOA.replace("example.", "shop.example.", 1)

    assert isinstance(said(a_message(authority=(between,))), Nothing)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.YXDOMAIN])
def test_any_other_code_is_no_answer(rcode: dns.rcode.Rcode) -> None:
    found = said(a_message(f"{NAME}. 60 IN MX 10 mx.example.", rcode=rcode))

    assert isinstance(found, Unreliable)
    assert found.reason == dns.rcode.to_text(rcode)


# ---- aliases


def test_a_cname_at_the_apex_is_followed_one_step_only() -> None:
    chain = f"{NAME}. 60 IN CNAME a.other.", "a.other. 10 IN CNAME b.other.", "b.other. 10 IN MX 1 mx.attacker."

    found = said(a_message(*chain), zone=NAME)

    assert (
        found == Unfinished(ttl=found.ttl, canonical=(DomainName("a.other"),)) if isinstance(found, Unfinished) else 0
    )


def test_a_cname_wins_over_what_stands_beside_it() -> None:
    found = said(a_message(f"{NAME}. 60 IN MX 1 mx.example.", f"{NAME}. 60 IN CNAME a.other."))

    assert isinstance(found, Unfinished)


def test_two_cnames_are_none() -> None:
    found = said(a_message(f"{NAME}. 60 IN CNAME a.other.", f"{NAME}. 60 IN CNAME b.other."))

    assert found == Unreliable("www.shop.example has several CNAMEs")


def test_a_dname_leads_where_it_says_whatever_cname_stands_beside_it() -> None:
    found = said(a_message("shop.example. 60 IN DNAME new.net.", f"{NAME}. 0 IN CNAME www.attacker."))

    assert isinstance(found, Unfinished)
    assert (found.canonical, found.ttl.seconds) == ((DomainName("www.new.net"),), 60)


@pytest.mark.parametrize("owner", [f"{NAME}.", "other.", "."])
def test_a_dname_that_is_not_above_the_name_in_the_zone_is_nobody_s(owner: str) -> None:
    found = said(a_message(f"{owner} 60 IN DNAME new.net.", f"{NAME}. 60 IN MX 1 mx.example."))

    assert isinstance(found, Found)


def test_a_dname_to_a_name_that_is_too_long_leads_nowhere() -> None:
    long = ".".join(["a" * 62] * 4)

    found = said(a_message(f"shop.example. 60 IN DNAME {long}.", f"{NAME}. 60 IN CNAME x."))

    assert found == Unreliable("a DNAME leads to a name that is too long")


# ---- referrals


def test_a_referral_downwards_is_a_delegation_with_its_glue() -> None:
    found = said(
        a_message(
            authority=("shop.example. 60 IN NS ns2.example.", "shop.example. 60 IN NS ns1.net."),
            additional=("ns2.example. 60 IN AAAA 2001:db8::2", "ns2.example. 60 IN A 192.0.2.2"),
            has_authority=False,
        )
    )

    assert found == Delegation(
        zone=DomainName("shop.example"),
        servers=(
            NameServer(name=DomainName("ns2.example"), addresses=(address("192.0.2.2"), address("2001:db8::2"))),
            NameServer(name=DomainName("ns1.net")),
        ),
    )


def test_addresses_that_are_not_the_server_s_to_give_are_left_out() -> None:
    found = said(
        a_message(
            authority=("shop.example. 60 IN NS ns1.bank.net.",),
            additional=("ns1.bank.net. 60 IN A 192.0.2.66", "ns1.bank.net. 60 IN AAAA 2001:db8::66"),
            has_authority=False,
        )
    )

    assert found == Delegation(zone=DomainName("shop.example"), servers=(NameServer(name=DomainName("ns1.bank.net")),))


@pytest.mark.parametrize("owner", [".", "example.", "other.", "mail.example.", "deeper.www.shop.example."])
def test_a_referral_that_does_not_lead_nearer_leads_nowhere(owner: str) -> None:
    found = said(a_message(authority=(f"{owner} 60 IN NS ns1.net.",), has_authority=False))

    assert found == Unreliable("no authority for example (it is lame)")


def test_two_referrals_at_once_are_none() -> None:
    both = "shop.example. 60 IN NS ns1.net.", f"{NAME}. 60 IN NS ns1.net."

    assert isinstance(said(a_message(authority=both, has_authority=False)), Unreliable)


def test_a_referral_with_the_bit_of_authority_is_one_all_the_same() -> None:
    assert isinstance(said(a_message(authority=("shop.example. 60 IN NS ns1.net.",))), Delegation)


def test_an_empty_message_is_neither() -> None:
    assert said(a_message()) == Unreliable("neither an answer nor a referral")


def test_of_very_many_servers_and_addresses_some_are_enough() -> None:
    servers = tuple(f"shop.example. 60 IN NS ns{number}.example." for number in range(100))
    glue = tuple(f"ns0.example. 60 IN A 192.0.2.{number}" for number in range(100))

    found = said(a_message(authority=servers, additional=glue, has_authority=False))

    assert isinstance(found, Delegation)
    assert (len(found.servers), len(found.servers[0].addresses)) == (20, 4)


# ---- whatever comes

NAMES = st.sampled_from(
    [".", "example.", "net.", "shop.example.", f"{NAME}.", "a.www.shop.example.", "ns.net.", r"\000.\255.example."]
)
RECORDS = st.one_of(
    st.builds("{} 60 IN NS {}".format, NAMES, NAMES),
    st.builds("{} 60 IN CNAME {}".format, NAMES, NAMES),
    st.builds("{} 60 IN DNAME {}".format, NAMES, NAMES),
    st.builds("{} 60 IN MX 10 {}".format, NAMES, NAMES),
    st.builds("{} 60 IN A 127.0.0.1".format, NAMES),
    st.builds("{} 60 IN AAAA ::ffff:10.0.0.1".format, NAMES),
    st.builds("{} 60 IN SOA . . 1 2 3 4 5".format, NAMES),
    st.builds("{} 60 CH NS {}".format, NAMES, NAMES),
)
SECTIONS = st.lists(RECORDS, max_size=4).map(tuple)


def is_sound(found: Said, zone: DomainName) -> bool:
    """Whether a delegation leads down towards the name, with addresses that are the zone's to give."""
    if not isinstance(found, Delegation):
        return True
    is_down = found.zone.is_below(zone) and (found.zone == NAME or NAME.is_below(found.zone))
    glued = [server.name for server in found.servers if server.addresses]
    return is_down and bool(found.servers) and all(name == zone or name.is_below(zone) for name in glued)


@given(
    sections=st.tuples(SECTIONS, SECTIONS, SECTIONS),
    rcode=st.sampled_from([dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL]),
    has_authority=st.booleans(),
    zone=st.sampled_from([DomainName("."), ZONE, DomainName("shop.example"), NAME]),
)
def test_whatever_a_message_holds_no_step_leads_up_or_aside(
    sections: tuple[tuple[str, ...], ...], rcode: dns.rcode.Rcode, has_authority: bool, zone: DomainName
) -> None:
    answer, authority, additional = sections
    message = a_message(*answer, authority=authority, additional=additional, rcode=rcode, has_authority=has_authority)

    found = said(message, zone)

    assert is_sound(found, zone)
    if not has_authority:
        assert isinstance(found, Delegation | Unreliable)


@given(st.data())
def test_mutated_messages_never_raise(data: st.DataObject) -> None:
    packet = bytearray(
        a_message(
            "shop.example. 60 IN DNAME new.net.",
            f"{NAME}. 60 IN CNAME www.new.net.",
            authority=("shop.example. 60 IN NS ns1.example.", SOA),
            additional=("ns1.example. 60 IN A 192.0.2.1",),
        ).to_wire()
    )
    for _ in range(data.draw(st.integers(1, 8))):
        packet[data.draw(st.integers(2, len(packet) - 1))] = data.draw(st.integers(0, 255))
    message = parse_message(bytes(packet[: data.draw(st.integers(12, len(packet)))]))

    assert message is None or is_sound(said(message), ZONE)
