"""Sweeps give the same answers whichever way replies are read: on the demo world, and on made-up domains."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from benchmarks.same_answers import PlainDns, alike
from mailswitch.core.mx import Indeterminate, NoMX, NoSuchDomain, NullMX, Observation, Published
from mailswitch.core.names import DomainName
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings
from mailswitch.simulation.builtin import demo_world
from mailswitch.simulation.public_dns import Fault, PublicDNSServer, overlay, parse_records

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMING = Timing(timeout=timedelta(seconds=5), tries=2, rate=None, concurrency=50)
HASTY = Timing(timeout=timedelta(milliseconds=500), tries=2, rate=None, concurrency=50)
GENERATED = 300


def opinions(
    servers: Sequence[PublicDNSServer],
    names: Iterable[DomainName],
    codec: Codec,
    *,
    is_thorough: bool,
    timing: Timing = TIMING,
) -> dict[DomainName, tuple[Observation, ...]]:
    settings = [
        VantageSettings(name=f"v{at}", operator=f"Operator {at}", address=ip_address(server.address), port=server.port)
        for at, server in enumerate(servers)
    ]
    with open_public_view(settings, timing, lambda: NOW, codec=codec).sweep(rotation=0) as sweep:
        if is_thorough:
            return sweep.all_opinions(names)
        return {name: (seen,) for name, seen in sweep.first_opinions(names).items()}


def test_the_demo_world_looks_the_same_in_either_way() -> None:
    world = demo_world()
    names = [domain.name for server in world.servers for domain in server.domains]
    base = parse_records(world.dns)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                PublicDNSServer(
                    overlay(base, vantage.dns),
                    # A silent vantage would only cost time, in either way.
                    {name: Fault(word) for name, word in vantage.faults.items() if word != Fault.TIMEOUT},
                )
            )
            for vantage in world.vantages
        ]
        fast, slow = (opinions(servers, names, codec, is_thorough=True) for codec in Codec)

    assert len(fast) == len(set(names)) > 20
    assert fast == slow


def test_the_demo_world_with_all_its_faults_looks_as_plain_dnspython_sees_it() -> None:
    world = demo_world()
    names = list(dict.fromkeys(domain.name for server in world.servers for domain in server.domains))
    base = parse_records(world.dns)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                PublicDNSServer(
                    overlay(base, vantage.dns), {name: Fault(word) for name, word in vantage.faults.items()}
                )
            )
            for vantage in world.vantages
        ]
        seen = opinions(servers, names, Codec.FAST, is_thorough=True, timing=HASTY)
        plain = [PlainDns(seen[names[0]][at].vantage, server.port, seconds=0.5) for at, server in enumerate(servers)]
        told = {name: tuple(each.observation(name) for each in plain) for name in names}

    assert {type(each.mx) for every in seen.values() for each in every} == {
        Published,
        NullMX,
        NoMX,
        NoSuchDomain,
        Indeterminate,
    }
    assert {name: tuple(map(alike, every)) for name, every in seen.items()} == {
        name: tuple(map(alike, every)) for name, every in told.items()
    }


def generated(chance: random.Random, number: int) -> str:
    """Records of a made-up domain: mail of every kind there is, and of some there should not be."""
    name = f"d{number}.example."
    host = f"mx{chance.randrange(20)}.example."
    address = f"192.0.2.{chance.randrange(256)}"
    match chance.randrange(10):
        case 0:
            return f"{name} IN MX 0 .\n"
        case 1:
            return f"{name} IN A {address}\n"
        case 2:
            return f"{name} IN CNAME d{chance.randrange(GENERATED)}.example.\n"
        case 3:
            return ""
        case 4:
            return f'{name} IN TXT "x"\n'
        case 5:
            return f"{name} 300 IN MX 5 mx.{name}\nmx.{name} IN AAAA 2001:db8::{number:x}\nmx.{name} IN A {address}\n"
        case 6:
            return f"{name} IN MX 5 alias.{name}\nalias.{name} IN CNAME {host}\n"
        case 7:
            return f"{name} IN MX 5 a\\.b.{name}\n"
        case _:
            return f"{name} 60 IN MX {chance.randrange(65536)} {host}\n{name} IN MX 10 mx{number % 7}.example.\n"


def test_made_up_domains_look_the_same_in_either_way() -> None:
    chance = random.Random(7)  # noqa: S311 - the same domains each time
    text = "".join(generated(chance, number) for number in range(GENERATED))
    text += "".join(f"mx{number}.example. IN A 192.0.2.{number}\n" for number in range(18))
    names = [DomainName(f"d{number}.example") for number in range(GENERATED)]
    with PublicDNSServer(parse_records(text)) as server:
        fast, slow = (opinions([server], names, codec, is_thorough=False) for codec in Codec)

    assert len({type(seen[0].mx) for seen in fast.values()}) >= 4
    assert fast == slow
