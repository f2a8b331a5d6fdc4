"""What stands in front of turn-offs however sure each one is (design.md section 5).

Turn-ons and reviewed plans pass; names that nobody may host are neither stopped nor counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mailswitch.core.domain import Inventory, ServerAddress, ServerIdentity, Switch
from mailswitch.core.history import LONGEST_GAP
from mailswitch.core.ledger import Actor, Change, DomainHistory, Outcome, ServerState
from mailswitch.core.mx import is_routable
from mailswitch.core.policy import HERE_ROUTES, Limits, Route
from mailswitch.core.skips import NO_SKIPS, Skips
from mailswitch.core.traffic import Traffic
from mailswitch.core.words import counted, duration

__all__ = [
    "DAY",
    "Refusal",
    "VantageFailures",
    "change_refusal",
    "counts_towards_limits",
    "identity_refusal",
    "inventory_refusal",
    "next_server_state",
    "unknown_refusal",
]

DAY = timedelta(hours=24)
_LEAST_SHARE = 3
_SHRINK_SHARE = 0.20
_SHRINK_NAMES = 5
_NAMES_TO_EXPECT_ONE_HERE = 5
_UNKNOWN_OF_FEW = 5
"""Where most names are remembered few are asked about, and fewer unknown ones say little of public DNS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why no switch of a server is turned off in this pass."""

    server: str
    code: str
    """The configuration key or a stable word."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageFailures:
    """How one vantage fared: the measure of a first pass, which has no history to compare with."""

    name: str
    queries: int
    failures: int
    is_authoritative: bool = False
    """The domain's own servers, of which some are always broken: that says nothing about public DNS."""
    traffic: Traffic = field(default_factory=Traffic)


def counts_towards_limits(change: Change, now: datetime, skips: Skips = NO_SKIPS) -> bool:
    """Whether a change on record is one of those that a server's limits are about."""
    return (
        change.actor is Actor.MAILSWITCH
        and change.switch_to is Switch.OFF
        and change.outcome is not Outcome.FAILED
        and not change.is_reviewed
        and not change.is_never_local
        and skips.age(change.finished_at or change.intended_at, now) < DAY
    )


def change_refusal(server: str, limits: Limits, *, names: int, planned: int, recent: int) -> Refusal | None:
    """Refuse more turn-offs than ``limits.changes`` or ``limits.share`` allow within 24 hours.

    Args:
        server: The server's name.
        limits: The limits in force for it.
        names: How many names it hosts.
        planned: How many turn-offs this pass would make by itself.
        recent: How many were made in the 24 hours before, reviewed ones not counted.
    """
    by_share = max(_share_of(limits.share, names), _LEAST_SHARE)
    allowed, key = min((limits.changes, "limits.changes"), (by_share, "limits.share"))
    if planned == 0 or planned + recent <= allowed:
        return None
    already = f" with {recent} in the last 24 hours" if recent else ""
    share = f" ({limits.share:.0%} of {names} names, never less than {_LEAST_SHARE})" if key == "limits.share" else ""
    text = f"turning off {counted(planned, 'switch', 'switches')}{already} is more than {key} allows: {allowed}{share}"
    return Refusal(server=server, code=key, text=text)


def unknown_refusal(
    server: str,
    limits: Limits,
    *,
    before: Sequence[tuple[DomainHistory, Route]],
    vantages: Iterable[VantageFailures],
    now: datetime,
    remembered: int = 0,
) -> Refusal | None:
    """Refuse all turn-offs where public DNS is not to be relied on in this pass.

    Args:
        server: The server's name.
        limits: The limits in force for it.
        before: For each name the ledger knew before this pass, what it remembered and the route found now.
        vantages: How each vantage fared; consulted only while no name had a definite route.
        now: The moment of the pass.
        remembered: Of how many of the names the route is told from memory, which says nothing of public DNS today.
    """
    definite = [
        route
        for history, route in before
        if history.route is not None and (history.unknown_since is None or now - history.unknown_since <= LONGEST_GAP)
    ]
    if definite:
        unknown = sum(1 for route in definite if route is Route.UNKNOWN)
        asked = len(definite) - remembered
        if unknown < _UNKNOWN_OF_FEW or unknown <= _share_of(limits.unknown_share, asked):
            asked = len(definite)
        if unknown <= _share_of(limits.unknown_share, asked):
            return None
        which = "names with a known route" if asked == len(definite) else "names with a known route, asked about anew,"
        text = (
            f"{unknown} of {asked} {which} are unknown now, more than limits.unknown_share "
            f"allows: {limits.unknown_share:.0%}; look at the vantages with mailswitch doctor"
        )
        return Refusal(server=server, code="limits.unknown_share", text=text)
    for vantage in vantages:
        if not vantage.is_authoritative and vantage.failures > _share_of(limits.unknown_share, vantage.queries):
            text = (
                f"vantage {vantage.name} failed {vantage.failures} of {vantage.queries} questions in a first pass, "
                f"more than limits.unknown_share allows: {limits.unknown_share:.0%}; look at it with mailswitch doctor"
            )
            return Refusal(server=server, code="limits.unknown_share", text=text)
    return None


def inventory_refusal(
    inventory: Inventory, state: ServerState | None, now: datetime, skips: Skips = NO_SKIPS
) -> Refusal | None:
    """Refuse all turn-offs where a panel suddenly lists far fewer names; after 24 hours fewer are normal."""
    size = len(inventory.domains)
    if state is None or not _is_shrunk(size, state.inventory_size):
        return None
    lasting = skips.age(state.smaller_since or now, now)
    if lasting >= DAY:
        return None
    what = "lists no names" if size == 0 else f"lists only {counted(size, 'name')}"
    text = (
        f"the panel {what} where it had {state.inventory_size}; this is taken as normal after 24 hours "
        f"(so far {duration(lasting)})"
    )
    return Refusal(server=inventory.server, code="inventory-shrunk", text=text)


def next_server_state(
    inventory: Inventory, state: ServerState | None, now: datetime, skips: Skips = NO_SKIPS
) -> ServerState:
    """Return what is to be remembered of a server after a pass in which its panel answered."""
    size = len(inventory.domains)
    if state is None:
        return ServerState(
            server=inventory.server, first_pass=now, last_pass=now, inventory_size=size, smaller_since=None
        )
    if inventory_refusal(inventory, state, now, skips) is None:
        return replace(state, last_pass=now, inventory_size=size, smaller_since=None)
    since = state.smaller_since
    return replace(state, last_pass=now, smaller_since=now if since is None or since > now else since)


def identity_refusal(
    inventory: Inventory, identity: ServerIdentity, routes: Sequence[tuple[Switch, Route]]
) -> Refusal | None:
    """Refuse a server whose own addresses are surely incomplete: the worst mistake possible (design.md section 4).

    Args:
        inventory: What the panel told.
        identity: What counts as ours, configuration included.
        routes: Each name's switch with the route found.
    """
    private = [str(entry.address) for entry in inventory.addresses if _is_unreachable(entry)]
    if private and not identity.has_routable_ipv4:
        text = (
            f"{', '.join(private)} is private, the panel names no public address for it and no routable IPv4 address "
            "is known: add this server's public addresses to local.addresses"
        )
        return Refusal(server=inventory.server, code="ours-incomplete", text=text)
    on = [route for switch, route in routes if switch is Switch.ON]
    has_answers = any(route is not Route.UNKNOWN for route in on)
    if identity.is_confirmed or len(on) < _NAMES_TO_EXPECT_ONE_HERE or not has_answers:
        return None
    if any(route in HERE_ROUTES for route in on):
        return None
    text = (
        f"{len(on)} names are on and public DNS routes none of them to this server: its public addresses are probably "
        "missing; add them to local.addresses, or write local.confirmed: true if this is right"
    )
    return Refusal(server=inventory.server, code="ours-incomplete", text=text)


def _is_unreachable(entry: ServerAddress) -> bool:
    """Whether an IPv4 address is private and NAT maps nothing to it that can be reached from outside."""
    known = (entry.address,) if entry.public is None else (entry.address, entry.public)
    return entry.address.version == 4 and not any(is_routable(found) for found in known)


def _share_of(share: float, total: int) -> int:
    """Return the whole number that ``share`` allows; 29 % of 100 is 29, whatever binary fractions make of it."""
    return math.floor(round(share * total, 6))


def _is_shrunk(size: int, normal: int) -> bool:
    if size == 0:
        return normal > 0
    return normal - size > max(_SHRINK_SHARE * normal, _SHRINK_NAMES)
