"""Sweeps over many names, against simulated public resolvers on loopback."""

from __future__ import annotations

import gc
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from mailswitch.core.errors import ResolverError
from mailswitch.core.mx import (
    MX,
    Addresses,
    Indeterminate,
    NoAddress,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Observation,
    Published,
)
from mailswitch.core.names import DomainName
from mailswitch.lookup.survey import VantageView, open_public_view
from mailswitch.lookup.vantages import Timing, Transport, VantageSettings
from mailswitch.simulation.public_dns import Fault, PublicDNSServer, overlay, parse_records

if TYPE_CHECKING:
    from mailswitch.service.ports import PublicView
from tests.support.asking import codec_in_use

pytestmark = pytest.mark.usefixtures("each_codec")

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATIENT = Timing(timeout=timedelta(seconds=10), rate=None, concurrency=4)
HASTY = Timing(timeout=timedelta(milliseconds=300), tries=2, rate=None, concurrency=4)

RECORDS = """
moved.example.   3600 IN MX 1 mx.other.example.
moved.example.        IN MX 5 backup.other.example.
mx.other.example.     IN A 192.0.2.26
mx.other.example.     IN AAAA 2001:db8::26
backup.other.example. IN CNAME mx.other.example.
nullmx.example.       IN MX 0 .
mixed.example.        IN MX 0 .
mixed.example.        IN MX 10 mx.other.example.
nomx.example.         IN A 192.0.2.1
dangling.example.     IN MX 10 nowhere.example.
noaddress.example.    IN MX 10 text.example.
text.example.         IN TXT "x"
literal.example.      IN MX 10 192.0.2.1.
www.moved.example.    IN CNAME moved.example.
gone.example.         IN CNAME nowhere.example.
*.wild.example.       IN MX 1 mx.other.example.
"""


@dataclass(frozen=True, slots=True)
class Public:
    """Running simulated resolvers and the view made of them."""

    servers: tuple[PublicDNSServer, ...]
    view: VantageView

    @property
    def asked(self) -> Counter[tuple[str, str]]:
        """How often each question was asked of all of them."""
        return sum((server.queries for server in self.servers), Counter())


@contextmanager
def a_public_dns(
    *faults: Mapping[str, Fault],
    records: str = RECORDS,
    overlays: Mapping[int, str] | None = None,
    vantages: int = 3,
    timing: Timing = PATIENT,
    transport: Transport = Transport.UDP,
    clock: Iterator[float] | None = None,
) -> Iterator[Public]:
    """Three vantages that tell the truth, but for the faults and overlays given to the first, second …"""
    base = parse_records(records)
    with ExitStack() as stack:
        servers = tuple(
            stack.enter_context(
                PublicDNSServer(
                    overlay(base, (overlays or {}).get(number, "")),
                    {DomainName(name): fault for name, fault in (faults[number : number + 1] or ({},))[0].items()},
                )
            )
            for number in range(vantages)
        )
        settings = [
            VantageSettings(
                name=f"v{number}",
                operator=f"Operator {number}",
                address=ip_address(server.address),
                port=server.port,
                transport=transport,
            )
            for number, server in enumerate(servers)
        ]
        monotonic = time.monotonic if clock is None else lambda: next(clock)
        view = open_public_view(settings, timing, lambda: NOW, monotonic, codec_in_use())
        yield Public(servers, view)


def names(*texts: str) -> list[DomainName]:
    return [DomainName(text) for text in texts]


def first(public: Public, text: str, *, rotation: int = 0) -> Observation:
    with public.view.sweep(rotation=rotation) as sweep:
        return sweep.first_opinions(names(text))[DomainName(text)]


def test_the_view_is_what_the_service_asks_for() -> None:
    with a_public_dns() as public:
        seam: PublicView = public.view

        assert [(each.name, each.operator, str(each.address)) for each in seam.vantages] == [
            (f"v{number}", f"Operator {number}", "127.0.0.1") for number in range(3)
        ]


def test_no_vantage_is_no_view() -> None:
    with pytest.raises(ResolverError, match=r"dns\.vantages"):
        open_public_view([], PATIENT, lambda: NOW)


def test_a_first_opinion_tells_mx_and_the_addresses_of_every_exchange() -> None:
    with a_public_dns() as public:
        seen = first(public, "moved.example")

    addresses = frozenset({ip_address("192.0.2.26"), ip_address("2001:db8::26")})
    assert seen == Observation(
        name=DomainName("moved.example"),
        vantage=seen.vantage,
        at=NOW,
        mx=Published(
            records=frozenset(
                {
                    MX(preference=1, exchange=DomainName("mx.other.example")),
                    MX(preference=5, exchange=DomainName("backup.other.example")),
                }
            ),
            ttl=timedelta(hours=1),
        ),
        hosts=(
            (
                DomainName("backup.other.example"),
                Addresses(addresses=addresses, canonical=(DomainName("mx.other.example"),)),
            ),
            (DomainName("mx.other.example"), Addresses(addresses=addresses)),
        ),
    )


@pytest.mark.parametrize(
    ("name", "mx", "hosts"),
    [
        ("nullmx.example", NullMX, {}),
        ("mixed.example", Published, {"mx.other.example": Addresses}),
        ("nomx.example", NoMX, {"nomx.example": Addresses}),
        ("dangling.example", Published, {"nowhere.example": NoSuchHost}),
        ("noaddress.example", Published, {"text.example": NoAddress}),
        ("literal.example", Published, {"192.0.2.1": NoSuchHost}),
        ("nowhere.example", NoSuchDomain, {}),
        ("gone.example", NoSuchDomain, {}),
        ("www.moved.example", Published, {"mx.other.example": Addresses, "backup.other.example": Addresses}),
        ("*.wild.example", Published, {"mx.other.example": Addresses}),
        ("_dmarc.moved.example", NoSuchDomain, {}),
        (r"a\.b\032c.wild.example", Published, {"mx.other.example": Addresses}),
        ("@", NoSuchDomain, {}),
    ],
)
def test_what_names_lead_to(name: str, mx: type, hosts: dict[str, type]) -> None:
    with a_public_dns(vantages=1) as public:
        seen = first(public, name)

    assert isinstance(seen.mx, mx)
    assert {host.text: type(answer) for host, answer in seen.hosts} == hosts


def test_a_cname_at_the_name_itself_is_told() -> None:
    with a_public_dns(vantages=1) as public:
        assert first(public, "www.moved.example").canonical == (DomainName("moved.example"),)


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.TIMEOUT, Fault.AUTHORITATIVE])
def test_a_vantage_that_fails_gives_an_indeterminate_opinion(fault: Fault) -> None:
    with a_public_dns({"moved.example": fault}, vantages=1, timing=HASTY) as public:
        seen = first(public, "moved.example")

    assert isinstance(seen.mx, Indeterminate)
    assert seen.hosts == ()


def test_truncation_is_mended_over_tcp() -> None:
    with a_public_dns({"moved.example": Fault.TRUNCATED}, vantages=1) as public:
        assert isinstance(first(public, "moved.example").mx, Published)


def test_vantages_can_be_asked_over_tcp_alone() -> None:
    with a_public_dns({"moved.example": Fault.TRUNCATED}, transport=Transport.TCP) as public:
        assert isinstance(first(public, "moved.example").mx, Published)


def test_who_gives_the_first_opinion_rotates_over_passes_and_names() -> None:
    with a_public_dns() as public:
        over_passes = {first(public, "moved.example", rotation=rotation).vantage.name for rotation in range(3)}
        with public.view.sweep(rotation=7) as sweep:
            seen = sweep.first_opinions([DomainName(f"d{number}.wild.example") for number in range(30)])

    assert over_passes == {"v0", "v1", "v2"}
    assert {name: seen[name].vantage.name for name in seen} == {
        name: f"v{(zlib.crc32(name.text.encode()) + 7) % 3}" for name in seen
    }
    assert {each.vantage.name for each in seen.values()} == {"v0", "v1", "v2"}


def test_on_a_clean_network_a_sweep_asks_once_for_each_name_and_twice_for_each_exchange() -> None:
    records = "".join(f"d{n}.example. MX 1 mx{n % 7}.example.\n" for n in range(200))
    records += "".join(f"mx{n}.example. A 192.0.2.{n}\n" for n in range(7))
    with a_public_dns(records=records) as public, public.view.sweep(rotation=1) as sweep:
        opinions = sweep.first_opinions(DomainName(f"d{number}.example") for number in range(200))
        counts = sweep.counts()

        assert len(opinions) == 200
        assert public.asked.total() == sum(each.queries for each in counts) == 200 + 2 * 7
        assert [each.failures for each in counts] == [0, 0, 0]


def test_names_given_twice_or_again_are_asked_for_once() -> None:
    with a_public_dns() as public, public.view.sweep(rotation=0) as sweep:
        once = sweep.first_opinions(names("moved.example", "Moved.Example", "moved.example"))
        again = sweep.first_opinions(names("moved.example"))

        assert once == again
        assert public.asked["moved.example", "MX"] == 1


def test_no_vantage_is_asked_the_same_question_twice_in_a_sweep() -> None:
    everything = names("moved.example", "mixed.example", "nomx.example", "www.moved.example", "gone.example")
    with a_public_dns() as public, public.view.sweep(rotation=0) as sweep:
        sweep.first_opinions(everything)
        sweep.all_opinions(everything)
        sweep.host_answers(names("mx.other.example", "nomx.example"))
        sweep.all_opinions(everything)

        assert max(max(server.queries.values()) for server in public.servers) == 1
        assert public.asked["moved.example", "MX"] == 3


def test_all_opinions_are_each_vantages_own() -> None:
    overlays = {
        1: "moved.example. 60 IN MX 1 own.example.\nown.example. IN A 192.0.2.99",
        2: "mx.other.example. IN A 192.0.2.77",
    }
    with a_public_dns(overlays=overlays) as public, public.view.sweep(rotation=0) as sweep:
        opinions = sweep.all_opinions(names("moved.example"))[DomainName("moved.example")]

    assert [each.vantage.name for each in opinions] == ["v0", "v1", "v2"]
    assert opinions[0].host(DomainName("mx.other.example")) != opinions[2].host(DomainName("mx.other.example"))
    assert opinions[1].host(DomainName("own.example")) == Addresses(addresses=frozenset({ip_address("192.0.2.99")}))
    assert isinstance(opinions[0].host(DomainName("own.example")), Indeterminate)


def test_one_dead_vantage_leaves_the_others_opinions() -> None:
    faults: tuple[dict[str, Fault], ...] = ({}, {"moved.example": Fault.TIMEOUT})
    with a_public_dns(*faults, timing=HASTY) as public, public.view.sweep(rotation=0) as sweep:
        opinions = sweep.all_opinions(names("moved.example"))[DomainName("moved.example")]
        counts = sweep.counts()

    assert [isinstance(each.mx, Published) for each in opinions] == [True, False, True]
    assert [each.failures for each in counts] == [0, 1, 0]


@pytest.mark.parametrize("rotation", range(3))
def test_a_host_that_one_vantage_cannot_tell_is_asked_of_the_next(rotation: int) -> None:
    with a_public_dns({"mx.other.example": Fault.SERVFAIL}, {"mx.other.example": Fault.SERVFAIL}) as public:
        seen = first(public, "moved.example", rotation=rotation)

    assert isinstance(seen.host(DomainName("mx.other.example")), Addresses)


def test_a_host_that_no_vantage_can_tell_is_indeterminate() -> None:
    broken = {"mx.other.example": Fault.SERVFAIL}
    with a_public_dns(broken, broken, broken) as public:
        seen = first(public, "moved.example")

    assert isinstance(seen.host(DomainName("mx.other.example")), Indeterminate)


def test_all_opinions_do_not_borrow_a_host_from_another_vantage() -> None:
    with a_public_dns({"mx.other.example": Fault.SERVFAIL}) as public, public.view.sweep(rotation=0) as sweep:
        sweep.first_opinions(names("moved.example"))
        opinions = sweep.all_opinions(names("moved.example"))[DomainName("moved.example")]

    told = [type(each.host(DomainName("mx.other.example"))) for each in opinions]
    assert told == [Indeterminate, Addresses, Addresses]


def test_hosts_are_asked_of_every_vantage() -> None:
    with a_public_dns({"nomx.example": Fault.REFUSED}) as public, public.view.sweep(rotation=0) as sweep:
        answers = sweep.host_answers(names("nomx.example", "nowhere.example", "nomx.example"))

    assert [type(each) for each in answers[DomainName("nomx.example")]] == [Indeterminate, Addresses, Addresses]
    assert answers[DomainName("nowhere.example")] == (NoSuchHost(),) * 3


def test_progress_counts_every_name_once_and_upwards() -> None:
    told = list[int]()
    with a_public_dns() as public, public.view.sweep(rotation=0, progress=told.append) as sweep:
        sweep.first_opinions(names("moved.example", "nomx.example", "nowhere.example"))
        sweep.first_opinions(names("moved.example", "mixed.example"))
        sweep.all_opinions(names("moved.example"))

    assert told == [1, 2, 3, 4]


def test_after_the_deadline_everything_left_is_indeterminate_and_nothing_is_asked() -> None:
    clock = iter([0.0] + [10_000.0] * 1000)
    with a_public_dns(clock=clock) as public, public.view.sweep(rotation=0) as sweep:
        opinions = sweep.first_opinions(names("moved.example", "nomx.example"))
        hosts = sweep.host_answers(names("mx.other.example"))

        assert public.asked.total() == 0
        assert {each.mx for each in opinions.values()} == {Indeterminate("the sweep's deadline of 0:30:00 passed")}
        assert {type(each) for each in hosts[DomainName("mx.other.example")]} == {Indeterminate}


def test_a_silent_vantage_ends_with_the_sweeps_deadline() -> None:
    timing = Timing(timeout=timedelta(seconds=30), deadline=timedelta(milliseconds=150), rate=None)
    silent = {"moved.example": Fault.TIMEOUT}
    with a_public_dns(silent, silent, silent, timing=timing) as public, public.view.sweep(rotation=0) as sweep:
        opinions = sweep.all_opinions(names("moved.example"))[DomainName("moved.example")]

    assert {each.mx for each in opinions} == {Indeterminate("the sweep's deadline of 0:00:00.150000 passed")}


def test_nothing_to_ask_asks_nothing() -> None:
    with a_public_dns() as public, public.view.sweep(rotation=0) as sweep:
        assert (sweep.first_opinions([]), sweep.all_opinions([]), sweep.host_answers([])) == ({}, {}, {})
        assert public.asked.total() == 0


def test_questions_under_way_at_a_vantage_are_bounded() -> None:
    timing = Timing(timeout=timedelta(milliseconds=60), tries=1, rate=None, concurrency=2)
    silent = {f"d{number}.example": Fault.TIMEOUT for number in range(6)}
    with a_public_dns(silent, vantages=1, timing=timing) as public, public.view.sweep(rotation=0) as sweep:
        began = time.monotonic()
        sweep.first_opinions(names(*silent))
        elapsed = time.monotonic() - began

    assert elapsed >= 3 * timing.timeout.total_seconds() * 0.9


def test_garbage_is_looked_for_rarely_in_a_sweep_and_as_before_after_it() -> None:
    usual, during = gc.get_threshold(), list[int]()

    def end_a_sweep(public: Public) -> None:
        with public.view.sweep(rotation=0):
            during.append(gc.get_threshold()[0])
            raise KeyError("ended")

    with a_public_dns() as public, pytest.raises(KeyError, match="ended"):
        end_a_sweep(public)

    assert during[0] > usual[0]
    assert gc.get_threshold() == usual
