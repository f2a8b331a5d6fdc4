"""Whether a vantage is fit to be one, and which zones a resolver serves: what ``doctor`` asks of each.

Facts:

- A recursive resolver sets RA, and AA only for zones that it serves itself (RFC 1035 §4.1.1).
- A resolver that answers for names that are not there makes every domain exist. The name asked for is random, so that
  nobody has registered it or holds it in memory; it looks like a web server's, which is what such resolvers rewrite.
- The root is signed. A resolver that validates sets AD where it was asked with DO or AD (RFC 6840 §5.7, §5.8), and says
  SERVFAIL where signatures are broken (RFC 4035 §5.5).
- A signature says from when to when it holds (RFC 4034 §3.1.5); the root's are made anew about every day and hold for
  about two weeks. A clock outside of that is wrong.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from statistics import median

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.RRSIG

from mailswitch.core.mx import Vantage
from mailswitch.core.names import DomainName
from mailswitch.lookup.queries import Entropy, wire_form
from mailswitch.lookup.replies import Unreliable
from mailswitch.lookup.streams import Streams
from mailswitch.lookup.vantages import Timing, Transport, VantageSettings
from mailswitch.lookup.wire import Heard, Query, exchange, make_query

__all__ = ["Validation", "VantageHealth", "probe", "served_by"]

_RANDOM_OCTETS = 16
_MEASUREMENTS = 5
_BROKEN = DomainName("dnssec-failed.org")
"""Signed wrongly on purpose, so that resolvers can be tried (operated by Comcast)."""


class Validation(Enum):
    """Whether a vantage checks signatures (RFC 4035)."""

    DONE = "done"
    NOT_DONE = "not-done"
    PRETENDED = "pretended"
    """It says so, and yet answers for a name whose signatures are broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageHealth:
    """How one vantage did when it was tried."""

    vantage: Vantage
    round_trip: timedelta | None
    """How long its answers took, the median of some; None when it gave none."""
    problems: tuple[str, ...]
    """What makes it unfit, each with what to do; empty for a sound vantage."""
    validation: Validation = Validation.NOT_DONE
    signed: tuple[datetime, datetime] | None = None
    """From when to when the signatures hold that it handed out; None where it hands out none."""

    @property
    def is_answering(self) -> bool:
        """Whether it answered at all."""
        return self.round_trip is not None


def probe(
    settings: VantageSettings,
    timing: Timing,
    *,
    hosted: Sequence[DomainName] = (),
    monotonic: Callable[[], float] = time.monotonic,
) -> VantageHealth:
    """Try a vantage with a handful of questions, one after another; no error is raised for how it does.

    Each takes at most ``timing.timeout`` for each of ``timing.tries`` tries (as long again over TCP).

    Args:
        settings: The vantage.
        timing: How patiently it is asked.
        hosted: Names whose zones may be on this host, a few of them: nobody should answer for them with authority.
        monotonic: Seconds that never go back.
    """
    return asyncio.run(_Trial(settings, timing, monotonic).health(hosted))


def served_by(settings: VantageSettings, timing: Timing, hosted: Sequence[DomainName]) -> tuple[DomainName, ...]:
    """Return those of ``hosted`` that a resolver answers for with authority; none where it does not answer.

    All are asked about at the same time, each with at most ``timing.timeout`` for each of ``timing.tries`` tries (as
    long again over TCP). No error is raised for how the resolver does.
    """
    return asyncio.run(_served_by(settings, timing, hosted))


async def _served_by(settings: VantageSettings, timing: Timing, hosted: Sequence[DomainName]) -> tuple[DomainName, ...]:
    trials = (_Trial(settings, timing, time.monotonic).served([name]) for name in hosted)
    return tuple(name for served in await asyncio.gather(*trials) for name in served)


class _Trial:
    """One vantage while it is tried."""

    def __init__(self, settings: VantageSettings, timing: Timing, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._timing = timing
        self._monotonic = monotonic
        self._entropy = Entropy()
        self._streams = Streams(settings, timing.timeout.total_seconds(), lambda _: None)
        self._trips: list[float] = []

    async def health(self, hosted: Sequence[DomainName]) -> VantageHealth:
        try:
            root = await self._asked(b"\0", dns.rdatatype.SOA)
            if isinstance(root, Unreliable):
                return VantageHealth(vantage=self._settings.vantage, round_trip=None, problems=(self._silent(root),))
            for _ in range(_MEASUREMENTS - 1):
                await self._asked(b"\0", dns.rdatatype.SOA)
            trip = timedelta(seconds=median(self._trips))
            problems = [*_unfit(root), *await self._invents(), *await self._serves(hosted)]
            validation = await self._validation(root)
        finally:
            await self._streams.close()
        return VantageHealth(
            vantage=self._settings.vantage,
            round_trip=trip,
            problems=tuple(problems),
            validation=validation,
            signed=_signed(root),
        )

    async def served(self, hosted: Sequence[DomainName]) -> tuple[DomainName, ...]:
        try:
            return await self._answered_with_authority(hosted)
        finally:
            await self._streams.close()

    async def _asked(self, name: bytes, rdtype: dns.rdatatype.RdataType) -> Heard:
        """Ask with DO and AD, as often as it takes; an answer's time counts from its own try."""
        heard: Heard = Unreliable("it was not asked")
        for _ in range(self._timing.tries):
            query = _signed_query(make_query(name, rdtype, self._entropy))
            began = self._monotonic()
            heard = await exchange(query, self._settings, self._timing.timeout.total_seconds, self._streams)
            if not isinstance(heard, Unreliable):
                self._trips.append(self._monotonic() - began)
                break
        return heard

    def _silent(self, reply: Unreliable) -> str:
        place = f"{self._settings.address} port {self._settings.port}"
        over = self._settings.transport.value.upper()
        mend = f"see whether this host may reach {place} over {over}, or replace it"
        if self._settings.transport is Transport.TLS and "certificate" in reply.reason:
            mend = "set tls.server_name, tls.ca_file or tls.fingerprint_sha256 to what it ought to bear, or replace it"
        return f"{reply.reason}: {mend}"

    async def _invents(self) -> list[str]:
        missing = wire_form(DomainName(f"www.{secrets.token_hex(_RANDOM_OCTETS)}.com"))
        heard = await self._asked(missing, dns.rdatatype.A)
        if isinstance(heard, Unreliable):
            return [f"asked for a name that is not there: {heard.reason}: it fails now and then, replace it"]
        if heard.rcode() == dns.rcode.NXDOMAIN:
            return []
        said = "that it is there" if heard.answer else dns.rcode.to_text(heard.rcode())
        return [
            f"asked for a name that is not there, it says {said} instead of NXDOMAIN: "
            "its opinion is worth nothing; take its operator's unfiltered service, or replace it"
        ]

    async def _answered_with_authority(self, hosted: Sequence[DomainName]) -> tuple[DomainName, ...]:
        served = []
        for name in hosted:
            heard = await self._asked(wire_form(name), dns.rdatatype.SOA)
            if isinstance(heard, dns.message.Message) and heard.flags & dns.flags.AA:
                served.append(name)
        return tuple(served)

    async def _serves(self, hosted: Sequence[DomainName]) -> list[str]:
        served = ", ".join(name.text for name in await self._answered_with_authority(hosted))
        if not served:
            return []
        return [
            f"it answers with authority for {served}, hosted here: it serves the zone itself and is no "
            "public view of it; use a resolver of somebody else"
        ]

    async def _validation(self, root: dns.message.Message) -> Validation:
        if not root.flags & dns.flags.AD:
            return Validation.NOT_DONE
        heard = await self._asked(wire_form(_BROKEN), dns.rdatatype.A)
        is_believed = isinstance(heard, dns.message.Message) and heard.rcode() == dns.rcode.NOERROR and heard.answer
        return Validation.PRETENDED if is_believed else Validation.DONE


def _unfit(root: dns.message.Message) -> list[str]:
    problems = []
    if root.rcode() != dns.rcode.NOERROR:
        code = dns.rcode.to_text(root.rcode())
        problems.append(f"it says {code} when asked for the root: it cannot resolve for you; repair or replace it")
    if not root.flags & dns.flags.RA:
        problems.append("it offers no recursion, at least not to you: allow it there, or use a recursive resolver")
    return problems


def _signed(root: dns.message.Message) -> tuple[datetime, datetime] | None:
    """Return the time for which all signatures hold that came with the root's records."""
    found = [record for rrset in root.answer for record in rrset if isinstance(record, dns.rdtypes.ANY.RRSIG.RRSIG)]
    if not found:
        return None
    begin = max(record.inception for record in found)
    end = min(record.expiration for record in found)
    return datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)


def _signed_query(query: Query) -> Query:
    """Return a query that asks for signatures (DO, RFC 3225) and whether they hold (AD, RFC 6840 §5.7)."""
    packet = bytearray(query.packet)
    packet[3] |= 0x20
    packet[-4] |= 0x80
    return Query(bytes(packet), query.asked)
