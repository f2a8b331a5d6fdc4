"""One question to one vantage, against a server that does everything wrong that can be done."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from mailswitch.core.mx import MX
from mailswitch.core.names import DomainName
from mailswitch.lookup.client import VantageClient
from mailswitch.lookup.pacing import GIVEN_UP
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply, Unreliable
from mailswitch.lookup.vantages import Timing, Transport, VantageSettings
from tests.support.asking import codec_in_use, replies_to, some_names
from tests.support.nasty_dns import SOA, FromElsewhere, NastyDNS, reply_to

pytestmark = pytest.mark.usefixtures("each_codec")

NAME = DomainName("moved.example")
MX_LINE = "moved.example. 3600 IN MX 10 mx.other.example."
FOUND = Found(mx=frozenset({MX(preference=10, exchange=DomainName("mx.other.example"))}), ttl=timedelta(hours=1))
WRONG_LINE = "moved.example. 3600 IN MX 10 mx.wrong.example."

PATIENT = Timing(timeout=timedelta(seconds=10), tries=3, rate=None)
HASTY = Timing(timeout=timedelta(milliseconds=200), tries=2, rate=None)


def client(server: NastyDNS, timing: Timing = PATIENT, transport: Transport = Transport.UDP) -> VantageClient:
    return VantageClient(server.settings(transport), timing, lambda: 30.0, codec_in_use())


def asked(asking: VantageClient, name: DomainName = NAME, rdtype: str = "MX") -> Reply:
    return asyncio.run(replies_to(asking, [name], rdtype))[0]


def ask(
    server: NastyDNS, timing: Timing = PATIENT, *, rdtype: str = "MX", transport: Transport = Transport.UDP
) -> Reply:
    return asked(client(server, timing, transport), rdtype=rdtype)


def framed(packet: bytes) -> bytes:
    return len(packet).to_bytes(2) + packet


def right(query: bytes) -> bytes:
    return reply_to(query, MX_LINE)


def truncated(query: bytes) -> bytes:
    return reply_to(query, with_flags=dns.flags.TC)


def question(packet: bytes) -> str:
    return dns.message.from_wire(packet).question[0].name.to_text()


def first_then(first: Callable[[bytes], bytes], then: Callable[[bytes], bytes]) -> Callable[[bytes], list[bytes]]:
    """Answer the first query in one way and all others in another."""
    ways = iter([first])
    return lambda query: [next(ways, then)(query)]


def test_a_right_answer_is_taken() -> None:
    with NastyDNS(lambda query: [right(query)]) as server:
        assert ask(server) == FOUND
        assert len(server.udp_queries) == 1


def test_a_query_asks_for_recursion_with_edns_of_1232_octets_and_mixed_case() -> None:
    with NastyDNS(lambda query: [right(query)]) as server:
        name = DomainName("a-name-with-so-many-letters-that-chance-is-out-of-the-question.example")
        asked(client(server), name)
        query = dns.message.from_wire(server.udp_queries[0])

    assert (query.flags, query.edns, query.payload) == (dns.flags.RD, 0, 1232)
    assert query.question[0].name.to_text() not in {f"{name}.", f"{name}.".upper()}


def test_questions_have_ids_of_their_own_and_come_from_several_ports() -> None:
    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,))]) as server:
        asyncio.run(replies_to(client(server), some_names(*range(100))))

        assert 2 < len(set(server.sources)) <= 8
        assert len({query[:2] for query in server.udp_queries}) > 90


def test_each_batch_has_fresh_ports() -> None:
    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,))]) as server:
        asking = client(server)
        batches = []
        for start in (0, 100):
            asyncio.run(replies_to(asking, some_names(*range(start, start + 100))))
            batches.append(set(server.sources))
            server.sources.clear()

    assert batches[0] != batches[1]


def wrong_id(query: bytes) -> bytes:
    return bytes((query[0] ^ 1,)) + reply_to(query, WRONG_LINE)[1:]


def wrong_question(query: bytes) -> bytes:
    other = dns.message.make_query("other.example.", "MX", id=int.from_bytes(query[:2]))
    return reply_to(other.to_wire(), WRONG_LINE)


def wrong_type(query: bytes) -> bytes:
    other = dns.message.make_query(question(query), "A", id=int.from_bytes(query[:2]))
    return reply_to(other.to_wire(), WRONG_LINE)


def in_other_case(query: bytes) -> bytes:
    other = dns.message.make_query(question(query).swapcase(), "MX", id=int.from_bytes(query[:2]))
    return other.to_wire()


def wrong_case(query: bytes) -> bytes:
    return reply_to(in_other_case(query), WRONG_LINE)


def no_question(query: bytes) -> bytes:
    message = dns.message.from_wire(reply_to(query, WRONG_LINE))
    message.question = []
    return message.to_wire()


def malformed(query: bytes) -> bytes:
    packet = reply_to(query, MX_LINE)
    at = packet.index(b"\x02mx\x05other")
    return packet[:at] + bytes((0xC0, at)) + packet[at + 2 :]


@pytest.mark.parametrize(
    "wrong",
    [
        wrong_id,
        wrong_question,
        wrong_type,
        wrong_case,
        no_question,
        lambda query: malformed(in_other_case(query)),
        lambda query: reply_to(query, WRONG_LINE, without_flags=dns.flags.QR),
        lambda query: FromElsewhere(reply_to(query, WRONG_LINE)),
        lambda _: b"",
        lambda query: query[:2],
        lambda _: b"\xff" * 40,
        lambda query: query,
    ],
    ids=[
        "id", "question", "type", "case", "no-question", "malformed-other", "no-reply", "source", "empty", "short",
        "garbage", "echo",
    ],
)  # fmt: skip
def test_a_packet_that_does_not_match_is_passed_over(wrong: Callable[[bytes], bytes | FromElsewhere]) -> None:
    with NastyDNS(lambda query: [wrong(query), right(query)]) as server:
        assert ask(server) == FOUND
        assert len(server.udp_queries) == 1


def test_a_repeated_answer_does_no_harm() -> None:
    with NastyDNS(lambda query: [right(query), right(query)]) as server:
        assert ask(server) == FOUND


def test_an_answer_to_an_earlier_try_is_too_late() -> None:
    earlier = list[bytes]()

    def late(query: bytes) -> list[bytes]:
        earlier.append(query)
        return [reply_to(each, WRONG_LINE) for each in earlier[:-1]]

    with NastyDNS(late) as server:
        assert isinstance(ask(server, HASTY), Unreliable)


def test_silence_is_asked_again_and_then_unreliable() -> None:
    with NastyDNS() as server:
        reply = ask(server, HASTY)

        assert reply == Unreliable("no answer within 0.2 s (2 tries)", reply.again)  # type: ignore[union-attr]
        assert len(server.udp_queries) == 2


def test_the_last_try_is_in_lower_case_for_servers_that_do_not_repeat_case() -> None:
    def in_lower_case(query: bytes) -> list[bytes]:
        read = dns.message.from_wire(query)
        plain = dns.message.make_query(read.question[0].name.canonicalize(), "MX", id=read.id)
        return [reply_to(plain.to_wire(), MX_LINE)]

    with NastyDNS(in_lower_case) as server:
        assert ask(server, HASTY) == FOUND
        assert question(server.udp_queries[-1]) == "moved.example."


def test_servfail_that_passes_is_mended_by_asking_once_more() -> None:
    with NastyDNS(first_then(lambda query: reply_to(query, rcode=dns.rcode.SERVFAIL), right)) as server:
        assert ask(server) == FOUND


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_lasting_failure_is_asked_twice_and_unreliable(rcode: dns.rcode.Rcode) -> None:
    with NastyDNS(lambda query: [reply_to(query, rcode=rcode)]) as server:
        reply = ask(server)

        assert isinstance(reply, Unreliable)
        assert reply.reason == f"{dns.rcode.to_text(rcode)} (2 tries)"
        assert len(server.udp_queries) == 2


@pytest.mark.parametrize(
    ("rcode", "meaning"), [(dns.rcode.NXDOMAIN, NotThere), (dns.rcode.NOERROR, Nothing)], ids=["nxdomain", "nodata"]
)
def test_definite_negative_answers_are_not_asked_again(rcode: dns.rcode.Rcode, meaning: type[Reply]) -> None:
    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,), rcode=rcode)]) as server:
        assert isinstance(ask(server), meaning)
        assert len(server.udp_queries) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda query: reply_to(query, rcode=dns.rcode.NXDOMAIN),
        lambda query: reply_to(query, MX_LINE, with_flags=dns.flags.AA),
        lambda query: reply_to(query, MX_LINE, without_flags=dns.flags.RA),
        lambda query: reply_to(query, MX_LINE, extended_errors=(17,)),
        lambda query: reply_to(query, authority=("example. 60 IN NS ns.example.",)),
    ],
    ids=["nxdomain-without-soa", "authoritative", "no-recursion", "filtered", "referral"],
)
def test_what_will_not_change_is_unreliable_at_once(answer: Callable[[bytes], bytes]) -> None:
    with NastyDNS(lambda query: [answer(query)]) as server:
        assert isinstance(ask(server), Unreliable)
        assert len(server.udp_queries) == 1


def test_a_malformed_answer_is_asked_once_more() -> None:
    with NastyDNS(first_then(malformed, right)) as server:
        assert ask(server) == FOUND


def test_a_lasting_malformed_answer_is_unreliable() -> None:
    with NastyDNS(lambda query: [malformed(query)]) as server:
        assert ask(server) == Unreliable("a malformed answer (2 tries)", ask(server).again)  # type: ignore[union-attr]


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP])
@pytest.mark.parametrize("has_question", [True, False])
def test_a_server_without_edns_is_asked_without(rcode: dns.rcode.Rcode, has_question: bool) -> None:
    def without_edns(query: bytes) -> list[bytes]:
        if dns.message.from_wire(query).edns < 0:
            return [right(query)]
        refusal = dns.message.make_response(dns.message.from_wire(query))
        refusal.set_rcode(rcode)
        if not has_question:
            refusal.question = []
        return [refusal.to_wire()]

    with NastyDNS(without_edns) as server:
        assert ask(server) == FOUND
        assert len(server.udp_queries) == 2


def test_formerr_without_edns_too_is_unreliable() -> None:
    with NastyDNS(lambda query: [reply_to(query, rcode=dns.rcode.FORMERR)]) as server:
        reply = ask(server)

    assert isinstance(reply, Unreliable)
    assert reply.reason == "FORMERR"


def test_a_truncated_answer_is_mended_over_tcp() -> None:
    with NastyDNS(lambda query: [truncated(query)], lambda query: framed(right(query))) as server:
        assert ask(server) == FOUND
        assert len(server.tcp_queries) == 1


def test_an_answer_cut_in_the_middle_of_a_record_is_mended_over_tcp() -> None:
    with NastyDNS(
        lambda query: [reply_to(query, MX_LINE, with_flags=dns.flags.TC)[:-20]], lambda query: framed(right(query))
    ) as server:
        assert ask(server) == FOUND


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda _: None, "no answer within"),
        (lambda _: b"", "closed"),
        (lambda _: b"\x00", "closed"),
        (lambda query: framed(right(query))[:-3], "closed"),
        (lambda _: b"\x00\x00", "closed"),
        (lambda query: framed(truncated(query)), "truncated"),
        (lambda query: framed(wrong_id(query)), "closed"),
        (lambda query: framed(wrong_question(query)), "another question"),
        (lambda query: framed(malformed(query)), "malformed"),
    ],
    ids=["silent", "closing", "half-length", "half-answer", "zero-length", "truncated", "id", "question", "malformed"],
)
def test_truncation_that_tcp_cannot_mend_is_unreliable(answer: Callable[[bytes], bytes | None], told: str) -> None:
    with NastyDNS(lambda query: [truncated(query)], answer) as server:
        reply = ask(server, HASTY if "within" in told else PATIENT)

    assert isinstance(reply, Unreliable)
    assert reply.reason.startswith("truncated over UDP, and over TCP")
    assert told in reply.reason


def test_a_tcp_vantage_is_asked_over_tcp_only() -> None:
    with NastyDNS(tcp=lambda query: framed(right(query))) as server:
        assert ask(server, transport=Transport.TCP) == FOUND
        assert server.udp_queries == []


def test_a_tcp_answer_may_be_as_long_as_a_message_can_be() -> None:
    lines = [f"moved.example. 60 IN MX {n} {'x' * 60}.{'y' * 60}.a{n}.example." for n in range(100)]

    with NastyDNS(tcp=lambda query: framed(reply_to(query, *lines))) as server:
        reply = ask(server, transport=Transport.TCP)

    assert isinstance(reply, Found)
    assert len(reply.mx) == 100


@pytest.mark.parametrize("transport", list(Transport))
def test_a_port_nobody_listens_on_is_unreliable(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    settings = VantageSettings(
        name="dead", operator="Dead", address=IPv4Address("127.0.0.1"), port=port, transport=transport
    )

    reply = asked(VantageClient(settings, HASTY, lambda: 30.0, codec_in_use()))

    assert isinstance(reply, Unreliable)
    assert "not reachable" in reply.reason


def chain_of(hops: dict[str, str], end: str | None = None) -> Callable[[bytes], list[bytes]]:
    """Answer each name with its one CNAME and nothing of the rest of the chain."""

    def answer(query: bytes) -> list[bytes]:
        name = question(query).lower()
        if name in hops:
            return [reply_to(query, f"{name} 60 IN CNAME {hops[name]}")]
        return [reply_to(query, f"{name} 3600 IN MX 10 {end}") if end else reply_to(query, authority=(SOA,))]

    return answer


def test_a_chain_left_unfinished_is_followed_by_asking_for_its_end() -> None:
    hops = {"moved.example.": "b.example.", "b.example.": "c.example."}

    with NastyDNS(chain_of(hops, "mx.other.example.")) as server:
        asking = client(server)
        reply = asked(asking)

    assert reply == Found(
        mx=FOUND.mx, ttl=timedelta(seconds=60), canonical=(DomainName("b.example"), DomainName("c.example"))
    )
    assert (asking.queries, asking.failures) == (3, 0)


@pytest.mark.parametrize(
    "hops",
    [
        {"moved.example.": "b.example.", "b.example.": "moved.example."},
        {"moved.example.": "x0.example.", **{f"x{n}.example.": f"x{n + 1}.example." for n in range(40)}},
    ],
    ids=["loop", "endless"],
)
def test_a_chain_over_several_answers_that_leads_nowhere_is_unreliable(hops: dict[str, str]) -> None:
    with NastyDNS(chain_of(hops, "mx.other.example.")) as server:
        assert isinstance(ask(server), Unreliable)
        assert len(server.udp_queries) <= 9


def test_a_question_that_only_leads_on_to_another_one_is_followed_when_it_is_the_last() -> None:
    hops = {f"n{at}.example.": f"n{at + 1}.example." for at in range(10)}
    with NastyDNS(chain_of(hops, "mx.other.example.")) as server:
        asking = client(server)
        too_long = asked(asking, DomainName("n0.example"))
        later = asked(asking, DomainName("n8.example"))

    assert isinstance(too_long, Unreliable)
    assert isinstance(later, Found)
    assert later.canonical == (DomainName("n9.example"), DomainName("n10.example"))


def test_a_failure_at_the_end_of_a_chain_is_a_failure() -> None:
    def answer(query: bytes) -> list[bytes]:
        if question(query).lower() == "moved.example.":
            return [reply_to(query, "moved.example. 60 IN CNAME b.example.")]
        return [reply_to(query, rcode=dns.rcode.SERVFAIL)]

    with NastyDNS(answer) as server:
        assert isinstance(ask(server), Unreliable)


def test_no_question_is_asked_twice_even_at_the_same_time() -> None:
    async def ask_often(asking: VantageClient) -> list[Reply]:
        together = await replies_to(asking, [NAME] * 5)
        return [*together, *await replies_to(asking, [NAME])]

    with NastyDNS(lambda query: [right(query)]) as server:
        asking = client(server)

        assert asyncio.run(ask_often(asking)) == [FOUND] * 6
        assert (len(server.udp_queries), asking.queries) == (1, 1)


def test_a_retried_question_counts_once_and_so_does_its_failure() -> None:
    with NastyDNS() as server:
        asking = client(server, HASTY)
        asked(asking)

    assert (asking.queries, asking.failures) == (1, 1)


def test_after_the_deadline_nothing_is_asked() -> None:
    with NastyDNS(lambda query: [right(query)]) as server:
        asking = VantageClient(server.settings(), PATIENT, lambda: 0.0, codec_in_use())
        reply = asked(asking)

        assert reply == Unreliable("the sweep's deadline of 0:30:00 passed")
        assert (server.udp_queries, asking.queries, asking.failures) == ([], 0, 0)


def test_a_question_under_way_ends_at_the_deadline() -> None:
    left = iter([30.0, 0.05])

    with NastyDNS() as server:
        asking = VantageClient(server.settings(), PATIENT, lambda: next(left, 0.0), codec_in_use())
        reply = asked(asking)

    assert reply == Unreliable("the sweep's deadline of 0:30:00 passed")
    assert (asking.queries, asking.failures) == (1, 1)


def test_the_rate_spaces_packets() -> None:
    async def timed(asking: VantageClient) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await replies_to(asking, some_names(*range(5)))
        return loop.time() - began

    with NastyDNS(lambda query: [right(query)]) as server:
        asking = client(server, Timing(timeout=timedelta(seconds=10), rate=50.0))

        assert asyncio.run(timed(asking)) >= 4 / 50.0 * 0.9


def test_a_rate_that_cannot_be_kept_before_the_deadline_asks_no_more() -> None:
    with NastyDNS(lambda query: [right(query)]) as server:
        asking = VantageClient(server.settings(), Timing(rate=0.001), lambda: 30.0, codec_in_use())
        replies = asyncio.run(replies_to(asking, some_names(0, 1)))

    assert replies[1] == Unreliable("the sweep's deadline of 0:30:00 passed")
    assert asking.queries == 1


SHORT = Timing(timeout=timedelta(milliseconds=300), tries=1, rate=None)


def test_a_dead_vantage_is_given_up_but_for_a_trial_now_and_then() -> None:
    async def ask_in_turn(asking: VantageClient) -> list[Reply]:
        return [
            *await replies_to(asking, some_names(*range(100))),
            *await replies_to(asking, some_names(*range(100, 130))),
        ]

    with NastyDNS() as server:
        asking = client(server, SHORT)
        replies = asyncio.run(ask_in_turn(asking))

    assert all(isinstance(reply, Unreliable) for reply in replies)
    assert replies[-1] == GIVEN_UP
    assert asking.queries == asking.failures <= 102


def test_a_vantage_that_comes_back_is_asked_again() -> None:
    is_back = list[bool]()

    async def ask_in_turn(asking: VantageClient) -> list[Reply]:
        await replies_to(asking, some_names(*range(100)))
        is_back.append(True)
        trial = await replies_to(asking, some_names(*range(100, 101)))
        return [*trial, *await replies_to(asking, some_names(*range(101, 110)))]

    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,))] if is_back else []) as server:
        replies = asyncio.run(ask_in_turn(client(server, SHORT)))

    assert [type(reply) for reply in replies] == [Nothing] * 10


def test_an_answer_is_kept_with_the_end_of_its_chain_and_the_time_it_came() -> None:
    hops = {"moved.example.": "b.example."}
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC)

    with NastyDNS(chain_of(hops, "mx.other.example.")) as server:
        asking = VantageClient(server.settings(), PATIENT, lambda: 30.0, codec_in_use(), now=lambda: moment)
        reply = asked(asking)

    assert isinstance(reply, Found)
    assert reply.canonical == (DomainName("b.example"),)
    assert asking.answered(NAME, dns.rdatatype.MX) == (reply, moment)
    assert asking.has_answered(DomainName("b.example"), dns.rdatatype.MX)
    assert not asking.has_answered(NAME, dns.rdatatype.A)
    with pytest.raises(KeyError):
        asking.answered(NAME, dns.rdatatype.A)


def test_equal_answers_that_come_together_are_kept_as_one_value() -> None:
    names = some_names(*range(20))
    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,))]) as server:
        asking = client(server)
        asyncio.run(replies_to(asking, names))

    kept = [asking.answered(name, dns.rdatatype.MX) for name in names]
    assert {type(reply) for reply, _ in kept} == {Nothing}
    assert all(at.tzinfo is UTC for _, at in kept)
    assert len({id(answer) for answer in kept}) <= len({(id(reply), at) for reply, at in kept})
