"""Questions to name servers: what is sent, what is accepted, how often, and where it is not sent at all."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import timedelta
from random import Random

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from mailswitch.core.mx import MX, Address, address
from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Stray, Traffic
from mailswitch.lookup.authority import Authority, AuthoritySettings
from mailswitch.lookup.delegation import Said
from mailswitch.lookup.name_servers import NameServers
from mailswitch.lookup.replies import Found, Reply, Unreliable
from mailswitch.lookup.root_probe import RootHealth, probe_root
from mailswitch.lookup.vantages import Timing
from tests.support.nasty_dns import Datagrams, NastyDNS, reply_to

NAME = DomainName("shop.example")
ZONE = DomainName("example")
HERE = address("127.0.0.1")
MAIL = Found(mx=frozenset({MX(preference=10, exchange=DomainName("mx.example"))}), ttl=timedelta(seconds=60))
RECORD = "shop.example. 60 IN MX 10 mx.example."


def authoritative(query: bytes, *answer: str) -> bytes:
    return reply_to(query, *(answer or (RECORD,)), with_flags=dns.flags.AA, without_flags=dns.flags.RA)


def ask(nasty: NastyDNS, *, times: int = 1, timeout: float = 5.0) -> tuple[list[Said], NameServers]:
    async def asked() -> tuple[list[Said], NameServers]:
        timing = Timing(timeout=timedelta(seconds=timeout), rate=None)
        servers = NameServers([HERE], nasty.port, timing, lambda: 60.0)
        said = [await servers.ask(HERE, NAME, dns.rdatatype.MX, ZONE) for _ in range(times)]
        return said, servers

    return asyncio.run(asked())


def test_an_answer_with_authority_is_accepted_and_the_question_asks_for_no_recursion() -> None:
    with NastyDNS(lambda query: [authoritative(query)]) as nasty:
        (said,), servers = ask(nasty)

    assert said == MAIL
    assert (servers.queries, servers.failures) == (1, 0)
    (query,) = map(dns.message.from_wire, nasty.udp_queries)
    assert (query.flags, query.edns, query.payload) == (0, 0, 1232)
    assert query.question[0].name.to_text().lower() == "shop.example."


def test_ids_and_letter_case_differ_from_question_to_question() -> None:
    with NastyDNS(lambda query: [authoritative(query)]) as nasty:
        ask(nasty, times=20)

    assert len({query[:2] for query in nasty.udp_queries}) > 15
    assert len({query[12:] for query in nasty.udp_queries}) > 15


def wrong_id(query: bytes) -> bytes:
    return bytes((query[0] ^ 1,)) + authoritative(query)[1:]


def wrong_case(query: bytes) -> bytes:
    answer = bytearray(authoritative(query))
    answer[13] ^= 0x20
    return bytes(answer)


def wrong_question(query: bytes) -> bytes:
    return authoritative(query).replace(query[13:17], b"evil", 1)


@pytest.mark.parametrize(
    ("forged", "stray"),
    [
        (wrong_id, Stray.UNKNOWN_ID),
        (wrong_case, Stray.OTHER_CASE),
        (wrong_question, Stray.OTHER_QUESTION),
        (lambda query: query[:2] + b"\0" * 9, Stray.OTHER_QUESTION),
        (lambda query: b"", Stray.UNKNOWN_ID),
    ],
)
def test_what_does_not_answer_the_question_is_passed_over_and_counted(
    forged: Callable[[bytes], bytes], stray: Stray
) -> None:
    with NastyDNS(lambda query: [forged(query), authoritative(query)]) as nasty:
        (said,), servers = ask(nasty)

    assert said == MAIL
    assert servers.traffic == Traffic(strays=((stray, 1),))


def test_a_lost_packet_is_sent_again_in_lower_case() -> None:
    def second(_: bytes) -> Datagrams:
        query = nasty.udp_queries[-1]
        return [authoritative(query)] if len(nasty.udp_queries) > 1 else []

    with NastyDNS(second) as nasty:
        (said,), servers = ask(nasty, timeout=0.2)

    assert said == MAIL
    assert (servers.queries, servers.traffic) == (1, Traffic(retries=1, timeouts=1))
    assert nasty.udp_queries[1][12:26] == b"\x04shop\x07example\x00"


def test_a_server_that_stays_silent_is_not_asked_for_ever() -> None:
    with NastyDNS() as nasty:
        said, servers = ask(nasty, times=6, timeout=0.05)

    assert len(nasty.udp_queries) == 3 * 2
    assert said[-1] == Unreliable("not asked any more after 3 questions without an answer")
    assert (servers.queries, servers.failures) == (3, 3)


def test_a_server_that_knows_no_edns_is_asked_without() -> None:
    def old(query: bytes) -> Iterable[bytes]:
        has_edns = dns.message.from_wire(query).edns >= 0
        return [reply_to(query, rcode=dns.rcode.FORMERR) if has_edns else authoritative(query)]

    with NastyDNS(old) as nasty:
        said, _ = ask(nasty, times=2)

    assert said == [MAIL, MAIL]
    assert [dns.message.from_wire(query).edns for query in nasty.udp_queries] == [0, -1, -1]


def test_a_truncated_answer_is_fetched_over_tcp() -> None:
    def over_tcp(query: bytes) -> bytes:
        answer = authoritative(query)
        return len(answer).to_bytes(2) + answer

    with NastyDNS(lambda query: [reply_to(query, with_flags=dns.flags.AA | dns.flags.TC)], over_tcp) as nasty:
        (said,), _ = ask(nasty)

    assert said == MAIL
    assert [dns.message.from_wire(query).flags for query in nasty.tcp_queries] == [0]


def test_a_resolver_s_answer_is_a_lame_one() -> None:
    with NastyDNS(lambda query: [reply_to(query, RECORD)]) as nasty:
        (said,), servers = ask(nasty)

    assert said == Unreliable("no authority for example (it is lame)")
    assert servers.failures == 1


# ---- where nobody is asked

PUBLIC = ["192.0.2.1", "8.8.8.8", "2001:db8::1"]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd00::1"]
NOWHERE = ["0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "ff02::1"]


def allowed(*hints: str) -> set[str]:
    servers = NameServers([address(text) for text in hints], 53, Timing(), lambda: 60.0)
    return {text for text in (*PUBLIC, *LOOPBACK, *PRIVATE, *NOWHERE) if servers.may_ask(address(text))}


def test_from_the_public_root_only_routable_addresses_are_asked() -> None:
    assert allowed("198.41.0.4", "2001:503:ba3e::2:30") == set(PUBLIC)


def test_a_root_on_loopback_allows_loopback_and_a_private_root_private_addresses() -> None:
    assert allowed("127.0.0.1") == {*PUBLIC, *LOOPBACK}
    assert allowed("10.1.2.3") == {*PUBLIC, *PRIVATE}
    assert allowed("192.0.2.1", "::1", "fd00::53") == {*PUBLIC, *LOOPBACK, *PRIVATE}


def test_what_is_not_to_be_asked_is_not() -> None:
    with NastyDNS(lambda query: [authoritative(query)]) as nasty:
        servers = NameServers([address("192.0.2.1")], nasty.port, Timing(), lambda: 60.0)
        said = asyncio.run(servers.ask(HERE, NAME, dns.rdatatype.MX, ZONE))

    assert said == Unreliable("not asked, for it is not routable")
    assert (nasty.udp_queries, servers.queries) == ([], 0)


# ---- the root, as doctor tries it


def test_a_root_that_answers_with_authority_is_sound() -> None:
    soa = (". 60 IN SOA . . 1 2 3 4 5",)
    with NastyDNS(lambda query: [reply_to(query, authority=soa, with_flags=dns.flags.AA)]) as nasty:
        health = root_health(nasty)

    assert health == RootHealth(asked=1, answering=1, reason=None)


def test_a_root_that_is_a_resolver_or_silent_is_none() -> None:
    with NastyDNS(lambda query: [reply_to(query)]) as resolver, NastyDNS() as silent:
        found = [root_health(each) for each in (resolver, silent)]

    assert found == [
        RootHealth(asked=1, answering=0, reason="127.0.0.1: no authority for . (it is lame)"),
        RootHealth(asked=1, answering=0, reason="127.0.0.1: no answer within 0.2 s"),
    ]


def root_health(nasty: NastyDNS) -> RootHealth:
    settings = AuthoritySettings(hints={DomainName("a.root.example"): (HERE,)}, port=nasty.port)
    return probe_root(settings, Timing(timeout=timedelta(seconds=0.2)))


# ---- the way down, where one server is everything there is


def reply(nasty: NastyDNS, name: str = NAME.text) -> tuple[Reply, int]:
    hints: dict[DomainName, tuple[Address, ...]] = {DomainName("a.root.example"): (HERE,)}

    async def asked() -> tuple[Reply, int]:
        authority = Authority(AuthoritySettings(hints=hints, port=nasty.port), Timing(rate=None), lambda: 60.0)
        return await authority.ask(DomainName(name), dns.rdatatype.MX), authority.queries

    return asyncio.run(asked())


def question_of(query: bytes) -> str:
    return dns.message.from_wire(query).question[0].name.to_text().lower()


def refer(query: bytes, zone: str, *servers: str) -> bytes:
    records = tuple(f"{zone} 60 IN NS {server}" for server in servers)
    return reply_to(query, authority=records, without_flags=dns.flags.RA)


def test_a_cname_at_an_apex_leads_to_another_zone_from_the_root_anew() -> None:
    def root(query: bytes) -> Iterable[bytes]:
        name = question_of(query)
        answers = {"shop.example.": "shop.example. 30 IN CNAME shop.net.", "shop.net.": "shop.net. 60 IN MX 10 mx.net."}
        if name in answers:
            return [authoritative(query, answers[name])]
        return [reply_to(query, authority=(f"{name} 60 IN SOA . . 1 2 3 4 5",), with_flags=dns.flags.AA)]

    with NastyDNS(root) as nasty:
        found, _ = reply(nasty)

    assert found == Found(
        mx=frozenset({MX(preference=10, exchange=DomainName("mx.net"))}),
        ttl=timedelta(seconds=30),
        canonical=(DomainName("shop.net"),),
    )
    assert [question_of(query) for query in nasty.udp_queries] == ["example.", "shop.example.", "net.", "shop.net."]


def test_cnames_without_end_are_given_up() -> None:
    def longer(query: bytes) -> Iterable[bytes]:
        name = question_of(query)
        return [authoritative(query, f"{name} 60 IN CNAME x{name}")]

    with NastyDNS(longer) as nasty:
        found, _ = reply(nasty)

    assert found == Unreliable("the CNAME chain has no end after 8 names")


def test_a_server_that_delegates_without_end_runs_out_of_name() -> None:
    def deeper(query: bytes) -> Iterable[bytes]:
        labels = question_of(query).rstrip(".").split(".")
        depth = min(len(nasty.udp_queries), len(labels))
        zone = ".".join(labels[-depth:]) + "."
        message = dns.message.from_wire(refer(query, zone, f"ns.{zone}"))
        message.additional.append(dns.rrset.from_text(f"ns.{zone}", 60, "IN", "A", "127.0.0.1"))
        return [message.to_wire()]

    with NastyDNS(deeper) as nasty:
        short = reply(nasty, ".".join("abcdefghijkl") + ".example")
        nasty.udp_queries.clear()
        long = reply(nasty, ".".join(["a"] * 100) + ".example")

    assert isinstance(short[0], Unreliable)
    assert short[1] <= 14
    assert long == (Unreliable("it takes more than 60 queries to find its name servers"), 61)


def test_name_servers_that_lead_to_ever_more_name_servers_are_given_up() -> None:
    """What NXNSAttack does: each name server's name hangs on ten others."""

    def flood(query: bytes) -> Iterable[bytes]:
        name = question_of(query).rstrip(".")
        top = name.rpartition(".")[2]
        return [refer(query, f"{top}.", *(f"ns.{top}{number}." for number in range(10)))]

    with NastyDNS(flood) as nasty:
        found, queries = reply(nasty)

    assert isinstance(found, Unreliable)
    assert queries <= 60


def test_where_no_packet_comes_back_a_sweep_soon_gives_up_instead_of_waiting_for_each_name() -> None:
    names = [DomainName(f"n{number}.tld{number % 5}") for number in range(500)]
    with ExitStack() as silent:
        port, network = 20_000 + secrets.randbelow(12_000), f"127.53.{secrets.randbelow(256)}"
        hints = {DomainName(f"s{number}.root.example"): (address(f"{network}.{number}"),) for number in range(1, 14)}
        for (place,) in hints.values():
            silent.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((str(place), port))

        async def asked() -> tuple[list[Reply], int]:
            timing = Timing(timeout=timedelta(seconds=0.05), rate=None)
            authority = Authority(AuthoritySettings(hints=hints, port=port), timing, lambda: 60.0)
            replies = await asyncio.gather(*(authority.ask(name, dns.rdatatype.MX) for name in names))
            return list(replies), authority.queries

        replies, queries = asyncio.run(asked())

    assert all("no name server of . answers" in str(each) for each in replies)
    assert queries <= 5 * 5


class Hostile:
    """A name server that sends whoever asks from one made-up zone and alias to the next, with and without addresses."""

    def begin(self, seed: int) -> None:
        """Begin anew; the seed tells all that is sent."""
        self._random = Random(seed)  # noqa: S311 - nothing here is secret

    def __call__(self, query: bytes) -> Iterable[bytes]:
        message = dns.message.make_response(dns.message.from_wire(query))
        labels = message.question[0].name.to_text().lower().rstrip(".").split(".")
        asked = ".".join(labels) + "."
        kind = self._random.choice(("NS", "NS", "NS", "NS", "CNAME", "DNAME", "A", "SOA"))
        if kind == "NS":
            zone = ".".join(labels[self._random.randrange(len(labels)) :]) + "."
            for _ in range(self._random.randrange(1, 12)):
                server = self._name()
                message.authority.append(dns.rrset.from_text(zone, 60, "IN", "NS", server))
                if self._random.random() < 0.2:
                    place = self._random.choice(("127.0.0.1", "127.0.0.1", "127.0.0.2", "10.0.0.1"))
                    message.additional.append(dns.rrset.from_text(server, 60, "IN", "A", place))
            return [message.to_wire(max_size=65535)]
        message.flags |= dns.flags.AA
        rest = {"CNAME": self._name(), "DNAME": self._name(), "A": "127.0.0.1", "SOA": ". . 1 2 3 4 5"}[kind]
        owner = asked.partition(".")[2] or "." if kind == "DNAME" else asked
        section = message.authority if kind == "SOA" else message.answer
        section.append(dns.rrset.from_text(owner, 60, "IN", kind, rest))
        return [message.to_wire(max_size=65535)]

    def _name(self) -> str:
        return ".".join(f"n{self._random.randrange(6)}" for _ in range(self._random.randrange(1, 5))) + "."


def test_no_server_however_hostile_keeps_the_walk_going() -> None:
    hostile = Hostile()
    costs = []
    with NastyDNS(hostile) as nasty:
        for seed in range(40):
            hostile.begin(seed)
            costs.append(reply(nasty, "a.b.shop.example")[1])

    # One question's own, and those for the top-level domains it was led to.
    assert max(costs) <= 60 + 5 * (12 + 9)
    assert max(costs) > 20  # it was led about
