"""The plan of one pass: what would change by itself, what a review would add, and a digest of both.

The digest binds a review to what was seen: server, kind, name, from, to, route and exchanges of every entry, sorted.
Times, TTLs, counters, held and kept names are not in it, so it stays the same while nothing that matters does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Route

__all__ = ["Plan", "PlannedChange", "differences", "digest_of"]

_DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class PlannedChange:
    """One switch to be turned."""

    server: str
    kind: Kind
    name: DomainName
    switch_from: Switch
    switch_to: Switch
    route: Route
    exchanges: tuple[DomainName, ...]
    """Distinct and sorted."""

    def __post_init__(self) -> None:
        """Bring the exchanges into order: a reviewed plan read from a file may list them otherwise."""
        object.__setattr__(self, "exchanges", tuple(sorted(set(self.exchanges))))

    def __str__(self) -> str:
        """Return the entry in words."""
        where = ", ".join(str(exchange) for exchange in self.exchanges)
        seen = f"{self.route} ({where})" if where else str(self.route)
        return f"{self.server}: {self.kind} {self.name} {self.switch_from} -> {self.switch_to}, {seen}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All changes of one pass. Its order never matters to the digest."""

    changes: tuple[PlannedChange, ...] = ()
    """What the mode does by itself now (in mode report: what ``once --apply`` would do)."""
    on_review: tuple[PlannedChange, ...] = ()
    """What a review of this plan would add."""

    @property
    def digest(self) -> str:
        """The digest over both parts."""
        return digest_of((*self.changes, *self.on_review))


def digest_of(entries: Iterable[PlannedChange]) -> str:
    """Return the digest of plan entries: 16 hexadecimal digits of a SHA-256."""
    rows = sorted(
        [
            entry.server,
            entry.kind.value,
            entry.name.text,
            entry.switch_from.value,
            entry.switch_to.value,
            entry.route.value,
            [exchange.text for exchange in entry.exchanges],
        ]
        for entry in entries
    )
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_DIGEST_CHARACTERS]


def differences(reviewed: Iterable[PlannedChange], current: Iterable[PlannedChange]) -> tuple[str, ...]:
    """Return in words what distinguishes a reviewed plan from the current one; empty when they are the same."""
    before, now = frozenset(reviewed), frozenset(current)
    gone = [f"no longer: {entry}" for entry in sorted(before - now)]
    return (*gone, *(f"new: {entry}" for entry in sorted(now - before)))
