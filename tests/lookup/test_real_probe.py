"""What doctor learns of real servers: Unbound, which validates, and NSD, which is no resolver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.lookup.probe import Validation, VantageHealth, probe
from mailswitch.lookup.trust import TlsTrust
from mailswitch.lookup.vantages import Timing, Transport, VantageSettings
from tests.support.real_dns import Net
from tests.support.real_zones import small_internet

pytestmark = pytest.mark.dns_servers

TIMING = Timing(timeout=timedelta(seconds=5), tries=3, rate=None)
HOSTED = (DomainName("moved.example"),)
RESOLVER = 9


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    made = Net(tmp_path_factory.mktemp("net"))
    servers, resolver = small_internet(made)
    resolver.certificate.write(made.folder / "resolver.pem")
    with made.serving(servers, resolver):
        yield made


def tried(net: Net, number: int, transport: Transport = Transport.UDP, name: str = "resolver.example") -> VantageHealth:
    settings = VantageSettings(
        name="v",
        operator="V",
        address=address(net.address(number)),
        port=net.tls_port if transport is Transport.TLS else net.port,
        transport=transport,
        tls=TlsTrust(ca_file=net.folder / "resolver.pem", server_name=name),
    )
    return probe(settings, TIMING, hosted=HOSTED)


@pytest.mark.parametrize("transport", list(Transport))
def test_a_resolver_that_validates_is_known_as_one_and_its_signatures_tell_the_time(
    net: Net, transport: Transport
) -> None:
    health = tried(net, RESOLVER, transport)

    assert (health.problems, health.validation) == ((), Validation.DONE)
    assert health.signed is not None
    begin, end = health.signed
    assert begin <= datetime.now(UTC) < end
    assert health.round_trip is not None


def test_a_resolver_that_bears_another_name_is_asked_nothing(net: Net) -> None:
    health = tried(net, RESOLVER, Transport.TLS, "dns.example.net")

    assert not health.is_answering
    assert "its certificate is refused: Hostname mismatch" in health.problems[0]


def test_a_name_server_is_no_vantage(net: Net) -> None:
    """It has the root's zone, so what it lacks is recursion, and an answer for all that is not its own."""
    health = tried(net, 1)

    assert "it offers no recursion, at least not to you: allow it there, or use a recursive resolver" in health.problems


def test_a_server_of_our_own_zones_is_told_as_one(net: Net) -> None:
    """Wherever it is: that it answers for a hosted name with authority gives it away."""
    serving = [number for number in range(1, 12) if _serves(net, number)]

    assert serving
    assert RESOLVER not in serving


def _serves(net: Net, number: int) -> bool:
    timing = Timing(timeout=timedelta(milliseconds=300), tries=1, rate=None)
    settings = VantageSettings(name="v", operator="V", address=address(net.address(number)), port=net.port)
    return any("hosted here" in problem for problem in probe(settings, timing, hosted=HOSTED).problems)
