"""Which name servers serve a name's zone, and where they are: one vantage's word, for people and no decision.

Facts:

- A zone's name servers are the NS records of its apex (RFC 1034 §4.2.1, RFC 1035 §3.3.11).
- A name without any is in a zone above it. The SOA beside the answer that there are none bears that zone's name
  (RFC 2308 §2, §3), which whoever answers may write as he likes: it is followed upwards only.
- Where a name is an alias, the records at the end of its chain are another zone's (RFC 1034 §3.6.2).
- A top-level domain's name servers are its registry's: of a name that no zone below has, they tell nothing.
- Who writes many name servers' names can have others asked very often (NXNSAttack, 2020): few of them are looked up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import dns.message
import dns.rdatatype
import dns.rdtypes.ANY.NS

from mailswitch.core.mx import Indeterminate
from mailswitch.core.names import DomainName
from mailswitch.core.zone import ZoneAnswer, ZoneServer, ZoneServers
from mailswitch.lookup.answers import AnswerSection, core_name, read_reply, records_in, said_soas, wire_name
from mailswitch.lookup.client import VantageClient
from mailswitch.lookup.queries import Entropy, wire_form
from mailswitch.lookup.replies import Again, Found, Nothing, NotThere, Unreliable, host_answer
from mailswitch.lookup.streams import Streams
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings
from mailswitch.lookup.wire import exchange, make_query

__all__ = ["ZoneLookup"]

_MAX_TIME = timedelta(seconds=20)
"""For everything about one name: somebody waits for it."""
_MAX_TRIES = 2
_MAX_ZONES = 8
"""Names on the way up that are asked about; each answer's SOA takes a whole leap."""
_MAX_SERVERS = 8
"""Name servers that are looked up and told."""
_TOP_LABELS = 2
"""Labels of a top-level domain, the root's included."""


@dataclass(frozen=True, slots=True)
class _Apex:
    """The names of a zone's servers."""

    names: frozenset[DomainName]


@dataclass(frozen=True, slots=True)
class _Above:
    """The name is in a zone above it, where this name is the next to ask about."""

    name: DomainName


_Step = _Apex | _Above | Unreliable


class ZoneLookup:
    """The name servers of names' zones, as the first vantage tells them that can (see service.zone_ports.ZoneView)."""

    def __init__(
        self,
        vantages: Sequence[VantageSettings],
        timing: Timing,
        codec: Codec = Codec.FAST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vantages = tuple(vantages)
        self._timing = replace(timing, tries=min(timing.tries, _MAX_TRIES), deadline=min(timing.deadline, _MAX_TIME))
        self._codec = codec
        self._monotonic = monotonic

    def name_servers(self, name: DomainName) -> ZoneAnswer:
        """Return who serves the zone that ``name`` is in, asking one vantage after another until one can tell.

        No error is raised for how that goes. It takes 20 seconds at most, and less with a shorter deadline.
        """
        return asyncio.run(self._told(name))

    async def _told(self, name: DomainName) -> ZoneAnswer:
        end = self._monotonic() + self._timing.deadline.total_seconds()
        reasons = []
        for vantage in self._vantages:
            inquest = _Inquest(vantage, self._timing, self._codec, lambda: end - self._monotonic())
            told = await inquest.told(name)
            if not isinstance(told, Unreliable):
                return told
            reasons.append(f"{vantage.name}: {told.reason}")
        return Indeterminate("; ".join(reasons))


class _Inquest:
    """One vantage while it is asked about one name."""

    def __init__(self, vantage: VantageSettings, timing: Timing, codec: Codec, remaining: Callable[[], float]) -> None:
        self._vantage = vantage
        self._timing = timing
        self._codec = codec
        self._remaining = remaining
        self._entropy = Entropy()
        self._streams = Streams(vantage, timing.timeout.total_seconds(), lambda _: None)

    async def told(self, name: DomainName) -> ZoneAnswer | Unreliable:
        try:
            return await self._climbed(name)
        finally:
            await self._streams.close()

    async def _climbed(self, name: DomainName) -> ZoneAnswer | Unreliable:
        """Ask about the name and then those above it, until one has name servers."""
        zone = name
        for _ in range(_MAX_ZONES):
            if len(wire_name(zone)) <= _TOP_LABELS:
                return Indeterminate(f"neither {name} nor a name above it has name servers of its own")
            step = await self._step(zone)
            match step:
                case _Apex(names=names):
                    return await self._looked_up(zone, names)
                case _Above(name=above):
                    zone = above
                case Unreliable():
                    return step
        return Indeterminate(f"none of the {_MAX_ZONES} names from {name} upwards has name servers")

    async def _step(self, name: DomainName) -> _Step:
        """Ask for one name's NS records, as often as it takes."""
        step: _Step = Unreliable("it was not asked")
        for _ in range(self._timing.tries):
            left = self._remaining()
            if left <= 0:
                return Unreliable(f"no answer within {self._timing.deadline.total_seconds():.3g} s for all there is")
            query = make_query(wire_form(name), dns.rdatatype.NS, self._entropy)
            heard = await exchange(query, self._vantage, self._seconds, self._streams)
            step = heard if isinstance(heard, Unreliable) else _read(heard, name)
            if not isinstance(step, Unreliable) or step.again is Again.NEVER:
                break
        return step

    def _seconds(self) -> float:
        return min(self._timing.timeout.total_seconds(), self._remaining())

    async def _looked_up(self, zone: DomainName, names: frozenset[DomainName]) -> ZoneServers:
        """Look up where the first of a zone's name servers are."""
        shown = sorted(names, key=lambda each: each.text)[:_MAX_SERVERS]
        client = VantageClient(self._vantage, self._timing, self._remaining, self._codec)
        kinds = dns.rdatatype.A, dns.rdatatype.AAAA
        await client.ask_all([(each, kind) for each in shown for kind in kinds], lambda *_: None)
        hosts = ((each, [client.answered(each, kind)[0] for kind in kinds]) for each in shown)
        return ZoneServers(
            zone=zone,
            servers=tuple(ZoneServer(name=each, host=host_answer(a, aaaa)) for each, (a, aaaa) in hosts),
            left_out=len(names) - len(shown),
        )


def _read(message: dns.message.Message, name: DomainName) -> _Step:
    """Return what a matching, complete message says of a name's zone."""
    reply = read_reply(message, name, dns.rdatatype.NS)
    asked = wire_name(name)
    above = _Above(core_name(asked.parent()))
    match reply:
        case Unreliable():
            return reply
        case Found(canonical=()):
            records, _ = AnswerSection.of(records_in(message.answer)).records(asked, dns.rdatatype.NS)
            targets = (each.target for each in records if isinstance(each, dns.rdtypes.ANY.NS.NS))
            return _Apex(frozenset(core_name(target) for target in targets))
        case Nothing(canonical=()) | NotThere(canonical=()):
            owners = (owner for owner, _ in said_soas(records_in(message.authority)))
            zones = (each for each in owners if len(each) > _TOP_LABELS and len(each) < len(asked))
            zone = next((each for each in zones if asked.is_subdomain(each)), None)
            return above if zone is None else _Above(core_name(zone))
        case _:
            return above
