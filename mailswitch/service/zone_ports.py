"""What is asked of resolvers beside public DNS, as Protocols: whose a zone is, and what a server itself finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from mailswitch.core.mx import Observation
from mailswitch.core.names import DomainName
from mailswitch.core.zone import ZoneAnswer

__all__ = ["OwnView", "ZoneView"]


class ZoneView(Protocol):
    """The name servers of zones, as public DNS tells them; never part of a sweep."""

    def name_servers(self, name: DomainName) -> ZoneAnswer:
        """Return who serves the zone that ``name`` is in and where they are, or why that is not known.

        It takes seconds at most, and no failure of DNS is an error.
        """


class OwnView(Protocol):
    """One server's own resolvers: what its mail server finds when it looks up a name."""

    def observations(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[Observation, ...]]:
        """Ask each resolver about each name, exchanges included; of no name where no resolver is known."""
