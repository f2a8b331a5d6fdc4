"""The decision table: what a switch and a route come to before any guard is asked (design.md section 5)."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Claim
from mailswitch.core.policy import HERE_ROUTES, NEVER_TURNED_OFF, Action, Route

__all__ = ["CHANGING", "Verdict", "is_ground_for_turning_on", "verdict"]


class Verdict(StrEnum):
    """What becomes of a switch."""

    KEEP = "keep"
    HOLD = "hold"
    TURN_OFF = "turn-off"
    TURN_ON = "turn-on"


CHANGING = frozenset({Verdict.TURN_OFF, Verdict.TURN_ON})

_BY_ACTION = {Action.KEEP: Verdict.KEEP, Action.HOLD: Verdict.HOLD, Action.TURN_OFF: Verdict.TURN_OFF}


def verdict(switch: Switch, route: Route, action: Action, claim: Claim) -> Verdict:
    """Return the verdict for one name.

    A switch that cannot be read or is not configured is judged like one that is on; the guard *not-managed* holds it,
    so that the report says what would happen if it were managed.

    Args:
        switch: Where the switch stands now.
        route: Where public mail goes now.
        action: What the policy wants for that route while the switch is on.
        claim: Whose doing the switch is.
    """
    match switch:
        case Switch.OFF:
            is_back = claim is Claim.OURS and is_ground_for_turning_on(route, action)
            return Verdict.TURN_ON if is_back else Verdict.KEEP
        case Switch.ON | Switch.NOT_CONFIGURED | Switch.UNKNOWN:
            if action is Action.TURN_OFF and route in NEVER_TURNED_OFF:
                return Verdict.HOLD
            return _BY_ACTION[action]
        case _ as never:
            assert_never(never)


def is_ground_for_turning_on(route: Route, action: Action) -> bool:
    """Whether ``route`` is a ground to turn on what we turned off.

    A gateway relays back to us, so the ground on which we turned off is gone; not where the policy turns gateways off.
    """
    return route in HERE_ROUTES or (route is Route.GATEWAY and action is not Action.TURN_OFF)
