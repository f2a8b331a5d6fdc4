"""The decision table over its full product, against an expectation written from design.md, not from the code."""

from __future__ import annotations

from itertools import product

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Claim
from mailswitch.core.policy import Action, Route
from mailswitch.core.table import CHANGING, Verdict, is_ground_for_turning_on, verdict

_MAIL_COMES_HERE = ("here", "backup-here", "implicit-here")


def _expected(switch: str, route: str, action: str, claim: str) -> str:
    """State section 5 once more, in plain words and other terms."""
    if switch == "off":
        if claim != "ours":
            return "keep"
        if route in _MAIL_COMES_HERE:
            return "turn-on"
        return "turn-on" if route == "gateway" and action in ("hold", "keep") else "keep"
    if action == "turn-off" and route in (*_MAIL_COMES_HERE, "unknown"):
        return "hold"
    return action


@pytest.mark.parametrize(("switch", "claim"), list(product(Switch, Claim)))
def test_the_table_over_its_full_product(switch: Switch, claim: Claim) -> None:
    for route, action in product(Route, Action):
        wanted = _expected(switch.value, route.value, action.value, claim.value)

        assert verdict(switch, route, action, claim) is Verdict(wanted), (route, action)


@pytest.mark.parametrize("route", [Route.HERE, Route.BACKUP_HERE, Route.IMPLICIT_HERE, Route.UNKNOWN])
def test_no_action_turns_off_what_is_or_may_be_here(route: Route) -> None:
    found = {verdict(switch, route, action, claim) for switch, action, claim in product(Switch, Action, Claim)}

    assert Verdict.TURN_OFF not in found


@pytest.mark.parametrize(("route", "action"), list(product(Route, Action)))
def test_unknown_is_no_ground_for_turning_on(route: Route, action: Action) -> None:
    is_ground = is_ground_for_turning_on(route, action)

    assert not (is_ground and route in {Route.UNKNOWN, Route.ELSEWHERE, Route.FORWARDER, Route.IMPLICIT_ELSEWHERE})


def test_only_two_verdicts_change_a_switch() -> None:
    assert {Verdict.TURN_ON, Verdict.TURN_OFF} == CHANGING
