"""Connections to a vantage over TCP and TLS, against servers that do on them whatever servers do."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import dns.rdatatype
import pytest

from mailswitch.core.traffic import Stray
from mailswitch.lookup.queries import query_packet
from mailswitch.lookup.streams import MAX_CONNECTIONS, Streams
from mailswitch.lookup.vantages import Transport, VantageSettings
from mailswitch.simulation.certificates import Authority, Identity, authority, issued, self_signed, server_context
from tests.support.nasty_dns import reply_to
from tests.support.readings import asked_for
from tests.support.stream_dns import Behaviour, Caller, StreamDNS, answering, framed

_PATIENCE = 10.0
_HASTE = 0.5


def query(ident: int) -> bytes:
    return query_packet(ident, asked_for(f"d{ident}.example", dns.rdatatype.MX), has_edns=True)


def reply(asked: bytes) -> bytes:
    return reply_to(asked, "d.example. 60 IN MX 1 mx.example.")


@dataclass
class Told:
    """What came of some queries."""

    answers: dict[int, bytes] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)
    strays: Counter[Stray] = field(default_factory=Counter)


async def put(streams: Streams, told: Told, idents: Iterable[int]) -> None:
    """Put queries and wait until each of them is answered or lost."""
    awaited, woken = set(idents), asyncio.Event()
    streams.begin(woken.set)
    for ident in sorted(awaited):
        streams.send(query(ident))
    while awaited:
        await asyncio.wait_for(woken.wait(), 20)
        woken.clear()
        told.answers |= {int.from_bytes(packet[:2]): packet for packet in streams.arrived()}
        told.lost |= dict(streams.lost())
        awaited -= told.answers.keys() | told.lost.keys()


def asked(settings: VantageSettings, *batches: Iterable[int], patience: float = _PATIENCE) -> Told:
    """Put batches of queries, one after the other, and close nothing: the event loop's end does."""
    told = Told()

    async def run() -> None:
        streams = Streams(settings, patience, lambda stray: told.strays.update([stray]))
        for batch in batches:
            await put(streams, told, batch)

    asyncio.run(run())
    return told


def right(idents: Iterable[int]) -> dict[int, bytes]:
    return {ident: reply(query(ident)) for ident in idents}


# --- One connection, many questions ---------------------------------------------------------------


def test_many_questions_share_one_connection_and_batches_do_too() -> None:
    with StreamDNS(answering(reply)) as server:
        told = asked(server.settings(), range(50), range(50, 90))

        assert told == Told(right(range(90)))
        assert len(server.callers) == 1


def test_questions_are_all_under_way_before_any_is_answered_and_answers_come_in_any_order() -> None:
    async def in_reverse(caller: Caller) -> None:
        for each in reversed(await caller.queries(60)):
            await caller.send(framed(reply(each)))
        await caller.silence()

    with StreamDNS(in_reverse) as server:
        assert asked(server.settings(), range(60)) == Told(right(range(60)))
        assert len(server.callers) == 1


def test_more_connections_are_opened_for_a_crowd_and_never_more_than_a_few() -> None:
    async def when_all_are_there(caller: Caller) -> None:
        for each in await caller.queries(250):
            await caller.send(framed(reply(each)))
        await caller.silence()

    with StreamDNS(when_all_are_there) as server:
        assert asked(server.settings(), range(1000)) == Told(right(range(1000)))
        assert len(server.callers) == MAX_CONNECTIONS == 4


def test_an_answer_that_comes_octet_by_octet_is_taken_when_it_is_whole() -> None:
    async def drop_by_drop(caller: Caller) -> None:
        for octet in framed(reply(await caller.query())):
            await caller.send(bytes((octet,)))
            await asyncio.sleep(0)
        await caller.silence()

    with StreamDNS(drop_by_drop) as server:
        assert asked(server.settings(), [1]) == Told(right([1]))


# --- Servers that close ---------------------------------------------------------------------------


def test_what_a_closed_connection_left_unanswered_is_told_as_lost_and_asked_on_another_one() -> None:
    async def closing_once(caller: Caller) -> None:
        if caller.number == 0:
            await caller.queries(5)
            return
        await answering(reply)(caller)

    with StreamDNS(closing_once) as server:
        told = asked(server.settings(), range(5), range(5, 10))

        assert told.lost == dict.fromkeys(range(5), "the connection was closed before the answer was whole")
        assert told.answers == right(range(5, 10))
        assert told.strays == {Stray.CLOSED: 1}


def test_a_connection_closed_in_the_middle_of_an_answer_gives_none() -> None:
    async def cut(caller: Caller) -> None:
        await caller.send(framed(reply(await caller.query()))[:-1])

    with StreamDNS(cut) as server:
        told = asked(server.settings(), [1])

    assert told.answers == {}
    assert told.lost == {1: "the connection was closed before the answer was whole"}


@pytest.mark.parametrize("taken", [1, 7])
def test_a_server_that_closes_after_some_answers_is_asked_no_more_than_that_on_each_connection(taken: int) -> None:
    async def closing(caller: Caller) -> None:
        for _ in range(taken):
            await caller.send(framed(reply(await caller.query())))

    with StreamDNS(closing) as server:
        told = asked(server.settings(), range(30), range(30, 60))

        assert {ident for ident in told.lost if ident >= 30} == set()
        assert told.answers.keys() >= set(range(30, 60))
        assert max(caller.asked for caller in server.callers) <= 30
        assert {caller.asked for caller in server.callers[-10:]} <= set(range(1, taken + 1))


def test_a_connection_closed_while_nobody_used_it_is_no_loss() -> None:
    async def answering_one_at_first(caller: Caller) -> None:
        await caller.send(framed(reply(await caller.query())))
        if caller.number:
            await answering(reply)(caller)

    with StreamDNS(answering_one_at_first) as server:
        told = Told()

        async def run() -> None:
            streams = Streams(server.settings(), _PATIENCE, lambda stray: told.strays.update([stray]))
            await put(streams, told, [1])
            while streams.connections:
                await asyncio.sleep(0.001)
            await put(streams, told, range(2, 40))

        asyncio.run(run())

    assert told == Told(right(range(1, 40)))


def test_nobody_listening_is_told_for_every_question() -> None:
    nobody = IPv4Address("127.0.0.1")
    settings = VantageSettings(name="dead", operator="Dead", address=nobody, port=1, transport=Transport.TCP)

    assert asked(settings, range(3)) == Told(lost=dict.fromkeys(range(3), "not reachable: Connection refused"))


# --- Servers that do not answer -------------------------------------------------------------------


async def silent(caller: Caller) -> None:
    await caller.silence()


async def drip(caller: Caller) -> None:
    """Promise an answer of 64 KB and send an octet of it now and then."""
    await caller.send(b"\xff\xff")
    while True:
        await caller.send(b"\0")
        await asyncio.sleep(0.01)


async def babble(caller: Caller) -> None:
    """Say what nobody asked, without end."""
    while True:
        await caller.send(framed(reply(query(0xFFFF))) * 50)


async def zeros(caller: Caller) -> None:
    """Send messages of no length, without end."""
    while True:
        await caller.send(bytes(60_000))


async def garbage(caller: Caller) -> None:
    await caller.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10_000)
    await caller.silence()


@pytest.mark.parametrize("behave", [silent, drip, garbage])
def test_a_connection_without_an_answer_is_given_up_after_the_patience(behave: Behaviour) -> None:
    with StreamDNS(behave) as server:
        told = asked(server.settings(), range(3), patience=_HASTE)

    assert told.answers == {}
    assert set(told.lost.values()) == {"no answer within 0.5 s"}
    assert told.strays[Stray.STALLED] == 1


@pytest.mark.parametrize(("behave", "stray"), [(babble, Stray.UNKNOWN_ID), (zeros, Stray.MALFORMED)])
def test_a_server_that_says_what_nobody_asked_is_left_soon(behave: Behaviour, stray: Stray) -> None:
    with StreamDNS(behave) as server:
        told = asked(server.settings(), range(3))

    assert told.lost == dict.fromkeys(range(3), "it said what nobody asked, again and again")
    assert told.strays == {stray: 100, Stray.CLOSED: 1}


def test_a_question_that_one_connection_does_not_answer_holds_up_no_other() -> None:
    async def all_but_the_first(caller: Caller) -> None:
        if caller.number == 0:
            await caller.query()
        await answering(reply)(caller)

    with StreamDNS(all_but_the_first) as server:
        told = asked(server.settings(), range(20), patience=_HASTE)

    assert told.answers == right(range(1, 20))
    assert told.lost == {0: "no answer within 0.5 s"}


def test_the_longest_message_there_can_be_is_taken() -> None:
    with StreamDNS(answering(lambda asked: asked[:2].ljust(65535, b"\0"))) as server:
        told = asked(server.settings(), [7])

    assert [len(answer) for answer in told.answers.values()] == [65535]


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ca() -> Authority:
    return authority()


@pytest.fixture
def ca_file(ca: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(ca.identity.certificate_pem)
    return path


def secured(identity: Identity, folder: Path) -> ssl.SSLContext:
    return server_context(identity.write(folder / "server.pem"))


def test_a_certificate_with_the_name_is_trusted_and_questions_are_pipelined(
    ca: Authority, ca_file: Path, tmp_path: Path
) -> None:
    with StreamDNS(answering(reply), secured(issued(ca, "dns.example.net"), tmp_path)) as server:
        settings = server.settings(Transport.TLS, ca_file=ca_file, server_name="dns.example.net")

        assert asked(settings, range(40), range(40, 60)) == Told(right(range(60)))
        assert len(server.callers) == 1


def test_a_certificate_with_the_address_is_trusted_without_a_name(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    with StreamDNS(answering(reply), secured(issued(ca, "127.0.0.1"), tmp_path)) as server:
        assert asked(server.settings(Transport.TLS, ca_file=ca_file), [1]) == Told(right([1]))


_YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "not_after", "server_name", "told"),
    [
        (
            ("dns.example.org",),
            None,
            "dns.example.net",
            "Hostname mismatch, certificate is not valid for 'dns.example.net'",
        ),
        (("dns.example.net",), None, None, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        (("*.example.net",), None, "dns.sub.example.net", "Hostname mismatch"),
        (("dns.example.net",), _YESTERDAY, "dns.example.net", "certificate has expired"),
    ],
    ids=["wrong-name", "no-address", "wildcard", "expired"],
)
def test_a_certificate_that_is_not_right_is_refused_and_nothing_is_asked(
    ca: Authority, ca_file: Path, *, names: tuple[str], not_after: datetime | None, server_name: str | None, told: str
) -> None:
    context = secured(issued(ca, *names, not_after=not_after), ca_file.parent)
    with StreamDNS(answering(reply), context) as server:
        found = asked(server.settings(Transport.TLS, ca_file=ca_file, server_name=server_name), [1])

        assert found.lost[1].startswith(f"its certificate is refused: {told}")
        assert server.queries == 0


@pytest.mark.parametrize("is_own", [True, False])
def test_a_certificate_of_somebody_unknown_is_refused(
    ca: Authority, ca_file: Path, tmp_path: Path, is_own: bool
) -> None:
    identity = self_signed("dns.example.net") if is_own else issued(authority("Somebody"), "dns.example.net")
    with StreamDNS(answering(reply), secured(identity, tmp_path)) as server:
        found = asked(server.settings(Transport.TLS, ca_file=ca_file, server_name="dns.example.net"), [1])

        assert found.lost[1].startswith("its certificate is refused: ")
        assert server.queries == 0


def test_a_pinned_certificate_is_all_that_counts(tmp_path: Path) -> None:
    identity = self_signed("whoever")
    pin = identity.fingerprint.replace(":", "").lower()
    with StreamDNS(answering(reply), secured(identity, tmp_path)) as server:
        right_pin = asked(server.settings(Transport.TLS, fingerprints=("0" * 64, pin)), [1])
        wrong_pin = asked(server.settings(Transport.TLS, fingerprints=("0" * 64,)), [2])

        assert right_pin == Told(right([1]))
        assert wrong_pin.lost == {2: f"its certificate has the fingerprint {pin}, which is not configured"}
        assert server.queries == 1


def test_a_handshake_that_never_ends_is_given_up() -> None:
    with StreamDNS(silent) as server:
        found = asked(server.settings(Transport.TLS), range(3), patience=_HASTE)

    assert found == Told(lost=dict.fromkeys(range(3), "no connection within 0.5 s"), strays=Counter([Stray.STALLED]))


def test_a_server_that_speaks_plain_text_is_never_asked_in_plain_text() -> None:
    said = list[bytes]()

    async def plain(caller: Caller) -> None:
        said.append(await caller.some())
        await caller.send(framed(reply(query(1))))
        await caller.silence()

    with StreamDNS(plain) as server:
        found = asked(server.settings(Transport.TLS), [1])

    assert found.answers == {}
    assert found.lost[1].startswith("no TLS: ")
    assert [octets[:1] for octets in said] == [b"\x16"]  # the first octet of a handshake


def test_authorities_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with StreamDNS(answering(reply)) as server:
        found = asked(server.settings(Transport.TLS, ca_file=tmp_path / "none.pem"), [1])

    assert found.lost == {1: "not reachable: No such file or directory"}
