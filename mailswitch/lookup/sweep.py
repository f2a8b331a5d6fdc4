"""One sweep over many names from several vantages.

A first opinion comes from one vantage, which rotates over names and passes; the hosts it leads to are shared by all
names and asked for once. All opinions come from every vantage, hosts included. No vantage is asked a question twice in
a sweep, so what the first opinion heard is part of the others.

First opinions about some names may come from memory, then from whichever vantage was heard; all others never do.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain

import dns.rdatatype

from mailswitch.core.mx import (
    Addresses,
    HostAnswer,
    Indeterminate,
    NoAddress,
    NoSuchHost,
    Observation,
    VantageCount,
)
from mailswitch.core.names import DomainName
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.memory import SweepMemory
from mailswitch.lookup.opinions import Meanings, Opinions
from mailswitch.lookup.replies import Answer, Reply, host_answer
from mailswitch.lookup.unmatched import UnmatchedDatagrams
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings

__all__ = ["VantageSweep"]

_HOST_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)

_COMPLETE = 2


class VantageSweep:
    """The lookups of one pass (see service.ports.Sweep). Made by VantageView.sweep and used by one thread."""

    def __init__(
        self,
        *,
        settings: Sequence[VantageSettings],
        timing: Timing,
        codec: Codec,
        now: Callable[[], datetime],
        remaining: Callable[[], float],
        runner: asyncio.Runner,
        rotation: int,
        progress: Callable[[int], None] | None,
        memory: SweepMemory,
    ) -> None:
        self._memory = memory
        self._vantages = tuple(each.vantage for each in settings)
        self._clients = tuple(VantageClient(each, timing, remaining, codec, now=now) for each in settings)
        self._runner = runner
        self._rotation = rotation
        self._progress = progress
        self._finished = 0
        self._unmatched = UnmatchedDatagrams()
        self._meanings = Meanings()
        self._hosts: dict[tuple[int, DomainName], HostAnswer] = {}
        self._shared: dict[DomainName, HostAnswer] = {}
        self._remembered: set[tuple[int, DomainName]] = set()
        """The answers about hosts that are from memory, in part at least."""
        self._shared_remembered: set[DomainName] = set()

    def first_opinions(
        self, names: Iterable[DomainName], *, remembered: Collection[DomainName] = frozenset()
    ) -> dict[DomainName, Observation]:
        """Ask one vantage about each name; exchanges are shared by all names.

        An indeterminate MX answer is returned as it is; a host one vantage cannot tell is asked of the next one. Tells
        the progress of MX answers, which are most of the work. Those among ``remembered`` may come from memory.
        """
        return self._runner.run(self._first_opinions(tuple(dict.fromkeys(names)), frozenset(remembered)))

    def all_opinions(self, names: Iterable[DomainName]) -> dict[DomainName, tuple[Observation, ...]]:
        """Ask every vantage about each name, exchanges included; in configuration order."""
        return self._runner.run(self._all_opinions(tuple(dict.fromkeys(names))))

    def host_answers(self, names: Iterable[DomainName]) -> dict[DomainName, tuple[HostAnswer, ...]]:
        """Ask every vantage for the addresses of each host; in configuration order."""
        hosts = tuple(dict.fromkeys(names))
        self._runner.run(self._ask_hosts([hosts] * len(self._vantages)))
        return {host: tuple(self._hosts[index, host] for index in range(len(self._vantages))) for host in hosts}

    def counts(self) -> tuple[VantageCount, ...]:
        """Return how each vantage has fared so far."""
        return tuple(
            VantageCount(vantage=vantage, queries=client.queries, failures=client.failures, traffic=client.traffic)
            for vantage, client in zip(self._vantages, self._clients, strict=True)
        )

    def unmatched(self) -> int | None:
        """Return how many datagrams found no socket of this host so far; None where the system does not tell."""
        return self._unmatched.so_far()

    async def _first_opinions(
        self, names: Sequence[DomainName], old: frozenset[DomainName]
    ) -> dict[DomainName, Observation]:
        recalled = {name: known for name in names if name in old and (known := self._memory.mx(name))} if old else {}
        asked = [name for name in names if name not in recalled] if recalled else names
        wanted = self._by_vantage((name, self._choice(name)) for name in asked)
        for _ in recalled:
            self._tell()
        await self._ask_mx(wanted, self._tell)
        remembered_ones = ((name, answer) for name, (_, answer) in recalled.items())
        hosts = self._meanings.hosts(chain(self._answers(wanted), remembered_ones))
        if old:
            anew = self._meanings.hosts((name, answer) for name, answer in self._answers(wanted) if name not in old)
            await self._ask_shared(hosts, frozenset(hosts.keys() - anew.keys()))
        else:
            await self._ask_shared(hosts, old)
        fresh, remembered = (self._opinions(is_remembered=each) for each in (False, True))
        found: dict[DomainName, Observation] = {}
        for opinions, client, its in zip(fresh, self._clients, wanted, strict=True):
            found.update((name, opinions.observation(name, client.answered(name, dns.rdatatype.MX))) for name in its)
        for name, (index, answer) in recalled.items():
            found[name] = remembered[index].observation(name, answer)
        for name in old.intersection(asked) if self._shared_remembered else ():
            if not self._shared_remembered.isdisjoint(host for host, _ in found[name].hosts):
                found[name] = replace(found[name], is_remembered=True)
        return found

    def _answers(self, wanted: Sequence[Sequence[DomainName]]) -> Iterator[tuple[DomainName, Answer]]:
        """Return what each vantage answered about the MX of its names."""
        return chain.from_iterable(map(_answers, self._clients, wanted))

    def _opinions(self, *, is_remembered: bool) -> list[Opinions]:
        """Return the makers of each vantage's observations, with the hosts that all of them share."""
        return [
            Opinions(vantage, self._meanings, self._shared.__getitem__, is_remembered=is_remembered)
            for vantage in self._vantages
        ]

    async def _all_opinions(self, names: Sequence[DomainName]) -> dict[DomainName, tuple[Observation, ...]]:
        await self._ask_mx([names] * len(self._vantages))
        await self._ask_hosts([tuple(self._meanings.hosts(_answers(each, names))) for each in self._clients])
        opinions = [
            (Opinions(vantage, self._meanings, self._own(index)), self._clients[index])
            for index, vantage in enumerate(self._vantages)
        ]
        return {
            name: tuple(each.observation(name, client.answered(name, dns.rdatatype.MX)) for each, client in opinions)
            for name in names
        }

    def _own(self, index: int) -> Callable[[DomainName], HostAnswer]:
        """What this very vantage said about hosts."""
        return lambda host: self._hosts[index, host]

    async def _ask_mx(self, wanted: Sequence[Sequence[DomainName]], tell: Callable[[], None] = lambda: None) -> None:
        """Ask each vantage for the MX of its names."""

        def take(index: int, question: Question, reply: Reply) -> None:
            self._learn(index, question, reply)
            tell()

        missing = [
            [name for name in names if not client.has_answered(name, dns.rdatatype.MX)]
            for names, client in zip(wanted, self._clients, strict=True)
        ]
        await self._spread(missing, (dns.rdatatype.MX,), take)

    def _learn(self, index: int, question: Question, reply: Reply) -> None:
        if self._memory.is_kept:
            self._memory.learn(index, *question, reply, self._clients[index].moment())

    async def _ask_hosts(
        self, wanted: Sequence[Sequence[DomainName]], old: frozenset[DomainName] = frozenset()
    ) -> None:
        """Ask each vantage for the addresses of its hosts; those of ``old`` may be remembered."""
        missing = [
            [host for host in hosts if (at, host) not in self._hosts or self._is_stale((at, host), old)]
            for at, hosts in enumerate(wanted)
        ]
        remembered: dict[tuple[int, Question], Reply] = {}
        for index, hosts in enumerate(missing):
            for host in hosts:
                known = self._memory.host(index, host) if host in old else {}
                remembered.update(((index, (host, rdtype)), reply) for rdtype, reply in known.items())
                (self._remembered.add if known else self._remembered.discard)((index, host))
        await self._spread(missing, _HOST_TYPES, self._learn, remembered.keys())
        made: dict[tuple[Reply, Reply], HostAnswer] = {}
        for index, (hosts, client) in enumerate(zip(missing, self._clients, strict=True)):
            for host in hosts:
                a, aaaa = (
                    remembered.get((index, (host, rdtype))) or client.answered(host, rdtype)[0]
                    for rdtype in _HOST_TYPES
                )
                answer = made.get((a, aaaa))
                if answer is None:
                    answer = made[a, aaaa] = host_answer(a, aaaa)
                self._hosts[index, host] = answer

    def _is_stale(self, key: tuple[int, DomainName], old: frozenset[DomainName]) -> bool:
        """Whether what is known of a host is from memory and has to be asked for."""
        return key in self._remembered and key[1] not in old

    async def _ask_shared(self, hosts: Iterable[DomainName], old: frozenset[DomainName]) -> None:
        """Ask one vantage for each host not asked for yet, and the next one for those it cannot tell."""
        stale = self._shared_remembered.difference(old).intersection(hosts)
        for host in stale:
            del self._shared[host]
        self._shared_remembered -= stale
        left = [host for host in hosts if host not in self._shared]
        for turn in range(len(self._vantages)):
            holders = {} if turn else {host: self._memory.holder(host) for host in old.intersection(left)}
            chosen = {host: self._choice(host, turn, holders.get(host)) for host in left}
            await self._ask_hosts(self._by_vantage(chosen.items()), old)
            for host, index in chosen.items():
                answer = self._hosts[index, host]
                if host not in self._shared or _completeness(answer) > _completeness(self._shared[host]):
                    self._shared[host] = answer
                    if (index, host) in self._remembered:
                        self._shared_remembered.add(host)
            left = [host for host in left if _completeness(self._shared[host]) < _COMPLETE]

    async def _spread(
        self,
        work: Sequence[Sequence[DomainName]],
        rdtypes: Sequence[dns.rdatatype.RdataType],
        take: Callable[[int, Question, Reply], None],
        known: Collection[tuple[int, Question]] = (),
    ) -> None:
        """Ask each vantage about its names, all vantages side by side; none waits for another."""
        async with asyncio.TaskGroup() as group:
            for index, (client, names) in enumerate(zip(self._clients, work, strict=True)):
                if names:
                    questions = ((name, rdtype) for name in names for rdtype in rdtypes)
                    left = [each for each in questions if (index, each) not in known] if known else questions
                    group.create_task(client.ask_all(left, partial(take, index)))

    def _choice(self, name: DomainName, turn: int = 0, holder: int | None = None) -> int:
        """Return whose turn it is; who answered before, if that still holds."""
        if holder is not None:
            return holder
        return (zlib.crc32(name.text.encode()) + self._rotation + turn) % len(self._vantages)

    def _by_vantage(self, chosen: Iterable[tuple[DomainName, int]]) -> list[list[DomainName]]:
        wanted: list[list[DomainName]] = [[] for _ in self._vantages]
        for name, index in chosen:
            wanted[index].append(name)
        return wanted

    def _tell(self) -> None:
        self._finished += 1
        if self._progress is not None:
            self._progress(self._finished)


def _answers(client: VantageClient, names: Iterable[DomainName]) -> Iterator[tuple[DomainName, Answer]]:
    return ((name, client.answered(name, dns.rdatatype.MX)) for name in names)


def _completeness(answer: HostAnswer) -> int:
    match answer:
        case Indeterminate():
            return 0
        case Addresses(unanswered=str()):
            return 1
        case Addresses() | NoAddress() | NoSuchHost():
            return _COMPLETE
