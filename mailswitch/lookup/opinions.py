"""What replies mean to the core: MX answers, the hosts they lead to, observations.

Most names of a hoster share their mail hosts: whatever is equal is made once and shared, which saves most of the memory
and time that a sweep over many names would take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from mailswitch.core.mx import (
    MX,
    HostAnswer,
    Indeterminate,
    MXAnswer,
    NoMX,
    NoSuchDomain,
    NullMX,
    Observation,
    Published,
    Vantage,
)
from mailswitch.core.names import DomainName
from mailswitch.lookup.replies import Answer, Found, Reply, Unreliable, mx_answer

__all__ = ["Meanings", "Opinions"]

_Hosts = tuple[tuple[DomainName, HostAnswer], ...]


class Meanings:
    """What replies to MX questions mean; used for one sweep, in which equal answers become one value."""

    def __init__(self) -> None:
        self._published: dict[tuple[frozenset[MX], timedelta], MXAnswer] = {}
        self._exchanges: dict[frozenset[MX], tuple[DomainName, ...]] = {}

    def mx(self, reply: Reply) -> MXAnswer:
        """Return the MX answer that a reply is."""
        if not isinstance(reply, Found):
            return mx_answer(reply)
        answer = self._published.get((reply.mx, reply.ttl))
        if answer is None:
            answer = self._published[reply.mx, reply.ttl] = mx_answer(reply)
        return answer

    def leads_to(self, name: DomainName, mx: MXAnswer) -> tuple[DomainName, ...]:
        """Return the hosts whose addresses decide where mail for ``name`` goes (RFC 5321 §5.1)."""
        match mx:
            case Published(records=records):
                hosts = self._exchanges.get(records)
                if hosts is None:
                    exchanges = {record.exchange for record in records}
                    hosts = tuple(sorted(each for each in exchanges if not each.is_root))
                    self._exchanges[records] = hosts
                return hosts
            case NoMX():
                return (name,)
            case NullMX() | NoSuchDomain() | Indeterminate():
                return ()

    def hosts(self, answers: Iterable[tuple[DomainName, Answer]]) -> dict[DomainName, None]:
        """Return all hosts that so many answers lead to, each once."""
        hosts: dict[DomainName, None] = {}
        known = set[frozenset[MX]]()
        for name, (reply, _) in answers:
            if isinstance(reply, Found):
                if reply.mx in known:
                    continue
                known.add(reply.mx)
            hosts.update(dict.fromkeys(self.leads_to(name, self.mx(reply))))
        return hosts


class Opinions:
    """Observations of one vantage, with what ``host_answer`` says of the hosts; or those ``is_remembered`` from it."""

    def __init__(
        self,
        vantage: Vantage,
        meanings: Meanings,
        host_answer: Callable[[DomainName], HostAnswer],
        *,
        is_remembered: bool = False,
    ) -> None:
        self._vantage = vantage
        self._is_remembered = is_remembered
        self._meanings = meanings
        self._host_answer = host_answer
        self._hosts_of: dict[frozenset[MX], _Hosts] = {}

    def observation(self, name: DomainName, answer: Answer) -> Observation:
        """Return what the vantage says of a name."""
        reply, at = answer
        mx = self._meanings.mx(reply)
        return Observation(
            name=name,
            vantage=self._vantage,
            at=at,
            mx=mx,
            hosts=self._hosts(name, mx),
            canonical=() if isinstance(reply, Unreliable) else reply.canonical,
            is_remembered=self._is_remembered,
        )

    def _hosts(self, name: DomainName, mx: MXAnswer) -> _Hosts:
        if not isinstance(mx, Published):
            return self._answered(self._meanings.leads_to(name, mx))
        hosts = self._hosts_of.get(mx.records)
        if hosts is None:
            hosts = self._hosts_of[mx.records] = self._answered(self._meanings.leads_to(name, mx))
        return hosts

    def _answered(self, hosts: Iterable[DomainName]) -> _Hosts:
        return tuple((host, self._host_answer(host)) for host in hosts)
