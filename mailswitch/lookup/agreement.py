"""What the name servers of one zone say together: whom to ask next, and when it is enough.

No network: whoever drives it asks, and tells what was heard.

Facts:

- A zone has more than one name server (RFC 1034 §4.1), and all of them give the same answers once a change has reached
  each (RFC 1034 §4.3.5). Between them it is not decided yet what the zone says.
- Two names at one address are one server.
- Addresses may differ from server to server and from moment to moment where load is shared: what is asked of them is
  whether any is ours, so all of them count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from mailswitch.core.mx import Address
from mailswitch.core.names import DomainName
from mailswitch.lookup.delegation import Delegation, NameServer, Said
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply, Unfinished, Unreliable

__all__ = ["Hearing", "together"]

_MAX_ASKED = 5
"""Servers of one zone that are asked the same question at most."""
_MAX_TOLD = 3
_SHOWN_EXCHANGES = 3


class Hearing:
    """One question to the servers of one zone, until ``needed`` of them have answered or one refers to others.

    Ask ``next`` for whom to ask and tell ``hear`` or ``fail`` what came of it; ``outcome`` is there when ``next`` has
    nobody any more.
    """

    def __init__(self, zone: DomainName, servers: Iterable[NameServer], *, needed: int) -> None:
        self._zone = zone
        self._left = list(servers)
        self._needed = needed
        self._asked = 0
        self._replies: list[Reply] = []
        self._failures: list[str] = []
        self._heard: set[Address] = set()
        self._delegation: Delegation | None = None

    def next(self) -> NameServer | None:
        """Return the server to ask now; None when there is nobody left to ask, or no need to."""
        is_settled = self._delegation is not None or len(self._replies) >= self._needed
        if is_settled or not self._left or self._asked >= _MAX_ASKED:
            return None
        self._asked += 1
        return self._left.pop(0)

    def is_new(self, address: Address) -> bool:
        """Whether nothing was heard from an address yet: a server is not asked again under another name."""
        return address not in self._heard

    def fail(self, reason: str) -> None:
        """Take note that a server gave nothing to rely on; the reason names it."""
        self._failures.append(reason)

    def hear(self, address: Address, said: Found | Nothing | NotThere | Unfinished | Delegation) -> None:
        """Take in what the server at an address said."""
        self._heard.add(address)
        if isinstance(said, Delegation):
            self._delegation = said
        else:
            self._replies.append(said)

    def outcome(self) -> Said:
        """Return where they refer to, or what they say together.

        A server that refers says more than one that answers: the zone below has servers of its own. One answer is
        enough only from a zone that has one server.
        """
        if self._delegation is not None:
            return self._delegation
        told = "; ".join(self._failures[:_MAX_TOLD])
        if len(self._failures) > _MAX_TOLD:
            told += f"; and {len(self._failures) - _MAX_TOLD} more"
        if not self._replies:
            return Unreliable(f"no name server of {self._zone} answers ({told or 'it has none'})")
        if len(self._replies) < self._needed and self._failures:
            return Unreliable(f"only {len(self._replies)} name server of {self._zone} answers ({told})")
        return together(self._zone, self._replies)


def together(zone: DomainName, replies: Sequence[Reply]) -> Reply:
    """Return what several servers of a zone say together: it has to be the same.

    Addresses are laid together, and the longest TTL of an MX RRset counts: resolvers may have got it from either.
    """
    first, *others = replies
    for other in others:
        combined = _combined(first, other)
        if combined is None:
            return Unreliable(f"the name servers of {zone} disagree: {_shown(first)}, and {_shown(other)}")
        first = combined
    return first


def _combined(one: Reply, other: Reply) -> Reply | None:
    """Return what two servers say together; None where they contradict each other."""
    match one, other:
        case Found(addresses=found), Found(addresses=more) if found and more:
            return replace(one, addresses=found | more, ttl=min(one.ttl, other.ttl))
        case Found(mx=mx), Found(mx=same) if mx == same and not one.addresses and not other.addresses:
            return replace(one, ttl=max(one.ttl, other.ttl))
        case Nothing(ttl=ttl), Nothing(ttl=same_ttl):
            return Nothing(ttl=min(ttl, same_ttl))
        case NotThere(ttl=ttl), NotThere(ttl=same_ttl):
            return NotThere(ttl=min(ttl, same_ttl))
        case Unfinished(canonical=chain), Unfinished(canonical=same_chain) if chain == same_chain:
            return replace(one, ttl=min(one.ttl, other.ttl))
        case Unreliable(), _:
            return one
        case _, Unreliable():
            return other
    return None


def _shown(reply: Reply) -> str:
    match reply:
        case Found(addresses=frozenset() as addresses) if addresses:
            return "one has addresses"
        case Found(mx=records):
            exchanges = sorted(records)
            shown = ", ".join(f"{each.preference} {each.exchange}" for each in exchanges[:_SHOWN_EXCHANGES])
            return f"one has MX {shown}" + (" and more" if len(exchanges) > _SHOWN_EXCHANGES else "")
        case Nothing():
            return "one has no such record"
        case NotThere():
            return "one says that the name does not exist"
        case Unfinished(canonical=chain):
            return f"one has a CNAME to {chain[-1]}"
        case Unreliable(reason=reason):
            return reason
        case _ as never:
            assert_never(never)
