"""Settings of vantages and timing refuse what would ask nothing."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest

from mailswitch.lookup.vantages import Timing, VantageSettings


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_within_its_range(port: int) -> None:
    with pytest.raises(ValueError, match="1-65535"):
        VantageSettings(name="a", operator="A", address=ip_address("192.0.2.1"), port=port)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Timing(timeout=timedelta(0)),
        lambda: Timing(deadline=timedelta(0)),
        lambda: Timing(tries=0),
        lambda: Timing(concurrency=0),
        lambda: Timing(rate=0.0),
    ],
)
def test_timing_is_never_nothing(make: type[Timing]) -> None:
    with pytest.raises(ValueError, match="lookups"):
        make()
