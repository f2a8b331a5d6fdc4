from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import pytest

from mailswitch.core.evidence import Deliveries, outside_in_words
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


def _from(network: str, messages: int, hours_ago: int) -> Deliveries:
    last = NOW - timedelta(hours=hours_ago)
    return Deliveries(day=last.date(), network=ip_network(network), messages=messages, last=last)


@pytest.mark.parametrize(
    ("deliveries", "words"),
    [
        ([], None),
        ([_from("192.0.2.0/24", 1, 3)], "1 message from outside in 7 days, from 192.0.2.0/24, the last 3 h ago"),
        (
            [_from("192.0.2.0/24", 2, 30), _from("198.51.100.0/24", 3, 5), _from("192.0.2.0/24", 2, 9)],
            "7 messages from outside in 7 days, 4 of them from 192.0.2.0/24, the last 5 h ago",
        ),
    ],
)
def test_mail_from_outside_is_told_with_the_network_that_sent_most(
    deliveries: list[Deliveries], words: str | None
) -> None:
    assert outside_in_words(deliveries, NOW) == words
