"""Which resolvers this machine asks itself, and whether they serve zones that are hosted here."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.mx import Addresses, Indeterminate, NoSuchDomain, Published
from mailswitch.core.names import DomainName
from mailswitch.lookup.own_resolvers import OwnResolverView, addresses_in, own_resolvers
from mailswitch.lookup.probe import served_by
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings
from mailswitch.simulation.public_dns import Fault, PublicDNSServer, parse_records
from tests.support.nasty_dns import SOA, NastyDNS, reply_to

PATIENT = Timing(timeout=timedelta(seconds=10), tries=2)
HASTY = Timing(timeout=timedelta(milliseconds=200), tries=2)
STALE, ALSO_STALE, GONE = DomainName("stale.example"), DomainName("also.example"), DomainName("gone.example")
ZONE = "60 IN SOA ns.example. root.example. 1 2 3 4 5"


def named(written: str) -> list[str]:
    return [str(one) for one in addresses_in(written.encode())]


# ---- resolv.conf


def test_addresses_are_read_in_their_order_at_most_three() -> None:
    written = "search example\n" + "".join(f"nameserver 192.0.2.{number}\n" for number in range(1, 6))

    assert named(written) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("nameserver\t192.0.2.1", "192.0.2.1"),
        ("nameserver   192.0.2.1  \r\n", "192.0.2.1"),
        ("nameserver 192.0.2.1#mine\n", "192.0.2.1"),
        ("nameserver 192.0.2.1;mine\n", "192.0.2.1"),
        ("nameserver 2001:db8::53\n", "2001:db8::53"),
        ("nameserver ::ffff:192.0.2.1\n", "192.0.2.1"),
        ("nameserver fe80::1%eth0\n", "fe80::1"),
        ("nameserver 0.0.0.0\n", "127.0.0.1"),
        ("nameserver ::\n", "::1"),
    ],
)
def test_an_address_is_read_however_it_is_written(written: str, address: str) -> None:
    assert named(written) == [address]


@pytest.mark.parametrize(
    "written",
    [
        "",
        "options edns0\n",
        "#nameserver 192.0.2.1\n",
        "; nameserver 192.0.2.1\n",
        " nameserver 192.0.2.1\n",
        "nameservers 192.0.2.1\n",
        "nameserver192.0.2.1\n",
        "nameserver\n192.0.2.1\n",
        "nameserver ns.example.com\n",
        "nameserver 192.0.2.1/24\n",
        "nameserver 999.0.2.1\n",
        "nameserver 192.0.2.1\0\n",
        "nameserver \u0661\u0669\u0662.0.2.1\n",
        "\N{ZERO WIDTH NO-BREAK SPACE}nameserver 192.0.2.1\n",
        "nameserver " + "1" * 100_000,
    ],
)
def test_where_no_address_is_named_the_machine_itself_is_asked(written: str) -> None:
    assert named(written) == ["127.0.0.1"]


def test_an_address_that_is_none_does_not_count_and_one_is_asked_once() -> None:
    written = "nameserver nonsense\nnameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"

    assert named(written) == ["192.0.2.1", "192.0.2.2"]


@given(
    st.lists(st.sampled_from([b"nameserver ", b"192.0.2.1", b"::1", b"\n", b"\t", b"#"]) | st.binary()).map(b"".join)
)
def test_any_octets_give_one_to_three_addresses(written: bytes) -> None:
    assert 1 <= len(addresses_in(written)) <= 3


def test_a_file_is_read_and_without_one_the_machine_itself_is_asked(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n", encoding="ascii")

    assert own_resolvers(tmp_path / "resolv.conf") == (ip_address("192.0.2.1"),)
    assert own_resolvers(tmp_path / "absent") == (ip_address("127.0.0.1"),)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("made", [Path.mkdir, _pipe, _endless, _circle])
def test_what_is_no_file_names_no_resolver_and_nothing_waits_for_it(
    tmp_path: Path, made: Callable[[Path], None]
) -> None:
    made(tmp_path / "resolv.conf")

    assert own_resolvers(tmp_path / "resolv.conf") == ()


# ---- zones served


def stale(query: bytes) -> list[bytes]:
    """Answer as a name server that has two zones of its own and refuses the rest."""
    name = dns.message.from_wire(query).question[0].name
    if name.to_text().lower() in {"stale.example.", "also.example."}:
        return [reply_to(query, f"{name} {ZONE}", with_flags=dns.flags.AA)]
    return [reply_to(query, rcode=dns.rcode.REFUSED)]


def test_the_names_answered_with_authority_are_told_in_the_order_given() -> None:
    with NastyDNS(stale) as server:
        assert served_by(server.settings(), PATIENT, [STALE, GONE, ALSO_STALE]) == (STALE, ALSO_STALE)


def test_a_resolver_that_resolves_serves_nothing() -> None:
    with PublicDNSServer(parse_records("stale.example. 60 IN MX 10 mx.example.net.\n")) as server:
        at = VantageSettings(name="own", operator="own", address=ip_address(server.address), port=server.port)

        assert served_by(at, PATIENT, [STALE, GONE]) == ()


def test_nothing_is_asked_but_the_names_given_once_each() -> None:
    with NastyDNS(stale) as server:
        served_by(server.settings(), PATIENT, [STALE, GONE])
        asked = sorted(dns.message.from_wire(query).question[0].to_text().lower() for query in server.udp_queries)

    assert asked == ["gone.example. in soa", "stale.example. in soa"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: (),
        lambda query: [b"", b"\0" * 12, query[:2] + b"\xff" * 40],
        lambda query: [reply_to(query, authority=(SOA,), rcode=dns.rcode.SERVFAIL)],
    ],
    ids=["silent", "malformed", "failing"],
)
def test_a_resolver_that_gives_no_answer_serves_nothing(answer: Callable[[bytes], list[bytes]]) -> None:
    with NastyDNS(answer) as server:
        assert served_by(server.settings(), HASTY, [STALE, GONE]) == ()


def test_one_name_that_gets_no_answer_hides_no_other() -> None:
    def lame_for_one(query: bytes) -> list[bytes]:
        return [] if b"\x04gone" in query.lower() else stale(query)

    with NastyDNS(lame_for_one) as server:
        assert served_by(server.settings(), HASTY, [GONE, STALE]) == (STALE,)


# ---- what they say of a name


def a_view(*servers: PublicDNSServer, is_own: bool = True, codec: Codec = Codec.FAST) -> OwnResolverView:
    places = [
        VantageSettings(name=one.address, operator="", address=ip_address(one.address), port=one.port, is_own=is_own)
        for one in servers
    ]
    return OwnResolverView(lambda: places, HASTY, lambda: datetime.now(UTC), codec)


def a_server(records: str, **faults: Fault) -> PublicDNSServer:
    return PublicDNSServer(parse_records(records), {DomainName(f"{name}.example"): how for name, how in faults.items()})


@pytest.mark.parametrize("codec", Codec)
def test_an_answer_with_authority_counts_for_a_resolver_of_one_s_own_and_for_no_other(codec: Codec) -> None:
    records = "stale.example. 60 IN MX 10 mail.example.\nmail.example. 60 IN A 192.0.2.10\n"
    with a_server(records, stale=Fault.AUTHORITATIVE, mail=Fault.AUTHORITATIVE) as server:
        (own,) = a_view(server, codec=codec).observations([STALE])[STALE]
        (other,) = a_view(server, is_own=False, codec=codec).observations([STALE])[STALE]

    assert isinstance(own.mx, Published)
    assert own.host(DomainName("mail.example")) == Addresses(addresses=frozenset({ip_address("192.0.2.10")}))
    assert isinstance(other.mx, Indeterminate)


@pytest.mark.parametrize("codec", Codec)
def test_that_there_is_no_such_name_is_believed_with_authority_too(codec: Codec) -> None:
    with a_server("there.example. 60 IN A 192.0.2.1\n", gone=Fault.AUTHORITATIVE) as server:
        (seen,) = a_view(server, codec=codec).observations([GONE])[GONE]

    assert isinstance(seen.mx, NoSuchDomain)


def test_each_resolver_speaks_for_itself_and_a_silent_one_is_no_answer() -> None:
    with a_server("stale.example. 60 IN MX 0 .\n") as one, a_server("", stale=Fault.TIMEOUT) as other:
        said, silent = a_view(one, other).observations([STALE])[STALE]

    assert not isinstance(said.mx, Indeterminate)
    assert isinstance(silent.mx, Indeterminate)


def test_whom_to_ask_is_looked_up_each_time_and_nobody_is_asked_where_nobody_is_named() -> None:
    places: list[VantageSettings] = []
    view = OwnResolverView(lambda: places, HASTY, lambda: datetime.now(UTC))

    assert view.observations([STALE]) == {}
    with a_server("stale.example. 60 IN MX 0 .\n") as server:
        places.append(
            VantageSettings(name="a", operator="", address=ip_address(server.address), port=server.port, is_own=True)
        )
        assert set(view.observations([STALE])) == {STALE}
