"""One question to one vantage: a bounded number of tries, CNAME chains followed, nothing asked twice.

Facts:

- NXDOMAIN and NODATA are answers and not asked for again; SERVFAIL and REFUSED are no answers and may pass
  (RFC 2308 §7); retries are bounded and spaced (RFC 9520 §3.1).
- A server that does not know EDNS says FORMERR or NOTIMP, and is asked again without (RFC 6891 §7).
- The last of several tries is in lower case, for the few servers that do not repeat the case of a question.

A vantage that is dead would otherwise cost every name its whole patience: after many questions in a row without any
reply it is asked only now and then, to see whether it is back, and leaves the rest to the other vantages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import dns.message
import dns.rcode
import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import read_reply, wire_name
from mailswitch.lookup.replies import Again, Reply, Unfinished, Unreliable
from mailswitch.lookup.vantages import Timing, VantageSettings
from mailswitch.lookup.wire import exchange, make_query, with_mixed_case

__all__ = ["VantageClient"]

_MAX_HOPS = 8
_PAUSE_SECONDS = 0.05
_DEAD_AFTER = 100
"""Questions in a row without any reply, after which a vantage is taken for dead."""
_EDNS_UNKNOWN = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS})

_Question = tuple[DomainName, dns.rdatatype.RdataType]


class VantageClient:
    """Asks one vantage, each question once: an answer already heard, or on its way, is given again.

    ``remaining`` tells the seconds left until the sweep's deadline. Used within one event loop.
    """

    def __init__(self, settings: VantageSettings, timing: Timing, remaining: Callable[[], float]) -> None:
        self._settings = settings
        self._timing = timing
        self._remaining = remaining
        self._heard: dict[_Question, Reply] = {}
        self._awaited: dict[_Question, asyncio.Future[Reply]] = {}
        self._next_slot = 0.0
        self._silences = 0
        self._next_trial = 0.0
        self.queries = 0
        """Questions put to the vantage; a retried one counts once."""
        self.failures = 0
        """Questions that ended without an answer to rely on."""

    async def ask(self, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply:
        """Ask for MX, A or AAAA of ``name`` and follow a CNAME chain to its end."""
        reply = await self._once(name, rdtype)
        for _ in range(_MAX_HOPS):
            if not isinstance(reply, Unfinished):
                return reply
            chain, ttl = reply.canonical, reply.ttl
            reply = await self._once(chain[-1], rdtype)
            if isinstance(reply, Unreliable):
                return reply
            if not {name, *chain}.isdisjoint(reply.canonical):
                return Unreliable("the CNAME chain is a loop")
            reply = replace(reply, canonical=chain + reply.canonical, ttl=min(ttl, reply.ttl))
        return Unreliable(f"the CNAME chain has no end after {_MAX_HOPS} more questions")

    async def _once(self, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply:
        question = name, rdtype
        if question in self._heard:
            return self._heard[question]
        if question in self._awaited:
            return await asyncio.shield(self._awaited[question])
        awaited = self._awaited[question] = asyncio.get_running_loop().create_future()
        try:
            reply = self._heard[question] = await self._answered(name, rdtype)
            awaited.set_result(reply)
        finally:
            del self._awaited[question]
            awaited.cancel()  # only an interrupted question has anybody left who waits
        return reply

    async def _answered(self, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply:
        """Put one question until it is answered, as often as the timing says."""
        if self._is_given_up():
            return Unreliable(f"it left {_DEAD_AFTER} questions in a row without a reply, and is hardly asked any more")
        reply = self._too_late()
        tries = self._timing.tries
        for attempt in range(tries):
            if not await self._slot():
                self.failures += attempt > 0
                return self._too_late()
            self.queries += attempt == 0
            heard = await self._attempt(name, rdtype, is_case_mixed=attempt == 0 or attempt < tries - 1)
            self._silences = self._silences if _is_silence(heard) else 0
            if not isinstance(heard, Unreliable):
                return heard
            reply = heard if attempt == 0 else replace(heard, reason=f"{heard.reason} ({attempt + 1} tries)")
            if heard.again is Again.NEVER or (heard.again is Again.ONCE and attempt > 0):
                break
            if attempt < tries - 1:
                await asyncio.sleep(min(_PAUSE_SECONDS * 2**attempt, self._seconds()))
        self.failures += 1
        self._silences += _is_silence(reply)
        return reply

    def _is_given_up(self) -> bool:
        """Whether the vantage is taken for dead; one question in each time-out is let through all the same."""
        now = asyncio.get_running_loop().time()
        if self._silences < _DEAD_AFTER or now >= self._next_trial:
            self._next_trial = now + self._timing.timeout.total_seconds()
            return False
        return True

    async def _attempt(self, name: DomainName, rdtype: dns.rdatatype.RdataType, *, is_case_mixed: bool) -> Reply:
        """Put one question once; once more without EDNS to a server that does not know it."""
        owner = with_mixed_case(wire_name(name)) if is_case_mixed else wire_name(name)
        heard = await exchange(make_query(owner, rdtype, edns=0), self._settings, self._seconds)
        if isinstance(heard, dns.message.Message) and heard.rcode() in _EDNS_UNKNOWN:
            heard = await exchange(make_query(owner, rdtype, edns=-1), self._settings, self._seconds)
        if isinstance(heard, Unreliable):
            return heard if self._remaining() > 0 else self._too_late()
        return read_reply(heard, name, rdtype)

    async def _slot(self) -> bool:
        """Wait until the rate allows one more packet; return False when the deadline comes first."""
        if self._timing.rate is not None and self._remaining() > 0:
            now = asyncio.get_running_loop().time()
            slot = max(self._next_slot, now)
            if slot - now >= self._remaining():
                return False
            self._next_slot = slot + 1 / self._timing.rate
            await asyncio.sleep(slot - now)
        return self._remaining() > 0

    def _seconds(self) -> float:
        return max(0.0, min(self._timing.timeout.total_seconds(), self._remaining()))

    def _too_late(self) -> Unreliable:
        return Unreliable(f"the sweep's deadline of {self._timing.deadline} passed")


def _is_silence(reply: Reply) -> bool:
    return isinstance(reply, Unreliable) and reply.again is Again.ALWAYS
