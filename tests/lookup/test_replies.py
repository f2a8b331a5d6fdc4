"""Replies of one vantage become the core's MX and host answers."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest

from mailswitch.core.mx import (
    MX,
    Addresses,
    HostAnswer,
    Indeterminate,
    MXAnswer,
    NoAddress,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Published,
)
from mailswitch.core.names import DomainName
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply, Unfinished, Unreliable, host_answer, mx_answer

TTL = timedelta(seconds=60)
ALIAS = (DomainName("alias.example"),)
V4, V6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")
A = Found(addresses=frozenset({V4}), ttl=TTL, canonical=ALIAS)
AAAA = Found(addresses=frozenset({V6}), ttl=TTL)
NODATA = Nothing(ttl=TTL, canonical=ALIAS)
NXDOMAIN = NotThere(ttl=TTL, canonical=ALIAS)
FAILED = Unreliable("SERVFAIL")


def mx(*exchanges: str) -> frozenset[MX]:
    return frozenset(MX(preference=number, exchange=DomainName(text)) for number, text in enumerate(exchanges))


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Found(mx=mx("a.example"), ttl=TTL), Published(records=mx("a.example"), ttl=TTL)),
        (Found(mx=mx("."), ttl=TTL), NullMX(ttl=TTL)),
        (Found(mx=mx(".", "."), ttl=TTL), NullMX(ttl=TTL)),
        (Found(mx=mx(".", "a.example"), ttl=TTL), Published(records=mx(".", "a.example"), ttl=TTL)),
        (NODATA, NoMX(ttl=TTL)),
        (NXDOMAIN, NoSuchDomain(ttl=TTL)),
        (FAILED, Indeterminate("SERVFAIL")),
        (Unfinished(ttl=TTL, canonical=ALIAS), Indeterminate("the CNAME chain has no end")),
    ],
    ids=["published", "null", "null-twice", "null-among-others", "nodata", "nxdomain", "failed", "unfinished"],
)
def test_mx_answers(reply: Reply, answer: MXAnswer) -> None:
    assert mx_answer(reply) == answer


@pytest.mark.parametrize(
    ("a", "aaaa", "answer"),
    [
        (A, AAAA, Addresses(addresses=frozenset({V4, V6}), canonical=ALIAS)),
        (A, NODATA, Addresses(addresses=frozenset({V4}), canonical=ALIAS)),
        (NODATA, AAAA, Addresses(addresses=frozenset({V6}))),
        (A, FAILED, Addresses(addresses=frozenset({V4}), canonical=ALIAS, unanswered="AAAA: SERVFAIL")),
        (FAILED, AAAA, Addresses(addresses=frozenset({V6}), unanswered="A: SERVFAIL")),
        (NODATA, NODATA, NoAddress(canonical=ALIAS)),
        (NODATA, FAILED, Indeterminate("AAAA: SERVFAIL")),
        (FAILED, NODATA, Indeterminate("A: SERVFAIL")),
        (FAILED, FAILED, Indeterminate("A: SERVFAIL; AAAA: SERVFAIL")),
        (NXDOMAIN, NXDOMAIN, NoSuchHost(canonical=ALIAS)),
        (NXDOMAIN, FAILED, NoSuchHost(canonical=ALIAS)),
        (NODATA, NXDOMAIN, NoSuchHost(canonical=ALIAS)),
        (Unfinished(ttl=TTL, canonical=ALIAS), NODATA, Indeterminate("A: the CNAME chain has no end")),
    ],
)
def test_host_answers(a: Reply, aaaa: Reply, answer: HostAnswer) -> None:
    assert host_answer(a, aaaa) == answer


def test_nxdomain_to_aaaa_beside_an_a_is_a_broken_server_without_aaaa() -> None:
    assert host_answer(A, NXDOMAIN) == Addresses(addresses=frozenset({V4}), canonical=ALIAS)


def test_no_host_is_missing_on_the_word_of_aaaa_alone_while_a_is_not_known() -> None:
    assert host_answer(FAILED, NXDOMAIN) == Indeterminate("A: SERVFAIL")
