"""From a route to a decision: the table, then the guards in fixed order. A guard may only weaken (design.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailswitch.core.domain import HostedDomain, Platform, Switch
from mailswitch.core.evidence import Deliveries, Evidence, MailLog, NoEvidence
from mailswitch.core.history import (
    confirmation_window,
    is_confirmed,
    needed_spread,
)
from mailswitch.core.ledger import Approval, Claim, DomainHistory, Guard, Pin
from mailswitch.core.policy import HERE_ROUTES, Mode, Policy, Route, UnknownProvider
from mailswitch.core.quorum import Finding
from mailswitch.core.route import Reason
from mailswitch.core.table import Verdict, is_ground_for_turning_on, verdict
from mailswitch.core.words import duration

__all__ = ["Case", "Decision", "Panel", "can_change", "decide", "is_asked_about", "table_verdict"]

_LOG_SPAN = timedelta(days=7)
_FLAPPING_SPAN = timedelta(days=7)
_FLAPPING_TURNS = 2
_STILL_RECEIVING_MESSAGES = 3
_STILL_RECEIVING_DAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What kind of off the server's panel has (plesk.md section 2.1)."""

    version: str | None
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that one decision rests on. ``history`` has this pass's finding in it already."""

    domain: HostedDomain
    finding: Finding
    history: DomainHistory
    policy: Policy
    panel: Panel
    now: datetime
    evidence: Evidence = NoEvidence("no mail log is read")
    aliases: tuple[tuple[HostedDomain, Finding], ...] = ()
    """The domain's aliases with what was found of each."""
    pins: tuple[Pin, ...] = ()
    approval: Approval | None = None
    turned_at: tuple[datetime, ...] = ()
    """When the switch was turned, by the ledger, whoever did it."""
    parent_history: DomainHistory | None = None
    """For an alias: what is remembered of the domain it delivers into."""

    @property
    def is_never_local(self) -> bool:
        """Whether nobody may host this name here, whatever they say."""
        return self.domain.name in self.policy.never_local


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one switch in this pass, and why."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    """The route first, then each guard that holds in fixed order, then notes."""
    is_on_review: bool = False
    """Held only by guards that a review lifts."""
    holding: tuple[Guard, ...] = ()
    is_confirmed: bool = False
    due: datetime | None = None
    """When an unconfirmed route can be confirmed at the earliest."""


def table_verdict(domain: HostedDomain, route: Route, policy: Policy, history: DomainHistory | None) -> Verdict:
    """Return what the decision table says to ``route`` for this name, before any guard."""
    claim = Claim.NONE if history is None else history.claim
    return verdict(domain.switch, route, policy.action(domain, route), claim)


def is_asked_about(domain: HostedDomain) -> bool:
    """Whether public DNS is asked about a name: not about wildcards and underscore names."""
    return domain.name.is_host_name


def can_change(case_domain: HostedDomain, route: Route, policy: Policy, history: DomainHistory | None) -> bool:
    """Whether ``route``, seen by one vantage, could lead to a change, so that all others are asked.

    An unknown route could, once somebody else answers, wherever there is a switch to turn.
    """
    if case_domain.switch is Switch.OFF:
        if history is None or history.claim is not Claim.OURS:
            return False
        return route is Route.UNKNOWN or is_ground_for_turning_on(route, policy.action(case_domain, route))
    if case_domain.switch is not Switch.ON:
        return False
    return route is Route.UNKNOWN or table_verdict(case_domain, route, policy, history) is Verdict.TURN_OFF


def decide(case: Case) -> Decision:
    """Decide about one name. Total: every case has an answer, and without certainty it is to hold."""
    tendency = table_verdict(case.domain, case.finding.route, case.policy, case.history)
    if tendency is Verdict.KEEP and _is_needed_again(case):
        tendency = Verdict.TURN_ON
    match tendency:
        case Verdict.TURN_OFF:
            return _turn_off(case)
        case Verdict.TURN_ON:
            return _turn_on(case)
        case Verdict.KEEP | Verdict.HOLD:
            return Decision(verdict=tendency, reasons=(_route_reason(case), *_notes(case)))


def _turn_on(case: Case) -> Decision:
    is_certain = case.finding.is_sighting or _needing_alias(case, HERE_ROUTES, must_be_sighting=True) is not None
    reasons = [_route_reason(case), *_notes(case)]
    alias = _needing_alias(case, HERE_ROUTES, must_be_sighting=True)
    if alias is not None:
        reasons.append(Reason(code=Guard.NEEDED_BY_ALIAS, text=f"its alias {alias.name} has mail on and routes here"))
    if not is_certain:
        reasons.append(Reason(code=Guard.UNCONFIRMED, text="no quorum of vantages agreed in this pass"))
    return Decision(verdict=Verdict.TURN_ON if is_certain else Verdict.KEEP, reasons=tuple(reasons))


def _turn_off(case: Case) -> Decision:
    lifted = _lifted(case)
    guards = _NEVER_LOCAL_GUARDS if case.is_never_local else _GUARDS
    found = [(guard, text) for guard, asks in guards if (text := asks(case)) is not None]
    holding = tuple(guard for guard, _ in found if guard not in lifted)
    approved = f" (lifted by the approval of {case.approval.by})" if case.approval is not None else ""
    reasons = [Reason(code=guard, text=text if guard in holding else text + approved) for guard, text in found]
    return Decision(
        verdict=Verdict.HOLD if holding else Verdict.TURN_OFF,
        reasons=(_route_reason(case), *reasons, *_notes(case)),
        is_on_review=bool(holding) and all(guard.is_liftable for guard in holding),
        holding=holding,
        is_confirmed=is_confirmed(case.history, case.finding, case.policy.confirm),
        due=_due(case) if Guard.UNCONFIRMED in holding else None,
    )


def _lifted(case: Case) -> frozenset[Guard]:
    approval = case.approval
    if (
        approval is None
        or approval.expires <= case.now
        or approval.route is not case.finding.route
        or approval.exchanges != case.finding.exchange_names
    ):
        return frozenset()
    return frozenset({Guard.APPROVAL, *(guard for guard in approval.despite if guard.is_liftable)})


def _route_reason(case: Case) -> Reason:
    return Reason(code=case.finding.route, text=case.finding.because)


def _notes(case: Case) -> list[Reason]:
    """Return what a reader should know though it decides nothing."""
    notes = list(case.finding.notes)
    domain, history, route = case.domain, case.history, case.finding.route
    if domain.switch is Switch.OFF and history.claim is not Claim.OURS:
        if route in HERE_ROUTES and not domain.is_suspended:
            text = "the switch is off though mail is routed here, and not by mailswitch: never changed, look at it"
            notes.append(Reason(code="off-here", text=text))
    elif domain.switch is Switch.OFF and route not in {history.claim_route, Route.UNKNOWN} and history.claim_route:
        text = f"the route was {history.claim_route} when mailswitch turned it off"
        notes.append(Reason(code="route-changed", text=text))
    elif domain.switch in {Switch.NOT_CONFIGURED, Switch.UNKNOWN}:
        reason = Reason(code=Guard.NOT_MANAGED, text=_not_managed(case) or "")
        if table_verdict(domain, route, case.policy, history) is not Verdict.TURN_OFF:
            notes.append(reason)
    return notes


def _not_managed(case: Case) -> str | None:
    name, switch = case.domain.name, case.domain.switch
    if switch is Switch.NOT_CONFIGURED:
        return "mail is not configured for this name in Plesk, which is never touched"
    if switch is Switch.UNKNOWN:
        return "the panel did not say clearly where the switch stands"
    if not name.is_host_name:
        return "wildcard and underscore names take no mail"
    return None


def _pinned(case: Case) -> str | None:
    for pin in case.pins:
        if pin.pattern.matches(case.domain.name) and (pin.until is None or pin.until > case.now):
            until = "" if pin.until is None else f" until {pin.until:%Y-%m-%d %H:%M} UTC"
            return f"pinned as {pin.pattern} by {pin.by}{until}: {pin.reason}"
    return None


def _suspended(case: Case) -> str | None:
    return "the domain or its subscription is suspended, disabled or under restore" if case.domain.is_suspended else None


def _stops_sending(case: Case) -> str | None:
    if case.policy.is_full_off_accepted:
        return None
    panel, since = case.panel, case.policy.incoming_only_since
    hint = "set accept_full_off for the server if its sites may stop sending"
    if panel.platform is not Platform.LINUX:
        return f"Plesk on {panel.platform} knows only the full off, which also stops the site's own sending; {hint}"
    version = _version(panel.version)
    if version is None:
        return f"the panel's version is not known, so turning off might also stop the site's own sending; {hint}"
    if version < since:
        wanted = ".".join(map(str, since))
        return f"Plesk {panel.version} before {wanted} knows only the full off, which also stops sending; {hint}"
    return None


def _version(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers a panel version starts with ("18.0.61 Update #2" is 18.0.61)."""
    words = (text or "").split()
    parts = words[0].split(".") if words else []
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts):
        return None
    return tuple(int(part) for part in parts)


def _needed_by_alias(case: Case) -> str | None:
    alias = _needing_alias(case, HERE_ROUTES | {Route.GATEWAY, Route.UNKNOWN}, must_be_sighting=False)
    if alias is None:
        return None
    return f"its alias {alias.name} has mail on and may still be routed here: its mail would lose these mailboxes"


def _needing_alias(case: Case, routes: frozenset[Route], *, must_be_sighting: bool) -> HostedDomain | None:
    for alias, finding in case.aliases:
        is_certain = finding.is_sighting or not must_be_sighting
        if alias.switch in {Switch.ON, Switch.UNKNOWN} and is_certain and (
            finding.route in routes or (finding.is_seen_here and not must_be_sighting)
        ):
            return alias
    return None


def _is_needed_again(case: Case) -> bool:
    """Whether a name that we turned off has an alias with mail on that a quorum sees routed here."""
    is_ours = case.domain.switch is Switch.OFF and case.history.claim is Claim.OURS
    return is_ours and _needing_alias(case, HERE_ROUTES, must_be_sighting=True) is not None


def _still_receiving(case: Case) -> str | None:
    match case.evidence:
        case NoEvidence():
            return None
        case MailLog(outside=outside):
            by_network: dict[str, list[Deliveries]] = {}
            for delivery in _counted(case, outside):
                by_network.setdefault(str(delivery.network), []).append(delivery)
            for network, group in sorted(by_network.items()):
                messages, days = sum(one.messages for one in group), len({one.day for one in group})
                if messages >= _STILL_RECEIVING_MESSAGES and days >= _STILL_RECEIVING_DAYS:
                    ago = duration(case.now - max(one.last for one in group))
                    return f"{messages} messages from {network} in 7 days, the last {ago} ago: somebody relays to us"
    return None


def _counted(case: Case, outside: tuple[Deliveries, ...]) -> list[Deliveries]:
    """Leave out what came before senders can have known: last seen here + TTL + 1 day (never seen here: all count)."""
    history = case.history
    since = case.now - _LOG_SPAN
    if history.last_seen_here is not None:
        since = max(since, history.last_seen_here + history.ttl + timedelta(days=1))
    return [delivery for delivery in outside if delivery.last > since and delivery.day >= since.date()]


def _unknown_provider(case: Case) -> str | None:
    if not _has_unknown_provider(case):
        return None
    shown = ", ".join(str(name) for name in case.finding.exchange_names[:3]) or "the domain's own address"
    match case.policy.unknown_provider:
        case UnknownProvider.WINDOW:
            return None
        case UnknownProvider.REVIEW:
            return f"not a known mailbox host: {shown}; the policy asks for a review"
        case UnknownProvider.EVIDENCE:
            lacking = _lacking_evidence(case)
            return None if lacking is None else f"not a known mailbox host: {shown}; {lacking}"


def _has_unknown_provider(case: Case) -> bool:
    is_somewhere = bool(case.finding.exchanges) or case.finding.route is Route.IMPLICIT_ELSEWHERE
    return is_somewhere and case.finding.provider is None


def _lacking_evidence(case: Case) -> str | None:
    match case.evidence:
        case NoEvidence(reason=reason):
            return f"and nothing shows that no mail is relayed back ({reason})"
        case MailLog(covers=covers, outside=outside):
            if covers < _LOG_SPAN:
                return f"and the mail log covers only {duration(covers)} of the 7 days needed"
            if _counted(case, outside):
                return "and the mail log shows outside deliveries here"
    return None


def _unconfirmed(case: Case) -> str | None:
    history, confirm = case.history, case.policy.confirm
    if is_confirmed(history, case.finding, confirm):
        return None
    needed = needed_spread(history, confirmation_window(case.finding, confirm))
    return (
        f"seen {history.sightings} of {confirm.sightings} times, "
        f"over {duration(history.credited)} of {duration(needed)}"
    )


def _due(case: Case) -> datetime:
    """Return the earliest moment at which the route can be confirmed, if every sighting until then agrees."""
    history, confirm = case.history, case.policy.confirm
    needed = needed_spread(history, confirmation_window(case.finding, confirm))
    return (history.last_sighting or case.now) + max(needed - history.credited, timedelta(0))


def _arriving(case: Case) -> str | None:
    history, age = case.history, case.policy.confirm.new_domain_age
    if history.was_here:
        return None
    known_since = None if case.domain.created is None else datetime.combine(
        case.domain.created, datetime.min.time(), case.now.tzinfo
    )
    if not history.is_from_first_pass:
        known_since = history.first_seen if known_since is None else max(known_since, history.first_seen)
    if known_since is None or case.now - known_since >= age:
        return None
    return (
        f"new here for {duration(case.now - known_since)} and never routed here: mailboxes are probably being prepared "
        "for a move in; co-tenants' mail to it is caught meanwhile"
    )


def _re_enabled(case: Case) -> str | None:
    if case.history.claim is not Claim.RE_ENABLED:
        return None
    return "somebody, or a plan sync, turned it on against mailswitch and the route has not been here since"


def _flapping(case: Case) -> str | None:
    turns = sum(1 for at in case.turned_at if case.now - at <= _FLAPPING_SPAN)
    return f"turned over {turns} times within 7 days" if turns >= _FLAPPING_TURNS else None


def _approval(case: Case) -> str | None:
    if case.policy.mode is not Mode.APPROVE:
        return None
    approval = case.approval
    if approval is None:
        return f"nobody approved it: mailswitch approve {case.domain.name}"
    if approval.expires <= case.now:
        return f"the approval of {approval.by} expired on {approval.expires:%Y-%m-%d}"
    if approval.route is not case.finding.route or approval.exchanges != case.finding.exchange_names:
        return f"{approval.by} approved another route or other exchanges: approve it anew"
    return f"mode approve asks for a yes, given by {approval.by}"


_GUARDS: tuple[tuple[Guard, Callable[[Case], str | None]], ...] = (
    (Guard.NOT_MANAGED, _not_managed),
    (Guard.PINNED, _pinned),
    (Guard.SUSPENDED, _suspended),
    (Guard.STOPS_SENDING, _stops_sending),
    (Guard.NEEDED_BY_ALIAS, _needed_by_alias),
    (Guard.STILL_RECEIVING, _still_receiving),
    (Guard.UNKNOWN_PROVIDER, _unknown_provider),
    (Guard.UNCONFIRMED, _unconfirmed),
    (Guard.ARRIVING, _arriving),
    (Guard.RE_ENABLED, _re_enabled),
    (Guard.FLAPPING, _flapping),
    (Guard.APPROVAL, _approval),
)
"""Every guard in the order of design.md section 5."""

_NEVER_LOCAL_GUARDS = tuple(
    (guard, asks)
    for guard, asks in _GUARDS
    if guard in {Guard.NOT_MANAGED, Guard.PINNED, Guard.SUSPENDED, Guard.APPROVAL}
)
