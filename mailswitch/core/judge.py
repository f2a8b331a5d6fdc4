"""One server's part of a pass as one pure function: from what was read and seen to decisions and new history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailswitch.core.alerts import alerts_of
from mailswitch.core.decide import Case, Decision, Panel, can_change, decide, is_log_asked, table_verdict
from mailswitch.core.domain import HostedDomain, Inventory, Kind, ServerIdentity, Switch
from mailswitch.core.evidence import Evidence, NoEvidence
from mailswitch.core.history import Moment, advance
from mailswitch.core.impact import impact_of
from mailswitch.core.ledger import Approval, Change, Claim, DomainHistory, Outcome, Pin, ServerState
from mailswitch.core.limits import (
    DAY,
    Refusal,
    VantageFailures,
    change_refusal,
    counts_towards_limits,
    identity_refusal,
    inventory_refusal,
    next_server_state,
    unknown_refusal,
)
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Mode, Policy, Route
from mailswitch.core.quorum import Finding, unasked
from mailswitch.core.reports import Alert, DomainReport, ServerError, ServerReport
from mailswitch.core.route import Opinion, Reason
from mailswitch.core.skips import NO_SKIPS, Skips
from mailswitch.core.table import Verdict

__all__ = ["Judgement", "ServerCase", "judge", "needs_every_opinion", "tendency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCase:
    """Everything one server's decisions rest on."""

    inventory: Inventory
    identity: ServerIdentity
    policy: Policy
    configured_mode: Mode
    """The mode written down; the policy's may be lifted for one pass."""
    findings: Mapping[DomainName, Finding]
    """By name, for the names this pass is about."""
    histories: Mapping[DomainName, DomainHistory]
    state: ServerState | None
    pins: tuple[Pin, ...]
    approvals: tuple[Approval, ...]
    changes: tuple[Change, ...]
    """The server's changes of the last 30 days, for as long as an approval lives."""
    vantages: tuple[VantageFailures, ...]
    evidence: Callable[[HostedDomain], Evidence]
    own_opinions: Mapping[DomainName, tuple[Opinion, ...]] = field(default_factory=dict)
    """What the server's own resolvers say, by name, where they have a say."""
    now: datetime
    doubt: Refusal | None = None
    """Why *ours* is not known completely, found while it was put together."""
    is_partial: bool = False
    """Only some names are looked at: what needs all of them takes the others as they are remembered."""
    is_reviewed: bool = False
    """The plan was reviewed, so that no limit stands in front of it."""
    is_thorough: bool = False
    """The mail log is asked about every name, also where it has no say."""
    skips: Skips = NO_SKIPS
    """How far the clock was set forward, and when, as far as that was noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a pass reports of one server, and what it remembers."""

    report: ServerReport
    alerts: tuple[Alert, ...]
    state: ServerState
    histories: dict[DomainName, DomainHistory]
    """Only the names whose row changed."""


def needs_every_opinion(
    domain: HostedDomain, first: Opinion, policy: Policy, histories: Mapping[DomainName, DomainHistory]
) -> bool:
    """Whether the first opinion about a name could lead to a change, of itself or of the domain it is an alias of."""
    if can_change(domain, first.route, policy, histories.get(domain.name)):
        return True
    parent = None if domain.parent is None else histories.get(domain.parent)
    is_needed = domain.kind is Kind.ALIAS and domain.switch is Switch.ON and first.is_here
    return is_needed and parent is not None and parent.claim is Claim.OURS


def tendency(domain: HostedDomain, route: Route, policy: Policy, history: DomainHistory | None) -> Verdict:
    """Return what a route may come to for this name: the table's verdict, and nothing where there is no switch to turn.

    A route that can change nothing is settled by one vantage, so that also an unmanaged name's route is told.
    """
    if domain.switch not in {Switch.ON, Switch.OFF}:
        return Verdict.HOLD
    return table_verdict(domain, route, policy, history)


def judge(case: ServerCase) -> Judgement:
    """Decide about every name of a server that was looked at. Total; the same input gives the same output."""
    looked_at = [domain for domain in case.inventory.domains if domain.name in case.findings]
    moment = Moment(now=case.now, server=case.state, skips=case.skips)
    advanced = {
        domain.name: advance(
            case.histories.get(domain.name), domain, case.findings[domain.name], moment, case.policy.confirm
        )
        for domain in looked_at
    }
    lookups = _lookups(case)
    entries = tuple(
        _entry(case, domain, advanced[domain.name], lookups)
        for domain in sorted(looked_at, key=lambda one: (one.name, one.kind))
    )
    error = _error(case, looked_at)
    if error is not None:
        entries = tuple(replace(entry, decision=_withheld(entry.decision, error)) for entry in entries)
    report = ServerReport(
        name=case.inventory.server,
        panel=case.inventory.panel,
        version=case.inventory.version,
        platform=case.inventory.platform,
        addresses=_ours(case.identity),
        domains=entries,
        error=None if error is None else ServerError(code=error.code, text=error.text),
        refusal=_refusal(case, entries),
    )
    return Judgement(
        report=report,
        alerts=alerts_of(report, case.inventory, case.configured_mode, case.vantages),
        state=next_server_state(case.inventory, case.state, case.now, case.skips),
        histories={
            **_given_up(case),
            **{name: new for name, new in advanced.items() if new is not case.histories.get(name)},
        },
    )


def _given_up(case: ServerCase) -> dict[DomainName, DomainHistory]:
    """Remember which names are hosted no more, and after a day let go of their switches.

    Under a name made anew the switch is somebody else's doing. But a name that the panel only left out would never be
    turned on again, so nothing is let go of sooner than a smaller inventory is taken as normal, and nothing at all
    while the panel lists suspiciously few names or was not understood.
    """
    if case.inventory.oddities or inventory_refusal(case.inventory, case.state, case.now, case.skips) is not None:
        return {}
    hosted = {domain.name for domain in case.inventory.domains}
    gone = {
        name: replace(
            history,
            gone_since=(since := history.gone_since or case.now),
            claim=Claim.NONE if case.skips.age(since, case.now) >= DAY else history.claim,
        )
        for name, history in case.histories.items()
        if name not in hosted
    }
    return {name: history for name, history in gone.items() if history != case.histories[name]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lookups:
    """A server's facts by the name they are about."""

    aliases: Mapping[DomainName, list[tuple[HostedDomain, Finding]]]
    approvals: Mapping[DomainName, Approval]
    turns: Mapping[DomainName, list[datetime]]


def _lookups(case: ServerCase) -> _Lookups:
    aliases = defaultdict(list)
    for domain in case.inventory.domains:
        if domain.kind is Kind.ALIAS and domain.parent is not None:
            finding = case.findings.get(domain.name, unasked())
            aliases[domain.parent].append((_as_this_pass_leaves_it(case, domain, finding), finding))
    turns = defaultdict(list)
    for change in case.changes:
        if change.outcome is Outcome.DONE:
            turns[change.name].append(change.finished_at or change.intended_at)
    approvals = {
        approval.name: approval
        for approval in case.approvals
        if approval.server == case.inventory.server and not _is_spent(approval, turns.get(approval.name, []))
    }
    return _Lookups(aliases=aliases, approvals=approvals, turns=turns)


def _as_this_pass_leaves_it(case: ServerCase, alias: HostedDomain, finding: Finding) -> HostedDomain:
    """Return an alias that is turned on again in this pass as on: its mailboxes are needed from then."""
    verdict = table_verdict(alias, finding.route, case.policy, case.histories.get(alias.name))
    return replace(alias, switch=Switch.ON) if verdict is Verdict.TURN_ON else alias


def _is_spent(approval: Approval, turned_at: list[datetime]) -> bool:
    """Whether the switch was turned after the approval: a yes to one turn-off is none to the next one.

    Otherwise it would turn off again, weeks later, what somebody has turned on against us meanwhile.
    """
    return any(at > approval.at for at in turned_at)


def _entry(case: ServerCase, domain: HostedDomain, history: DomainHistory, lookups: _Lookups) -> DomainReport:
    finding = case.findings[domain.name]
    is_asked = case.is_thorough or is_log_asked(domain, finding.route, case.policy, history)
    question = Case(
        domain=domain,
        finding=finding,
        history=history,
        policy=case.policy,
        panel=Panel(version=case.inventory.version, platform=case.inventory.platform),
        now=case.now,
        evidence=case.evidence(domain) if is_asked else NoEvidence("the mail log has no say in it"),
        aliases=tuple(lookups.aliases.get(domain.name, ())),
        own_opinions=case.own_opinions.get(domain.name, ()),
        pins=case.pins,
        approval=lookups.approvals.get(domain.name),
        turned_at=tuple(lookups.turns.get(domain.name, ())),
        skips=case.skips,
    )
    decision = decide(question)
    return DomainReport(
        domain=domain,
        finding=question.finding,
        decision=decision,
        history=history,
        is_never_local=question.is_never_local,
        impact=impact_of(question, decision),
        evidence=question.evidence,
    )


def _error(case: ServerCase, looked_at: list[HostedDomain]) -> Refusal | None:
    if case.doubt is not None:
        return case.doubt
    routes: list[tuple[Switch, Route]] = [(domain.switch, case.findings[domain.name].route) for domain in looked_at]
    if case.is_partial:
        names = {domain.name for domain in looked_at}
        routes += [
            (domain.switch, remembered.route)
            for domain in case.inventory.domains
            if domain.name not in names
            and (remembered := case.histories.get(domain.name)) is not None
            and remembered.route is not None
        ]
    return identity_refusal(case.inventory, case.identity, routes)


def _withheld(decision: Decision, refusal: Refusal) -> Decision:
    """Hold a turn-off of a refused server. No review lifts that: the configuration has to be completed."""
    if decision.verdict is not Verdict.TURN_OFF and not decision.is_on_review:
        return decision
    reasons = (decision.reasons[0], Reason(code=refusal.code, text=refusal.text), *decision.reasons[1:])
    return replace(decision, verdict=Verdict.HOLD, is_on_review=False, reasons=reasons)


def _refusal(case: ServerCase, entries: tuple[DomainReport, ...]) -> Refusal | None:
    if case.is_reviewed:
        return None
    refusal = inventory_refusal(case.inventory, case.state, case.now, case.skips)
    if refusal is None:
        refusal = unknown_refusal(
            case.inventory.server,
            case.policy.limits,
            before=_before(case, entries),
            vantages=case.vantages,
            now=case.now,
            remembered=sum(entry.finding.is_remembered for entry in entries),
        )
    if refusal is not None:
        return refusal
    planned = sum(1 for entry in entries if entry.decision.verdict is Verdict.TURN_OFF and not entry.is_never_local)
    return change_refusal(
        case.inventory.server,
        case.policy.limits,
        names=len(case.inventory.domains),
        planned=planned,
        recent=sum(1 for change in case.changes if counts_towards_limits(change, case.now, case.skips)),
    )


def _before(case: ServerCase, entries: tuple[DomainReport, ...]) -> list[tuple[DomainHistory, Route]]:
    """Return what was known of each name, with its route now; of one that is not looked at, as it was seen last."""
    found = {entry.domain.name: entry.finding.route for entry in entries}
    if case.is_partial:
        for domain in case.inventory.domains:
            history = case.histories.get(domain.name)
            if domain.name not in found and history is not None and history.route is not None:
                found[domain.name] = history.route if history.unknown_since is None else Route.UNKNOWN
    return [(case.histories[name], route) for name, route in found.items() if name in case.histories]


def _ours(identity: ServerIdentity) -> tuple[str, ...]:
    addresses = sorted(identity.addresses, key=lambda found: (found.version, int(found)))
    return (*(str(found) for found in addresses), *sorted(str(network) for network in identity.networks))
