"""Hosted domains, and what makes an address one of ours."""

from __future__ import annotations

import ipaddress
from dataclasses import FrozenInstanceError

import pytest

from mailswitch.core.domain import Kind, ServerIdentity, SwitchTarget, target_of
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from tests.support.builders import a_domain


def _identity(*addresses: str, networks: tuple[str, ...] = ()) -> ServerIdentity:
    return ServerIdentity(
        addresses=frozenset(map(address, addresses)), networks=tuple(map(ipaddress.ip_network, networks))
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("203.0.113.10", True),
        ("2001:db8::10", True),
        ("198.51.100.7", True),
        ("2001:db8:1::7", True),
        ("203.0.113.11", False),
        ("198.51.101.7", False),
        ("2001:db8::11", False),
        ("::c633:6407", False),  # 198.51.100.7's bits as an IPv6 address are another address
    ],
)
def test_ours_goes_by_address_and_network_of_the_same_version(found: str, *, expected: bool) -> None:
    identity = _identity("203.0.113.10", "2001:db8::10", networks=("198.51.100.0/24", "2001:db8:1::/48"))

    assert identity.has(address(found)) is expected


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (_identity(), False),
        (_identity("10.0.0.5"), False),
        (_identity("2001:db8::10"), False),
        (_identity("10.0.0.5", "203.0.113.10"), True),
        (_identity("10.0.0.5", networks=("10.0.0.0/24",)), False),
        (_identity("10.0.0.5", networks=("2001:db8::/48",)), False),
        (_identity("10.0.0.5", networks=("203.0.113.0/24",)), True),
    ],
)
def test_a_routable_ipv4_is_a_public_address_or_network(identity: ServerIdentity, *, expected: bool) -> None:
    assert identity.has_routable_ipv4 is expected


def test_a_domain_s_target_is_the_flag_its_panel_knows() -> None:
    alias = a_domain("alias.example", kind=Kind.ALIAS, panel_id="33")

    assert target_of(alias) == SwitchTarget(name=DomainName("alias.example"), kind=Kind.ALIAS, panel_id="33")


def test_values_are_made_once() -> None:
    domain = a_domain()

    with pytest.raises(FrozenInstanceError):
        domain.panel_id = "8"  # type: ignore[misc]
