"""Many questions under way at a vantage over TCP and TLS, whatever its server does on its connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from mailswitch.core.mx import MX
from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Stray
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.queries import Entropy, wire_form
from mailswitch.lookup.replies import Again, Found, Reply, Unreliable
from mailswitch.lookup.vantages import Codec, Timing, Transport, VantageSettings
from mailswitch.lookup.wire import exchange, make_query
from mailswitch.simulation.certificates import authority, issued, server_context
from tests.support.asking import asked_all, some_names
from tests.support.nasty_dns import NastyDNS, reply_to
from tests.support.stream_dns import Behaviour, Caller, StreamDNS, answering, framed

TIMING = Timing(timeout=timedelta(seconds=10), tries=4, rate=None, concurrency=200)
HASTY = Timing(timeout=timedelta(milliseconds=500), tries=2, rate=None, concurrency=200)


class Place:
    """Makes servers that speak one transport, and vantages that trust them."""

    def __init__(self, transport: Transport, folder: Path) -> None:
        self.transport = transport
        self._ca_file: Path | None = None
        self._context: ssl.SSLContext | None = None
        if transport is Transport.TLS:
            ca = authority()
            self._ca_file = folder / "ca.pem"
            self._ca_file.write_bytes(ca.identity.certificate_pem)
            self._context = server_context(issued(ca, "dns.example.net").write(folder / "server.pem"))

    def server(self, behave: Behaviour) -> StreamDNS:
        return StreamDNS(behave, self._context)

    def settings(self, server: StreamDNS, name: str = "dns.example.net") -> VantageSettings:
        return server.settings(self.transport, ca_file=self._ca_file, server_name=name)

    def client(self, server: StreamDNS, codec: Codec, timing: Timing = TIMING) -> VantageClient:
        return VantageClient(self.settings(server), timing, lambda: 60.0, codec)


@pytest.fixture(scope="module", params=[Transport.TCP, Transport.TLS])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(request.param, tmp_path_factory.mktemp("place"))


def name_in(query: bytes) -> str:
    return dns.message.from_wire(query).question[0].name.to_text()


def right(query: bytes) -> bytes:
    name = name_in(query)
    return reply_to(query, f"{name} 3600 IN MX 10 mx.{name}")


def wrong(query: bytes) -> bytes:
    return reply_to(query, f"{name_in(query)} 3600 IN MX 10 mx.forged.example.")


def found(names: list[DomainName]) -> list[Reply]:
    return [
        Found(mx=frozenset({MX(preference=10, exchange=DomainName(f"mx.{name}"))}), ttl=timedelta(hours=1))
        for name in names
    ]


def strays(asking: VantageClient) -> dict[Stray, int]:
    return dict(asking.traffic.strays)


def test_batches_share_a_connection_and_every_question_gets_its_own_answer(place: Place, codec: Codec) -> None:
    names = some_names(*range(120))

    async def both(asking: VantageClient, told: dict[Question, Reply]) -> None:
        for batch in (names[:60], names[60:]):
            await asking.ask_all([(name, dns.rdatatype.MX) for name in batch], told.__setitem__)

    told: dict[Question, Reply] = {}
    with place.server(answering(right)) as server:
        asking = place.client(server, codec)
        asyncio.run(both(asking, told))

        assert [told[name, dns.rdatatype.MX] for name in names] == found(names)
        assert (asking.retries, asking.strays, len(server.callers)) == (0, 0, 1)


def test_answers_in_another_order_are_each_taken_for_their_own_question(place: Place, codec: Codec) -> None:
    async def in_reverse(caller: Caller) -> None:
        for query in reversed(await caller.queries(50)):
            await caller.send(framed(right(query)))
        await caller.silence()

    names = some_names(*range(50))
    with place.server(in_reverse) as server:
        asking = place.client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert (asking.retries, asking.strays) == (0, 0)


@pytest.mark.parametrize("taken", [1, 3])
def test_a_server_that_closes_after_each_answer_is_asked_on_ever_new_connections(
    place: Place, codec: Codec, taken: int
) -> None:
    async def closing(caller: Caller) -> None:
        for query in await caller.queries(taken):
            await caller.send(framed(right(query)))

    names = some_names(*range(30))
    with place.server(closing) as server:
        asking = place.client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert (asking.queries, asking.failures) == (30, 0)
        assert len(server.callers) >= 30 / taken


def test_questions_on_a_connection_that_was_closed_are_tries_of_theirs_and_asked_again(
    place: Place, codec: Codec
) -> None:
    async def closing_twice(caller: Caller) -> None:
        if caller.number < 2:
            await caller.queries(20)
            return
        await answering(right)(caller)

    names = some_names(*range(20))
    with place.server(closing_twice) as server:
        asking = place.client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert asking.retries == 40
        assert strays(asking) == {Stray.CLOSED: 2}


def test_a_server_that_never_answers_costs_its_patience_and_is_told(place: Place, codec: Codec) -> None:
    async def silent(caller: Caller) -> None:
        await caller.silence()

    with place.server(silent) as server:
        asking = place.client(server, codec, HASTY)
        replies = asked_all(asking, some_names(*range(5)))

    assert replies == [Unreliable("no answer within 0.5 s (2 tries)", Again.ALWAYS)] * 5
    assert strays(asking).keys() == {Stray.STALLED}


def test_a_server_that_closes_in_the_middle_of_every_answer_is_told(place: Place, codec: Codec) -> None:
    async def cut(caller: Caller) -> None:
        await caller.send(framed(right(await caller.query()))[:20])

    with place.server(cut) as server:
        replies = asked_all(place.client(server, codec), some_names(1))

    assert replies == [Unreliable("the connection was closed before the answer was whole (4 tries)", Again.ALWAYS)]


def wrong_id(query: bytes) -> bytes:
    return bytes((query[0] ^ 1,)) + wrong(query)[1:]


def test_an_answer_with_a_wrong_id_is_passed_over_and_counted(place: Place, codec: Codec) -> None:
    async def forging(caller: Caller) -> None:
        while True:
            query = await caller.query()
            await caller.send(framed(wrong_id(query)) + framed(right(query)))

    names = some_names(1, 2, 3)
    with place.server(forging) as server:
        asking = place.client(server, codec, Timing(timeout=timedelta(seconds=10), rate=None, concurrency=1))

        assert asked_all(asking, names) == found(names)
        assert strays(asking) == {Stray.UNKNOWN_ID: 3}


def test_an_answer_to_another_question_is_no_answer_and_asked_again_at_once(place: Place, codec: Codec) -> None:
    async def mixing_up(caller: Caller) -> None:
        first = await caller.query()
        other = dns.message.make_query("other.example.", "MX", id=int.from_bytes(first[:2])).to_wire()
        await caller.send(framed(wrong(other)))
        await answering(right)(caller)

    names = some_names(1)
    with place.server(mixing_up) as server:
        asking = place.client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert (asking.retries, strays(asking)) == (1, {Stray.OTHER_QUESTION: 1})


def test_a_server_that_does_not_repeat_letter_case_is_believed_at_the_last_try(place: Place, codec: Codec) -> None:
    def in_lower_case(query: bytes) -> bytes:
        read = dns.message.from_wire(query)
        plain = dns.message.make_query(read.question[0].name.canonicalize(), "MX", id=read.id)
        return right(plain.to_wire())

    names = [DomainName("a-name-with-so-many-letters-that-chance-is-out-of-the-question.example")]
    with place.server(answering(in_lower_case)) as server:
        asking = place.client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert strays(asking) == {Stray.OTHER_CASE: 3}


def bomb(query: bytes) -> bytes:
    """As many records as 64 KB hold."""
    asked = query[12 : query.index(b"\0", 12) + 5]
    head = query[:2] + b"\x81\x80" + query[4:6] + (4000).to_bytes(2) + bytes(4)
    return (head + asked + b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4\0\1\xc0\x0c" * 4000)[:65535]


def loop(query: bytes) -> bytes:
    """A name that is compressed to itself."""
    packet = right(query)
    at = packet.rindex(b"\xc0")
    return packet[:at] + (0xC000 | at).to_bytes(2) + packet[at + 2 :]


@pytest.mark.parametrize(("reply", "stray"), [(bomb, Stray.BLOATED), (loop, Stray.MALFORMED)])
def test_bombs_and_loops_are_no_answers_and_hold_up_nobody(
    place: Place, codec: Codec, reply: Callable[[bytes], bytes], stray: Stray
) -> None:
    def one_bad(query: bytes) -> bytes:
        return reply(query) if name_in(query).lower() == "d0.example." else right(query)

    names = some_names(*range(40))
    with place.server(answering(one_bad)) as server:
        asking = place.client(server, codec)
        replies = asked_all(asking, names)

    assert replies[1:] == found(names)[1:]
    assert replies[0] == Unreliable("a malformed answer (2 tries)", Again.ONCE)
    assert strays(asking) == {stray: 2}


def test_a_truncated_answer_is_none(place: Place, codec: Codec) -> None:
    with place.server(answering(lambda query: reply_to(query, with_flags=dns.flags.TC))) as server:
        assert asked_all(place.client(server, codec), some_names(1)) == [Unreliable("truncated (2 tries)", Again.ONCE)]


def test_the_pace_holds_over_streams_too(place: Place, codec: Codec) -> None:
    timing = Timing(timeout=timedelta(seconds=10), rate=200.0, concurrency=200)
    names = some_names(*range(30))

    async def timed(asking: VantageClient) -> float:
        began = asyncio.get_running_loop().time()
        await asking.ask_all([(name, dns.rdatatype.MX) for name in names], lambda *_: None)
        return asyncio.get_running_loop().time() - began

    with place.server(answering(right)) as server:
        assert asyncio.run(timed(place.client(server, codec, timing))) > 0.09  # 20 after a burst of 10


def test_the_deadline_ends_what_is_under_way(place: Place, codec: Codec) -> None:
    async def silent(caller: Caller) -> None:
        await caller.silence()

    left = iter([1.0, 0.05])
    with place.server(silent) as server:
        asking = VantageClient(place.settings(server), TIMING, lambda: next(left, 0.0), codec)
        replies = asked_all(asking, some_names(1, 2))

    assert replies == [Unreliable("the sweep's deadline of 0:30:00 passed")] * 2


def test_a_wrong_certificate_is_told_for_every_question_and_nothing_is_asked(tmp_path: Path, codec: Codec) -> None:
    place = Place(Transport.TLS, tmp_path)
    with place.server(answering(right)) as server:
        timing = Timing(timeout=timedelta(seconds=10), tries=2, rate=None)
        asking = VantageClient(place.settings(server, "dns.example.org"), timing, lambda: 60.0, codec)
        replies = asked_all(asking, some_names(1, 2))

        assert server.queries == 0
    assert {reply.reason for reply in replies if isinstance(reply, Unreliable)} == {
        "its certificate is refused: Hostname mismatch, certificate is not valid for 'dns.example.org'. (2 tries)"
    }


def test_many_truncated_answers_share_a_few_connections(codec: Codec) -> None:
    names = some_names(*range(150))
    with (
        StreamDNS(answering(right)) as streams,
        NastyDNS(lambda query: [reply_to(query, with_flags=dns.flags.TC)], port=streams.port) as server,
    ):
        asking = VantageClient(server.settings(), TIMING, lambda: 60.0, codec)

        assert asked_all(asking, names) == found(names)
        assert len(streams.callers) <= 4


def test_a_single_question_is_asked_over_any_transport(place: Place) -> None:
    query = make_query(wire_form(some_names(1)[0]), dns.rdatatype.MX, Entropy())
    with place.server(answering(right)) as server:
        heard = asyncio.run(exchange(query, place.settings(server), lambda: 10.0))

    assert isinstance(heard, dns.message.Message)
    assert heard.rcode() == dns.rcode.NOERROR
