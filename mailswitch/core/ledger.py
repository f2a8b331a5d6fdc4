"""The values the ledger keeps: what was seen of a name, what was changed, what operators said.

Moments are aware UTC datetimes. The values know nothing of tables; `mailswitch.ledger` stores them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Mode, Route

__all__ = [
    "APPROVAL_LIFE",
    "Actor",
    "Approval",
    "Change",
    "Claim",
    "DomainHistory",
    "Guard",
    "Outcome",
    "Pause",
    "Pin",
    "Recheck",
    "Run",
    "ServerPass",
    "ServerState",
]

APPROVAL_LIFE = timedelta(days=30)
"""How long an approval holds, and so how far back a change may have spent one."""


class Guard(StrEnum):
    """Why a turn-off is held, in the fixed order in which guards are asked (design.md section 5)."""

    NOT_MANAGED = "not-managed"
    PINNED = "pinned"
    SUSPENDED = "suspended"
    STOPS_SENDING = "stops-sending"
    NEEDED_BY_ALIAS = "needed-by-alias"
    OWN_RESOLVER = "own-resolver"
    STILL_RECEIVING = "still-receiving"
    UNKNOWN_PROVIDER = "unknown-provider"
    UNCONFIRMED = "unconfirmed"
    ARRIVING = "arriving"
    RE_ENABLED = "re-enabled"
    FLAPPING = "flapping"
    APPROVAL = "approval"

    @property
    def is_liftable(self) -> bool:
        """Whether a reviewed plan or ``approve --despite`` lifts it."""
        return self in _LIFTABLE


_LIFTABLE = frozenset(
    {
        Guard.STILL_RECEIVING,
        Guard.UNKNOWN_PROVIDER,
        Guard.UNCONFIRMED,
        Guard.ARRIVING,
        Guard.RE_ENABLED,
        Guard.FLAPPING,
        Guard.APPROVAL,
    }
)


class Actor(StrEnum):
    """Whose doing a change is. mailswitch never undoes what a person did."""

    MAILSWITCH = "mailswitch"
    PERSON = "person"


class Outcome(StrEnum):
    """How a change ended. A change without an outcome is an intent still to be settled."""

    DONE = "done"
    FAILED = "failed"


class Claim(StrEnum):
    """Who last settled where a name's switch stands."""

    NONE = "none"
    """Nobody we know of, or a person turned it off."""
    OURS = "ours"
    """We turned it off and nobody has touched it since: only these may be turned on again."""
    RE_ENABLED = "re-enabled"
    """It was turned on against us, by a person's command or from outside; held until the route is here again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainHistory:
    """What the ledger remembers of one name on one server."""

    first_seen: datetime
    is_from_first_pass: bool = False
    """The name was there in the server's very first pass, so ``first_seen`` says nothing of its age."""
    route: Route | None = None
    """The current definite route; None while there never was one."""
    since: datetime | None = None
    """Since when ``route`` is the current one without a break."""
    sightings: int = 0
    """Quorum sightings of ``route`` since ``since``."""
    last_sighting: datetime | None = None
    credited: timedelta = timedelta(0)
    """The time the sightings are spread over, each gap counting for at most half the window."""
    ttl: timedelta = timedelta(0)
    """The largest TTL seen of the old or the new MX."""
    last_seen_here: datetime | None = None
    """When mail was last seen to come here after it had left; None while it never left or never was here."""
    was_here: bool = False
    """Whether any vantage ever saw the name routed here."""
    unknown_since: datetime | None = None
    """Since when the route could not be told; None while it can."""
    gone_since: datetime | None = None
    """Since when the panel hosts no such name; None while it does."""
    claim: Claim = Claim.NONE
    claim_change: int | None = None
    """The change that made the claim."""
    claim_route: Route | None = None
    """The route on which we turned it off."""
    claim_exchanges: tuple[DomainName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One switch turned, or meant to be turned."""

    id: int | None
    """Given by the ledger; None before the intent is written."""
    run_id: str | None
    """The run it belongs to; None for a command by hand."""
    server: str
    name: DomainName
    kind: Kind
    panel_id: str
    switch_from: Switch
    switch_to: Switch
    actor: Actor
    by: str
    """The user's name, or ``daemon``."""
    reason: str
    """For a person's change what they wrote; for ours the reasons in words."""
    route: Route | None
    exchanges: tuple[DomainName, ...]
    evidence: str
    """A JSON object: what each vantage answered and which reasons applied at the time."""
    is_reviewed: bool
    """Applied through a reviewed plan: limits neither stop nor count it."""
    is_never_local: bool
    """A name nobody may host here: limits do not count it."""
    reverts: int | None
    """The change that this one undoes."""
    intended_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An administrator's word that a name or pattern is never to be turned off."""

    pattern: NamePattern
    reason: str
    by: str
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An administrator's yes to one turn-off, bound to the route and exchanges they saw."""

    server: str
    name: DomainName
    route: Route
    exchanges: tuple[DomainName, ...]
    """Sorted."""
    despite: frozenset[Guard]
    by: str
    at: datetime
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """All changes are stopped, observation goes on."""

    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """A request to the running daemon to look at a name now, wherever it is hosted, if it is."""

    name: DomainName
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recorded pass."""

    id: str
    mode: Mode
    by: str
    started: datetime
    finished: datetime | None
    """None while it runs, and for ever if it was killed."""
    plan: str | None
    """The plan's digest."""
    changes_done: int = 0
    changes_failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPass:
    """How one recorded pass went on one server."""

    run_id: str
    server: str
    finished: datetime
    error_code: str | None
    error_text: str | None
    counts: tuple[tuple[str, int], ...]
    """Names by decision and outcome, as in the report's summary."""
    is_partial: bool = False
    """Only some of the server's names were looked at, so that its counts are not the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What the ledger remembers of one server from pass to pass."""

    server: str
    first_pass: datetime
    last_pass: datetime
    """The last pass in which the panel answered."""
    inventory_size: int
    """The number of names taken as normal."""
    smaller_since: datetime | None
    """Since when the inventory is suspiciously smaller than that; None while it is not."""
