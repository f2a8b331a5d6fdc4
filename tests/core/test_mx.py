"""What public DNS can say, as values that refuse what it cannot."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.mx import (
    MX,
    Addresses,
    Indeterminate,
    NoMX,
    NoSuchHost,
    Observation,
    Published,
    Vantage,
    address,
    is_routable,
)
from mailswitch.core.names import DomainName


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_has_one_value_however_it_is_written(text: str, expected: str) -> None:
    assert address(text) == ipaddress.ip_address(expected)


@pytest.mark.parametrize("text", ["", "example.org", "192.0.2.256", "192.0.2.1/32", "192.0.2.01"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        address(text)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_the_ipv4_address(found: ipaddress.IPv4Address) -> None:
    assert address(f"::ffff:{found}") == found


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1", "172.16.0.1",
        "172.31.255.255", "192.168.1.1", "224.0.0.1", "239.1.1.1", "255.255.255.255",
        "::", "::1", "fe80::1", "febf::1", "ff02::1", "fc00::1", "fd12::1",
    ],
)  # fmt: skip
def test_addresses_no_stranger_can_reach_are_not_routable(text: str) -> None:
    assert not is_routable(address(text))


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
        "223.255.255.255", "2a00::1", "fec0::1",
        # documentation ranges, so that worlds and examples can use them (design.md section 4)
        "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1",
    ],
)  # fmt: skip
def test_the_rest_is_routable_documentation_ranges_included(text: str) -> None:
    assert is_routable(address(text))


@pytest.mark.parametrize("preference", [-1, 65536])
def test_a_preference_outside_sixteen_bits_is_refused(preference: int) -> None:
    with pytest.raises(ValueError, match=f"{preference} is not within 0-65535"):
        MX(preference=preference, exchange=DomainName("mx.example"))


@pytest.mark.parametrize("preference", [0, 65535])
def test_both_ends_of_the_range_are_preferences(preference: int) -> None:
    assert MX(preference=preference, exchange=DomainName("mx.example")).preference == preference


def test_records_sort_by_preference_first() -> None:
    first, second = MX(preference=1, exchange=DomainName("z")), MX(preference=2, exchange=DomainName("a"))

    assert sorted([second, first]) == [first, second]


def test_an_empty_rrset_is_no_published_answer() -> None:
    with pytest.raises(ValueError, match="at least one record"):
        Published(records=frozenset(), ttl=timedelta(hours=1))


def test_the_order_of_records_means_nothing() -> None:
    records = [MX(preference=1, exchange=DomainName(name)) for name in ("a", "b", "c")]

    assert Published(records=frozenset(records), ttl=timedelta(1)) == Published(
        records=frozenset(records[::-1]), ttl=timedelta(1)
    )


def test_a_host_may_have_one_family_answered_and_the_other_not() -> None:
    answer = Addresses(addresses=frozenset({address("192.0.2.1")}), unanswered="AAAA: SERVFAIL")

    assert answer.unanswered == "AAAA: SERVFAIL"


def test_a_host_without_addresses_is_another_answer() -> None:
    with pytest.raises(ValueError, match="another answer"):
        Addresses(addresses=frozenset())


def test_a_vantage_is_the_same_wherever_it_is_asked() -> None:
    assert Vantage(name="a", operator="A", address=address("192.0.2.1")) == Vantage(name="a", operator="A")


def test_a_host_that_was_not_asked_is_indeterminate() -> None:
    known, unknown = DomainName("known.example"), DomainName("unknown.example")
    observation = Observation(
        name=DomainName("example"),
        vantage=Vantage(name="a", operator="A"),
        at=datetime(2026, 3, 1, tzinfo=UTC),
        mx=NoMX(ttl=timedelta(hours=1)),
        hosts=((known, NoSuchHost()),),
    )

    assert observation.host(known) == NoSuchHost()
    assert observation.host(unknown) == Indeterminate("not asked")
