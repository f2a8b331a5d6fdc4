"""How what the ledger remembers of a name moves on with each pass: sightings, last seen here, claims.

Sightings are quorum findings of one definite route. The time they are spread over counts a gap for at most half the
window, so that two looks far apart are no confirmation; a gap over 7 days or a clock that went backwards starts over
(design.md section 5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailswitch.core.domain import HostedDomain, Switch
from mailswitch.core.ledger import Claim, DomainHistory, ServerState
from mailswitch.core.policy import HERE_ROUTES, Confirmation, Route
from mailswitch.core.quorum import Finding
from mailswitch.core.skips import NO_SKIPS, Skips

__all__ = ["LONGEST_GAP", "Moment", "advance", "caching_time", "confirmation_window", "is_confirmed", "needed_spread"]

LONGEST_GAP = timedelta(days=7)
_LONGEST_TTL = timedelta(days=7)
_FRESH_ENOUGH = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a pass looks, and what it knows of the server's earlier passes."""

    now: datetime
    server: ServerState | None
    """None in the server's very first pass."""
    skips: Skips = NO_SKIPS
    """How far the clock was set forward, and when: nobody looked in that time, so it confirms nothing."""


def confirmation_window(finding: Finding, confirm: Confirmation) -> timedelta:
    """Return how long ``finding`` must be seen: longer where not every exchange is a known mailbox host."""
    needs_long = bool(finding.exchanges) or finding.route is Route.IMPLICIT_ELSEWHERE
    return confirm.unknown_provider_window if needs_long and finding.provider is None else confirm.window


def needed_spread(history: DomainHistory, window: timedelta) -> timedelta:
    """Return the time the sightings must be spread over: old answers live in caches for their TTL (RFC 2181 §8)."""
    return max(window, caching_time(history)) if window else timedelta(0)


def caching_time(history: DomainHistory) -> timedelta:
    """Return how long senders may still act on an old answer: its TTL, capped at 7 days as caches do (RFC 8767 §4)."""
    return min(history.ttl, _LONGEST_TTL)


def is_confirmed(history: DomainHistory, finding: Finding, confirm: Confirmation) -> bool:
    """Whether the current route was seen often and long enough, this pass included."""
    needed = needed_spread(history, confirmation_window(finding, confirm))
    is_of_route = history.route is finding.route
    return is_of_route and history.sightings >= confirm.sightings and history.credited >= needed


def advance(
    history: DomainHistory | None, domain: HostedDomain, finding: Finding, moment: Moment, confirm: Confirmation
) -> DomainHistory:
    """Return what is to be remembered after this pass; the same object where nothing worth a row has changed."""
    if history is None:
        history = DomainHistory(first_seen=moment.now, is_from_first_pass=moment.server is None)
    if history.gone_since is not None:
        history = replace(history, gone_since=None)
    history = _claimed(history, domain.switch, finding)
    if finding.route is Route.UNKNOWN:
        if history.unknown_since is None and finding.opinions:
            history = replace(history, unknown_since=moment.now)
    elif not finding.is_remembered:
        history = _routed(history, finding, moment, confirm)
        if history.unknown_since is not None:
            history = replace(history, unknown_since=None)
    if finding.is_seen_here and finding.route not in HERE_ROUTES:
        history = _reset_by_dissent(history, moment.now)
    return history


def _claimed(history: DomainHistory, switch: Switch, finding: Finding) -> DomainHistory:
    """Notice what somebody else did to a switch that we had turned off."""
    claim = history.claim
    if claim is Claim.OURS and switch is Switch.ON:
        claim = Claim.RE_ENABLED
    elif (claim is Claim.OURS and switch is Switch.NOT_CONFIGURED) or (
        claim is Claim.RE_ENABLED and switch in {Switch.OFF, Switch.NOT_CONFIGURED}
    ):
        claim = Claim.NONE
    if claim is Claim.RE_ENABLED and finding.route in HERE_ROUTES and finding.is_sighting:
        claim = Claim.NONE
    return history if claim is history.claim else replace(history, claim=claim)


def _routed(history: DomainHistory, finding: Finding, moment: Moment, confirm: Confirmation) -> DomainHistory:
    is_here = finding.route in HERE_ROUTES
    if finding.route is not history.route:
        left_here = history.route in HERE_ROUTES and not is_here
        passes = () if moment.server is None else (moment.server.last_pass,)
        doubts = () if history.unknown_since is None else (history.unknown_since,)
        seen_here = min((moment.now, *passes, *doubts))
        history = replace(
            history,
            route=finding.route,
            since=moment.now,
            sightings=0,
            last_sighting=None,
            credited=timedelta(0),
            ttl=max(history.ttl, finding.ttl),
            last_seen_here=seen_here if left_here else history.last_seen_here,
            was_here=history.was_here or is_here,
        )
    elif finding.ttl * 2 > history.ttl * 3:
        history = replace(history, ttl=finding.ttl)
    return _sighted(history, finding, moment, confirm) if finding.is_sighting and not is_here else history


def _sighted(history: DomainHistory, finding: Finding, moment: Moment, confirm: Confirmation) -> DomainHistory:
    now = moment.now
    ttl = max(history.ttl, finding.ttl)
    first = replace(history, since=now, sightings=1, last_sighting=now, credited=timedelta(0), ttl=ttl)
    if history.last_sighting is None:
        return first if history.since is None else replace(first, since=history.since)
    gap, passed = now - history.last_sighting, moment.skips.age(history.last_sighting, now)
    if gap > LONGEST_GAP or gap < timedelta(0):
        return first
    if gap < _FRESH_ENOUGH and ttl == history.ttl and is_confirmed(history, finding, confirm):
        # Nothing hangs on one more sighting of a confirmed route, and an unchanged pass is to write few rows.
        return history
    window = confirmation_window(finding, confirm)
    return replace(
        history,
        sightings=history.sightings + 1,
        last_sighting=now,
        credited=history.credited + min(max(passed, timedelta(0)), window / 2),
        ttl=ttl,
    )


def _reset_by_dissent(history: DomainHistory, now: datetime) -> DomainHistory:
    """One vantage alone sees mail here: no decision, but nothing is confirmed and it counts as seen here."""
    return replace(history, sightings=0, last_sighting=None, credited=timedelta(0), last_seen_here=now, was_here=True)
