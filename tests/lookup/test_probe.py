"""What doctor learns of a vantage, from real servers that misbehave in each way."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from mailswitch.core.names import DomainName
from mailswitch.lookup.probe import Validation, VantageHealth, probe
from mailswitch.lookup.vantages import Timing, Transport, VantageSettings
from mailswitch.simulation.certificates import authority, issued, server_context
from mailswitch.simulation.public_dns import PublicDNSServer, parse_records
from tests.support.nasty_dns import SOA, NastyDNS, reply_to
from tests.support.stream_dns import StreamDNS, answering

PATIENT = Timing(timeout=timedelta(seconds=10), tries=2)
HASTY = Timing(timeout=timedelta(milliseconds=200), tries=2)
OWN = DomainName("own.example")
ROOT_SOA = ". 86400 IN SOA a.root-servers.test. nstld.test. 2026112300 1800 900 604800 86400"
SIGNATURE = ". 86400 IN RRSIG SOA 8 0 86400 20261206170000 20261123160000 20326 . c2lnbmF0dXJl"


def asked_for(query: bytes) -> dns.name.Name:
    return dns.message.from_wire(query).question[0].name


def sound(query: bytes) -> bytes:
    """Answer as a resolver that validates."""
    name = asked_for(query)
    if name == dns.name.root:
        return reply_to(query, ROOT_SOA, SIGNATURE, with_flags=dns.flags.AD)
    if name.to_text().lower() == "dnssec-failed.org.":
        return reply_to(query, rcode=dns.rcode.SERVFAIL)
    return reply_to(query, authority=(SOA,), rcode=dns.rcode.NXDOMAIN)


def for_name(name: str, otherwise: Callable[[bytes], bytes], *answer: str, **how: object) -> Callable[[bytes], bytes]:
    """Answer the question about one name (``*`` for names that are not there) in another way."""

    def answered(query: bytes) -> bytes:
        asked = asked_for(query).to_text().lower()
        is_meant = asked == f"{name}." or (name == "*" and asked.endswith(".com."))
        lines = [f"{asked_for(query)} {line}" for line in answer]
        return reply_to(query, *lines, **how) if is_meant else otherwise(query)  # type: ignore[arg-type]

    return answered


def health_of(answer: Callable[[bytes], bytes], *hosted: DomainName) -> VantageHealth:
    with NastyDNS(lambda query: [answer(query)]) as server:
        return probe(server.settings(), PATIENT, hosted=hosted)


def test_a_sound_vantage_has_no_problem_and_is_known_to_validate() -> None:
    health = health_of(sound, OWN)

    assert (health.problems, health.is_answering) == ((), True)
    assert health.validation is Validation.DONE
    assert health.signed == (datetime(2026, 11, 23, 16, tzinfo=UTC), datetime(2026, 12, 6, 17, tzinfo=UTC))


def test_the_simulated_resolver_is_sound_and_does_not_validate() -> None:
    with PublicDNSServer(parse_records("")) as server:
        settings = VantageSettings(name="a", operator="A", address=ip_address(server.address), port=server.port)
        health = probe(settings, PATIENT, hosted=[OWN])

    assert (health.vantage.name, health.problems) == ("a", ())
    assert (health.validation, health.signed) == (Validation.NOT_DONE, None)


def test_the_round_trip_is_the_median_of_several() -> None:
    trips = [0.9, 0.02, 0.03, 0.04, 0.01]
    ticks = itertools.chain.from_iterable((at, at + trip) for at, trip in enumerate(trips))
    later = itertools.count(100.0)
    clock = itertools.chain(ticks, later)
    with NastyDNS(lambda query: [sound(query)]) as server:
        health = probe(server.settings(), PATIENT, monotonic=lambda: next(clock))

    assert health.round_trip == timedelta(seconds=0.03)


def test_nobody_but_the_vantage_is_asked_and_only_a_handful_of_questions() -> None:
    with NastyDNS(lambda query: [sound(query)]) as server:
        probe(server.settings(), PATIENT, hosted=[OWN])
        names = [asked_for(query).to_text().lower() for query in server.udp_queries]

    assert names.count(".") == 5
    assert names[6:] == ["own.example.", "dnssec-failed.org."]
    assert names[5].startswith("www.")
    assert len(names[5]) > 32


def test_every_question_asks_for_signatures_and_whether_they_hold() -> None:
    with NastyDNS(lambda query: [sound(query)]) as server:
        probe(server.settings(), PATIENT)
        read = [dns.message.from_wire(query) for query in server.udp_queries]

    assert all(query.ednsflags & dns.flags.DO and query.flags & dns.flags.AD for query in read)


def test_a_silent_vantage_is_told_with_where_to_look() -> None:
    with NastyDNS() as server:
        health = probe(server.settings(), HASTY)

    assert not health.is_answering
    assert health.problems == (
        f"no answer within 0.2 s: see whether this host may reach 127.0.0.1 port {server.port} over UDP, or replace it",
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            lambda query: reply_to(query, *([ROOT_SOA] if asked_for(query) == dns.name.root else []), authority=(SOA,),
                                   rcode=dns.rcode.NXDOMAIN if asked_for(query) != dns.name.root else dns.rcode.NOERROR,
                                   without_flags=dns.flags.RA),
            "it offers no recursion, at least not to you: allow it there, or use a recursive resolver",
        ),
        (
            for_name("*", sound, "60 IN A 192.0.2.1"),
            "asked for a name that is not there, it says that it is there instead of NXDOMAIN: its opinion is worth "
            "nothing; take its operator's unfiltered service, or replace it",
        ),
        (
            for_name("*", sound, authority=(SOA,)),
            "asked for a name that is not there, it says NOERROR instead of NXDOMAIN: its opinion is worth nothing; "
            "take its operator's unfiltered service, or replace it",
        ),
        (
            for_name("*", sound, rcode=dns.rcode.REFUSED),
            "asked for a name that is not there, it says REFUSED instead of NXDOMAIN: its opinion is worth nothing; "
            "take its operator's unfiltered service, or replace it",
        ),
        (
            for_name("", sound, rcode=dns.rcode.SERVFAIL),
            "it says SERVFAIL when asked for the root: it cannot resolve for you; repair or replace it",
        ),
        (
            for_name("own.example", sound, "60 IN SOA . . 1 2 3 4 5", with_flags=dns.flags.AA),
            "it answers with authority for own.example, hosted here: it serves the zone itself and is no public view "
            "of it; use a resolver of somebody else",
        ),
    ],
    ids=["no-recursion", "rewriting", "nodata", "refusing", "no-root", "own-zone"],
)  # fmt: skip
def test_what_makes_a_vantage_unfit_is_told_in_one_sentence_with_what_to_do(
    answer: Callable[[bytes], bytes], problem: str
) -> None:
    assert health_of(answer, OWN).problems == (problem,)


def test_a_vantage_that_believes_a_broken_signature_only_pretends_to_validate() -> None:
    believing = for_name("dnssec-failed.org", sound, "60 IN A 192.0.2.1")

    assert health_of(believing).validation is Validation.PRETENDED


def test_a_vantage_that_falls_silent_is_told() -> None:
    def only_the_root(query: bytes) -> list[bytes]:
        return [sound(query)] if asked_for(query) == dns.name.root else []

    with NastyDNS(only_the_root) as server:
        assert probe(server.settings(), HASTY).problems == (
            "asked for a name that is not there: no answer within 0.2 s: it fails now and then, replace it",
        )


def test_a_vantage_over_tls_is_tried_on_one_connection_and_a_wrong_certificate_is_told(tmp_path: Path) -> None:
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.identity.certificate_pem)
    context = server_context(issued(ca, "dns.example.net").write(tmp_path / "server.pem"))
    with StreamDNS(answering(sound), context) as server:
        health, wrong = (
            probe(server.settings(Transport.TLS, ca_file=tmp_path / "ca.pem", server_name=name), PATIENT)
            for name in ("dns.example.net", "dns.example.org")
        )

        assert (health.problems, health.validation) == ((), Validation.DONE)
        assert len([caller for caller in server.callers if caller.asked]) == 1
    assert wrong.problems == (
        "its certificate is refused: Hostname mismatch, certificate is not valid for 'dns.example.org'.: set "
        "tls.server_name, tls.ca_file or tls.fingerprint_sha256 to what it ought to bear, or replace it",
    )
