"""What ``explain`` needs to tell who serves a name's zone, as a Protocol."""

from __future__ import annotations

from typing import Protocol

from mailswitch.core.names import DomainName
from mailswitch.core.zone import ZoneAnswer

__all__ = ["ZoneView"]


class ZoneView(Protocol):
    """The name servers of zones, as public DNS tells them; never part of a sweep."""

    def name_servers(self, name: DomainName) -> ZoneAnswer:
        """Return who serves the zone that ``name`` is in and where they are, or why that is not known.

        It takes seconds at most, and no failure of DNS is an error.
        """
