"""Each row of the route table of design.md section 4, and what may not matter to it."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.domain import ServerIdentity
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
    Observation,
    Published,
    Vantage,
    address,
)
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import HERE_ROUTES, Route
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable
from mailswitch.core.route import Opinion, opinion_of
from tests.support.builders import NOW, a_vantage

OURS, OURS_V6, FOREIGN = "203.0.113.10", "2001:db8::10", "198.51.100.26"
HOUR = timedelta(hours=1)
IDENTITY = ServerIdentity(
    addresses=frozenset({address(OURS), address(OURS_V6), address("10.0.0.5")}),
    networks=(ipaddress.ip_network("192.0.2.0/28"),),
    hosts=(NamePattern("*.filter.example.net"),),
    host_name=DomainName("web01.example.net"),
)


def _row(pattern: str, kind: ProviderKind, provider: str, *, is_certain: bool = True) -> KnownExchange:
    return KnownExchange(pattern=NamePattern(pattern), kind=kind, provider=provider, is_certain=is_certain)


PROVIDERS = ProviderTable(
    [
        _row("*.google.com", ProviderKind.MAILBOX, "Google"),
        _row("*.outlook.example", ProviderKind.MAILBOX, "Outlook"),
        _row("*.guess.example", ProviderKind.MAILBOX, "Guess", is_certain=False),
        _row("*.gate.example", ProviderKind.GATEWAY, "Gate"),
        _row("*.forward.example", ProviderKind.FORWARDER, "Forward"),
        _row("*.msv1.invalid", ProviderKind.PARKING, "Microsoft verification"),
    ]
)


def at(*texts: str, canonical: tuple[str, ...] = (), unanswered: str | None = None) -> Addresses:
    return Addresses(
        addresses=frozenset(address(text) for text in texts),
        canonical=tuple(map(DomainName, canonical)),
        unanswered=unanswered,
    )


def published(*records: tuple[int, str], ttl: timedelta = HOUR) -> Published:
    return Published(records=frozenset(MX(preference=p, exchange=DomainName(e)) for p, e in records), ttl=ttl)


def seen(
    mx: MXAnswer,
    hosts: dict[str, HostAnswer] | None = None,
    *,
    vantage: Vantage | None = None,
    remembered: bool = False,
) -> Opinion:
    observation = Observation(
        name=DomainName("moved.example"),
        vantage=vantage or a_vantage(),
        at=NOW,
        mx=mx,
        hosts=tuple((DomainName(name), answer) for name, answer in (hosts or {}).items()),
        is_remembered=remembered,
    )
    return opinion_of(observation, IDENTITY, PROVIDERS)


def routed(*exchanges: tuple[int, str, HostAnswer]) -> Opinion:
    return seen(published(*((p, e) for p, e, _ in exchanges)), {e: answer for _, e, answer in exchanges if e != "."})


def note_codes(opinion: Opinion) -> list[str]:
    return [note.code for note in opinion.notes]


# --- the rows -------------------------------------------------------------------------------------


def test_route_no_domain_on_nxdomain() -> None:
    assert seen(NoSuchDomain(ttl=HOUR)).route is Route.NO_DOMAIN


def test_route_no_mail_on_null_mx() -> None:
    opinion = seen(NullMX(ttl=HOUR))

    assert (opinion.route, opinion.ttl, opinion.exchanges) == (Route.NO_MAIL, HOUR, ())


@pytest.mark.parametrize("records", [[(0, ".")], [(10, ".")], [(0, "."), (10, ".")]])
def test_route_no_mail_on_root_exchanges_alone(records: list[tuple[int, str]]) -> None:
    opinion = seen(published(*records))

    assert opinion == seen(NullMX(ttl=HOUR))


def test_route_null_mx_among_others_is_ignored_and_noted() -> None:
    opinion = routed((0, ".", NoAddress()), (10, "mx.google.com", at(FOREIGN)))

    assert opinion.route is Route.ELSEWHERE
    assert opinion.provider == "Google"
    assert note_codes(opinion) == ["null-mx-ignored"]
    assert [str(entry.exchange) for entry in opinion.exchanges] == [".", "mx.google.com"]


def test_route_here_on_an_address_of_ours_among_the_best() -> None:
    opinion = routed((10, "mx.google.com", at(FOREIGN)), (10, "mail.moved.example", at(OURS)))

    assert opinion.route is Route.HERE
    assert opinion.is_here
    assert "mail.moved.example" in opinion.because


@pytest.mark.parametrize(
    "ours",
    [
        at(OURS),
        at(OURS_V6),
        at("10.0.0.5"),
        at("192.0.2.7"),
        at(FOREIGN, OURS),
        at(FOREIGN, OURS_V6),
        at(OURS, unanswered="AAAA: SERVFAIL"),
        at(OURS, canonical=("real.example",)),
        at(FOREIGN, canonical=("mx1.filter.example.net",)),
        Addresses(addresses=frozenset({ipaddress.ip_address(f"::ffff:{OURS}")})),
    ],
)
def test_route_here_by_any_address_or_host_of_ours(ours: Addresses) -> None:
    assert routed((10, "mx.elsewhere.example", ours)).route is Route.HERE


@pytest.mark.parametrize("answer", [at(FOREIGN), Indeterminate("SERVFAIL"), NoSuchHost(), NoAddress()])
def test_route_here_by_the_name_of_a_host_of_ours_whatever_it_resolves_to(answer: HostAnswer) -> None:
    assert routed((10, "mx1.filter.example.net", answer)).route is Route.HERE


def test_route_here_even_if_another_best_exchange_is_indeterminate() -> None:
    opinion = routed((10, "a.example", Indeterminate("SERVFAIL")), (10, "b.example", at(OURS)))

    assert opinion.route is Route.HERE


def test_route_unknown_without_an_answer_about_mx() -> None:
    opinion = seen(Indeterminate("SERVFAIL"))

    assert opinion.route is Route.UNKNOWN
    assert "SERVFAIL" in opinion.because
    assert not opinion.is_here


@pytest.mark.parametrize("preference", [10, 20])
@pytest.mark.parametrize("doubt", [Indeterminate("time-out"), at(FOREIGN, unanswered="AAAA: time-out")])
def test_route_unknown_while_an_exchange_could_be_ours(preference: int, doubt: HostAnswer) -> None:
    opinion = routed((10, "mx.google.com", at(FOREIGN)), (preference, "other.example", doubt))

    assert opinion.route is Route.UNKNOWN
    assert "time-out" in opinion.because


def test_route_unknown_for_an_exchange_nobody_asked_about() -> None:
    assert seen(published((10, "mx.google.com"))).route is Route.UNKNOWN


def test_route_unknown_wins_over_backup_here_but_ours_is_seen() -> None:
    opinion = routed((10, "a.example", Indeterminate("SERVFAIL")), (20, "b.example", at(OURS)))

    assert opinion.route is Route.UNKNOWN
    assert opinion.is_here


@pytest.mark.parametrize("canonical", [(), ("web01.example.net",)])
def test_route_unknown_where_the_panels_own_host_name_has_a_foreign_address(canonical: tuple[str, ...]) -> None:
    name = "mx.moved.example" if canonical else "web01.example.net"

    opinion = routed((10, name, at(FOREIGN, canonical=canonical)))

    assert opinion.route is Route.UNKNOWN
    assert "local.addresses" in opinion.because


def test_route_backup_here_is_ours_at_a_worse_preference() -> None:
    opinion = routed((10, "mx.google.com", at(FOREIGN)), (20, "mail.moved.example", at(OURS)))

    assert opinion.route is Route.BACKUP_HERE
    assert "preference 20" in opinion.because


def test_route_backup_here_wins_over_an_unknown_worse_exchange() -> None:
    opinion = routed(
        (10, "mx.google.com", at(FOREIGN)), (20, "a.example", at(OURS)), (30, "b.example", Indeterminate("SERVFAIL"))
    )

    assert opinion.route is Route.BACKUP_HERE


@pytest.mark.parametrize("preference", [10, 20])
@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("mx.forward.example", Route.FORWARDER),
        ("mx.gate.example", Route.GATEWAY),
        ("ms1.msv1.invalid", Route.PARKED),
    ],
)
def test_route_forwarder_gateway_parked_by_any_exchange(name: str, route: Route, preference: int) -> None:
    assert routed((10, "mx.google.com", at(FOREIGN)), (preference, name, at(FOREIGN))).route is route


@pytest.mark.parametrize("answer", [at(FOREIGN, canonical=("mx.gate.example",)), NoSuchHost(), NoAddress()])
def test_route_gateway_wins_over_dangling_and_is_seen_through_aliases(answer: HostAnswer) -> None:
    name = "mx.gate.example" if not isinstance(answer, Addresses) else "mx.moved.example"

    assert routed((10, name, answer)).route is Route.GATEWAY


def test_route_forwarder_wins_over_gateway_and_gateway_over_parked() -> None:
    gate, forward, parked = "mx.gate.example", "mx.forward.example", "ms1.msv1.invalid"

    all_three = routed((1, parked, NoSuchHost()), (2, gate, at(FOREIGN)), (3, forward, at(FOREIGN)))
    two = routed((1, parked, NoSuchHost()), (2, gate, at(FOREIGN)))

    assert (all_three.route, two.route) == (Route.FORWARDER, Route.GATEWAY)


def test_route_parked_by_a_placeholder_that_does_not_exist() -> None:
    assert routed((10, "ms12345.msv1.invalid", NoSuchHost())).route is Route.PARKED


@pytest.mark.parametrize(
    "dead",
    [
        NoSuchHost(),
        NoSuchHost(canonical=(DomainName("gone.example"),)),
        NoAddress(),
        at("127.0.0.1"),
        at("192.168.1.9"),
    ],
)
def test_route_dangling_where_a_best_exchange_takes_no_mail(dead: HostAnswer) -> None:
    opinion = routed((10, "dead.example", dead), (10, "mx.google.com", at(FOREIGN)), (20, "x.example", at(FOREIGN)))

    assert opinion.route is Route.DANGLING
    assert opinion.provider is None
    assert "dead.example" in opinion.because


@pytest.mark.parametrize(
    "dead",
    ["127.0.0.1", "10.9.9.9", "100.64.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "::1", "::", "fe80::1", "fd00::1"],
)
def test_route_dangling_for_every_range_nobody_can_reach(dead: str) -> None:
    assert routed((10, "dead.example", at(dead))).route is Route.DANGLING


def test_route_dangling_for_a_mapped_private_address() -> None:
    mapped = Addresses(addresses=frozenset({ipaddress.ip_address("::ffff:192.168.1.9")}))

    assert routed((10, "dead.example", mapped)).route is Route.DANGLING


@pytest.mark.parametrize("answer", [NoAddress(), NoSuchHost(), at("127.0.0.1")])
def test_route_dangling_without_mx_and_without_address(answer: HostAnswer) -> None:
    assert seen(NoMX(ttl=HOUR), {"moved.example": answer}).route is Route.DANGLING


def test_route_elsewhere_is_all_the_rest() -> None:
    opinion = routed((10, "mx.google.com", at(FOREIGN)), (20, "mx.outlook.example", at(FOREIGN)))

    assert (opinion.route, opinion.provider, opinion.ttl) == (Route.ELSEWHERE, "Google + Outlook", HOUR)
    assert not opinion.is_here
    assert not opinion.notes


@pytest.mark.parametrize(
    "other", [(20, "mail.customer.example"), (10, "mail.customer.example"), (20, "mx.guess.example")]
)
def test_route_elsewhere_names_no_provider_unless_every_exchange_is_known(other: tuple[int, str]) -> None:
    opinion = routed((10, "mx.google.com", at(FOREIGN)), (*other, at(FOREIGN)))

    assert (opinion.route, opinion.provider) == (Route.ELSEWHERE, None)


def test_route_elsewhere_is_not_told_by_an_exchange_alias_that_leads_to_a_mailbox_host() -> None:
    opinion = routed((10, "mx.moved.example", at(FOREIGN, canonical=("mx.google.com",))))

    assert (opinion.route, opinion.provider) == (Route.ELSEWHERE, None)


def test_route_elsewhere_ignores_and_notes_a_worse_exchange_that_does_not_exist() -> None:
    opinion = routed((10, "mx.google.com", at(FOREIGN)), (20, "gone.example", NoSuchHost()))

    assert (opinion.route, opinion.provider) == (Route.ELSEWHERE, "Google")
    assert note_codes(opinion) == ["exchange-ignored"]


@pytest.mark.parametrize("answer", [NoAddress(), at("192.168.1.9")])
def test_route_elsewhere_counts_a_worse_exchange_that_exists_without_use(answer: HostAnswer) -> None:
    opinion = routed((10, "mx.google.com", at(FOREIGN)), (20, "odd.example", answer))

    assert (opinion.route, opinion.provider, opinion.notes) == (Route.ELSEWHERE, None, ())


@pytest.mark.parametrize("answer", [at(OURS), at(OURS_V6, FOREIGN)])
def test_route_implicit_here_by_the_names_own_address(answer: HostAnswer) -> None:
    opinion = seen(NoMX(ttl=HOUR), {"moved.example": answer})

    assert (opinion.route, opinion.is_here, opinion.ttl) == (Route.IMPLICIT_HERE, True, HOUR)


def test_route_implicit_elsewhere_by_the_names_own_address() -> None:
    opinion = seen(
        NoMX(ttl=HOUR), {"moved.example": at("198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4")}
    )

    assert opinion.route is Route.IMPLICIT_ELSEWHERE
    assert "and 1 more" in opinion.because


@pytest.mark.parametrize("answer", [Indeterminate("SERVFAIL"), at(FOREIGN, unanswered="A: time-out")])
def test_route_unknown_without_mx_while_the_own_address_is_not_known(answer: HostAnswer) -> None:
    assert seen(NoMX(ttl=HOUR), {"moved.example": answer}).route is Route.UNKNOWN


def test_exchanges_come_by_preference_and_name_with_their_addresses_in_order() -> None:
    opinion = routed(
        (20, "c.example", NoSuchHost()),
        (10, "b.example", at("2001:db8:1::2", "198.51.100.200", "2001:db8:1::1", "198.51.100.3")),
        (10, "a.example", at(FOREIGN)),
    )

    assert [
        (entry.preference, str(entry.exchange), list(map(str, entry.addresses))) for entry in opinion.exchanges
    ] == [
        (10, "a.example", [FOREIGN]),
        (10, "b.example", ["198.51.100.3", "198.51.100.200", "2001:db8:1::1", "2001:db8:1::2"]),
        (20, "c.example", []),
    ]


# --- what a vantage is worth ----------------------------------------------------------------------


@pytest.mark.parametrize("mx", [NoSuchDomain(ttl=HOUR), NullMX(ttl=HOUR), published((10, "mx.google.com"))])
def test_a_vantage_at_an_address_of_ours_is_no_public_view(mx: MXAnswer) -> None:
    opinion = seen(mx, {"mx.google.com": at(FOREIGN)}, vantage=a_vantage(at="192.0.2.7"))

    assert opinion.route is Route.UNKNOWN
    assert "no public view" in opinion.because


def test_a_vantage_elsewhere_is_a_public_view() -> None:
    assert seen(NullMX(ttl=HOUR), vantage=a_vantage(at="198.51.100.53")).route is Route.NO_MAIL


@pytest.mark.parametrize("mx", [NullMX(ttl=HOUR), published((10, "mx.google.com")), Indeterminate("x")])
def test_an_answer_from_memory_is_marked(mx: MXAnswer) -> None:
    assert seen(mx, {"mx.google.com": at(FOREIGN)}, remembered=True).is_remembered


# --- properties -----------------------------------------------------------------------------------

_NAMES = ["mx.google.com", "mx.guess.example", "mx.gate.example", "mx.forward.example", "ms1.msv1.invalid", "a.example"]
_ANSWERS: list[HostAnswer] = [at(FOREIGN), at(OURS), at("192.168.1.9"), NoAddress(), NoSuchHost(), Indeterminate("x")]
_RECORDS = st.dictionaries(
    st.sampled_from([*_NAMES, "."]),
    st.tuples(st.integers(min_value=0, max_value=3), st.sampled_from(_ANSWERS)),
    min_size=1,
)


def _opinion(records: dict[str, tuple[int, HostAnswer]], shift: int = 0) -> Opinion:
    return routed(*((preference + shift, name, answer) for name, (preference, answer) in records.items()))


def _without_preferences(opinion: Opinion) -> Opinion:
    exchanges = tuple(replace(entry, preference=0) for entry in opinion.exchanges)
    because = "" if opinion.route is Route.BACKUP_HERE else opinion.because
    return replace(opinion, exchanges=exchanges, because=because)


@given(records=_RECORDS, order=st.randoms(use_true_random=False))
def test_record_order_does_not_matter(records: dict[str, tuple[int, HostAnswer]], order: Random) -> None:
    names = list(records)
    order.shuffle(names)

    assert _opinion({name: records[name] for name in names}) == _opinion(records)


@given(records=_RECORDS)
def test_letter_case_and_trailing_dot_do_not_matter(records: dict[str, tuple[int, HostAnswer]]) -> None:
    shouted = {name.upper() + ("" if name == "." else "."): known for name, known in records.items()}

    assert _opinion(shouted) == _opinion(records)


@given(records=_RECORDS, shift=st.integers(min_value=0, max_value=65532))
def test_adding_a_constant_to_all_preferences_does_not_matter(
    records: dict[str, tuple[int, HostAnswer]], shift: int
) -> None:
    assert _without_preferences(_opinion(records, shift)) == _without_preferences(_opinion(records))


@given(records=_RECORDS, name=st.sampled_from(_NAMES), preference=st.integers(min_value=0, max_value=3))
def test_an_address_of_ours_anywhere_is_seen(
    records: dict[str, tuple[int, HostAnswer]], name: str, preference: int
) -> None:
    opinion = _opinion({**records, name: (preference, at(OURS))})

    assert opinion.is_here
    assert opinion.route in HERE_ROUTES | {Route.UNKNOWN}


@given(records=_RECORDS, name=st.sampled_from(_NAMES))
def test_an_indeterminate_exchange_never_makes_a_route_elsewhere(
    records: dict[str, tuple[int, HostAnswer]], name: str
) -> None:
    opinion = _opinion({**records, name: (1, Indeterminate("SERVFAIL"))})

    assert opinion.route in HERE_ROUTES | {Route.UNKNOWN}


def test_the_moment_of_an_observation_says_nothing_of_the_route() -> None:
    later = Observation(
        name=DomainName("moved.example"), vantage=a_vantage(), at=datetime(2040, 1, 1, tzinfo=UTC), mx=NullMX(ttl=HOUR)
    )

    assert opinion_of(later, IDENTITY, PROVIDERS) == seen(NullMX(ttl=HOUR))
