"""Which names public DNS is asked about in every pass, whatever is remembered of its answers (dns.md, point 6).

A remembered answer is no sighting, so it may stand only for what nothing hangs on: a name that was seen on its route by
those who count, and whose switch that route does not move.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailswitch.core.decide import can_change
from mailswitch.core.domain import HostedDomain, Kind
from mailswitch.core.ledger import Claim, DomainHistory
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Policy, Route

__all__ = ["is_asked_anew", "is_news"]


def is_asked_anew(domain: HostedDomain, policy: Policy, histories: Mapping[DomainName, DomainHistory]) -> bool:
    """Whether a name is asked about anew: off by us, on its way to a change, planned, not known well, or needed."""
    history = histories.get(domain.name)
    if history is None or history.route is None or history.unknown_since is not None:
        return True
    if history.claim is not Claim.NONE or can_change(domain, history.route, policy, history):
        return True
    parent = None if domain.parent is None else histories.get(domain.parent)
    # Routed here, the alias would turn its domain on again.
    return domain.kind is Kind.ALIAS and parent is not None and parent.claim is Claim.OURS


def is_news(route: Route, history: DomainHistory | None) -> bool:
    """Whether a route told from memory is not the one on record, so that it takes an answer of today."""
    return history is None or history.route is not route
