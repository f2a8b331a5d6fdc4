"""Forged answers from a wrong port or address: never taken, and counted by the system for the whole host."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import dns.message
import pytest

from mailswitch.core.mx import MX, Published
from mailswitch.core.names import DomainName
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.unmatched import UnmatchedDatagrams
from mailswitch.lookup.vantages import Codec, Timing
from tests.support.asking import some_names
from tests.support.builders import NOW
from tests.support.nasty_dns import NastyDNS, reply_to

IPV4 = (
    "Ip: Forwarding NoPorts\nIp: 1 7\nUdp: InDatagrams NoPorts InErrors\nUdp: 90 {} 3\nUdpLite: NoPorts\nUdpLite: 5\n"
)
IPV6 = "Ip6InReceives                   \t12\nUdp6NoPorts                     \t{}\nUdpLite6NoPorts \t4\n"


@pytest.fixture(params=["wrong port", "wrong address"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[tuple[NastyDNS, list[int]]]:
    """A server that is overtaken by forged answers; and how many were sent, each right but for where it comes from."""
    sent: list[int] = []

    def overtaken(query: bytes) -> list[bytes]:
        name = dns.message.from_wire(query).question[0].name
        for preference in (1, 2, 3):
            lie = reply_to(query, f"{name} 3600 IN MX {preference} mx.forged.example.")
            sent.append(forger.sendto(lie, server.sources[-1]))
        return [reply_to(query, f"{name} 3600 IN MX 10 mx.right.example.")]

    with NastyDNS(overtaken) as server, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as forger:
        forger.bind(("127.0.0.1", 0) if request.param == "wrong port" else ("127.0.0.2", server.port))
        yield server, sent


@pytest.mark.parametrize("codec", list(Codec))
def test_answers_from_a_wrong_port_or_address_are_not_taken_and_raise_the_count_of_the_sweep(
    elsewhere: tuple[NastyDNS, list[int]], codec: Codec
) -> None:
    server, sent = elsewhere
    names = some_names(*range(20))
    timing = Timing(timeout=timedelta(seconds=10), tries=4, rate=None)
    view = open_public_view([server.settings()], timing, lambda: NOW, codec=codec)
    with view.sweep(rotation=0) as sweep:
        before = sweep.unmatched()
        told = sweep.first_opinions(names)
        after = sweep.unmatched()

    right = Published(
        records=frozenset({MX(preference=10, exchange=DomainName("mx.right.example"))}), ttl=timedelta(hours=1)
    )
    assert {name: seen.mx for name, seen in told.items()} == dict.fromkeys(names, right)
    assert len(sent) >= 3 * len(names)
    assert before is not None
    assert after is not None
    assert after - before >= len(sent)


def written(folder: Path, ipv4: object, ipv6: object) -> None:
    for name, text, number in (("snmp", IPV4, ipv4), ("snmp6", IPV6, ipv6)):
        (folder / name).unlink(missing_ok=True)
        if number is not None:
            (folder / name).write_text(text.format(number), encoding="ascii")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((8, 2), (11, 3), 4),
        ((8, 2), (8, 2), 0),
        ((8, None), (11, None), 3),
        ((None, 2), (None, 3), 1),
        ((8, None), (11, 5), 3),
        ((8, 2), (11, "x"), 3),
        ((8, 2), (7, 3), 1),
        ((8, 2), (7, 1), None),
        ((None, None), (11, 3), None),
        ((None, None), (None, None), None),
        (("", ""), ("", ""), None),
    ],
)
def test_what_the_system_does_not_tell_is_unknown_and_never_an_error(
    tmp_path: Path, before: tuple[object, object], after: tuple[object, object], told: int | None
) -> None:
    written(tmp_path, *before)
    counting = UnmatchedDatagrams(tmp_path)
    written(tmp_path, *after)

    assert counting.so_far() == told


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff\xfe", b"Udp: NoPorts\n", b"Udp: NoPorts\nUdp:\n", b"Udp: In\nUdp: 1\n", b"Udp6NoPorts 1 2\n"],
)
def test_garbage_in_the_counters_is_unknown(tmp_path: Path, garbage: bytes) -> None:
    for name in ("snmp", "snmp6"):
        (tmp_path / name).write_bytes(garbage)

    assert UnmatchedDatagrams(tmp_path).so_far() is None
