"""Bad networks before a real Unbound: its true answer or none, never "no MX", whatever becomes of the packets.

The networks are those of the e2e tests, where simulated resolvers are behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from mailswitch.core.mx import HostAnswer, Indeterminate, MXAnswer, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings
from tests.support.bad_network import NETWORKS, Network, Resolver, limiting, silent, truncated
from tests.support.builders import NOW
from tests.support.real_dns import Net, RealServer
from tests.support.real_zones import small_internet

pytestmark = pytest.mark.dns_servers

TIMING = Timing(timeout=timedelta(seconds=1), tries=6, rate=2000.0)
HASTY = replace(TIMING, timeout=timedelta(milliseconds=300), tries=1)
NAMES = [
    DomainName(f"{label}.example")
    for label in (
        "moved", "null.moved", "implicit.moved", "gap.moved", "any.thing.wild.moved", "missing.moved", "missing",
        "alias.moved", "cname", "shop.old.moved", "child.moved", "outside", "signed", "bogus",
    )
]  # fmt: skip
VANTAGES = "abc"

Seen = tuple[MXAnswer, dict[DomainName, HostAnswer]]
Told = dict[DomainName, list[Seen]]
"""What each vantage says of each name."""


@pytest.fixture(scope="module")
def unbound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    net = Net(tmp_path_factory.mktemp("net"))
    servers, resolver = small_internet(net)
    with net.serving(servers, resolver):
        yield RealServer(net.address(resolver.number), net.port)


def asked(ports: Sequence[tuple[str, int]], codec: Codec, timing: Timing = TIMING) -> Told:
    """Ask one vantage at each place about every name."""
    settings = [
        VantageSettings(name=name, operator=name, address=address(where), port=port)
        for name, (where, port) in zip(VANTAGES, ports, strict=True)
    ]
    with open_public_view(settings, timing, lambda: NOW, codec=codec).sweep(rotation=0) as sweep:
        found = sweep.all_opinions(NAMES)
    return {name: [(timeless(each.mx), dict(each.hosts)) for each in seen] for name, seen in found.items()}


def timeless(answer: MXAnswer) -> MXAnswer:
    """Without what differs from look to look: the TTL in a cache, and which failure was heard last."""
    return Indeterminate("") if isinstance(answer, Indeterminate) else replace(answer, ttl=timedelta(0))


@pytest.fixture(scope="module")
def truth(unbound: RealServer) -> dict[DomainName, Seen]:
    """What the resolver says through a calm network."""
    told = asked([(unbound.address, unbound.port)] * 3, Codec.DNSPYTHON)
    assert all(each[0] == each[1] == each[2] for each in told.values())
    assert {name.text for name, (first, *_) in told.items() if isinstance(first[0], Indeterminate)} == {"bogus.example"}
    return {name: first for name, (first, *_) in told.items()}


def behind(networks: Sequence[Network], resolver: Resolver, codec: Codec, timing: Timing = TIMING) -> Told:
    """Ask the resolver through a network for each vantage."""
    with ExitStack() as stack:
        relays = [stack.enter_context(network(resolver)) for network in networks]
        return asked([("127.0.0.1", relay.port) for relay in relays], codec, timing)


@pytest.mark.parametrize("kind", [*NETWORKS, "limits"])
def test_what_a_network_does_to_a_real_resolver_s_packets_changes_no_answer(
    unbound: RealServer, truth: dict[DomainName, Seen], codec: Codec, kind: str
) -> None:
    network = {**NETWORKS, "limits": limiting(50, 5)}[kind]

    assert behind([network] * 3, unbound, codec) == {name: [seen] * 3 for name, seen in truth.items()}


def test_truncation_changes_no_answer_of_a_real_resolver(
    unbound: RealServer, truth: dict[DomainName, Seen], codec: Codec
) -> None:
    with truncated(unbound) as one, truncated(unbound) as other, truncated(unbound) as third:
        told = asked([("127.0.0.1", each.port) for each in (one, other, third)], codec)

    assert told == {name: [seen] * 3 for name, seen in truth.items()}


@pytest.mark.parametrize("dead", [1, 3])
def test_a_dead_vantage_says_nothing_and_a_real_resolver_s_answers_stand_beside(
    unbound: RealServer, truth: dict[DomainName, Seen], codec: Codec, dead: int
) -> None:
    calm: Network = NETWORKS["doubles"]
    told = behind([silent()] * dead + [calm] * (3 - dead), unbound, codec, HASTY)

    for name, seen in told.items():
        assert all(isinstance(mx, Indeterminate) and not hosts for mx, hosts in seen[:dead])
        assert seen[dead:] == [truth[name]] * (3 - dead)
