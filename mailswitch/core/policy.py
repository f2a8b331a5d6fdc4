"""What an administrator may decide: modes, actions by route, confirmation, limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from mailswitch.core.domain import HostedDomain
from mailswitch.core.names import DomainName, NamePattern, most_specific

__all__ = [
    "DEFAULT_ACTIONS",
    "HERE_ROUTES",
    "NEVER_TURNED_OFF",
    "Action",
    "Confirmation",
    "Limits",
    "Mode",
    "Policy",
    "Route",
    "UnknownProvider",
]


class Route(StrEnum):
    """Where public mail for a domain goes, seen from one server (design.md section 4)."""

    NO_DOMAIN = "no-domain"
    NO_MAIL = "no-mail"
    HERE = "here"
    UNKNOWN = "unknown"
    BACKUP_HERE = "backup-here"
    FORWARDER = "forwarder"
    GATEWAY = "gateway"
    PARKED = "parked"
    DANGLING = "dangling"
    ELSEWHERE = "elsewhere"
    IMPLICIT_HERE = "implicit-here"
    IMPLICIT_ELSEWHERE = "implicit-elsewhere"


class Action(StrEnum):
    """What a policy wants for a route while the switch is on."""

    TURN_OFF = "turn-off"
    HOLD = "hold"
    KEEP = "keep"


class Mode(StrEnum):
    """How far a pass may go by itself (design.md section 5)."""

    REPORT = "report"
    APPROVE = "approve"
    ENFORCE = "enforce"


class UnknownProvider(StrEnum):
    """What it takes to turn off where not every exchange is a known mailbox host."""

    EVIDENCE = "evidence"
    WINDOW = "window"
    REVIEW = "review"


HERE_ROUTES = frozenset({Route.HERE, Route.BACKUP_HERE, Route.IMPLICIT_HERE})
"""Mail of a domain on one of these routes reaches this server."""

NEVER_TURNED_OFF = HERE_ROUTES | {Route.UNKNOWN}
"""No policy may turn these off; to ask for it is a configuration error."""

DEFAULT_ACTIONS: dict[Route, Action] = {
    Route.NO_DOMAIN: Action.HOLD,
    Route.NO_MAIL: Action.HOLD,
    Route.HERE: Action.KEEP,
    Route.UNKNOWN: Action.HOLD,
    Route.BACKUP_HERE: Action.KEEP,
    Route.FORWARDER: Action.HOLD,
    Route.GATEWAY: Action.HOLD,
    Route.PARKED: Action.HOLD,
    Route.DANGLING: Action.HOLD,
    Route.ELSEWHERE: Action.TURN_OFF,
    Route.IMPLICIT_HERE: Action.KEEP,
    Route.IMPLICIT_ELSEWHERE: Action.HOLD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """How long a route must be seen before it may turn a switch off."""

    sightings: int = 3
    window: timedelta = timedelta(hours=24)
    unknown_provider_window: timedelta = timedelta(hours=72)
    new_domain_age: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be turned off without a review, per server over the rolling 24 hours."""

    changes: int = 20
    share: float = 0.10
    unknown_share: float = 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy in force for one server: the general one with the server's own laid over it."""

    mode: Mode = Mode.REPORT
    actions: dict[Route, Action] = field(default_factory=lambda: dict(DEFAULT_ACTIONS))
    domain_actions: tuple[tuple[NamePattern, dict[Route, Action]], ...] = ()
    never_local: frozenset[DomainName] = frozenset()
    unknown_provider: UnknownProvider = UnknownProvider.EVIDENCE
    confirm: Confirmation = Confirmation()
    limits: Limits = Limits()
    quorum: int = 2
    is_full_off_accepted: bool = False
    """``accept_full_off``: turning off may stop the site's own sending, and that is fine."""
    incoming_only_since: tuple[int, ...] = (18, 0, 51)
    """The first Linux panel version with "Disabled for incoming mail" (plesk.md section 2.1, one operator's figure)."""

    def action(self, domain: HostedDomain, route: Route) -> Action:
        """Return what is wanted for ``route``; the most specific pattern that names the route wins."""
        wanted = self.actions.get(route, DEFAULT_ACTIONS[route])
        if self.domain_actions:
            naming = {pattern: actions for pattern, actions in self.domain_actions if route in actions}
            pattern = most_specific(tuple(naming), domain.name)
            wanted = wanted if pattern is None else naming[pattern][route]
        if route in NEVER_TURNED_OFF and wanted is Action.TURN_OFF:
            return DEFAULT_ACTIONS[route]
        return wanted
