"""Many questions under way at a vantage that loses, delays, reorders, refuses and forges answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from mailswitch.core.mx import MX
from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Stray
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.replies import Found, Reply, Unreliable
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings
from tests.support.asking import asked_all, some_names
from tests.support.nasty_dns import FromElsewhere, NastyDNS, To, reply_to

TIMING = Timing(timeout=timedelta(seconds=10), tries=4, rate=None, concurrency=200)
HASTY = Timing(timeout=timedelta(milliseconds=200), tries=2, rate=None, concurrency=200)


def client(server: NastyDNS, codec: Codec, timing: Timing = TIMING) -> VantageClient:
    return VantageClient(server.settings(), timing, lambda: 60.0, codec)


def name_in(query: bytes) -> str:
    return dns.message.from_wire(query).question[0].name.to_text()


def right(query: bytes) -> bytes:
    """Every name has an exchange of its own, so that no answer can be taken for another."""
    name = name_in(query)
    return reply_to(query, f"{name} 3600 IN MX 10 mx.{name}")


def wrong(query: bytes) -> bytes:
    return reply_to(query, f"{name_in(query)} 3600 IN MX 10 mx.forged.example.")


def found(names: list[DomainName]) -> list[Reply]:
    return [
        Found(mx=frozenset({MX(preference=10, exchange=DomainName(f"mx.{name}"))}), ttl=timedelta(hours=1))
        for name in names
    ]


def test_lost_queries_are_sent_again_and_every_question_gets_its_own_answer(codec: Codec) -> None:
    seen = Counter[str]()

    def losing_the_first(query: bytes) -> list[bytes]:
        name = name_in(query).lower()
        seen[name] += 1
        return [right(query)] if seen[name] > 1 or name.startswith("d1") else []

    names = some_names(*range(40))
    with NastyDNS(losing_the_first) as server:
        asking = client(server, codec)
        replies = asked_all(asking, names)

    assert replies == found(names)
    assert (asking.queries, asking.failures) == (40, 0)
    assert asking.retries >= 29


def test_answers_in_another_order_are_each_taken_for_their_own_question(codec: Codec) -> None:
    held: list[To] = []

    def in_reverse(query: bytes) -> list[To]:
        held.append(To(server.sources[-1], right(query)))
        return held[::-1] if len(held) == 50 else []

    names = some_names(*range(50))
    with NastyDNS(in_reverse) as server:
        asking = client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert (asking.retries, asking.strays) == (0, 0)


def test_an_answer_to_an_earlier_try_is_taken_when_it_comes_after_the_next_was_sent(codec: Codec) -> None:
    held: list[To] = []

    def one_try_late(query: bytes) -> list[To]:
        held.append(To(server.sources[-1], right(query)))
        return held[-2:-1]

    names = some_names(1)
    with NastyDNS(one_try_late) as server:
        asking = client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert asking.retries == 1


def test_every_retry_comes_from_another_port_with_another_id_and_other_letter_case(codec: Codec) -> None:
    name = DomainName("a-name-with-so-many-letters-that-chance-is-out-of-the-question.example")
    timing = Timing(timeout=timedelta(milliseconds=50), tries=4, rate=None)
    with NastyDNS() as server:
        asked_all(client(server, codec, timing), [name])

        assert len(set(server.sources)) == 4
        assert len({query[:2] for query in server.udp_queries}) > 1
        assert len({name_in(query) for query in server.udp_queries}) == 4


def wrong_id(query: bytes) -> bytes:
    return bytes((query[0] ^ 1,)) + wrong(query)[1:]


def wrong_question(query: bytes) -> bytes:
    return wrong(dns.message.make_query("other.example.", "MX", id=int.from_bytes(query[:2])).to_wire())


def wrong_case(query: bytes) -> bytes:
    other = dns.message.make_query(name_in(query).swapcase(), "MX", id=int.from_bytes(query[:2]))
    return wrong(other.to_wire())


def wrong_type(query: bytes) -> bytes:
    return wrong(dns.message.make_query(name_in(query), "A", id=int.from_bytes(query[:2])).to_wire())


@pytest.mark.parametrize(
    ("forged", "stray"),
    [
        (wrong_id, Stray.UNKNOWN_ID),
        (wrong_question, Stray.OTHER_QUESTION),
        (wrong_type, Stray.OTHER_QUESTION),
        (wrong_case, Stray.OTHER_CASE),
        (lambda _: b"", Stray.MALFORMED),
        (lambda query: query[:11], Stray.MALFORMED),
        (lambda query: query, Stray.MALFORMED),
    ],
    ids=["id", "question", "type", "case", "empty", "short", "echo"],
)
def test_forged_answers_are_passed_over_and_counted_by_what_gave_them_away(
    codec: Codec, forged: Callable[[bytes], bytes], stray: Stray
) -> None:
    names = some_names(*range(20))
    with NastyDNS(lambda query: [forged(query), right(query)]) as server:
        asking = client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert asking.traffic.strays == ((stray, 20),)


def looping(query: bytes) -> bytes:
    """The exchange's name is compressed to itself."""
    packet = right(query)
    at = packet.rindex(b"\xc0")
    return packet[:at] + (0xC000 | at).to_bytes(2) + packet[at + 2 :]


@pytest.mark.parametrize("damage", [looping, lambda query: right(query)[:-1]], ids=["loop", "cut"])
def test_what_cannot_be_read_is_no_answer_and_counted(codec: Codec, damage: Callable[[bytes], bytes]) -> None:
    names = some_names(*range(20))
    with NastyDNS(lambda query: [damage(query)]) as server:
        asking = client(server, codec)
        replies = asked_all(asking, names)

    assert {reply.reason for reply in replies if isinstance(reply, Unreliable)} == {"a malformed answer (2 tries)"}
    assert asking.traffic.strays == ((Stray.MALFORMED, 40),)


def test_answers_from_another_port_never_arrive(codec: Codec) -> None:
    names = some_names(*range(20))
    with NastyDNS(lambda query: [FromElsewhere(wrong(query)), right(query)]) as server:
        assert asked_all(client(server, codec), names) == found(names)


def test_a_second_answer_changes_nothing_and_is_counted(codec: Codec) -> None:
    late: list[To] = []

    def doubled_and_late(query: bytes) -> list[bytes | To]:
        late.append(To(server.sources[-1], wrong(query)))
        return [*late[-2:-1], right(query)]

    names = some_names(*range(20))
    timing = Timing(timeout=timedelta(seconds=10), rate=None, concurrency=1)
    with NastyDNS(doubled_and_late) as server:
        asking = client(server, codec, timing)

        assert asked_all(asking, names) == found(names)
        ((stray, number),) = asking.traffic.strays
        assert stray is Stray.LATE
        assert 1 <= number <= 19  # the last ones may come when the batch is over


def test_records_of_other_names_in_the_additional_section_are_nothing(codec: Codec) -> None:
    def with_a_gift(query: bytes) -> list[bytes]:
        message = dns.message.from_wire(right(query))
        gift = reply_to(query, "mx.d1.example. 60 IN A 192.0.2.66", "d2.example. 60 IN MX 0 mx.forged.example.")
        message.additional = dns.message.from_wire(gift).answer
        return [message.to_wire()]

    names = some_names(1, 2)
    with NastyDNS(with_a_gift) as server:
        asking = client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert len(server.udp_queries) == 2
        assert asking.traffic.strays == ((Stray.OTHER_NAMES, 2),)


def bomb(query: bytes) -> bytes:
    """As many records as 64 KB hold, each name of them as long to read as can be."""
    head = query[:2] + b"\x81\x80" + query[4:6] + (5000).to_bytes(2) + bytes(4)
    asked = query[12 : query.index(b"\0", 12) + 5]
    record = b"\xc0\x0c" + b"\0\1\0\1\0\0\0\x3c\0\0"
    packet = head + asked + record * 5000
    return packet[:65535]


@pytest.mark.parametrize(
    ("stream", "stray"),
    [
        (lambda _: None, Stray.STALLED),
        (lambda query: (65535).to_bytes(2) + bomb(query).ljust(65535, b"\0"), Stray.BLOATED),
        (lambda _: b"\xff\xff" * 9, Stray.CLOSED),
    ],
    ids=["never-closing", "bomb", "half-bomb"],
)
def test_a_stream_that_leads_nowhere_holds_up_nobody_else_and_is_counted(
    codec: Codec, stream: Callable[[bytes], bytes | None], stray: Stray
) -> None:
    def one_truncated(query: bytes) -> list[bytes]:
        is_first = name_in(query).lower() == "d0.example."
        return [reply_to(query, with_flags=dns.flags.TC) if is_first else right(query)]

    told: dict[Question, Reply] = {}
    names = some_names(*range(50))
    timing = Timing(timeout=timedelta(seconds=1), tries=1, rate=None, concurrency=200)
    with NastyDNS(one_truncated, stream) as server:
        asking = client(server, codec, timing)
        asyncio.run(asking.ask_all([(name, dns.rdatatype.MX) for name in names], told.__setitem__))

    assert [told[name, dns.rdatatype.MX] for name in names[1:]] == found(names)[1:]
    assert isinstance(told[names[0], dns.rdatatype.MX], Unreliable)
    assert asking.traffic.strays == ((stray, 1),)


def test_a_vantage_that_refuses_what_is_too_much_is_asked_again_and_believed_then(codec: Codec) -> None:
    seen = Counter[str]()

    def refusing_the_first(query: bytes) -> list[bytes]:
        seen[name_in(query).lower()] += 1
        is_first = seen[name_in(query).lower()] == 1
        return [reply_to(query, rcode=dns.rcode.REFUSED) if is_first else right(query)]

    names = some_names(*range(30))
    with NastyDNS(refusing_the_first) as server:
        asking = client(server, codec)

        assert asked_all(asking, names) == found(names)
        assert (asking.queries, asking.failures, asking.retries) == (30, 0, 30)


def test_an_error_of_one_port_is_told_of_its_own_questions_only(codec: Codec) -> None:
    settings = VantageSettings(name="dead", operator="Dead", address=IPv4Address("127.0.0.1"), port=1)
    asking = VantageClient(settings, HASTY, lambda: 60.0, codec)

    replies = asked_all(asking, some_names(*range(20)))

    assert all(isinstance(reply, Unreliable) and "not reachable" in reply.reason for reply in replies)
    assert (asking.queries, asking.failures) == (20, 20)


def test_what_the_teller_raises_ends_the_batch(codec: Codec) -> None:
    def tell(question: Question, reply: Reply) -> None:
        raise KeyError(question[0].text, reply)

    with NastyDNS(lambda query: [right(query)]) as server, pytest.raises(KeyError, match="d1"):
        asyncio.run(client(server, codec).ask_all([(some_names(1)[0], dns.rdatatype.MX)], tell))


def test_more_questions_under_way_than_the_sockets_can_hold_are_never_sent(codec: Codec) -> None:
    names = some_names(*range(2000))
    timing = Timing(timeout=timedelta(milliseconds=100), tries=1, rate=None, concurrency=10_000)
    with NastyDNS() as server:
        asking = client(server, codec, timing)
        replies = asked_all(asking, names)

    assert {type(reply) for reply in replies} == {Unreliable}
    assert asking.queries <= 1602  # the rest was asked of a vantage that was taken for dead by then
