"""The oracle: what was sent against what was found, one verdict a message. Pure.

Facts:

- A message is known by its id alone, which it bears in a field of its own wherever it goes; a bounce tells the id of
  the message it is about.
- *Rightful* are the hosts whose mailbox the recipient reads at that time. A copy anywhere else lies in an abandoned
  mailbox, even if a rightful copy is there too: somebody else's mailbox has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Found", "Row", "Sent", "Tally", "Verdict", "table", "tally", "verdict"]


class Verdict(StrEnum):
    """What became of one message."""

    RIGHTLY = "rightly"
    ABANDONED = "abandoned"
    BOUNCED = "bounced"
    LOST = "lost"
    TWICE = "twice"
    """More than once in a rightful mailbox, or there and bounced as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message that somebody handed in."""

    number: str
    sender: str
    """How: ``web form``, ``submission`` or ``outside``."""
    recipient: str
    rightful: frozenset[str]
    """The hosts whose mailbox is right; any one of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was found: where copies lie, and what was sent back. By id."""

    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The hosts that have a copy, one entry a copy."""
    bounces: Mapping[str, int] = field(default_factory=dict)


def verdict(message: Sent, found: Found) -> Verdict:
    """Say what became of a message; the worst there is to say of it."""
    copies = found.copies.get(message.number, ())
    bounces = found.bounces.get(message.number, 0)
    if any(host not in message.rightful for host in copies):
        return Verdict.ABANDONED
    if len(copies) + bounces > 1:
        return Verdict.TWICE
    if copies:
        return Verdict.RIGHTLY
    return Verdict.BOUNCED if bounces else Verdict.LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many messages had which end."""

    rightly: int = 0
    abandoned: int = 0
    bounced: int = 0
    lost: int = 0
    twice: int = 0

    @property
    def sent(self) -> int:
        """All of them."""
        return self.rightly + self.abandoned + self.bounced + self.lost + self.twice


def tally(messages: Iterable[Sent], found: Found) -> Tally:
    """Count every message once.

    Raises:
        ValueError: two messages bear the same id.
    """
    counted: Counter[Verdict] = Counter()
    known: set[str] = set()
    for message in messages:
        if message.number in known:
            raise ValueError(f"two messages bear the id {message.number}")
        known.add(message.number)
        counted[verdict(message, found)] += 1
    return Tally(**{one.value: counted[one] for one in Verdict})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: a step of a scenario, what it had to bring, and what it brought."""

    scenario: str
    step: str
    expected: Tally
    found: Tally
    is_promised: bool
    """After confirmation: none may be in an abandoned mailbox, bounced, lost or there twice."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with it."""
        said = f"{self.scenario}, {self.step}"
        wrong = []
        if self.found != self.expected:
            wrong.append(f"{said}: expected {_words(self.expected)}, found {_words(self.found)}")
        if self.is_promised and self.found.rightly != self.found.sent:
            wrong.append(f"{said}: promised, and not kept: {_words(self.found)}")
        return tuple(wrong)


def _words(counts: Tally) -> str:
    return ", ".join(f"{getattr(counts, one.value)} {one.value}" for one in Verdict)


_HEAD = ("scenario", "step", "sent", "rightly", "abandoned", "bounced", "lost", "twice", "after confirmation")


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---|---|" + "---:|" * 6 + "---|"]
    for row in rows:
        counts = [row.found.sent, *(getattr(row.found, one.value) for one in Verdict)]
        cells = [row.scenario, row.step, *map(str, counts), "yes" if row.is_promised else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
