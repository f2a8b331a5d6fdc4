from __future__ import annotations

from ipaddress import ip_network

import pytest

from mailswitch.core.evidence import Deliveries
from tests.support.builders import NOW


@pytest.mark.parametrize("network", ["198.51.100.0/24", "2001:db8:1::/48"])
def test_deliveries_are_counted_by_24_and_48(network: str) -> None:
    deliveries = Deliveries(day=NOW.date(), network=ip_network(network), messages=1, last=NOW)

    assert str(deliveries.network) == network


@pytest.mark.parametrize("network", ["198.51.100.7/32", "198.51.0.0/16", "2001:db8:1:2::/64"])
def test_deliveries_of_another_width_are_refused_lest_one_sender_looks_like_many(network: str) -> None:
    with pytest.raises(ValueError, match="neither a /24 nor a /48"):
        Deliveries(day=NOW.date(), network=ip_network(network), messages=1, last=NOW)


@pytest.mark.parametrize("messages", [0, -3])
def test_deliveries_of_no_messages_are_refused(messages: int) -> None:
    with pytest.raises(ValueError, match="no deliveries"):
        Deliveries(day=NOW.date(), network=ip_network("198.51.100.0/24"), messages=messages, last=NOW)
