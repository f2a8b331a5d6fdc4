"""Decisions beside the guards: keeping, turning on again, what is noted, who is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from mailswitch.core.decide import Case, Decision, Panel, can_change, decide, is_asked_about, table_verdict
from mailswitch.core.domain import HostedDomain, Kind, Platform, Switch
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import HERE_ROUTES, Action, Mode, Policy, Route
from mailswitch.core.quorum import Finding, unasked
from mailswitch.core.route import Reason
from mailswitch.core.table import Verdict
from tests.support.builders import NOW, a_case, a_domain, a_finding, a_history, a_pin

OFF = a_domain(switch=Switch.OFF)
OURS = a_history(claim=Claim.OURS, claim_route=Route.ELSEWHERE)


def off_by_us(
    route: Route = Route.ELSEWHERE, *, finding: Finding | None = None, policy: Policy | None = None, **more: object
) -> Case:
    return a_case(OFF, finding or a_finding(route), history=replace(OURS, route=route), policy=policy, **more)


def an_alias(
    route: Route, switch: Switch = Switch.ON, *, is_sighting: bool | None = None
) -> tuple[HostedDomain, Finding]:
    alias = a_domain("alias.example", kind=Kind.ALIAS, switch=switch, parent="moved.example")
    return alias, a_finding(route, is_sighting=is_sighting)


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


# --- the table, by way of decide ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "verdict"),
    [
        (Route.NO_DOMAIN, Verdict.HOLD),
        (Route.NO_MAIL, Verdict.HOLD),
        (Route.HERE, Verdict.KEEP),
        (Route.UNKNOWN, Verdict.HOLD),
        (Route.BACKUP_HERE, Verdict.KEEP),
        (Route.FORWARDER, Verdict.HOLD),
        (Route.GATEWAY, Verdict.HOLD),
        (Route.PARKED, Verdict.HOLD),
        (Route.DANGLING, Verdict.HOLD),
        (Route.ELSEWHERE, Verdict.TURN_OFF),
        (Route.IMPLICIT_HERE, Verdict.KEEP),
        (Route.IMPLICIT_ELSEWHERE, Verdict.HOLD),
    ],
)
def test_each_route_by_default_while_the_switch_is_on(route: Route, verdict: Verdict) -> None:
    decision = decide(a_case(finding=a_finding(route), history=a_history(route=route)))

    assert decision.verdict is verdict
    assert decision.reasons[0].code == route
    assert not decision.is_on_review


@pytest.mark.parametrize("route", [route for route in Route if route not in HERE_ROUTES | {Route.UNKNOWN}])
@pytest.mark.parametrize("action", Action)
def test_the_policy_of_a_name_is_followed(route: Route, action: Action) -> None:
    actions = ((NamePattern("*.example"), {route: action}),)
    policy = Policy(mode=Mode.ENFORCE, domain_actions=actions)

    verdict = table_verdict(a_domain(), route, policy, None)

    assert verdict.value == action.value


@pytest.mark.parametrize(("switch", "claim"), list(product(Switch, Claim)))
def test_decisions_of_the_full_product_never_go_beyond_the_table(switch: Switch, claim: Claim) -> None:
    for route, action in product(Route, Action):
        policy = Policy(mode=Mode.ENFORCE, actions={route: action})
        case = a_case(
            a_domain(switch=switch), a_finding(route), history=a_history(route=route, claim=claim), policy=policy
        )

        wanted, decision = table_verdict(case.domain, route, policy, case.history), decide(case)

        weakened = {Verdict.TURN_OFF: {Verdict.HOLD}}.get(wanted, set())
        assert decision.verdict in {wanted} | weakened, (route, action)


# --- turning on again -----------------------------------------------------------------------------


@pytest.mark.parametrize("route", [*sorted(HERE_ROUTES), Route.GATEWAY])
def test_one_quorum_sighting_turns_on_what_we_turned_off(route: Route) -> None:
    decision = decide(off_by_us(route))

    assert decision.verdict is Verdict.TURN_ON
    assert codes(decision) == [route, "route-changed"]


@pytest.mark.parametrize("route", [route for route in Route if route not in HERE_ROUTES | {Route.GATEWAY}])
def test_no_other_route_turns_on_again(route: Route) -> None:
    assert decide(off_by_us(route)).verdict is Verdict.KEEP


def test_a_gateway_that_the_policy_turns_off_is_no_ground_for_turning_on() -> None:
    policy = Policy(mode=Mode.ENFORCE, actions={Route.GATEWAY: Action.TURN_OFF})

    assert decide(off_by_us(Route.GATEWAY, policy=policy)).verdict is Verdict.KEEP


def test_without_a_fresh_quorum_nothing_is_turned_on() -> None:
    decision = decide(off_by_us(finding=a_finding(Route.HERE, is_sighting=False)))

    assert decision.verdict is Verdict.KEEP
    assert Guard.UNCONFIRMED in codes(decision)


@pytest.mark.parametrize("claim", [Claim.NONE, Claim.RE_ENABLED])
@pytest.mark.parametrize("route", [*sorted(HERE_ROUTES), Route.GATEWAY])
def test_what_somebody_else_turned_off_is_never_turned_on(claim: Claim, route: Route) -> None:
    case = a_case(OFF, a_finding(route), history=a_history(route=route, claim=claim))

    assert decide(case).verdict is Verdict.KEEP


def test_no_guard_but_not_managed_stops_turning_on() -> None:
    case = off_by_us(
        Route.HERE,
        pins=(a_pin(),),
        turned_at=(NOW, NOW),
        policy=Policy(mode=Mode.APPROVE),
        panel=Panel(version=None, platform=Platform.UNKNOWN),
    )

    assert decide(replace(case, domain=replace(OFF, is_suspended=True))).verdict is Verdict.TURN_ON


def test_a_wildcard_is_not_turned_on() -> None:
    decision = decide(replace(off_by_us(Route.HERE), domain=a_domain("*.moved.example", switch=Switch.OFF)))

    assert decision.verdict is Verdict.KEEP
    assert Guard.NOT_MANAGED in codes(decision)


@pytest.mark.parametrize("route", [Route.ELSEWHERE, Route.UNKNOWN, Route.NO_DOMAIN])
@pytest.mark.parametrize("alias_route", sorted(HERE_ROUTES))
def test_an_alias_with_mail_on_that_routes_here_turns_its_domain_on_again(route: Route, alias_route: Route) -> None:
    decision = decide(off_by_us(route, aliases=(an_alias(Route.ELSEWHERE), an_alias(alias_route))))

    assert decision.verdict is Verdict.TURN_ON
    assert Guard.NEEDED_BY_ALIAS in codes(decision)


@pytest.mark.parametrize(
    "alias",
    [
        an_alias(Route.HERE, Switch.OFF),
        an_alias(Route.HERE, Switch.NOT_CONFIGURED),
        an_alias(Route.HERE, Switch.UNKNOWN),
        an_alias(Route.HERE, is_sighting=False),
        an_alias(Route.GATEWAY),
        an_alias(Route.UNKNOWN),
        an_alias(Route.ELSEWHERE),
    ],
)
def test_an_alias_turns_nothing_on_unless_it_surely_needs_it(alias: tuple[HostedDomain, Finding]) -> None:
    assert decide(off_by_us(aliases=(alias,))).verdict is Verdict.KEEP


def test_an_alias_turns_nothing_on_that_somebody_else_turned_off() -> None:
    assert decide(a_case(OFF, aliases=(an_alias(Route.HERE),))).verdict is Verdict.KEEP


def test_an_alias_does_not_turn_on_a_name_nobody_may_host() -> None:
    """It would be turned off again at once, and on again, and off again."""
    policy = Policy(mode=Mode.ENFORCE, never_local=frozenset({OFF.name}))

    assert decide(off_by_us(policy=policy, aliases=(an_alias(Route.HERE),))).verdict is Verdict.KEEP


# --- what is noted --------------------------------------------------------------------------------


@pytest.mark.parametrize("route", sorted(HERE_ROUTES))
def test_a_switch_off_though_mail_is_here_is_reported(route: Route) -> None:
    assert "off-here" in codes(decide(a_case(OFF, a_finding(route))))


def test_a_suspended_name_is_off_for_that_reason() -> None:
    suspended = replace(OFF, is_suspended=True)

    assert "off-here" not in codes(decide(a_case(suspended, a_finding(Route.HERE))))


@pytest.mark.parametrize(
    ("route", "is_noted"), [(Route.NO_MAIL, True), (Route.ELSEWHERE, False), (Route.UNKNOWN, False)]
)
def test_a_change_of_route_after_we_turned_it_off_is_reported(route: Route, is_noted: bool) -> None:
    assert ("route-changed" in codes(decide(off_by_us(route)))) is is_noted


def test_no_change_of_route_is_reported_where_the_former_is_not_known() -> None:
    case = off_by_us(Route.NO_MAIL)

    decision = decide(replace(case, history=replace(case.history, claim_route=None)))

    assert codes(decision) == ["no-mail"]


@pytest.mark.parametrize("switch", [Switch.NOT_CONFIGURED, Switch.UNKNOWN])
@pytest.mark.parametrize("route", [Route.HERE, Route.UNKNOWN, Route.GATEWAY, Route.ELSEWHERE])
def test_a_switch_that_is_not_managed_is_named_once_with_every_route(switch: Switch, route: Route) -> None:
    decision = decide(a_case(a_domain(switch=switch), a_finding(route)))

    assert codes(decision).count(Guard.NOT_MANAGED) == 1
    assert decision.verdict in {Verdict.KEEP, Verdict.HOLD}


@pytest.mark.parametrize("name", ["*.moved.example", "_dmarc.moved.example"])
def test_a_name_nobody_is_asked_about_is_held_as_not_managed(name: str) -> None:
    decision = decide(a_case(a_domain(name), unasked()))

    assert (decision.verdict, codes(decision)) == (Verdict.HOLD, ["unknown", Guard.NOT_MANAGED])


def test_notes_of_the_finding_come_last() -> None:
    note = Reason(code="exchange-ignored", text="gone.example does not exist")

    decision = decide(a_case(finding=a_finding(notes=(note,)), pins=(a_pin(),)))

    assert codes(decision) == ["elsewhere", Guard.PINNED, "exchange-ignored"]


# --- who is asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "is_asked"), [("moved.example", True), ("*.moved.example", False), ("_x.moved.example", False)]
)
def test_wildcards_and_underscore_names_are_not_asked_about(name: str, is_asked: bool) -> None:
    assert is_asked_about(a_domain(name)) is is_asked


@pytest.mark.parametrize(("switch", "claim", "route"), list(product(Switch, Claim, Route)))
def test_all_vantages_are_asked_exactly_where_a_change_could_follow(switch: Switch, claim: Claim, route: Route) -> None:
    domain, policy = a_domain(switch=switch), Policy(mode=Mode.ENFORCE)
    here = {"here", "backup-here", "implicit-here"}
    grounds = {
        Switch.ON: {"elsewhere", "unknown"} | (here if claim is Claim.RE_ENABLED else set()),
        Switch.OFF: {*here, "gateway", "unknown"} if claim is Claim.OURS else set(),
    }

    assert can_change(domain, route, policy, a_history(claim=claim)) is (route.value in grounds.get(switch, set()))


@pytest.mark.parametrize(("switch", "is_asked"), [(Switch.ON, True), (Switch.OFF, False)])
def test_a_name_without_history_is_asked_about_by_all_only_while_it_is_on(switch: Switch, is_asked: bool) -> None:
    assert can_change(a_domain(switch=switch), Route.UNKNOWN, Policy(), None) is is_asked


def test_a_case_knows_whether_nobody_may_host_its_name() -> None:
    policy = Policy(never_local=frozenset({DomainName("moved.example")}))

    assert a_case(policy=policy).is_never_local
    assert not a_case(a_domain("shop.moved.example"), policy=policy).is_never_local


def test_a_decision_about_a_later_moment_is_the_same_while_nothing_expires() -> None:
    case = a_case()

    assert decide(replace(case, now=NOW + timedelta(days=1))) == decide(case)
