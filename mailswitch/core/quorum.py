"""How the opinions of several vantages become one finding (design.md section 4).

One vantage is enough for a route that changes nothing. A change takes a quorum of vantages of different operators; a
vantage that cannot answer leaves it to the others, one that sees something else stops a turn-off and is noted for a
turn-on. The domain's own name servers are a vantage like any other; where their word is required, their silence stops a
turn-off too. It never stops a turn-on: mail is being refused meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mailswitch.core.mx import Address
from mailswitch.core.names import DomainName
from mailswitch.core.policy import HERE_ROUTES, Route
from mailswitch.core.route import ExchangeSeen, Opinion, Reason
from mailswitch.core.table import CHANGING, Verdict

__all__ = ["Finding", "finding_of", "unasked"]

Tendency = Callable[[Route], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The route of one name on one server in one pass."""

    route: Route
    because: str
    vantages: int
    """How many vantages agreed on the route; for ``unknown``, how many were asked."""
    is_sighting: bool
    """A quorum agreed, none of it from memory."""
    is_seen_here: bool
    """At least one vantage sees mail come here, whatever the route."""
    provider: str | None = None
    exchanges: tuple[ExchangeSeen, ...] = ()
    ttl: timedelta = timedelta(0)
    notes: tuple[Reason, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    """Every opinion it was made from."""

    @property
    def is_remembered(self) -> bool:
        """Whether nobody was asked afresh about this route: answers from memory count as nothing."""
        of_route = [opinion for opinion in self.opinions if opinion.route is self.route]
        return bool(of_route) and all(opinion.is_remembered for opinion in of_route)

    @property
    def exchange_names(self) -> tuple[DomainName, ...]:
        """The distinct exchanges, sorted: what a plan and an approval are bound to."""
        return tuple(sorted({seen.exchange for seen in self.exchanges}))


def finding_of(opinions: Sequence[Opinion], *, tendency: Tendency, quorum: int) -> Finding:
    """Combine all opinions there are about one name.

    Args:
        opinions: The first opinion alone where it changes nothing, otherwise one of each vantage.
        tendency: What the decision table says to a route of this name, before guards.
        quorum: How many different operators it takes to change anything.
    """
    definite = [opinion for opinion in opinions if opinion.route is not Route.UNKNOWN]
    if not definite:
        return _unknown(opinions, _silences(opinions) or "no vantage was asked")
    by_route = _by_route(definite)
    agreed = [route for route, group in by_route.items() if _is_quorum(group, quorum)]
    if len(agreed) > 1:
        # Mail is being refused: of two quorums the one that turns on again wins, here before gateway.
        grounds = [route for route in agreed if tendency(route) is Verdict.TURN_ON]
        agreed = sorted(grounds, key=lambda route: route not in HERE_ROUTES)[:1]
    if len(agreed) == 1:
        return _agreed(opinions, agreed[0], by_route, tendency, quorum)
    if len(by_route) == 1:
        (route,) = by_route
        if tendency(route) not in CHANGING:
            return _found(opinions, route, by_route[route], quorum, ())
        missing = _silences([opinion for opinion in opinions if opinion.route is Route.UNKNOWN])
        why = f"only {_operators(by_route[route])} of {quorum} operators needed see {route}"
        return _unknown(opinions, f"{why} ({missing})" if missing else why)
    return _unknown(opinions, f"the vantages disagree: {_views(definite)}")


def unasked() -> Finding:
    """Return the finding for a name nobody is asked about (wildcards, names that are no host names)."""
    return Finding(
        route=Route.UNKNOWN,
        because="not looked up: no mail can be addressed to this name",
        vantages=0,
        is_sighting=False,
        is_seen_here=False,
    )


def _by_route(definite: Sequence[Opinion]) -> dict[Route, list[Opinion]]:
    """Put opinions together by their route, the routes in the order in which they are tried."""
    found: dict[Route, list[Opinion]] = {}
    for opinion in definite:
        found.setdefault(opinion.route, []).append(opinion)
    return found if len(found) == 1 else {route: found[route] for route in Route if route in found}


def _agreed(
    opinions: Sequence[Opinion], route: Route, by_route: dict[Route, list[Opinion]], tendency: Tendency, quorum: int
) -> Finding:
    # Who sees an exchange of ours and cannot tell the rest answers all the same: mail may come here.
    dissent = [one for one in opinions if one.route is not route and (one.route is not Route.UNKNOWN or one.is_here)]
    if tendency(route) is Verdict.TURN_OFF:
        if dissent:
            return _unknown(opinions, f"the vantages disagree: {_views([*by_route[route], *dissent])}")
        silent = [one for one in opinions if one.vantage.is_required and one.route is Route.UNKNOWN]
        if silent:
            return _unknown(
                opinions, f"{by_route[route][0].because}, but not confirmed as required ({_silences(silent)})"
            )
    notes = (Reason(code="dissent", text=f"not every vantage agrees: {_views(dissent)}"),) if dissent else ()
    return _found(opinions, route, by_route[route], quorum, notes)


def _found(
    opinions: Sequence[Opinion], route: Route, group: list[Opinion], quorum: int, notes: tuple[Reason, ...]
) -> Finding:
    providers = {opinion.provider for opinion in group}
    named = sorted(provider for provider in providers if provider is not None)
    return Finding(
        route=route,
        because=group[0].because,
        vantages=len(group),
        is_sighting=_is_quorum([opinion for opinion in group if not opinion.is_remembered], quorum),
        is_seen_here=any(opinion.is_here for opinion in opinions),
        provider=None if None in providers else " + ".join(named),
        exchanges=_merged(group),
        ttl=max(opinion.ttl for opinion in group),
        notes=tuple(dict.fromkeys((*notes, *(note for opinion in group for note in opinion.notes)))),
        opinions=tuple(opinions),
    )


def _unknown(opinions: Sequence[Opinion], because: str) -> Finding:
    return Finding(
        route=Route.UNKNOWN,
        because=because,
        vantages=len(opinions),
        is_sighting=False,
        is_seen_here=any(opinion.is_here for opinion in opinions),
        exchanges=_merged(opinions),
        opinions=tuple(opinions),
    )


def _merged(group: Sequence[Opinion]) -> tuple[ExchangeSeen, ...]:
    """Lay the exchanges of several opinions together, with every address any of them saw."""
    if len(group) == 1:
        return group[0].exchanges
    addresses: dict[tuple[int, DomainName], set[Address]] = {}
    for opinion in group:
        for seen in opinion.exchanges:
            addresses.setdefault((seen.preference, seen.exchange), set()).update(seen.addresses)
    return tuple(
        ExchangeSeen(
            preference=preference,
            exchange=exchange,
            addresses=tuple(sorted(found, key=lambda one: (one.version, int(one)))),
        )
        for (preference, exchange), found in sorted(addresses.items(), key=lambda entry: entry[0])
    )


def _is_quorum(group: Sequence[Opinion], quorum: int) -> bool:
    return len(group) >= quorum and _operators(group) >= quorum


def _operators(group: Sequence[Opinion]) -> int:
    return len({opinion.vantage.operator.strip().casefold() for opinion in group})


def _silences(group: Sequence[Opinion]) -> str:
    """Tell why there is no answer, the vantages with the same reason together."""
    names: dict[str, list[str]] = {}
    for opinion in group:
        names.setdefault(opinion.because, []).append(opinion.vantage.name)
    return "; ".join(f"{', '.join(vantages)}: {because}" for because, vantages in names.items())


def _views(group: Sequence[Opinion]) -> str:
    return ", ".join(f"{opinion.vantage.name} sees {opinion.route} ({opinion.because})" for opinion in group)
