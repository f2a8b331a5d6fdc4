"""What one configuration makes of the daemon; another one replaces all of it."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import timedelta

from mailswitch.config.settings import Settings
from mailswitch.core.timetable import Timetable
from mailswitch.service.audience import OpenObservers
from mailswitch.service.setup import Setup

__all__ = ["Parts", "parts_of"]

_MOST_SILENT_READS = 3
"""A panel's answer may take three times its read time-out (`mailswitch.plesk.transport.TransportLimits`)."""
_MOST_WAITS = 4
"""A way may be tried twice after a pass, and take its time-out twice: for connecting and for the rest."""
_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one configuration makes of the daemon."""

    setup: Setup
    timetable: Timetable
    keep: timedelta
    """How long the ledger remembers what is over."""
    ledger: str = field(repr=False)
    """Names the ledger, to notice that another one is configured."""
    longest_silence: timedelta
    """The longest that a pass which makes progress may take without a sign of it."""
    open_observers: OpenObservers


def parts_of(settings: Settings, setup: Setup, open_observers: OpenObservers) -> Parts:
    """Return what checked settings make of the daemon."""
    batches = -(-len(setup.servers) // setup.most_panels_at_once)
    slowest = max(server.read_timeout for server in settings.servers)
    ways = [way.timeout for way in (settings.notify.mail, settings.notify.webhook) if way is not None]
    telling = _MOST_WAITS * sum(ways, timedelta(0))
    asking = (1 + sum(server.own_view is not None for server in setup.servers)) * settings.dns.deadline
    return Parts(
        setup=setup,
        timetable=Timetable(
            interval=settings.schedule.interval, jitter=settings.schedule.jitter, seed=socket.gethostname()
        ),
        keep=settings.schedule.keep,
        ledger=settings.ledger,
        longest_silence=asking + batches * _MOST_SILENT_READS * slowest + telling + _MARGIN,
        open_observers=open_observers,
    )
