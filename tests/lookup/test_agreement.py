"""What the servers of a zone say together: as much as they agree on."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.mx import MX, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.agreement import Hearing, together
from mailswitch.lookup.delegation import Delegation, NameServer, Said
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply, Unfinished, Unreliable

ZONE = DomainName("shop.example")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def a_server(number: int, *, at: int | None = None) -> NameServer:
    place = address(f"192.0.2.{number if at is None else at}")
    return NameServer(name=DomainName(f"ns{number}.example"), addresses=(place,))


def mail_at(*exchanges: str, ttl: timedelta = HOUR) -> Found:
    return Found(mx=frozenset(MX(preference=10, exchange=DomainName(name)) for name in exchanges), ttl=ttl)


def hosts_at(*addresses: str, ttl: timedelta = HOUR) -> Found:
    return Found(addresses=frozenset(address(text) for text in addresses), ttl=ttl)


def a_cname(target: str, ttl: timedelta = HOUR) -> Unfinished:
    return Unfinished(ttl=ttl, canonical=(DomainName(target),))


DELEGATION = Delegation(zone=DomainName("a.shop.example"), servers=(a_server(9),))


def heard(*said: Said, needed: int = 2, servers: list[NameServer] | None = None) -> tuple[Said, int]:
    """Return what comes of it when servers say this in turn, and how many were asked."""
    hearing = Hearing(ZONE, servers or [a_server(number) for number in range(len(said))], needed=needed)
    asked = 0
    for one in said:
        server = hearing.next()
        if server is None:
            break
        asked += 1
        for place in filter(hearing.is_new, server.addresses):
            if isinstance(one, Unreliable):
                hearing.fail(f"{server.name}: {one.reason}")
            else:
                hearing.hear(place, one)
    return hearing.outcome(), asked


# ---- agreement


def test_the_longest_ttl_of_an_mx_rrset_counts() -> None:
    assert together(ZONE, [mail_at("a.net"), mail_at("a.net", ttl=DAY)]) == mail_at("a.net", ttl=DAY)


def test_addresses_are_laid_together() -> None:
    both = together(ZONE, [hosts_at("192.0.2.1", ttl=DAY), hosts_at("192.0.2.2")])

    assert both == hosts_at("192.0.2.1", "192.0.2.2")


@pytest.mark.parametrize("kind", [Nothing, NotThere])
def test_the_shortest_ttl_of_a_negative_answer_counts(kind: type[Nothing | NotThere]) -> None:
    assert together(ZONE, [kind(ttl=DAY), kind(ttl=HOUR)]) == kind(ttl=HOUR)


DIFFERENT = [
    mail_at("a.net"),
    mail_at("a.net", "b.net"),
    hosts_at("192.0.2.1"),
    Nothing(ttl=HOUR),
    NotThere(ttl=HOUR),
    a_cname("a.net"),
    a_cname("b.net"),
]


@pytest.mark.parametrize(("one", "other"), list(permutations(DIFFERENT, 2)))
def test_servers_that_say_different_things_disagree(one: Reply, other: Reply) -> None:
    found = together(ZONE, [one, other])

    assert isinstance(found, Unreliable)
    assert found.reason.startswith("the name servers of shop.example disagree: one ")


def test_a_disagreement_tells_both_sides() -> None:
    found = together(ZONE, [mail_at("a.net", "b.net", "c.net", "d.net"), NotThere(ttl=HOUR)])

    assert found == Unreliable(
        "the name servers of shop.example disagree: one has MX 10 a.net, 10 b.net, 10 c.net and more, "
        "and one says that the name does not exist"
    )


REPLIES = st.sampled_from([*DIFFERENT, mail_at("a.net", ttl=DAY), Nothing(ttl=DAY), Unreliable("broken")])


@given(st.lists(REPLIES, min_size=1, max_size=4))
def test_the_order_of_servers_does_not_matter(replies: list[Reply]) -> None:
    found = {
        "unreliable" if isinstance(both := together(ZONE, order), Unreliable) else both
        for order in permutations(replies)
    }

    assert len(found) == 1


# ---- hearings


def test_two_answers_are_enough_and_no_third_is_asked_for() -> None:
    assert heard(mail_at("a.net"), mail_at("a.net"), mail_at("b.net")) == (mail_at("a.net"), 2)


def test_a_broken_server_is_replaced_by_the_next() -> None:
    assert heard(mail_at("a.net"), Unreliable("REFUSED"), mail_at("a.net")) == (mail_at("a.net"), 3)


def test_one_answer_is_not_enough_where_another_server_is_broken() -> None:
    found, asked = heard(mail_at("a.net"), Unreliable("REFUSED"))

    assert found == Unreliable("only 1 name server of shop.example answers (ns1.example: REFUSED)")
    assert asked == 2


def test_the_only_server_s_answer_is_enough() -> None:
    assert heard(mail_at("a.net")) == (mail_at("a.net"), 1)


def test_two_names_at_one_address_are_one_server() -> None:
    servers = [a_server(1), a_server(2, at=1)]

    assert heard(mail_at("a.net"), mail_at("b.net"), servers=servers) == (mail_at("a.net"), 2)


def test_a_referral_settles_it_even_after_an_answer() -> None:
    assert heard(DELEGATION, mail_at("a.net")) == (DELEGATION, 1)
    assert heard(mail_at("a.net"), DELEGATION) == (DELEGATION, 2)


def test_where_nobody_answers_some_reasons_are_told() -> None:
    found, asked = heard(*[Unreliable("REFUSED")] * 5)

    assert asked == 5
    assert found == Unreliable(
        "no name server of shop.example answers (ns0.example: REFUSED; ns1.example: REFUSED; ns2.example: REFUSED; "
        "and 2 more)"
    )


def test_a_zone_without_servers_has_no_answer() -> None:
    assert Hearing(ZONE, [], needed=2).outcome() == Unreliable("no name server of shop.example answers (it has none)")


SAID = st.one_of(REPLIES, st.just(DELEGATION))


@given(said=st.lists(SAID, min_size=1, max_size=12), needed=st.integers(1, 2))
def test_no_hearing_takes_more_than_a_few_servers_or_relies_on_one_of_several(said: list[Said], needed: int) -> None:
    hearing = Hearing(ZONE, [a_server(number) for number in range(len(said))], needed=needed)
    replies = []
    asked = 0
    while (server := hearing.next()) is not None:
        one = said[asked]
        asked += 1
        if isinstance(one, Unreliable):
            hearing.fail(f"{server.name}: {one.reason}")
        else:
            hearing.hear(server.addresses[0], one)
            replies.append(one)

    outcome = hearing.outcome()

    assert asked <= 5
    if isinstance(outcome, Delegation | Unreliable):
        assert isinstance(outcome, Unreliable) or outcome in replies
    else:
        assert len(replies) >= min(needed, len(said))
        assert len({type(reply) for reply in replies}) == 1
