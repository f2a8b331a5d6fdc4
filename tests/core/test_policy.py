"""What an administrator may decide, and what no policy can."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.names import NamePattern
from mailswitch.core.policy import DEFAULT_ACTIONS, HERE_ROUTES, NEVER_TURNED_OFF, Action, Policy, Route
from tests.support.builders import a_domain


def test_elsewhere_alone_is_turned_off_by_default() -> None:
    assert {route for route in Route if Policy().action(a_domain(), route) is Action.TURN_OFF} == {Route.ELSEWHERE}


def test_routes_that_lead_here_are_kept_by_default() -> None:
    assert {route for route in Route if Policy().action(a_domain(), route) is Action.KEEP} == HERE_ROUTES


def test_every_route_has_a_default() -> None:
    assert set(DEFAULT_ACTIONS) == set(Route)


def test_a_route_s_action_can_be_changed_for_all() -> None:
    policy = Policy(actions={Route.GATEWAY: Action.TURN_OFF})

    assert policy.action(a_domain(), Route.GATEWAY) is Action.TURN_OFF
    assert policy.action(a_domain(), Route.ELSEWHERE) is Action.TURN_OFF
    assert policy.action(a_domain(), Route.PARKED) is Action.HOLD


def test_the_most_specific_pattern_that_names_the_route_wins() -> None:
    rules = (
        (NamePattern("*.example.jp"), {Route.GATEWAY: Action.TURN_OFF}),
        (NamePattern("*.shop.example.jp"), {Route.GATEWAY: Action.KEEP, Route.PARKED: Action.TURN_OFF}),
        (NamePattern("a.shop.example.jp"), {Route.GATEWAY: Action.HOLD}),
    )

    for order in permutations(rules):
        policy = Policy(domain_actions=order)
        assert policy.action(a_domain("www.example.jp"), Route.GATEWAY) is Action.TURN_OFF
        assert policy.action(a_domain("b.shop.example.jp"), Route.GATEWAY) is Action.KEEP
        assert policy.action(a_domain("a.shop.example.jp"), Route.GATEWAY) is Action.HOLD
        assert policy.action(a_domain("a.shop.example.jp"), Route.PARKED) is Action.TURN_OFF
        assert policy.action(a_domain("example.jp"), Route.GATEWAY) is Action.HOLD


@pytest.mark.parametrize("route", sorted(NEVER_TURNED_OFF))
def test_no_policy_turns_off_what_leads_here_or_is_not_known(route: Route) -> None:
    everywhere = Policy(actions={route: Action.TURN_OFF})
    by_name = Policy(domain_actions=((NamePattern("moved.example"), {route: Action.TURN_OFF}),))

    assert everywhere.action(a_domain(), route) is DEFAULT_ACTIONS[route]
    assert by_name.action(a_domain(), route) is DEFAULT_ACTIONS[route]


_ACTIONS = st.dictionaries(st.sampled_from(Route), st.sampled_from(Action))
_PATTERNS = st.sampled_from(["*", "*.example", "moved.example", "m*.example", "other.example"])


@given(_ACTIONS, st.lists(st.tuples(_PATTERNS, _ACTIONS), max_size=4), st.sampled_from(sorted(NEVER_TURNED_OFF)))
def test_whatever_is_written_mail_that_may_come_here_is_never_turned_off(
    general: dict[Route, Action], named: list[tuple[str, dict[Route, Action]]], route: Route
) -> None:
    policy = Policy(actions=general, domain_actions=tuple((NamePattern(text), actions) for text, actions in named))

    assert policy.action(a_domain(), route) is not Action.TURN_OFF
