"""What a server's own resolvers say of a name, and what is made of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailswitch.core.alerts import alerts_of
from mailswitch.core.decide import BOUNCED_HERE, Case, Decision, decide, is_own_view_asked
from mailswitch.core.domain import Inventory, Platform, Switch
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.own_view import led_astray, led_here
from mailswitch.core.policy import HERE_ROUTES, Mode, Policy, Route
from mailswitch.core.reports import Alert
from mailswitch.core.route import Opinion
from mailswitch.core.table import Verdict
from tests.support.builders import (
    a_case,
    a_domain,
    a_finding,
    a_history,
    a_server,
    an_entry,
    an_exchange,
    an_opinion,
)

OFF = a_domain(switch=Switch.OFF)
OURS = a_history(claim=Claim.OURS, claim_route=Route.ELSEWHERE)
AT = "127.0.0.1"


def own(route: Route = Route.ELSEWHERE, *exchanges: str, at: str = AT, because: str = "MX it says") -> Opinion:
    """Return what the resolver at an address says; without exchanges the usual one."""
    seen = tuple(an_exchange(exchange) for exchange in exchanges) or None
    return an_opinion(at, route, because=because, exchanges=seen)


def held(*opinions: Opinion) -> str | None:
    """Return why the guard alone holds the usual turn-off."""
    decision = decide(a_case(own_opinions=opinions))
    assert decision.holding in {(), (Guard.OWN_RESOLVER,)}
    assert (decision.verdict is Verdict.HOLD) is bool(decision.holding)
    return next((one.text for one in decision.reasons if one.code == Guard.OWN_RESOLVER), None)


# --- the guard ------------------------------------------------------------------------------------


def test_nothing_is_held_where_nobody_was_asked() -> None:
    assert held() is None


def test_a_resolver_that_sees_what_the_public_sees_holds_nothing() -> None:
    assert held(own()) is None
    assert held(own(), own(at="192.0.2.53")) is None


def test_a_resolver_that_knows_some_of_the_publics_exchanges_holds_nothing() -> None:
    finding = a_finding(exchanges=(an_exchange("a.mx.example"), an_exchange("b.mx.example")))

    assert led_astray([own(Route.ELSEWHERE, "b.mx.example")], finding) is None


@pytest.mark.parametrize("route", sorted(HERE_ROUTES))
def test_a_resolver_that_leads_back_here_holds(route: Route) -> None:
    assert held(own(route)) == (
        f"this server's own resolver {AT} leads its mail back here (MX it says): mail from this server would bounce"
    )


def test_an_exchange_of_ours_holds_even_where_another_one_leaves_the_route_unknown() -> None:
    text = held(own(), replace(own(Route.UNKNOWN, at="192.0.2.53"), has_ours=True))

    assert text is not None
    assert "192.0.2.53 leads its mail back here" in text


@pytest.mark.parametrize("route", sorted(set(Route) - HERE_ROUTES - {Route.UNKNOWN, Route.ELSEWHERE}))
def test_a_resolver_that_sees_another_route_holds(route: Route) -> None:
    assert held(own(route)) == (
        f"this server's own resolver {AT} sees {route} (MX it says) and not what the public sees: mail from this "
        "server would go astray"
    )


def test_a_resolver_that_knows_an_exchange_the_public_does_not_holds() -> None:
    assert "sees elsewhere (MX it says) and not what the public sees" in str(held(own(Route.ELSEWHERE, "old.example")))


def test_one_resolver_that_leads_astray_is_enough() -> None:
    assert held(own(), own(Route.HERE, at="192.0.2.53")) is not None
    assert held(own(Route.UNKNOWN), own(Route.PARKED, at="192.0.2.53")) is not None


def test_a_resolver_that_cannot_answer_leaves_it_to_the_others() -> None:
    assert held(own(Route.UNKNOWN), own(at="192.0.2.53")) is None


def test_resolvers_that_all_cannot_answer_hold_and_are_quoted() -> None:
    assert held(own(Route.UNKNOWN, because="SERVFAIL"), own(Route.UNKNOWN, at="192.0.2.53", because="no answer")) == (
        "no resolver of this server's own tells where its mail goes (127.0.0.1: SERVFAIL; 192.0.2.53: no answer): "
        "mail from this server would wait"
    )


def test_no_review_and_no_approval_lifts_it() -> None:
    assert not Guard.OWN_RESOLVER.is_liftable
    assert not decide(a_case(own_opinions=(own(Route.HERE),))).is_on_review


def test_it_keeps_nobody_from_turning_on_again() -> None:
    case = a_case(OFF, a_finding(Route.HERE), history=OURS, own_opinions=(own(Route.UNKNOWN),))

    assert decide(case).verdict is Verdict.TURN_ON


# --- whom it is asked about -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("switch", "claim", "route", "is_asked"),
    [
        (Switch.ON, Claim.NONE, Route.ELSEWHERE, True),
        (Switch.ON, Claim.NONE, Route.GATEWAY, False),
        (Switch.ON, Claim.NONE, Route.HERE, False),
        (Switch.OFF, Claim.OURS, Route.ELSEWHERE, True),
        (Switch.OFF, Claim.OURS, Route.UNKNOWN, True),
        (Switch.OFF, Claim.NONE, Route.ELSEWHERE, False),
        (Switch.NOT_CONFIGURED, Claim.NONE, Route.ELSEWHERE, False),
        (Switch.UNKNOWN, Claim.NONE, Route.ELSEWHERE, False),
    ],
)
def test_it_is_asked_about_names_that_go_off_or_went_off_by_us(
    switch: Switch, claim: Claim, route: Route, is_asked: bool
) -> None:
    assert is_own_view_asked(a_domain(switch=switch), route, Policy(), a_history(claim=claim)) is is_asked


def test_a_name_new_to_the_ledger_is_asked_about_too() -> None:
    assert is_own_view_asked(a_domain(), Route.ELSEWHERE, Policy(), None)
    assert not is_own_view_asked(OFF, Route.ELSEWHERE, Policy(), None)


def test_it_is_not_asked_about_names_that_nobody_may_host() -> None:
    policy = Policy(never_local=frozenset({OFF.name}))

    assert not is_own_view_asked(a_domain(), Route.ELSEWHERE, policy, a_history())
    assert not is_own_view_asked(OFF, Route.ELSEWHERE, policy, OURS)


# --- names that are off already -------------------------------------------------------------------


def off_by_us(*opinions: Opinion, route: Route = Route.ELSEWHERE, claim: Claim = Claim.OURS) -> Case:
    return a_case(OFF, a_finding(route), history=replace(OURS, claim=claim), own_opinions=opinions)


def test_a_name_that_is_off_by_us_and_led_back_here_is_turned_on_again() -> None:
    decision = decide(off_by_us(own(Route.HERE)))

    assert decision.verdict is Verdict.TURN_ON
    assert told(decision) == (
        "this server's own resolver 127.0.0.1 leads its mail back here (MX it says): mail from this server to it "
        "bounces"
    )


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ((own(Route.HERE), own(at="192.0.2.53")), Verdict.TURN_ON),
        ((own(Route.UNKNOWN), own(Route.HERE, at="192.0.2.53")), Verdict.TURN_ON),
        ((replace(own(Route.UNKNOWN), has_ours=True), own(at="192.0.2.53")), Verdict.TURN_ON),
        ((own(), own(Route.HERE, at="192.0.2.53")), Verdict.KEEP),
        ((own(Route.PARKED), own(Route.HERE, at="192.0.2.53")), Verdict.KEEP),
    ],
    ids=["first", "first-that-answers", "an-exchange-of-ours", "second", "second-after-astray"],
)
def test_only_the_resolver_that_is_asked_first_turns_it_on_and_a_later_one_is_told_of(
    answers: tuple[Opinion, ...], verdict: Verdict
) -> None:
    decision = decide(off_by_us(*answers))

    assert decision.verdict is verdict
    assert told(decision).endswith("bounces" if verdict is Verdict.TURN_ON else "bounces whenever that one is asked")


def test_it_is_turned_on_also_where_the_public_cannot_be_asked() -> None:
    finding = a_finding(Route.UNKNOWN, is_sighting=False)

    assert decide(a_case(OFF, finding, history=OURS, own_opinions=(own(Route.HERE),))).verdict is Verdict.TURN_ON


def test_a_name_that_nobody_may_host_stays_off() -> None:
    case = off_by_us(own(Route.HERE))

    decision = decide(replace(case, policy=Policy(never_local=frozenset({OFF.name}))))

    assert decision.verdict is Verdict.KEEP


def test_once_on_again_it_is_held_while_its_mail_is_led_back_and_afterwards_goes_off() -> None:
    turned = a_history(claim=Claim.NONE)

    held_on = decide(a_case(history=turned, own_opinions=(own(Route.HERE),)))
    mended = decide(a_case(history=turned, own_opinions=(own(),)))

    assert held_on.holding == (Guard.OWN_RESOLVER,)
    assert mended.verdict is Verdict.TURN_OFF


def told(decision: Decision) -> str:
    """Return what is said of mail that bounces, which is said once."""
    (text,) = [one.text for one in decision.reasons if one.code == BOUNCED_HERE]
    return text


@pytest.mark.parametrize(
    "case",
    [
        off_by_us(),
        off_by_us(own()),
        off_by_us(own(Route.UNKNOWN)),
        off_by_us(own(Route.PARKED)),
        off_by_us(own(Route.HERE), route=Route.HERE),
        off_by_us(own(Route.HERE), claim=Claim.NONE),
    ],
    ids=["nobody-asked", "same", "silent", "astray", "here-for-all", "not-ours"],
)
def test_nothing_is_told_of_a_name_whose_mail_is_not_known_to_bounce(case: Case) -> None:
    assert BOUNCED_HERE not in [one.code for one in decide(case).reasons]


@pytest.mark.parametrize("route", sorted(HERE_ROUTES))
def test_what_leads_here_is_no_matter_where_the_public_sees_the_mail_here(route: Route) -> None:
    assert led_here([own(Route.HERE)], a_finding(route)) is None
    assert led_here([own(Route.HERE)], a_finding(route, is_sighting=False)) is not None
    assert led_here([own(Route.HERE)], a_finding(Route.ELSEWHERE, is_seen_here=True)) is not None


def bounced(*names: str) -> tuple[Alert, ...]:
    """Return the alerts about a server with so many names that are off by us and led back here."""
    entries = [
        replace(an_entry(domain=a_domain(name, switch=Switch.OFF)), decision=decide(off_by_us(own(Route.HERE))))
        for name in names
    ]
    inventory = Inventory(
        server="web01", panel="local", version=None, platform=Platform.LINUX, host_name=None, addresses=(), domains=()
    )
    return alerts_of(a_server(*entries), inventory, Mode.ENFORCE)


def test_all_such_names_are_one_alert_with_what_to_do() -> None:
    (alert,) = bounced("a.example", "b.example")

    assert (alert.code, alert.name) == (BOUNCED_HERE, None)
    assert alert.text == (
        "2 names turned off by mailswitch and led back here by this server's own resolver, so that its own mail to "
        "them bounces; let /etc/resolv.conf name a resolver without their zones, or remove these from Plesk's DNS: "
        "a.example, b.example"
    )


def test_one_such_name_is_named_by_its_alert() -> None:
    (alert,) = bounced("a.example")

    assert str(alert.name) == "a.example"
