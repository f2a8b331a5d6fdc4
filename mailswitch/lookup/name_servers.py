"""Questions to name servers of the whole net, one at a time and without recursion: politely, and only where it is safe.

Facts:

- A query without RD asks a server for what it knows itself (RFC 1035 §4.1.1). It is sent from here, so that no
  resolver, and none on this machine, stands between.
- A delegation is anybody's to write: one that names this machine's own services, or others behind the same firewall,
  would have them asked from inside. Addresses that are not routable are asked only where the root hints name such ones
  themselves, which is a closed network.
- A server that does not know EDNS says FORMERR or NOTIMP, and is asked again without (RFC 6891 §7).
- The second try is in lower case, for the few servers that do not repeat the case of a question.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import dns.message
import dns.rcode
import dns.rdatatype

from mailswitch.core.mx import Address, is_routable
from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Stray, Traffic
from mailswitch.lookup.delegation import Said, read_said
from mailswitch.lookup.pacing import Pace
from mailswitch.lookup.queries import Entropy, query_packet, question, wire_form
from mailswitch.lookup.replies import Again, Unreliable
from mailswitch.lookup.vantages import Timing, VantageSettings
from mailswitch.lookup.wire import Heard, Query, exchange

__all__ = ["NameServers"]

_TRIES = 2
_DEAD_AFTER = 3
"""Questions in a row without any reply, after which a server is not asked again in a sweep."""
_EDNS_UNKNOWN = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS})
_NO_FLAGS = bytes(2)


@dataclass(slots=True, eq=False)
class _Peer:
    """What one sweep has learned of one address."""

    pace: Pace
    silences: int = 0
    has_edns: bool = True


class NameServers:
    """Every name server there is, by address; used within one event loop.

    ``remaining`` tells the seconds left until the sweep's deadline. ``hinted`` are the root servers' addresses.
    """

    def __init__(self, hinted: Iterable[Address], port: int, timing: Timing, remaining: Callable[[], float]) -> None:
        self._hinted = frozenset(hinted)
        closed = [each for each in self._hinted if not is_routable(each)]
        self._has_loopback = any(each.is_loopback for each in closed)
        self._has_private = any(not each.is_loopback for each in closed)
        self._port = port
        self._timing = timing
        self._remaining = remaining
        self._entropy = Entropy()
        self._peers: dict[Address, _Peer] = {}
        self.queries = 0
        """Questions put; a retried one counts once."""
        self.failures = 0
        """Questions that ended without anything to rely on."""
        self._strays = Counter[Stray]()
        self._retries = self._timeouts = self._cut_off = 0

    @property
    def traffic(self) -> Traffic:
        """How the packets fared so far."""
        return Traffic(
            retries=self._retries,
            timeouts=self._timeouts,
            cut_off=self._cut_off,
            strays=tuple(sorted(self._strays.items())),
        )

    def may_ask(self, address: Address) -> bool:
        """Whether a delegation may send us there."""
        if is_routable(address) or address in self._hinted:
            return True
        if address.is_loopback:
            return self._has_loopback
        is_nowhere = address.is_unspecified or address.is_multicast or address.is_link_local or address.is_reserved
        return self._has_private and not is_nowhere

    async def ask(self, address: Address, name: DomainName, rdtype: dns.rdatatype.RdataType, zone: DomainName) -> Said:
        """Return what the server at an address, one of ``zone``'s, says about ``name``."""
        if not self.may_ask(address):
            return Unreliable("not asked, for it is not routable")
        peer = self._peers.setdefault(address, _Peer(Pace(self._timing.rate)))
        if peer.silences >= _DEAD_AFTER:
            return Unreliable(f"not asked any more after {peer.silences} questions without an answer")
        self.queries += 1
        heard = await self._heard(address, peer, wire_form(name), rdtype)
        said = heard if isinstance(heard, Unreliable) else read_said(heard, name, rdtype, zone)
        self.failures += isinstance(said, Unreliable)
        return said

    async def _heard(self, address: Address, peer: _Peer, name: bytes, rdtype: int) -> Heard:
        heard: Heard = Unreliable("nothing")
        for turn in range(_TRIES):
            if not await self._is_let_through(peer.pace):
                self._cut_off += 1
                return Unreliable(f"no answer before the sweep's deadline of {self._timing.deadline}")
            heard = await self._exchanged(address, peer, name, rdtype, is_mixed=turn == 0)
            if isinstance(heard, dns.message.Message):
                peer.silences = 0
                if heard.rcode() not in _EDNS_UNKNOWN or not peer.has_edns:
                    return heard
                peer.has_edns = False
            elif heard.again is not Again.ALWAYS:
                return heard
            else:
                self._timeouts += 1
                peer.pace.unanswered()
        peer.silences += isinstance(heard, Unreliable)
        return heard

    async def _exchanged(self, address: Address, peer: _Peer, name: bytes, rdtype: int, *, is_mixed: bool) -> Heard:
        asked = question(self._entropy.mixed_case(name) if is_mixed else name, rdtype)
        packet = query_packet(self._entropy.number() & 0xFFFF, asked, has_edns=peer.has_edns)
        query = Query(packet[:2] + _NO_FLAGS + packet[4:], asked)
        where = VantageSettings(name=str(address), operator="", address=address, port=self._port)
        peer.pace.sent()
        self._retries += not is_mixed
        return await exchange(
            query,
            where,
            lambda: min(self._timing.timeout.total_seconds(), self._remaining()),
            passed_over=lambda stray: self._strays.update((stray,)),
        )

    async def _is_let_through(self, pace: Pace) -> bool:
        """Wait for a server's turn; whether it came before the sweep's deadline."""
        loop = asyncio.get_running_loop()
        while True:
            left = self._remaining()
            wait = pace.wait(loop.time())
            if left <= wait:
                return False
            if not wait:
                return True
            await asyncio.sleep(wait)
