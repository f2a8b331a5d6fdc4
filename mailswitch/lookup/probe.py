"""Whether a vantage is fit to be one: what ``doctor`` asks of it.

Facts:

- A recursive resolver sets RA (RFC 1035 §4.1.1).
- A resolver that answers for names that are not there makes every domain exist. The name asked for is random, so that
  nobody has registered it or holds it in memory; it looks like a web server's, which is what such resolvers rewrite.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from mailswitch.core.mx import Vantage
from mailswitch.core.names import DomainName
from mailswitch.lookup.queries import Entropy, wire_form
from mailswitch.lookup.replies import Unreliable
from mailswitch.lookup.vantages import Timing, VantageSettings
from mailswitch.lookup.wire import Heard, exchange, make_query

__all__ = ["VantageHealth", "probe"]

_RANDOM_OCTETS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageHealth:
    """How one vantage did when it was tried."""

    vantage: Vantage
    round_trip: timedelta | None
    """How long its first answer took; None when it gave none."""
    problems: tuple[str, ...]
    """What makes it unfit, one clause each; empty for a sound vantage."""

    @property
    def is_answering(self) -> bool:
        """Whether it answered at all."""
        return self.round_trip is not None


def probe(settings: VantageSettings, timing: Timing, monotonic: Callable[[], float] = time.monotonic) -> VantageHealth:
    """Ask a vantage for the root's name servers and for a name that is not there; no error is raised for how it does.

    Takes at most ``timing.timeout`` for each of ``timing.tries`` tries of both (as long again over TCP).
    """
    return asyncio.run(_probed(settings, timing, monotonic))


async def _probed(settings: VantageSettings, timing: Timing, monotonic: Callable[[], float]) -> VantageHealth:
    problems: list[str] = []
    began = monotonic()
    root = await _asked(b"\0", dns.rdatatype.NS, settings, timing)
    if isinstance(root, Unreliable):
        return VantageHealth(vantage=settings.vantage, round_trip=None, problems=(root.reason,))
    round_trip = timedelta(seconds=monotonic() - began)
    if root.rcode() != dns.rcode.NOERROR:
        problems.append(f"it says {dns.rcode.to_text(root.rcode())} when asked for the root's name servers")
    if not root.flags & dns.flags.RA:
        problems.append("it offers no recursion")
    missing = wire_form(DomainName(f"www.{secrets.token_hex(_RANDOM_OCTETS)}.com"))
    nothing = await _asked(missing, dns.rdatatype.A, settings, timing)
    if isinstance(nothing, Unreliable):
        problems.append(f"asked for a name that is not there: {nothing.reason}")
    elif nothing.rcode() != dns.rcode.NXDOMAIN:
        problems.append(f"asked for a name that is not there, it says {_summary(nothing)} instead of NXDOMAIN")
    return VantageHealth(vantage=settings.vantage, round_trip=round_trip, problems=tuple(problems))


async def _asked(name: bytes, rdtype: int, settings: VantageSettings, timing: Timing) -> Heard:
    entropy = Entropy()
    heard: Heard = Unreliable("it was not asked")
    for _ in range(timing.tries):
        heard = await exchange(make_query(name, rdtype, entropy), settings, timing.timeout.total_seconds)
        if not isinstance(heard, Unreliable):
            break
    return heard


def _summary(message: dns.message.Message) -> str:
    return "that it is there" if message.answer else dns.rcode.to_text(message.rcode())
