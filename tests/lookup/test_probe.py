"""What doctor learns of a vantage."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import pytest

from mailswitch.lookup.probe import probe
from mailswitch.lookup.vantages import Timing, VantageSettings
from mailswitch.simulation.public_dns import PublicDNSServer, parse_records
from tests.support.nasty_dns import SOA, NastyDNS, reply_to

PATIENT = Timing(timeout=timedelta(seconds=10), tries=2)
HASTY = Timing(timeout=timedelta(milliseconds=200), tries=2)


def test_a_sound_vantage_has_no_problem_and_a_round_trip() -> None:
    clock = iter([5.0, 5.25])
    with PublicDNSServer(parse_records("")) as server:
        settings = VantageSettings(name="a", operator="A", address=ip_address(server.address), port=server.port)
        health = probe(settings, PATIENT, lambda: next(clock))

    assert (health.vantage.name, health.problems, health.is_answering) == ("a", (), True)
    assert health.round_trip == timedelta(seconds=0.25)


def test_a_silent_vantage_is_told_as_silent() -> None:
    with NastyDNS() as server:
        health = probe(server.settings(), HASTY)

    assert (health.is_answering, health.problems) == (False, ("no answer within 0.2 s",))


def test_a_vantage_that_invents_names_is_told() -> None:
    def inventing(query: bytes) -> list[bytes]:
        name = dns.message.from_wire(query).question[0].name.to_text()
        return [reply_to(query, f"{name} 60 IN A 192.0.2.1")]

    with NastyDNS(inventing) as server:
        health = probe(server.settings(), PATIENT)

    assert health.problems == ("asked for a name that is not there, it says that it is there instead of NXDOMAIN",)


@pytest.mark.parametrize(
    ("rcode", "without", "problems"),
    [
        (dns.rcode.NXDOMAIN, dns.flags.RA, 2),
        (dns.rcode.SERVFAIL, 0, 2),
        (dns.rcode.NOERROR, 0, 1),
        (dns.rcode.REFUSED, dns.flags.RA, 3),
    ],
)
def test_every_problem_is_told(rcode: dns.rcode.Rcode, without: int, problems: int) -> None:
    with NastyDNS(lambda query: [reply_to(query, authority=(SOA,), rcode=rcode, without_flags=without)]) as server:
        assert len(probe(server.settings(), PATIENT).problems) == problems


def test_a_vantage_that_falls_silent_is_told() -> None:
    def once(query: bytes) -> list[bytes]:
        return [reply_to(query)] if dns.message.from_wire(query).question[0].name == dns.name.root else []

    with NastyDNS(once) as server:
        assert probe(server.settings(), HASTY).problems == (
            "asked for a name that is not there: no answer within 0.2 s",
        )
