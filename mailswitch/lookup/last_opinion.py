"""Public DNS with a last opinion: beside the resolvers, the domains' own name servers, where it comes to a change.

They are one more vantage, asked only together with all the others, and never first. What they say is their own from the
root down, exchanges included; no resolver has a part in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

import dns.rdatatype

from mailswitch.core.mx import AUTHORITATIVE, HostAnswer, Observation, Vantage, VantageCount
from mailswitch.core.names import DomainName
from mailswitch.lookup.authority import Authority, AuthoritySettings
from mailswitch.lookup.opinions import Meanings, Opinions
from mailswitch.lookup.replies import Reply, host_answer
from mailswitch.lookup.survey import VantageView
from mailswitch.lookup.sweep import VantageSweep
from mailswitch.lookup.vantages import Timing

__all__ = ["LastOpinionSweep", "LastOpinionView"]

_OPERATOR = "the domain's own servers"


class LastOpinionSweep:
    """The lookups of one pass (see service.ports.Sweep). Made by LastOpinionView.sweep and used by one thread."""

    def __init__(
        self,
        sweep: VantageSweep,
        vantage: Vantage,
        authority: Authority,
        *,
        now: Callable[[], datetime],
        runner: asyncio.Runner,
    ) -> None:
        self._sweep = sweep
        self._vantage = vantage
        self._authority = authority
        self._now = now
        self._runner = runner
        self._hosts: dict[DomainName, HostAnswer] = {}

    def first_opinions(
        self, names: Iterable[DomainName], *, remembered: Collection[DomainName] = frozenset()
    ) -> dict[DomainName, Observation]:
        """Ask one resolver about each name; the domains' own name servers are not asked."""
        return self._sweep.first_opinions(names, remembered=remembered)

    def all_opinions(self, names: Iterable[DomainName]) -> dict[DomainName, tuple[Observation, ...]]:
        """Ask every resolver about each name and then its own name servers, which come last."""
        found = self._sweep.all_opinions(names)
        last = self._runner.run(self._last_opinions(tuple(found))) if found else {}
        return {name: (*opinions, last[name]) for name, opinions in found.items()}

    def host_answers(self, names: Iterable[DomainName]) -> dict[DomainName, tuple[HostAnswer, ...]]:
        """Ask every resolver for the addresses of each host."""
        return self._sweep.host_answers(names)

    def counts(self) -> tuple[VantageCount, ...]:
        """Return how each vantage has fared so far; of the domains' own, each question to each server counts."""
        own = VantageCount(
            vantage=self._vantage,
            queries=self._authority.queries,
            failures=self._authority.failures,
            traffic=self._authority.traffic,
        )
        return (*self._sweep.counts(), own)

    def unmatched(self) -> int | None:
        """Return how many datagrams found no socket of this host so far; None where the system does not tell."""
        return self._sweep.unmatched()

    async def _last_opinions(self, names: tuple[DomainName, ...]) -> dict[DomainName, Observation]:
        meanings = Meanings()
        answers = dict(zip(names, await asyncio.gather(*map(self._answer, names)), strict=True))
        hosts = [host for host in meanings.hosts(answers.items()) if host not in self._hosts]
        await asyncio.gather(*map(self._ask_host, hosts))
        opinions = Opinions(self._vantage, meanings, self._hosts.__getitem__)
        return {name: opinions.observation(name, answer) for name, answer in answers.items()}

    async def _answer(self, name: DomainName) -> tuple[Reply, datetime]:
        return await self._authority.ask(name, dns.rdatatype.MX), self._now()

    async def _ask_host(self, host: DomainName) -> None:
        a, aaaa = await asyncio.gather(
            self._authority.ask(host, dns.rdatatype.A), self._authority.ask(host, dns.rdatatype.AAAA)
        )
        self._hosts[host] = host_answer(a, aaaa)


class LastOpinionView:
    """Public DNS, seen from resolvers and from the domains' own name servers (see service.ports.PublicView)."""

    def __init__(
        self,
        resolvers: VantageView,
        settings: AuthoritySettings,
        timing: Timing,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolvers = resolvers
        self._settings = settings
        self._timing = timing
        self._now = now
        self._monotonic = monotonic
        self._vantage = Vantage(
            name=AUTHORITATIVE, operator=_OPERATOR, is_authoritative=True, is_required=settings.is_required
        )

    @property
    def vantages(self) -> tuple[Vantage, ...]:
        """The resolvers in configuration order, then the domains' own name servers."""
        return (*self._resolvers.vantages, self._vantage)

    @contextmanager
    def sweep(
        self, *, rotation: int, progress: Callable[[int], None] | None = None, is_kept: bool = False
    ) -> Iterator[LastOpinionSweep]:
        """Open a sweep, as VantageView.sweep does; one deadline holds for all of it."""
        end = self._monotonic() + self._timing.deadline.total_seconds()
        authority = Authority(self._settings, self._timing, lambda: end - self._monotonic(), rotation=rotation)
        with (
            self._resolvers.sweep(rotation=rotation, progress=progress, is_kept=is_kept) as sweep,
            asyncio.Runner() as runner,
        ):
            yield LastOpinionSweep(sweep, self._vantage, authority, now=self._now, runner=runner)
