"""Whether the way down to the domains' own name servers can begin: what ``doctor`` asks of the root."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.authority import AuthoritySettings
from mailswitch.lookup.delegation import Said
from mailswitch.lookup.name_servers import NameServers
from mailswitch.lookup.replies import Unreliable
from mailswitch.lookup.vantages import Timing

__all__ = ["RootHealth", "probe_root"]

_ROOT = DomainName(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class RootHealth:
    """How the root's servers did when they were tried."""

    asked: int
    answering: int
    reason: str | None
    """Why one of them gave no answer; None when all did."""


def probe_root(
    settings: AuthoritySettings, timing: Timing, monotonic: Callable[[], float] = time.monotonic
) -> RootHealth:
    """Ask each of the root's servers about the root itself, at its first address; no error is raised for how it does.

    Takes at most twice ``timing.timeout``.
    """
    return asyncio.run(_probed(settings, timing, monotonic))


async def _probed(settings: AuthoritySettings, timing: Timing, monotonic: Callable[[], float]) -> RootHealth:
    end = monotonic() + timing.deadline.total_seconds()
    hinted = [addresses[0] for addresses in settings.hints.values() if addresses]
    servers = NameServers(hinted, settings.port, timing, lambda: end - monotonic())
    questions = (servers.ask(each, _ROOT, dns.rdatatype.A, _ROOT) for each in hinted)
    said: list[Said] = await asyncio.gather(*questions)
    failed = [f"{each}: {one.reason}" for each, one in zip(hinted, said, strict=True) if isinstance(one, Unreliable)]
    return RootHealth(asked=len(hinted), answering=len(hinted) - len(failed), reason=failed[0] if failed else None)
