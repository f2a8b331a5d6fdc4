"""Lookups against real servers: NSD for the root, top-level domains and zones, Unbound as a validating resolver."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import dns.rdatatype
import pytest

from mailswitch.config.root_hints import hints_from
from mailswitch.core.mx import (
    MX,
    Addresses,
    Indeterminate,
    MXAnswer,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Observation,
    Published,
    VantageCount,
    address,
)
from mailswitch.core.names import DomainName
from mailswitch.lookup.authority import Authority, AuthoritySettings
from mailswitch.lookup.last_opinion import LastOpinionView
from mailswitch.lookup.replies import Found, Reply, Unreliable
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.trust import TlsTrust
from mailswitch.lookup.vantages import Codec, Timing, Transport, VantageSettings
from tests.support.asking import codec_in_use
from tests.support.builders import NOW
from tests.support.real_dns import Net
from tests.support.real_zones import MANY, SHOPS, small_internet

pytestmark = pytest.mark.dns_servers
in_either_way = pytest.mark.usefixtures("each_codec")

TIMING = Timing(timeout=timedelta(seconds=5), tries=3, rate=None)
MX1 = DomainName("mx1.hoster.net")
ADDRESSES = frozenset({address("203.0.113.25"), address("2001:db8::25")})


@dataclass(frozen=True, slots=True)
class Place:
    """A net that runs, and how its resolver is known over TLS."""

    net: Net
    trust: TlsTrust


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("net")
    made = Net(folder)
    servers, resolver = small_internet(made, has_ipv6=True)
    resolver.certificate.write(folder / "resolver.pem")
    with made.serving(servers, resolver):
        yield Place(made, TlsTrust(ca_file=folder / "resolver.pem", server_name="resolver.example"))


@pytest.fixture
def net(place: Place) -> Net:
    return place.net


def settings_of(net: Net, *, is_required: bool = False) -> AuthoritySettings:
    return AuthoritySettings(hints=hints_from(net.hints), port=net.port, is_required=is_required)


def a_resolver(net: Net, number: int = 9, transport: Transport = Transport.UDP) -> VantageSettings:
    return VantageSettings(
        name="unbound", operator="us", address=address(net.address(number)), port=net.port, transport=transport
    )


def by_resolver(
    net: Net, name: str, codec: Codec = Codec.FAST, transport: Transport = Transport.UDP, number: int = 9
) -> Observation:
    view = open_public_view([a_resolver(net, number, transport)], TIMING, lambda: NOW, codec=codec)
    with view.sweep(rotation=0) as sweep:
        return sweep.first_opinions([DomainName(name)])[DomainName(name)]


def by_all(net: Net, *names: str) -> tuple[dict[str, tuple[Observation, ...]], tuple[VantageCount, ...]]:
    """Return what the resolver and then the domains' own servers say, and how both fared."""
    resolvers = open_public_view([a_resolver(net)], TIMING, lambda: NOW, codec=codec_in_use())
    view = LastOpinionView(resolvers, settings_of(net), TIMING, lambda: NOW)
    with view.sweep(rotation=1) as sweep:
        found = sweep.all_opinions([DomainName(name) for name in names])
        return {name.text: opinions for name, opinions in found.items()}, sweep.counts()


def by_servers(net: Net, name: str) -> Observation:
    return by_all(net, name)[0][name][-1]


def published(*records: tuple[int, str]) -> Published:
    found = frozenset(MX(preference=preference, exchange=DomainName(name)) for preference, name in records)
    return Published(records=found, ttl=timedelta(0))


def timeless(answer: MXAnswer) -> MXAnswer:
    return answer if isinstance(answer, Indeterminate) else replace(answer, ttl=timedelta(0))


SOUND: dict[str, MXAnswer] = {
    "moved.example": published((10, "mx1.hoster.net"), (20, "mx2.hoster.net")),
    "null.moved.example": NullMX(ttl=timedelta(0)),
    "implicit.moved.example": NoMX(ttl=timedelta(0)),
    "missing.moved.example": NoSuchDomain(ttl=timedelta(0)),
    "missing.example": NoSuchDomain(ttl=timedelta(0)),
    "missing.": NoSuchDomain(ttl=timedelta(0)),
    "any.thing.wild.moved.example": published((5, "mx1.hoster.net")),
    "gap.moved.example": NoMX(ttl=timedelta(0)),
    "alias.moved.example": published((10, "mx1.hoster.net")),
    "cname.example": published((3, "mx1.hoster.net")),
    "shop.old.moved.example": published((7, "mx1.hoster.net")),
    "child.moved.example": published((10, "mx1.hoster.net")),
    "outside.example": published((10, "mx1.hoster.net")),
    "signed.example": published((10, "mx1.hoster.net")),
    "big.example": published(*((number, f"the-exchange-number-{number}.hoster.net") for number in range(MANY))),
}
"""What everybody sees: an empty non-terminal, a wildcard, a CNAME to another zone, a DNAME, more than a datagram."""


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("name", SOUND)
def test_a_resolver_s_answers_are_understood(net: Net, name: str, codec: Codec, transport: Transport) -> None:
    assert timeless(by_resolver(net, name.rstrip("."), codec, transport).mx) == SOUND[name]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_resolver_s_answers_over_tls_are_the_same(place: Place, codec: Codec) -> None:
    over_tls = replace(a_resolver(place.net), transport=Transport.TLS, port=place.net.tls_port, tls=place.trust)
    names = [DomainName(name.rstrip(".")) for name in SOUND]

    with open_public_view([over_tls], TIMING, lambda: NOW, codec=codec).sweep(rotation=0) as sweep:
        found = sweep.first_opinions(names)

    assert [timeless(found[name].mx) for name in names] == list(SOUND.values())


@pytest.mark.parametrize("name", SOUND)
@in_either_way
def test_the_domain_s_own_servers_say_the_same(net: Net, name: str) -> None:
    found = by_servers(net, name.rstrip("."))

    assert timeless(found.mx) == SOUND[name]
    assert (found.vantage.name, found.vantage.is_authoritative) == ("authoritative", True)


@in_either_way
def test_exchanges_are_followed_to_their_addresses_by_both(net: Net) -> None:
    names = "moved.example", "implicit.moved.example"
    found, counts = by_all(net, *names)

    hosts = {name: [dict(each.hosts) for each in opinions] for name, opinions in found.items()}
    assert hosts["moved.example"][0] == hosts["moved.example"][1]
    assert hosts["moved.example"][1] == {
        MX1: Addresses(addresses=ADDRESSES),
        DomainName("mx2.hoster.net"): Addresses(addresses=ADDRESSES, canonical=(MX1,)),
    }
    own = Addresses(addresses=frozenset({address("203.0.113.80")}))
    assert hosts["implicit.moved.example"] == [{DomainName("implicit.moved.example"): own}] * 2
    assert [(each.vantage.name, each.failures, each.queries > 5) for each in counts] == [
        ("unbound", 0, True),
        ("authoritative", 0, True),
    ]


@in_either_way
def test_exchanges_that_are_not_there_are_not_there_for_both(net: Net) -> None:
    found, _ = by_all(net, "big.example")

    assert {answer for each in found["big.example"] for _, answer in each.hosts} == {NoSuchHost()}


@pytest.mark.parametrize("codec", list(Codec))
def test_a_signature_that_fails_is_no_answer_and_the_resolver_s_word_for_it_is_told(net: Net, codec: Codec) -> None:
    assert by_resolver(net, "bogus.example", codec).mx == Indeterminate("SERVFAIL (extended error 6) (2 tries)")


@in_either_way
def test_a_name_server_is_no_resolver_though_it_has_the_answer(net: Net) -> None:
    refused = by_resolver(net, "moved.example", codec_in_use(), number=5).mx
    accepted = by_servers(net, "moved.example").mx

    assert isinstance(refused, Indeterminate)
    assert "authority" in refused.reason
    assert isinstance(accepted, Published)


BROKEN = {
    "lame.example": "only 1 name server of lame.example answers (ns2.lame.example at {6}: REFUSED)",
    "nobody.example": "no name server of nobody.example answers (",
    "apex.example": "no name server of apex.example answers (",  # NSD takes no CNAME at an apex
    "split.example": "the name servers of split.example disagree: one has MX 10 mx",
    "half-dead.example": "only 1 name server of half-dead.example answers (ns2.half-dead.example at {7}: not reachable",
    "dead.example": "no name server of dead.example answers (",
    "circle.example": "no name server of circle.example answers (ns.circle2.example: its address is not known)",
    "ownless.example": "no name server of ownless.example answers (ns1.ownless.example: its address is not known)",
    "inside.example": "no name server of inside.example answers (",
    "flood.example": "no name server of flood.example answers (",
    "round.moved.example": "the CNAME chain is a loop",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_delegation_is_no_answer_and_says_why(net: Net, name: str) -> None:
    (found,), _ = asked(net, name)

    assert isinstance(found, Unreliable)
    assert found.reason.startswith(net.written(BROKEN[name]))


@in_either_way
def test_where_the_domain_s_own_servers_give_no_answer_the_resolver_s_stands_beside(net: Net) -> None:
    found, counts = by_all(net, "split.example")

    resolver, own = found["split.example"]
    assert isinstance(resolver.mx, Published)
    assert isinstance(own.mx, Indeterminate)
    assert own.hosts == ()
    assert counts[1].queries > 0


def asked(net: Net, *names: str, timing: Timing = TIMING) -> tuple[list[Reply], int]:
    """Return what the names' own servers say about their MX, and what it cost."""

    async def ask() -> tuple[list[Reply], int]:
        authority = Authority(settings_of(net), timing, lambda: 60.0)
        questions = [authority.ask(DomainName(name), dns.rdatatype.MX) for name in names]
        return list(await asyncio.gather(*questions)), authority.queries

    return asyncio.run(ask())


def test_private_addresses_are_not_asked_for_a_stranger_s_delegation(net: Net) -> None:
    (found,), queries = asked(net, "inside.example")

    assert "10.0.0.1: not asked, for it is not routable" in str(found)
    assert queries == 2  # of the root and of example


@pytest.mark.parametrize("name", ["lonely.example", "spare.example", "six.example"])
def test_one_server_alone_a_third_for_a_dead_one_and_ipv6_will_do(net: Net, name: str) -> None:
    (found,), _ = asked(net, name)

    assert isinstance(found, Found)
    assert [record.exchange for record in found.mx] == [MX1]


def test_a_delegation_to_many_strangers_costs_them_little(net: Net) -> None:
    _, queries = asked(net, "flood.example")

    assert queries < 25


def test_each_name_costs_its_top_level_domain_one_question_and_the_root_none(net: Net) -> None:
    names = [f"name{number}.example" for number in range(200)]
    found, queries = asked(net, *names)

    assert len(set(map(str, found))) == 1
    assert queries == 1 + 2 * len(names)  # the root once; no such name: of both servers of example


def test_shared_name_servers_are_looked_up_once(net: Net) -> None:
    found, queries = asked(net, *(f"shop{number}.example" for number in range(SHOPS)))

    assert [str(reply) for reply in found if "REFUSED" not in str(reply)] == []
    assert queries <= 3 * SHOPS + 12  # example and both servers for each name; the rest is to find them


def test_a_pace_is_kept_towards_each_server(net: Net) -> None:
    async def ask() -> float:
        loop = asyncio.get_running_loop()
        authority = Authority(settings_of(net), replace(TIMING, rate=50.0), lambda: 60.0)
        began = loop.time()
        await asyncio.gather(*(authority.ask(DomainName(f"n{at}.example"), dns.rdatatype.MX) for at in range(25)))
        return loop.time() - began

    assert asyncio.run(ask()) > 0.4


def test_the_sweep_s_deadline_ends_the_walk(net: Net) -> None:
    async def ask() -> tuple[Reply, int]:
        authority = Authority(settings_of(net), TIMING, lambda: 0.0)
        return await authority.ask(DomainName("moved.example"), dns.rdatatype.MX), authority.traffic.cut_off

    found, cut_off = asyncio.run(ask())

    assert "deadline" in str(found)
    assert cut_off == 2  # both servers of the root
