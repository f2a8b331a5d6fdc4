"""Our own ways of asking, each run once: the engine, and what dnspython offers instead."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import dns.rdatatype
import dns.resolver

from mailswitch.core.names import DomainName
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.replies import Reply, Unreliable
from mailswitch.lookup.survey import rare_collections
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings

__all__ = ["THREADS", "TIMING", "Run", "Survey", "by_engine", "by_survey", "by_threads", "vantage"]

TIMING = Timing(rate=None, concurrency=200, tries=6)
"""As many under way as the server's one socket holds with default buffers: more would be lost there."""
THREADS = 32
_LONGEST = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One way of asking, once."""

    queries: int
    seconds: float
    cpu_seconds: float
    unresolved: int = 0
    retries: int = 0

    @property
    def per_second(self) -> float:
        """Queries a second."""
        return self.queries / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """CPU for each query."""
        return self.cpu_seconds / self.queries * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One survey in a process of its own, as that process tells."""

    names: int
    queries: int
    again: int | None
    """Queries of a second sweep, when there was one."""
    seconds: float
    cpu_seconds: float
    most_resident: int
    """Octets."""
    unresolved: int

    @property
    def cpu_microseconds(self) -> float:
        """CPU for each name."""
        return self.cpu_seconds / self.names * 1e6


def vantage(port: int) -> VantageSettings:
    """Return the settings of a resolver on loopback."""
    return VantageSettings(name="loopback", operator="Loopback", address=IPv4Address("127.0.0.1"), port=port)


def by_engine(port: int, names: Sequence[DomainName], codec: Codec = Codec.FAST, timing: Timing = TIMING) -> Run:
    """Ask for the MX of each name as a sweep does."""
    replies: list[Reply] = []

    def take(_question: Question, reply: Reply) -> None:
        replies.append(reply)

    client = VantageClient(vantage(port), timing, lambda: _LONGEST, codec)
    began, cpu_began = time.perf_counter(), time.process_time()
    with rare_collections():
        asyncio.run(client.ask_all(((name, dns.rdatatype.MX) for name in names), take))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    unresolved = len(names) - len(replies) + sum(isinstance(reply, Unreliable) for reply in replies)
    return Run(
        queries=len(names), seconds=seconds, cpu_seconds=cpu, unresolved=unresolved, retries=client.traffic.retries
    )


def by_threads(port: int, names: Sequence[DomainName]) -> Run:
    """Ask for the MX of each name with ``dns.resolver`` in threads."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    began, cpu_began = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda name: resolver.resolve(f"{name}.", "MX"), names):
            pass
    return Run(queries=len(names), seconds=time.perf_counter() - began, cpu_seconds=time.process_time() - cpu_began)


def by_survey(port: int, names: int, *, is_twice: bool = False) -> Survey:
    """Survey the first ``names`` names in a fresh process; ``is_twice`` sweeps again over what is remembered."""
    command = [sys.executable, "-m", "benchmarks.survey_child", str(port), str(names), *(["--twice"] * is_twice)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=_LONGEST)
    told: dict[str, Any] = json.loads(done.stdout)
    return Survey(**told)
