"""What can hold a turn-off, one function a guard, in the fixed order of design.md section 5.

A guard answers with the sentence that tells why it holds, or with None. It can only weaken: nothing in here ever turns
a switch, and a guard that cannot know holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from mailswitch.core.domain import HostedDomain, Platform, Switch
from mailswitch.core.evidence import Evidence, MailLog, NoEvidence, outside_in_words
from mailswitch.core.history import confirmation_window, is_confirmed, needed_spread
from mailswitch.core.ledger import Approval, Claim, DomainHistory, Guard, Pin
from mailswitch.core.own_view import led_astray
from mailswitch.core.policy import HERE_ROUTES, Mode, Policy, Route, UnknownProvider
from mailswitch.core.quorum import Finding
from mailswitch.core.route import Opinion
from mailswitch.core.senders import LOG_SPAN, recent_outside, steady_senders
from mailswitch.core.skips import NO_SKIPS, Skips
from mailswitch.core.words import counted, duration

__all__ = [
    "GUARDS",
    "NEVER_LOCAL_GUARDS",
    "Case",
    "Panel",
    "alias_routed_here",
    "not_managed",
    "stops_sending",
]

_NO_LOG = NoEvidence("no mail log is read")
_FLAPPING_SPAN = timedelta(days=7)
_FLAPPING_TURNS = 2
_MAY_LEAD_HERE = HERE_ROUTES | {Route.GATEWAY, Route.UNKNOWN}


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
    evidence: Evidence = _NO_LOG
    aliases: tuple[tuple[HostedDomain, Finding], ...] = ()
    """The domain's aliases with what was found of each."""
    own_opinions: tuple[Opinion, ...] = ()
    """What each of the server's own resolvers says; none where they are not asked."""
    pins: tuple[Pin, ...] = ()
    approval: Approval | None = None
    turned_at: tuple[datetime, ...] = ()
    """When the switch was turned, by the ledger, whoever did it."""
    skips: Skips = NO_SKIPS
    """Time that the clock skipped, in which nothing grew older."""

    @property
    def is_never_local(self) -> bool:
        """Whether nobody may host this name here, whatever they say."""
        return self.domain.name in self.policy.never_local


def not_managed(case: Case) -> str | None:
    """Say why a switch is none that mailswitch turns, either way."""
    match case.domain.switch:
        case Switch.NOT_CONFIGURED:
            return "mail is not configured for this name in Plesk, which is never touched"
        case Switch.UNKNOWN:
            return "the panel did not say clearly where the switch stands"
        case Switch.ON | Switch.OFF:
            is_managed = case.domain.name.is_host_name
            return None if is_managed else "wildcard and underscore names take no mail"
        case _ as never:
            assert_never(never)


def _pinned(case: Case) -> str | None:
    for pin in case.pins:
        if pin.pattern.matches(case.domain.name) and (pin.until is None or pin.until > case.now):
            until = "" if pin.until is None else f" until {pin.until:%Y-%m-%d %H:%M} UTC"
            return f"pinned as {pin.pattern} by {pin.by}{until}: {pin.reason}"
    return None


def _suspended(case: Case) -> str | None:
    is_suspended = case.domain.is_suspended
    return "the domain or its subscription is suspended, disabled or under restore" if is_suspended else None


def stops_sending(panel: Panel, policy: Policy) -> str | None:
    """Return why a panel's off would stop the sites' own sending; None where it does not or that is accepted."""
    if policy.is_full_off_accepted:
        return None
    since = policy.incoming_only_since
    hint = "set accept_full_off for the server if its sites may stop sending"
    if panel.platform is Platform.UNKNOWN:
        return f"the panel's platform is not known, so turning off might also stop the site's own sending; {hint}"
    if panel.platform is Platform.WINDOWS:
        return f"Plesk on Windows knows only the full off, which also stops the site's own sending; {hint}"
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
    """Hold for every alias that may bring mail into these mailboxes, and not only for one that surely does."""
    for alias, finding in case.aliases:
        is_on = alias.switch in {Switch.ON, Switch.UNKNOWN}
        if is_on and (finding.is_seen_here or finding.route in _MAY_LEAD_HERE):
            return f"its alias {alias.name} has mail on and may still be routed here: it would lose these mailboxes"
    return None


def alias_routed_here(case: Case) -> HostedDomain | None:
    """Return an alias with mail on that a quorum sees routed here, if there is one."""
    for alias, finding in case.aliases:
        if alias.switch is Switch.ON and finding.is_sighting and finding.route in HERE_ROUTES:
            return alias
    return None


def _own_resolver(case: Case) -> str | None:
    return led_astray(case.own_opinions, case.finding)


def _still_receiving(case: Case) -> str | None:
    for sender in steady_senders(case.evidence, case.history, case.now):
        refused = f" ({sender.refused} of them refused)" if sender.refused else ""
        told = f"{sender.messages} messages{refused} from {sender.words} in 7 days"
        ago = duration(case.now - sender.last)
        return f"{told}, the last {ago} ago: looks like a filter that relays back"
    return None


def _unknown_provider(case: Case) -> str | None:
    is_somewhere = bool(case.finding.exchanges) or case.finding.route is Route.IMPLICIT_ELSEWHERE
    if not is_somewhere or case.finding.provider is not None:
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
        case _ as never:
            assert_never(never)


def _lacking_evidence(case: Case) -> str | None:
    match case.evidence:
        case NoEvidence(reason=reason):
            return f"and nothing shows that no mail is relayed back ({reason})"
        case MailLog(covers=covers) as log:
            if covers < LOG_SPAN:
                return f"and the mail log covers only {duration(covers)} of the 7 days needed"
            told = outside_in_words(recent_outside(log, case.now), case.now)
            return None if told is None else f"and the mail log shows {told}"
        case _ as never:
            assert_never(never)


def _unsighted(case: Case) -> str | None:
    return None if case.finding.is_sighting else "no quorum of vantages agreed afresh in this pass"


def _unconfirmed(case: Case) -> str | None:
    history, confirm = case.history, case.policy.confirm
    if is_confirmed(history, case.finding, confirm):
        return _unsighted(case)
    needed = needed_spread(history, confirmation_window(case.finding, confirm))
    seen = f"seen {counted(history.sightings, 'time')} over {duration(history.credited)}"
    return f"{seen}, {counted(confirm.sightings, 'time')} over {duration(needed)} needed"


def _arriving(case: Case) -> str | None:
    history = case.history
    known_since = [] if history.is_from_first_pass else [history.first_seen]
    if case.domain.created is not None:
        known_since.append(datetime.combine(case.domain.created, datetime.min.time(), case.now.tzinfo))
    if history.was_here or not known_since:
        return None
    age = case.skips.age(max(known_since), case.now)
    if age >= case.policy.confirm.new_domain_age:
        return None
    return (
        f"new here for {duration(age)} and never routed here: mailboxes are probably being prepared for a move in; "
        "co-tenants' mail to it is caught meanwhile"
    )


def _re_enabled(case: Case) -> str | None:
    if case.history.claim is not Claim.RE_ENABLED:
        return None
    return "somebody, or a plan sync, turned it on against mailswitch and the route has not been here since"


def _flapping(case: Case) -> str | None:
    turns = sum(1 for at in case.turned_at if case.skips.age(at, case.now) <= _FLAPPING_SPAN)
    return f"turned over {turns} times within 7 days" if turns >= _FLAPPING_TURNS else None


def _approval(case: Case) -> str | None:
    """Ask for a yes in mode approve; what lifts it is judged by the decision, this says what is wrong with it."""
    if case.policy.mode is not Mode.APPROVE:
        return None
    approval = case.approval
    if approval is None or approval.name != case.domain.name:
        return f"nobody approved it: mailswitch approve {case.domain.name}"
    if approval.expires <= case.now:
        return f"the approval of {approval.by} expired on {approval.expires:%Y-%m-%d}"
    if approval.route is not case.finding.route or approval.exchanges != case.finding.exchange_names:
        return f"{approval.by} approved another route or other exchanges: approve it anew"
    return f"mode approve asks for a yes, given by {approval.by}"


GUARDS: tuple[tuple[Guard, Callable[[Case], str | None]], ...] = (
    (Guard.NOT_MANAGED, not_managed),
    (Guard.PINNED, _pinned),
    (Guard.SUSPENDED, _suspended),
    (Guard.STOPS_SENDING, lambda case: stops_sending(case.panel, case.policy)),
    (Guard.NEEDED_BY_ALIAS, _needed_by_alias),
    (Guard.OWN_RESOLVER, _own_resolver),
    (Guard.STILL_RECEIVING, _still_receiving),
    (Guard.UNKNOWN_PROVIDER, _unknown_provider),
    (Guard.UNCONFIRMED, _unconfirmed),
    (Guard.ARRIVING, _arriving),
    (Guard.RE_ENABLED, _re_enabled),
    (Guard.FLAPPING, _flapping),
    (Guard.APPROVAL, _approval),
)
"""Every guard in the order of design.md section 5."""

NEVER_LOCAL_GUARDS: tuple[tuple[Guard, Callable[[Case], str | None]], ...] = (
    (Guard.NOT_MANAGED, not_managed),
    (Guard.PINNED, _pinned),
    (Guard.SUSPENDED, _suspended),
    (Guard.UNCONFIRMED, _unsighted),
    (Guard.APPROVAL, _approval),
)
"""What can hold a name that nobody may host: one quorum sighting is enough, but it takes one."""
