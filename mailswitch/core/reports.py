"""The values of one whole pass, as every report shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailswitch.core.decide import Decision
from mailswitch.core.domain import HostedDomain, Platform, Switch
from mailswitch.core.evidence import Evidence, NoEvidence
from mailswitch.core.impact import Impact
from mailswitch.core.ledger import DomainHistory, Pause
from mailswitch.core.limits import Refusal, VantageFailures
from mailswitch.core.names import DomainName
from mailswitch.core.plan import Plan, PlannedChange
from mailswitch.core.policy import Mode
from mailswitch.core.quorum import Finding
from mailswitch.core.table import Verdict

__all__ = [
    "Alert",
    "DomainOutcome",
    "DomainReport",
    "PassReport",
    "ServerError",
    "ServerReport",
    "Summary",
    "plan_of",
    "planned_change",
    "summary_of",
]


_NOT_ASKED = NoEvidence("the mail log was not asked")


class DomainOutcome(StrEnum):
    """What became of a planned change in a pass that applies."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReport:
    """One name in one pass."""

    domain: HostedDomain
    finding: Finding
    decision: Decision
    history: DomainHistory
    is_never_local: bool = False
    outcome: DomainOutcome | None = None
    error: str | None = None
    impact: Impact | None = None
    """What the server's own mail log tells of messages that went into its abandoned mailboxes."""
    evidence: Evidence = _NOT_ASKED
    """What the server's own mail log shows of the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError:
    """Why a server's part of a pass failed, or why the server is refused."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """One server in one pass."""

    name: str
    panel: str
    """``xml-api`` or ``local``."""
    version: str | None
    platform: Platform
    addresses: tuple[str, ...]
    """What counts as ours: addresses and networks, sorted."""
    domains: tuple[DomainReport, ...]
    error: ServerError | None = None
    refusal: Refusal | None = None
    """A limit that stands in front of this server's turn-offs; unlike an error, a review passes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something an administrator should look at whatever the decisions are."""

    code: str
    server: str
    name: DomainName | None
    """None where it concerns the whole server."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """One pass over all servers."""

    run_id: str
    mode: Mode
    is_dry_run: bool
    started: datetime
    finished: datetime
    plan: Plan
    servers: tuple[ServerReport, ...]
    alerts: tuple[Alert, ...]
    pause: Pause | None = None
    is_partial: bool = False
    """Only some names or servers were asked for, so its plan is not the plan of a whole pass."""
    lookups: tuple[VantageFailures, ...] = ()
    """How each vantage fared; nothing where no panel answered."""
    unmatched: int | None = None
    """Datagrams that found no socket of this host while public DNS was asked; None: not known, or no panel answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Names counted by decision and outcome."""

    domains: int = 0
    keep: int = 0
    hold: int = 0
    turn_off: int = 0
    turn_on: int = 0
    on_review: int = 0
    done: int = 0
    failed: int = 0


def summary_of(servers: tuple[ServerReport, ...]) -> Summary:
    """Count the names of some servers."""
    every = [entry for server in servers for entry in server.domains]

    def deciding(wanted: Verdict) -> int:
        return sum(1 for entry in every if entry.decision.verdict is wanted)

    def ending(wanted: DomainOutcome) -> int:
        return sum(1 for entry in every if entry.outcome is wanted)

    return Summary(
        domains=len(every),
        keep=deciding(Verdict.KEEP),
        hold=deciding(Verdict.HOLD),
        turn_off=deciding(Verdict.TURN_OFF),
        turn_on=deciding(Verdict.TURN_ON),
        on_review=sum(1 for entry in every if entry.decision.is_on_review),
        done=ending(DomainOutcome.DONE),
        failed=ending(DomainOutcome.FAILED),
    )


def planned_change(server: str, entry: DomainReport) -> PlannedChange:
    """Return the plan entry of a name that is to be turned, now or on review."""
    to = Switch.ON if entry.decision.verdict is Verdict.TURN_ON else Switch.OFF
    return PlannedChange(
        server=server,
        kind=entry.domain.kind,
        name=entry.domain.name,
        switch_from=entry.domain.switch,
        switch_to=to,
        route=entry.finding.route,
        exchanges=entry.finding.exchange_names,
    )


def plan_of(servers: tuple[ServerReport, ...]) -> Plan:
    """Return the plan of a pass. What a limit refuses is not done by itself, so a review has to add it."""
    changes: list[PlannedChange] = []
    on_review: list[PlannedChange] = []
    for server in servers:
        for entry in server.domains:
            verdict = entry.decision.verdict
            if verdict is Verdict.TURN_ON:
                changes.append(planned_change(server.name, entry))
            elif verdict is Verdict.TURN_OFF:
                is_refused = server.refusal is not None and not entry.is_never_local
                (on_review if is_refused else changes).append(planned_change(server.name, entry))
            elif entry.decision.is_on_review:
                on_review.append(planned_change(server.name, entry))
    return Plan(changes=tuple(sorted(changes)), on_review=tuple(sorted(on_review)))
