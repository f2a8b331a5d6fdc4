"""How long a moved name may stay on, and what may hold it longer: the stated time of docs/reliability.md.

Counted is time that passes calmly, from the first of the passes in a row that nothing disturbed. Whatever may hold a
turn-off by the rules is judged by the truth, and in doubt the name is not due: this must only ever accuse rightly.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from mailswitch.core.domain import Switch
from mailswitch.core.policy import UnknownProvider
from tests.months.story import Place
from tests.months.world import AWAY, ROUTED_HERE, Customer, World

__all__ = ["KNOWN_WINDOW", "LEADING_ASTRAY", "UNKNOWN_WINDOW", "Leaving", "allowed"]

KNOWN_WINDOW = timedelta(hours=24)
UNKNOWN_WINDOW = timedelta(hours=72)
LEADING_ASTRAY = frozenset({"stale", "lying", "silent"})
"""What of a server's own resolvers would let its mail bounce, go astray or wait."""
_DAY, _WEEK = timedelta(hours=24), timedelta(days=7)
_ARRIVING = timedelta(days=14)
_MAY_BE_PLANNED = AWAY | {Place.SCRUBBED, Place.PREPARING, Place.WRONG_HOST}


def allowed(names: int) -> int:
    """Return how many names of a server may go off in 24 hours."""
    return min(20, max(3, names // 10))


class Leaving:
    """Follows the names that moved and are still on."""

    def __init__(self, world: World, is_held: Callable[[str], bool]) -> None:
        self._world, self._is_held = world, is_held
        self._since: dict[str, timedelta] = {}
        """When the first of the calm passes in a row saw each name elsewhere."""
        self._limited: set[str] = set()
        self._seen_here: dict[str, datetime] = {}
        self._known: set[str] = set()
        """Names that the very first pass found."""
        self._tried: dict[str, list[datetime]] = {}
        """When each name's switch, and any of each server's switches, was about to be turned."""
        self.longest = timedelta(0)
        """The longest that it took where no limit held it."""

    def tried(self, server: str, name: str) -> None:
        """Note that one of a server's switches is about to be turned."""
        for whose in (server, name):
            self._tried.setdefault(whose, []).append(self._world.at)

    def disturbed(self) -> None:
        """Note that something came in between: what is calm begins anew."""
        self._since.clear()

    def forgot(self) -> None:
        """Note that the ledger was restored: it may not know who was here."""
        self.disturbed()
        self._seen_here.clear()
        self._known.clear()

    def seen(self, name: str, place: Place) -> None:
        """Note where a pass, that ended, truly saw a name."""
        if place in ROUTED_HERE and self._world.is_dns_calm:
            self._seen_here[name] = self._world.looked_on
        if self._world.step == 0:
            self._known.add(name)

    def overdue(self, customer: Customer, *, is_calm: bool) -> str | None:
        """Return by how much a name is late that is still on after a pass; None where it is not, or not due."""
        name, world = customer.name, self._world
        server = world.server_of(name)
        switch = server.domains[name].switch
        if switch is Switch.OFF and is_calm and name in self._since and name not in self._limited:
            self.longest = max(self.longest, world.looked_at - self._since[name])
        if not is_calm or switch is not Switch.ON or not self._is_due(customer):
            self._since.pop(name, None)
            self._limited.discard(name)
            return None
        waited = world.looked_at - self._since.setdefault(name, world.looked_at)
        if waited < self._needed(customer):
            return None
        if self._may_be_limited(server.name):
            self._limited.add(name)
            return None
        return f"still on after {waited} of calm passes, {self._needed(customer)} are enough"

    def _needed(self, customer: Customer) -> timedelta:
        window = KNOWN_WINDOW if customer.place is Place.MOVED else UNKNOWN_WINDOW
        return max(window, timedelta(hours=customer.hosted.ttl_hours))

    def _is_due(self, customer: Customer) -> bool:
        name, world = customer.name, self._world
        is_away = customer.place is Place.MOVED or (
            customer.place in AWAY and world.story.unknown_provider is UnknownProvider.WINDOW
        )
        return (
            is_away
            and self._tried_within(name, _WEEK) < 2
            and self._has_arrived(customer)
            and self._is_quiet(customer)
            and world.server_of(name).own_resolvers[0] not in LEADING_ASTRAY
            and not world.server_of(name).domains[name].is_suspended
            and not self._is_held(name)
        )

    def _has_arrived(self, customer: Customer) -> bool:
        """Whether it is no name that may be prepared for a move in: it was seen here, or was there from the first."""
        is_old = timedelta(days=customer.hosted.age_days) >= _ARRIVING
        return customer.name in self._seen_here or (is_old and customer.name in self._known)

    def _is_quiet(self, customer: Customer) -> bool:
        """Whether no mail came in the last week, but from those who cannot have known of the move yet."""
        latest = max((one.last for one in customer.log), default=None)  # the clock may have been set back since
        if latest is None or self._world.at - latest > _WEEK:
            return True
        seen = self._seen_here.get(customer.name)
        knowing = _DAY + timedelta(hours=customer.hosted.ttl_hours)
        if customer.place is not Place.MOVED or seen is None or seen > self._world.at:
            return False
        return latest < seen + knowing

    def _may_be_limited(self, server: str) -> bool:
        domains = self._world.servers[server].domains
        planned = [
            name
            for name, domain in domains.items()
            if domain.switch is Switch.ON and self._world.customers[name].place in _MAY_BE_PLANNED
        ]
        return len(planned) + self._tried_within(server, _DAY) > allowed(len(domains))

    def _tried_within(self, whose: str, span: timedelta) -> int:
        return sum(1 for at in self._tried.get(whose, ()) if abs(self._world.at - at) <= span)
