"""From a route to a decision: the table, then the guards in fixed order (design.md section 5).

A guard may only weaken. Turning on again asks no guard but *not-managed*, because mail to us is being refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from mailswitch.core.domain import HostedDomain, Switch
from mailswitch.core.guards import GUARDS, NEVER_LOCAL_GUARDS, Case, Panel, alias_routed_here, not_managed
from mailswitch.core.history import confirmation_window, is_confirmed, needed_spread
from mailswitch.core.ledger import Claim, DomainHistory, Guard
from mailswitch.core.own_view import LedHere, led_here
from mailswitch.core.policy import HERE_ROUTES, Policy, Route
from mailswitch.core.route import Reason
from mailswitch.core.senders import RefusedHere, refused_here
from mailswitch.core.table import Verdict, is_ground_for_turning_on, verdict

__all__ = [
    "BOUNCED_HERE",
    "REFUSED_HERE",
    "Case",
    "Decision",
    "Panel",
    "can_change",
    "decide",
    "is_asked_about",
    "is_log_asked",
    "is_own_view_asked",
    "table_verdict",
]

BOUNCED_HERE = "bounced-here"
"""The code of a reason and an alert: this server's own mail to a name that we turned off comes back."""
REFUSED_HERE = "refused-here"
"""The code of a reason and an alert: outside hosts are refused for a name that we turned off."""


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

    An unknown route could, once somebody else answers, wherever there is a switch to turn. One that leads here could
    let go of what somebody turned on against us.
    """
    if case_domain.switch is Switch.OFF:
        if history is None or history.claim is not Claim.OURS:
            return False
        return route is Route.UNKNOWN or is_ground_for_turning_on(route, policy.action(case_domain, route))
    if case_domain.switch is not Switch.ON:
        return False
    if history is not None and history.claim is Claim.RE_ENABLED and route in HERE_ROUTES:
        return True
    return route is Route.UNKNOWN or table_verdict(case_domain, route, policy, history) is Verdict.TURN_OFF


def is_log_asked(domain: HostedDomain, route: Route, policy: Policy, history: DomainHistory) -> bool:
    """Whether the server's own mail log has a say in what becomes of a name: it is to go off, or went off by us."""
    if domain.switch is Switch.OFF:
        return history.claim is Claim.OURS
    return table_verdict(domain, route, policy, history) is Verdict.TURN_OFF


def is_own_view_asked(domain: HostedDomain, route: Route, policy: Policy, history: DomainHistory | None) -> bool:
    """Whether the server's own resolvers have a say in what becomes of a name: it is to go off, or went off by us."""
    if domain.name in policy.never_local:
        return False
    if domain.switch is Switch.OFF:
        return history is not None and history.claim is Claim.OURS
    return domain.switch is Switch.ON and table_verdict(domain, route, policy, history) is Verdict.TURN_OFF


def decide(case: Case) -> Decision:
    """Decide about one name. Total: every case has an answer, and without certainty it is to hold."""
    tendency = table_verdict(case.domain, case.finding.route, case.policy, case.history)
    if _is_needed_again(case) or _is_mail_failing(case):
        tendency = Verdict.TURN_ON
    match tendency:
        case Verdict.TURN_OFF:
            return _turn_off(case)
        case Verdict.TURN_ON:
            return _turn_on(case)
        case Verdict.KEEP | Verdict.HOLD:
            return Decision(verdict=tendency, reasons=(_route_reason(case), *_unmanaged(case), *_notes(case)))
        case _ as never:
            assert_never(never)


def _is_off_by_us(case: Case) -> bool:
    """Whether we turned it off; names nobody may host stay off, as nothing of this holds their turn-off."""
    is_ours = case.domain.switch is Switch.OFF and case.history.claim is Claim.OURS
    return is_ours and not case.is_never_local


def _is_needed_again(case: Case) -> bool:
    """Whether an alias needs what we turned off."""
    return _is_off_by_us(case) and alias_routed_here(case) is not None


def _refused(case: Case) -> RefusedHere | None:
    """Return who outside is refused for what we turned off, in more than stray numbers."""
    if not _is_off_by_us(case):
        return None
    turned_off = max((at for at in case.turned_at if at <= case.now), default=None)
    return refused_here(case.evidence, case.history, case.now, turned_off=turned_off)


def _bounced(case: Case) -> LedHere | None:
    """Return who leads back here what we turned off, so that this server's own mail to it bounces."""
    return led_here(case.own_opinions, case.finding) if _is_off_by_us(case) else None


def _is_mail_failing(case: Case) -> bool:
    """Whether mail fails, for certain, because we turned the name off; the reason itself is among the notes."""
    refused, bounced = _refused(case), _bounced(case)
    is_refused = refused is not None and refused.is_ground_for_turning_on
    return is_refused or (bounced is not None and bounced.is_asked_first)


def _turn_on(case: Case) -> Decision:
    alias = alias_routed_here(case)
    against = _unmanaged(case)
    reasons = [_route_reason(case), *against]
    if alias is not None:
        text = f"its alias {alias.name} has mail on and routes here"
        reasons.append(Reason(code=Guard.NEEDED_BY_ALIAS, text=text))
    elif not _is_mail_failing(case) and not case.finding.is_sighting:
        against = [Reason(code=Guard.UNCONFIRMED, text="no quorum of vantages agreed afresh in this pass")]
        reasons += against
    return Decision(verdict=Verdict.KEEP if against else Verdict.TURN_ON, reasons=(*reasons, *_notes(case)))


def _turn_off(case: Case) -> Decision:
    lifted = _lifted(case)
    guards = NEVER_LOCAL_GUARDS if case.is_never_local else GUARDS
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
    """Return the guards an approval lifts: it is bound to the name, the route and the exchanges it was given for."""
    approval = case.approval
    if (
        approval is None
        or approval.name != case.domain.name
        or approval.expires <= case.now
        or approval.route is not case.finding.route
        or approval.exchanges != case.finding.exchange_names
    ):
        return frozenset()
    return frozenset({Guard.APPROVAL, *(guard for guard in approval.despite if guard.is_liftable)})


def _due(case: Case) -> datetime:
    """Return the earliest moment at which the route can be confirmed, if every sighting until then agrees."""
    history, confirm = case.history, case.policy.confirm
    needed = needed_spread(history, confirmation_window(case.finding, confirm))
    return (history.last_sighting or case.now) + max(needed - history.credited, timedelta(0))


def _route_reason(case: Case) -> Reason:
    return Reason(code=case.finding.route, text=case.finding.because)


def _unmanaged(case: Case) -> list[Reason]:
    text = not_managed(case)
    return [] if text is None else [Reason(code=Guard.NOT_MANAGED, text=text)]


def _notes(case: Case) -> list[Reason]:
    """Return what a reader should know though it decides nothing."""
    notes = list(case.finding.notes)
    domain, history, route = case.domain, case.history, case.finding.route
    if domain.switch is not Switch.OFF:
        return notes
    if history.claim is not Claim.OURS:
        if route in HERE_ROUTES and not domain.is_suspended:
            text = "the switch is off though mail is routed here, and not by mailswitch: never changed, look at it"
            notes.append(Reason(code="off-here", text=text))
    elif history.claim_route is not None and route not in {history.claim_route, Route.UNKNOWN}:
        text = f"the route was {history.claim_route} when mailswitch turned it off"
        notes.append(Reason(code="route-changed", text=text))
    bounced = _bounced(case)
    if bounced is not None:
        when = "" if bounced.is_asked_first else " whenever that one is asked"
        notes.append(Reason(code=BOUNCED_HERE, text=f"{bounced.text}: mail from this server to it bounces{when}"))
    refused = _refused(case)
    if refused is not None:
        notes.append(Reason(code=REFUSED_HERE, text=refused.text))
    return notes
