"""What is said of a route, a decision or a limit, word for word: people act on it, and so do notices and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest

from mailswitch.core.decide import Case, can_change, decide
from mailswitch.core.domain import HostedDomain, Inventory, Kind, Platform, ServerAddress, ServerIdentity, Switch
from mailswitch.core.evidence import Deliveries, MailLog
from mailswitch.core.ledger import Approval, Claim, Guard, ServerState
from mailswitch.core.limits import (
    Refusal,
    VantageFailures,
    change_refusal,
    identity_refusal,
    inventory_refusal,
    next_server_state,
    unknown_refusal,
)
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
    address,
)
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Action, Limits, Mode, Policy, Route
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable
from mailswitch.core.route import ExchangeSeen, Opinion, Reason, opinion_of
from mailswitch.core.skips import Skip, Skips
from mailswitch.core.table import Verdict
from tests.support.builders import NOW, a_case, a_domain, a_finding, a_history, a_vantage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TTL = timedelta(minutes=77)
IDENTITY = ServerIdentity(
    addresses=frozenset({address("203.0.113.10")}), networks=(), hosts=(), host_name=DomainName("web01.example.net")
)
PROVIDERS = ProviderTable(
    KnownExchange(pattern=NamePattern(pattern), kind=kind, provider=provider, is_certain=True)
    for pattern, kind, provider in (
        ("*.google.com", ProviderKind.MAILBOX, "Google"),
        ("*.gate.example", ProviderKind.GATEWAY, "Gate"),
    )
)


def opinion(mx: MXAnswer, hosts: dict[str, HostAnswer] | None = None) -> Opinion:
    observation = Observation(
        name=DomainName("moved.example"),
        vantage=a_vantage(),
        at=NOW,
        mx=mx,
        hosts=tuple((DomainName(name), answer) for name, answer in (hosts or {}).items()),
    )
    return opinion_of(observation, IDENTITY, PROVIDERS)


def at(*texts: str, unanswered: str | None = None) -> Addresses:
    return Addresses(addresses=frozenset(map(address, texts)), unanswered=unanswered)


def mx(*records: tuple[int, str]) -> Published:
    return Published(records=frozenset(MX(preference=p, exchange=DomainName(e)) for p, e in records), ttl=TTL)


FOREIGN = at("198.51.100.26")
MANY = at("198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4")
THREE = at("198.51.100.1", "198.51.100.2", "198.51.100.3")


@pytest.mark.parametrize(
    ("mx_answer", "hosts", "route", "because", "ttl"),
    [
        (NoSuchDomain(ttl=TTL), {}, "no-domain", "moved.example does not exist in public DNS", TTL),
        (NullMX(ttl=TTL), {}, "no-mail", "a null MX says that the domain takes no mail", TTL),
        (Indeterminate("SERVFAIL"), {}, "unknown", "no answer about MX: SERVFAIL", timedelta(0)),
        (
            NoMX(ttl=TTL), {"moved.example": at("203.0.113.10")},
            "implicit-here", "no MX, and its own address 203.0.113.10 is ours", TTL,
        ),
        (
            NoMX(ttl=TTL), {"moved.example": THREE},
            "implicit-elsewhere",
            "no MX, and its own address 198.51.100.1, 198.51.100.2, 198.51.100.3 is not ours", TTL,
        ),
        (
            NoMX(ttl=TTL), {"moved.example": MANY},
            "implicit-elsewhere",
            "no MX, and its own address 198.51.100.1, 198.51.100.2, 198.51.100.3 and 1 more is not ours", TTL,
        ),
        (
            NoMX(ttl=TTL), {"moved.example": Indeterminate("timeout")},
            "unknown", "no MX, and the addresses of moved.example are not known: timeout", TTL,
        ),
        (NoMX(ttl=TTL), {"moved.example": NoAddress()}, "dangling", "no MX, and moved.example has no address", TTL),
        (
            mx((10, "a.google.com")), {"a.google.com": FOREIGN}, "elsewhere", "MX a.google.com, Google", TTL,
        ),
        (
            mx((10, "a.google.com"), (10, "mx.other.example")), {"a.google.com": FOREIGN, "mx.other.example": FOREIGN},
            "elsewhere", "MX a.google.com, mx.other.example", TTL,
        ),
        (
            mx((10, "in.gate.example")), {"in.gate.example": FOREIGN},
            "gateway", "MX in.gate.example is an inbound filter that relays back (Gate)", TTL,
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_a_route(
    mx_answer: MXAnswer, hosts: dict[str, HostAnswer], route: str, because: str, ttl: timedelta
) -> None:
    found = opinion(mx_answer, hosts)

    assert (found.route, found.because, found.ttl) == (route, because, ttl)


def test_what_is_said_of_exchanges_that_do_not_count() -> None:
    hosts: dict[str, HostAnswer] = {"a.google.com": FOREIGN, "gone.example": NoSuchHost()}
    found = opinion(mx((0, "."), (10, "a.google.com"), (20, "gone.example")), hosts)

    assert found.notes == (
        Reason(code="null-mx-ignored", text="a null MX among other MX records means nothing"),
        Reason(code="exchange-ignored", text="gone.example does not exist: no mail goes there, ignored"),
    )


def test_an_implicit_exchange_that_is_the_panels_own_name_is_told_with_its_address() -> None:
    identity = replace(IDENTITY, host_name=DomainName("moved.example"))
    observation = Observation(
        name=DomainName("moved.example"), vantage=a_vantage(), at=NOW, mx=NoMX(ttl=TTL),
        hosts=((DomainName("moved.example"), FOREIGN),),
    )  # fmt: skip

    found = opinion_of(observation, identity, PROVIDERS)

    assert found.because == (
        "no MX, and moved.example is the panel's own host name but has a foreign address (198.51.100.26): "
        "add it to local.addresses if it is this server's"
    )


def test_exchanges_are_told_in_their_order() -> None:
    found = opinion(mx((20, "b.example"), (10, "z.example"), (10, "a.example")))

    assert found.exchanges == tuple(
        ExchangeSeen(preference=p, exchange=DomainName(e), addresses=())
        for p, e in ((10, "a.example"), (10, "z.example"), (20, "b.example"))
    )


# ---- Limits


def an_inventory(size: int, *addresses: ServerAddress) -> Inventory:
    domains: tuple[HostedDomain, ...] = tuple(a_domain(f"d{number}.example") for number in range(size))
    return Inventory(
        server="web01", panel="xml-api", version=None, platform=Platform.LINUX, host_name=None, addresses=addresses,
        domains=domains,
    )  # fmt: skip


def a_state(size: int) -> ServerState:
    return ServerState(server="web01", first_pass=NOW, last_pass=NOW - HOUR, inventory_size=size, smaller_since=None)


NOWHERE = replace(IDENTITY, addresses=frozenset())
NAT = (ServerAddress(address=address("10.0.0.5")), ServerAddress(address=address("10.0.0.6")))


@pytest.mark.parametrize(
    ("refuse", "code", "text"),
    [
        (
            lambda: change_refusal("web01", Limits(), names=1000, planned=21, recent=0), "limits.changes",
            "turning off 21 switches is more than limits.changes allows: 20",
        ),
        (
            lambda: change_refusal("web01", Limits(changes=0), names=1000, planned=1, recent=2), "limits.changes",
            "turning off 1 switch with 2 in the last 24 hours is more than limits.changes allows: 0",
        ),
        (
            lambda: change_refusal("web01", Limits(), names=40, planned=5, recent=0), "limits.share",
            "turning off 5 switches is more than limits.share allows: 4 (10% of 40 names, never less than 3)",
        ),
        (
            lambda: unknown_refusal(
                "web01", Limits(), before=[(a_history(route=Route.HERE), Route.UNKNOWN)] * 2, vantages=(), now=NOW
            ),
            "limits.unknown_share",
            "2 of 2 names with a known route are unknown now, more than limits.unknown_share allows: 20%; look at the "
            "vantages with mailswitch doctor",
        ),
        (
            lambda: unknown_refusal(
                "web01", Limits(), before=(), vantages=[VantageFailures(name="a", queries=10, failures=3)], now=NOW
            ),
            "limits.unknown_share",
            "vantage a failed 3 of 10 questions in a first pass, more than limits.unknown_share allows: 20%; look at "
            "it with mailswitch doctor",
        ),
        (
            lambda: inventory_refusal(an_inventory(0), a_state(100), NOW), "inventory-shrunk",
            "the panel lists no names where it had 100; this is taken as normal after 24 hours (so far 0 s)",
        ),
        (
            lambda: identity_refusal(an_inventory(1, *NAT), NOWHERE, ()), "ours-incomplete",
            "10.0.0.5, 10.0.0.6 is private, the panel names no public address for it and no routable IPv4 address is "
            "known: add this server's public addresses to local.addresses",
        ),
        (
            lambda: identity_refusal(an_inventory(5), IDENTITY, [(Switch.ON, Route.ELSEWHERE)] * 5), "ours-incomplete",
            "5 names are on and public DNS routes none of them to this server: its public addresses are probably "
            "missing; add them to local.addresses, or write local.confirmed: true if this is right",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_a_limit(refuse: Callable[[], Refusal | None], code: str, text: str) -> None:
    assert refuse() == Refusal(server="web01", code=code, text=text)


def test_a_private_address_whose_nat_address_is_private_too_is_no_address() -> None:
    mapped = ServerAddress(address=address("10.0.0.5"), public=address("203.0.113.10"))
    mapped_to_nothing = ServerAddress(address=address("10.0.0.5"), public=address("192.168.1.1"))

    assert identity_refusal(an_inventory(1, mapped), NOWHERE, ()) is None
    assert identity_refusal(an_inventory(1, mapped_to_nothing), NOWHERE, ()) is not None


def test_a_shrunk_server_was_looked_at_all_the_same() -> None:
    state = next_server_state(an_inventory(1), a_state(100), NOW)

    assert (state.last_pass, state.smaller_since, state.inventory_size) == (NOW, NOW, 100)


def test_time_that_the_clock_skipped_makes_no_smaller_size_normal() -> None:
    state = replace(a_state(100), smaller_since=NOW - 2 * DAY)
    skipped = Skips((Skip(to=NOW - HOUR, span=47 * HOUR),))

    assert next_server_state(an_inventory(1), state, NOW).inventory_size == 1
    assert next_server_state(an_inventory(1), state, NOW, skipped).inventory_size == 100


# ---- Decisions


def reasons(case: Case) -> dict[str, str]:
    return {reason.code: reason.text for reason in decide(case).reasons}


OFF = a_domain(switch=Switch.OFF)
OURS = a_history(claim=Claim.OURS, claim_route=Route.ELSEWHERE, route=Route.HERE)


def test_what_is_said_of_a_switch_that_is_off_though_mail_is_here() -> None:
    here = a_finding(Route.HERE)

    assert reasons(a_case(OFF, here, history=a_history(route=Route.HERE))) == {
        "here": here.because,
        "off-here": "the switch is off though mail is routed here, and not by mailswitch: never changed, look at it",
    }


def test_what_is_said_where_we_turned_it_off_on_another_route() -> None:
    found = reasons(a_case(OFF, a_finding(Route.PARKED), history=replace(OURS, route=Route.PARKED)))

    assert found["route-changed"] == "the route was elsewhere when mailswitch turned it off"


def test_what_is_said_where_an_alias_needs_it() -> None:
    alias = a_domain("alias.example", kind=Kind.ALIAS, parent="moved.example")
    case = a_case(OFF, history=replace(OURS, route=Route.ELSEWHERE), aliases=((alias, a_finding(Route.HERE)),))

    assert decide(case).verdict is Verdict.TURN_ON
    assert reasons(case)["needed-by-alias"] == "its alias alias.example has mail on and routes here"


def test_what_is_said_where_nobody_agreed_afresh() -> None:
    case = a_case(OFF, a_finding(Route.HERE, is_sighting=False), history=OURS)

    assert decide(case).verdict is Verdict.KEEP
    assert reasons(case) == {
        "here": case.finding.because,
        "unconfirmed": "no quorum of vantages agreed afresh in this pass",
        "route-changed": "the route was elsewhere when mailswitch turned it off",
    }


@pytest.mark.parametrize("route", [Route.HERE, Route.ELSEWHERE, Route.PARKED])
def test_what_is_said_of_names_that_are_not_managed(route: Route) -> None:
    found = reasons(a_case(a_domain(switch=Switch.NOT_CONFIGURED), a_finding(route)))

    assert found["not-managed"] == "mail is not configured for this name in Plesk, which is never touched"


def test_an_approval_is_named_with_the_guards_it_lifts_and_only_with_those() -> None:
    finding = a_finding()
    approval = Approval(
        server="web01", name=a_domain().name, route=finding.route, exchanges=finding.exchange_names,
        despite=frozenset({Guard.UNCONFIRMED}), by="alice", at=NOW, expires=NOW + DAY,
    )  # fmt: skip
    history = a_history(route=finding.route, sightings=1, credited=timedelta(0))
    policy = Policy(mode=Mode.ENFORCE)

    lifted = reasons(a_case(finding=finding, history=history, policy=policy, approval=approval))
    held = reasons(a_case(a_domain(is_suspended=True), finding, history=history, policy=policy, approval=approval))
    plain = reasons(a_case(finding=finding, history=history, policy=policy))

    assert lifted["unconfirmed"] == plain["unconfirmed"] + " (lifted by the approval of alice)"
    assert held["unconfirmed"] == lifted["unconfirmed"]
    assert "alice" not in held["suspended"]
    assert "approval" not in plain["unconfirmed"]


def test_the_policy_of_the_name_counts_where_it_is_off_by_us() -> None:
    """A route that the policy turns off is no ground for turning on, whatever is the rule for other names."""
    ours = a_history(claim=Claim.OURS)
    strict = Policy(
        mode=Mode.ENFORCE, domain_actions=((NamePattern("moved.example"), {Route.GATEWAY: Action.TURN_OFF}),)
    )

    assert can_change(OFF, Route.GATEWAY, Policy(mode=Mode.ENFORCE), ours)
    assert not can_change(OFF, Route.GATEWAY, strict, ours)


def refused(*, days: int, last: timedelta) -> MailLog:
    network = ip_network("192.0.2.0/24")
    return MailLog(
        covers=10 * DAY,
        refused=tuple(
            Deliveries(day=(NOW - last - back * DAY).date(), network=network, messages=5, last=NOW - last - back * DAY)
            for back in range(days)
        ),
    )


def test_refusals_of_an_earlier_turn_do_not_count() -> None:
    evidence = refused(days=4, last=HOUR)
    history = replace(OURS, route=Route.ELSEWHERE)

    counted = decide(a_case(OFF, history=history, evidence=evidence, turned_at=(NOW - 9 * DAY,)))
    not_counted = decide(a_case(OFF, history=history, evidence=evidence, turned_at=(NOW - 9 * DAY, NOW)))

    assert counted.verdict is Verdict.TURN_ON
    assert not_counted.verdict is Verdict.KEEP
