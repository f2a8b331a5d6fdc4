"""Core values with defaults, so that a test states only what it is about.

Names are texts here and become values: ``a_domain("moved.example")``. The usual story is a main domain whose mail moved
to Google and whose switch is still on. `NOW` is the moment of the pass.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mailswitch.core.decide import Case, Decision, Panel
from mailswitch.core.domain import HostedDomain, Kind, Platform, Switch
from mailswitch.core.impact import Impact
from mailswitch.core.ledger import (
    Actor,
    Approval,
    Change,
    Claim,
    DomainHistory,
    Guard,
    Outcome,
    Pause,
    Pin,
)
from mailswitch.core.limits import Refusal
from mailswitch.core.mx import Vantage, address
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import HERE_ROUTES, Mode, Policy, Route
from mailswitch.core.quorum import Finding
from mailswitch.core.reports import (
    Alert,
    DomainOutcome,
    DomainReport,
    PassReport,
    ServerError,
    ServerReport,
    plan_of,
)
from mailswitch.core.route import ExchangeSeen, Opinion, Reason
from mailswitch.core.table import Verdict

__all__ = [
    "NOW",
    "a_case",
    "a_change",
    "a_decision",
    "a_domain",
    "a_finding",
    "a_history",
    "a_pause",
    "a_pin",
    "a_report",
    "a_server",
    "a_vantage",
    "an_alert",
    "an_approval",
    "an_entry",
    "an_exchange",
    "an_opinion",
]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_GOOGLE = "Google Workspace / Gmail"


def a_domain(
    name: str = "moved.example",
    *,
    kind: Kind = Kind.DOMAIN,
    switch: Switch = Switch.ON,
    parent: str | None = None,
    display_name: str | None = None,
    panel_id: str = "7",
    created: datetime | None = NOW - timedelta(days=1000),
    is_suspended: bool = False,
) -> HostedDomain:
    """Return an old main domain with its switch on."""
    return HostedDomain(
        name=DomainName(name),
        display_name=display_name or name,
        kind=kind,
        switch=switch,
        panel_id=panel_id,
        parent=None if parent is None else DomainName(parent),
        created=None if created is None else created.date(),
        is_suspended=is_suspended,
    )


def a_vantage(name: str = "a", *, operator: str | None = None, at: str | None = None) -> Vantage:
    """Return a vantage whose operator bears its name."""
    return Vantage(name=name, operator=operator or name, address=None if at is None else address(at))


def an_exchange(
    name: str = "aspmx.l.google.com", *, preference: int = 1, addresses: tuple[str, ...] = ("198.51.100.26",)
) -> ExchangeSeen:
    """Return one exchange with a foreign address."""
    return ExchangeSeen(
        preference=preference, exchange=DomainName(name), addresses=tuple(address(text) for text in addresses)
    )


def an_opinion(
    vantage: str = "a",
    route: Route = Route.ELSEWHERE,
    *,
    because: str = "MX aspmx.l.google.com, Google Workspace / Gmail",
    provider: str | None = _GOOGLE,
    exchanges: tuple[ExchangeSeen, ...] | None = None,
    ttl: timedelta = timedelta(hours=1),
    operator: str | None = None,
    is_remembered: bool = False,
    notes: tuple[Reason, ...] = (),
) -> Opinion:
    """Return one vantage's opinion that the mail is at Google."""
    return Opinion(
        vantage=a_vantage(vantage, operator=operator),
        route=route,
        because=because,
        provider=provider if route is Route.ELSEWHERE else None,
        exchanges=(an_exchange(),) if exchanges is None else exchanges,
        ttl=ttl,
        notes=notes,
        is_remembered=is_remembered,
    )


def a_finding(
    route: Route = Route.ELSEWHERE,
    *,
    because: str = "MX aspmx.l.google.com, Google Workspace / Gmail",
    provider: str | None = _GOOGLE,
    exchanges: tuple[ExchangeSeen, ...] | None = None,
    vantages: int = 2,
    is_sighting: bool | None = None,
    is_seen_here: bool | None = None,
    ttl: timedelta = timedelta(hours=1),
    notes: tuple[Reason, ...] = (),
    opinions: tuple[Opinion, ...] | None = None,
) -> Finding:
    """Return what a quorum of two vantages agrees on."""
    seen = (an_exchange(),) if exchanges is None else exchanges
    asked = ("a", "b")
    if opinions is None:
        opinions = tuple(
            an_opinion(one, route, because=because, provider=provider, exchanges=seen, ttl=ttl) for one in asked
        )
    return Finding(
        route=route,
        because=because,
        vantages=vantages,
        is_sighting=route is not Route.UNKNOWN if is_sighting is None else is_sighting,
        is_seen_here=route in HERE_ROUTES if is_seen_here is None else is_seen_here,
        provider=provider if route is Route.ELSEWHERE else None,
        exchanges=seen,
        ttl=ttl,
        notes=notes,
        opinions=opinions,
    )


def a_history(**known: object) -> DomainHistory:
    """Return the history of a name seen elsewhere often and long enough; ``known`` replaces fields."""
    usual = DomainHistory(
        first_seen=NOW - timedelta(days=30),
        is_from_first_pass=True,
        route=Route.ELSEWHERE,
        since=NOW - timedelta(days=10),
        sightings=5,
        last_sighting=NOW,
        credited=timedelta(days=4),
        ttl=timedelta(hours=1),
        claim=Claim.NONE,
    )
    return replace(usual, **known)  # type: ignore[arg-type]  # the fields are as many as their types


def a_case(
    domain: HostedDomain | None = None,
    finding: Finding | None = None,
    *,
    history: DomainHistory | None = None,
    policy: Policy | None = None,
    **more: object,
) -> Case:
    """Return a case that is due to be turned off; ``more`` replaces other fields of the case."""
    usual = Case(
        domain=domain or a_domain(),
        finding=finding or a_finding(),
        history=history or a_history(),
        policy=policy or Policy(mode=Mode.ENFORCE),
        panel=Panel(version="18.0.61", platform=Platform.LINUX),
        now=NOW,
    )
    return replace(usual, **more)  # type: ignore[arg-type]  # the fields are as many as their types


def a_decision(
    verdict: Verdict = Verdict.TURN_OFF,
    *,
    reasons: tuple[Reason, ...] | None = None,
    holding: tuple[Guard, ...] = (),
    due: datetime | None = None,
) -> Decision:
    """Return a decision; with ``holding`` the turn-off is held, on review if a review lifts all of them."""
    if reasons is None:
        reasons = (
            Reason(code="elsewhere", text="MX aspmx.l.google.com, Google Workspace / Gmail"),
            *(Reason(code=guard, text=f"held by {guard}") for guard in holding),
        )
    return Decision(
        verdict=Verdict.HOLD if holding else verdict,
        reasons=reasons,
        is_on_review=bool(holding) and all(guard.is_liftable for guard in holding),
        holding=holding,
        is_confirmed=not holding,
        due=due,
    )


def an_entry(
    name: str = "moved.example",
    *,
    domain: HostedDomain | None = None,
    finding: Finding | None = None,
    decision: Decision | None = None,
    history: DomainHistory | None = None,
    is_never_local: bool = False,
    outcome: DomainOutcome | None = None,
    error: str | None = None,
    impact: Impact | None = None,
) -> DomainReport:
    """Return one name of a pass, due to be turned off unless told otherwise."""
    return DomainReport(
        domain=domain or a_domain(name),
        finding=finding or a_finding(),
        decision=decision or a_decision(),
        history=history or a_history(),
        is_never_local=is_never_local,
        outcome=outcome,
        error=error,
        impact=impact,
    )


def a_server(
    *domains: DomainReport,
    name: str = "web01",
    panel: str = "xml-api",
    version: str | None = "18.0.61",
    platform: Platform = Platform.LINUX,
    addresses: tuple[str, ...] = ("203.0.113.10",),
    error: ServerError | None = None,
    refusal: Refusal | None = None,
) -> ServerReport:
    """Return one server's part of a pass."""
    return ServerReport(
        name=name,
        panel=panel,
        version=version,
        platform=platform,
        addresses=addresses,
        domains=domains,
        error=error,
        refusal=refusal,
    )


def a_report(
    *servers: ServerReport,
    mode: Mode = Mode.REPORT,
    is_dry_run: bool = True,
    alerts: tuple[Alert, ...] = (),
    pause: Pause | None = None,
    is_partial: bool = False,
    run_id: str = "20260301T120000Z-1",
) -> PassReport:
    """Return a pass over the servers, with their plan."""
    return PassReport(
        run_id=run_id,
        mode=mode,
        is_dry_run=is_dry_run,
        started=NOW,
        finished=NOW + timedelta(seconds=4),
        plan=plan_of(servers),
        servers=servers,
        alerts=alerts,
        pause=pause,
        is_partial=is_partial,
    )


def an_alert(
    code: str = "never-local", text: str = "a tenant catches mail", *, server: str = "web01", name: str | None = None
) -> Alert:
    """Return an alert about a server, or about one of its names."""
    return Alert(code=code, server=server, name=None if name is None else DomainName(name), text=text)


def a_change(name: str = "moved.example", **known: object) -> Change:
    """Return a turn-off of ours that was done; ``known`` replaces fields."""
    usual = Change(
        id=12,
        run_id="20260301T120000Z-1",
        server="web01",
        name=DomainName(name),
        kind=Kind.DOMAIN,
        panel_id="7",
        switch_from=Switch.ON,
        switch_to=Switch.OFF,
        actor=Actor.MAILSWITCH,
        by="daemon",
        reason="MX aspmx.l.google.com, Google Workspace / Gmail",
        route=Route.ELSEWHERE,
        exchanges=(DomainName("aspmx.l.google.com"),),
        evidence="{}",
        is_reviewed=False,
        is_never_local=False,
        reverts=None,
        intended_at=NOW,
        finished_at=NOW + timedelta(seconds=1),
        outcome=Outcome.DONE,
    )
    return replace(usual, **known)  # type: ignore[arg-type]  # the fields are as many as their types


def a_pin(pattern: str = "moved.example", *, reason: str = "the customer asked", until: datetime | None = None) -> Pin:
    """Return a pin by alice."""
    return Pin(pattern=NamePattern(pattern), reason=reason, by="alice", at=NOW - timedelta(days=1), until=until)


def an_approval(
    name: str = "moved.example", *, despite: frozenset[Guard] = frozenset(), expires: datetime | None = None
) -> Approval:
    """Return alice's approval of the usual finding."""
    return Approval(
        server="web01",
        name=DomainName(name),
        route=Route.ELSEWHERE,
        exchanges=(DomainName("aspmx.l.google.com"),),
        despite=despite,
        by="alice",
        at=NOW - timedelta(days=1),
        expires=expires or NOW + timedelta(days=29),
    )


def a_pause(*, reason: str | None = "migration of web01") -> Pause:
    """Return a pause by alice."""
    return Pause(by="alice", at=NOW - timedelta(hours=1), reason=reason)
