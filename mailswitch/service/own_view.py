"""What a server's own resolvers add to a pass: asked where a name is about to go off, or went off by us."""

from __future__ import annotations

from collections.abc import Mapping

from mailswitch.core.decide import is_own_view_asked
from mailswitch.core.names import DomainName
from mailswitch.core.providers import ProviderTable
from mailswitch.core.route import Opinion, opinion_of
from mailswitch.service.observe import Answered, Sighted

__all__ = ["own_opinions"]


def own_opinions(one: Answered, sighted: Sighted, providers: ProviderTable) -> Mapping[DomainName, tuple[Opinion, ...]]:
    """Ask a server's own resolvers about the names they have a say in; none where they are not known."""
    if one.server.own_view is None:
        return {}
    policy, found = one.server.policy, sighted.findings
    names = {
        domain.name
        for domain in one.inventory.domains
        if domain.name in found
        and is_own_view_asked(domain, found[domain.name].route, policy, one.histories.get(domain.name))
    }
    seen = one.server.own_view.observations(sorted(names)) if names else {}
    return {name: tuple(opinion_of(each, sighted.identity, providers) for each in seen[name]) for name in seen}
