"""Public DNS as the service sees it: sweeps over many names from several vantages.

A first opinion comes from one vantage, which rotates over names and passes; the hosts it leads to are shared by all
names and asked for once. All opinions come from every vantage, hosts included. No vantage is asked a question twice in
a sweep, so what the first opinion heard is part of the others.

First opinions about some names may come from memory, then from whichever vantage was heard; all others never do.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import dns.rdatatype

from mailswitch.core.errors import ResolverError
from mailswitch.core.mx import (
    Addresses,
    HostAnswer,
    Indeterminate,
    NoAddress,
    NoSuchHost,
    Observation,
    Vantage,
    VantageCount,
)
from mailswitch.core.names import DomainName
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.memory import AnswerMemory, SweepMemory
from mailswitch.lookup.opinions import Answer, Meanings, Opinions
from mailswitch.lookup.replies import Reply, host_answer
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings

__all__ = ["VantageSweep", "VantageView", "open_public_view"]

_HOST_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)
_MX_ONLY = (dns.rdatatype.MX,)

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
        self._clients = tuple(VantageClient(each, timing, remaining, codec) for each in settings)
        self._now = now
        self._runner = runner
        self._rotation = rotation
        self._progress = progress
        self._finished = 0
        self._at: datetime | None = None
        self._meanings = Meanings()
        self._mx: tuple[dict[str, Answer], ...] = tuple({} for _ in settings)
        """What each vantage answered about names, by their text, whose hash costs nothing."""
        self._hosts: dict[tuple[int, DomainName], HostAnswer] = {}
        self._shared: dict[DomainName, tuple[int, HostAnswer]] = {}
        self._remembered: set[tuple[int, DomainName]] = set()

    def first_opinions(
        self, names: Iterable[DomainName], *, remembered: Collection[DomainName] = frozenset()
    ) -> dict[DomainName, Observation]:
        """Ask one vantage about each name; exchanges are shared by all names.

        An indeterminate MX answer is returned as it is; a host one vantage cannot tell is asked of the next one. Tells
        the progress of MX answers, which are most of the work. Those among ``remembered`` may come from memory.
        """
        old = frozenset(remembered)
        chosen = {name: self._choice(name, rdtypes=_MX_ONLY if name in old else ()) for name in names}
        return self._runner.run(self._first_opinions(chosen, old))

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
            VantageCount(vantage=vantage, queries=client.queries, failures=client.failures)
            for vantage, client in zip(self._vantages, self._clients, strict=True)
        )

    async def _first_opinions(self, chosen: Mapping[DomainName, int]) -> dict[DomainName, Observation]:
        await self._ask_mx(self._by_vantage(chosen.items()), self._tell)
        hosts = self._meanings.hosts((name, self._mx[index][name.text]) for name, index in chosen.items())
        await self._ask_shared(hosts)
        opinions = [Opinions(vantage, self._meanings, self._shared.__getitem__) for vantage in self._vantages]
        return {name: opinions[index].observation(name, self._mx[index][name.text]) for name, index in chosen.items()}

    async def _all_opinions(self, names: Sequence[DomainName]) -> dict[DomainName, tuple[Observation, ...]]:
        await self._ask_mx([names] * len(self._vantages))
        await self._ask_hosts(
            [tuple(self._meanings.hosts((name, heard[name.text]) for name in names)) for heard in self._mx]
        )
        opinions = [
            (Opinions(vantage, self._meanings, self._own(index)), self._mx[index])
            for index, vantage in enumerate(self._vantages)
        ]
        return {name: tuple(each.observation(name, heard[name.text]) for each, heard in opinions) for name in names}

    def _own(self, index: int) -> Callable[[DomainName], HostAnswer]:
        """What this very vantage said about hosts."""
        return lambda host: self._hosts[index, host]

    async def _ask_mx(self, wanted: Sequence[Sequence[DomainName]], tell: Callable[[], None] = lambda: None) -> None:
        """Ask each vantage for the MX of its names."""

        def take(index: int, question: Question, reply: Reply) -> None:
            self._mx[index][question[0].text] = reply, self._moment()
            tell()

        missing = [
            [name for name in names if name.text not in heard] for names, heard in zip(wanted, self._mx, strict=True)
        ]
        await self._spread(missing, (dns.rdatatype.MX,), take)

    def _moment(self) -> datetime:
        """Return the time, the same until the event loop comes round: many answers arrive together."""
        if self._at is None:
            self._at = self._now()
            asyncio.get_running_loop().call_soon(self._pass_on)
        return self._at

    def _pass_on(self) -> None:
        self._at = None

    async def _ask_hosts(self, wanted: Sequence[Sequence[DomainName]]) -> None:
        """Ask each vantage for the addresses of its hosts."""
        missing = [[host for host in hosts if (at, host) not in self._hosts] for at, hosts in enumerate(wanted)]
        replies: dict[tuple[int, Question], Reply] = {}

        def take(index: int, question: Question, reply: Reply) -> None:
            replies[index, question] = reply

        await self._spread(missing, _HOST_TYPES, take)
        for index, hosts in enumerate(missing):
            for host in hosts:
                a, aaaa = (replies[index, (host, rdtype)] for rdtype in _HOST_TYPES)
                self._hosts[index, host] = host_answer(a, aaaa)

    async def _ask_shared(self, hosts: Iterable[DomainName]) -> None:
        """Ask one vantage for each host not asked for yet, and the next one for those it cannot tell."""
        left = [host for host in hosts if host not in self._shared]
        for turn in range(len(self._vantages)):
            chosen = {host: self._choice(host, turn) for host in left}
            await self._ask_hosts(self._by_vantage(chosen.items()))
            for host, index in chosen.items():
                answer = self._hosts[index, host]
                if host not in self._shared or _completeness(answer) > _completeness(self._shared[host]):
                    self._shared[host] = answer
            left = [host for host in left if _completeness(self._shared[host]) < _COMPLETE]

    async def _spread(
        self,
        work: Sequence[Sequence[DomainName]],
        rdtypes: Sequence[dns.rdatatype.RdataType],
        take: Callable[[int, Question, Reply], None],
    ) -> None:
        """Ask each vantage about its names, all vantages side by side; none waits for another."""
        async with asyncio.TaskGroup() as group:
            for index, (client, names) in enumerate(zip(self._clients, work, strict=True)):
                if names:
                    questions = ((name, rdtype) for name in names for rdtype in rdtypes)
                    group.create_task(client.ask_all(questions, partial(take, index)))

    def _choice(self, name: DomainName, turn: int = 0, *, rdtypes: Iterable[int] = ()) -> int:
        """Return whose turn it is; a vantage whose answer to one of the types is remembered, if there is one."""
        holder = self._memory.holder(name, rdtypes) if rdtypes else None
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


class VantageView:
    """Public DNS, seen from several vantages (see service.ports.PublicView)."""

    def __init__(
        self,
        settings: Sequence[VantageSettings],
        timing: Timing,
        codec: Codec,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        memory: AnswerMemory | None,
    ) -> None:
        self._memory = memory
        self._settings = tuple(settings)
        self._codec = codec
        self._timing = timing
        self._now = now
        self._monotonic = monotonic

    @property
    def vantages(self) -> tuple[Vantage, ...]:
        """The vantages in configuration order."""
        return tuple(each.vantage for each in self._settings)

    @contextmanager
    def sweep(
        self, *, rotation: int, progress: Callable[[int], None] | None = None, is_kept: bool = False
    ) -> Iterator[VantageSweep]:
        """Open a sweep; its deadline runs from now.

        ``rotation`` shifts who gives the first opinion; ``progress`` is told how many names have their first opinion,
        a number that only grows; with ``is_kept`` later sweeps may remember what this one hears.
        """
        end = self._monotonic() + self._timing.deadline.total_seconds()
        keys = [each.key for each in self._settings]
        memory = SweepMemory(self._memory, keys, now=self._now, is_kept=is_kept)
        with asyncio.Runner() as runner:
            yield VantageSweep(
                settings=self._settings,
                timing=self._timing,
                codec=self._codec,
                now=self._now,
                remaining=lambda: end - self._monotonic(),
                runner=runner,
                rotation=rotation,
                progress=progress,
                memory=memory,
            )
        memory.keep()


def open_public_view(
    vantages: Sequence[VantageSettings],
    timing: Timing,
    now: Callable[[], datetime],
    monotonic: Callable[[], float] = time.monotonic,
    codec: Codec = Codec.FAST,
    memory: AnswerMemory | None = None,
) -> VantageView:
    """Return the public view that the vantages are together; nothing is asked before a sweep.

    ``now`` gives aware UTC moments, ``monotonic`` seconds for the deadline. Without ``memory`` all is asked anew.

    Raises:
        ResolverError: there is no vantage.
    """
    if not vantages:
        raise ResolverError("public DNS cannot be asked: no vantage is configured; add one under dns.vantages")
    return VantageView(vantages, timing, codec, now, monotonic, memory)


def _completeness(answer: HostAnswer) -> int:
    match answer:
        case Indeterminate():
            return 0
        case Addresses(unanswered=str()):
            return 1
        case Addresses() | NoAddress() | NoSuchHost():
            return _COMPLETE
