"""What is known about exchanges by name: mailbox hosts, gateways, forwarders, parking.

Facts (mx_providers.md):

- A name only ever adds caution. A missing or wrong row may hold a decision or delay it, never lose mail.
- A leading ``*.`` stands for one or more labels, a ``*`` inside a label stays inside it; the longest match wins.
- Rows that were inferred, taken from a map of other things, or not checked again do not count as *known* mailbox hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from mailswitch.core.names import DomainName, NamePattern

__all__ = ["KnownExchange", "ProviderKind", "ProviderTable"]


class ProviderKind(StrEnum):
    """What happens to mail at an exchange."""

    MAILBOX = "mailbox"
    """Mail ends there."""
    GATEWAY = "gateway"
    """It is filtered and handed on to the customer's own server, often this one."""
    FORWARDER = "forwarder"
    """It is sent on to other addresses."""
    PARKING = "parking"
    """Nobody reads it: a placeholder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownExchange:
    """One row of the table."""

    pattern: NamePattern
    kind: ProviderKind
    provider: str
    is_certain: bool
    """Whether the row counts as knowledge; an uncertain mailbox host is treated as an unknown one."""
    is_configured: bool = False
    """An administrator wrote it: it wins over a shipped row of the same specificity."""

    @property
    def is_known_mailbox(self) -> bool:
        """Whether mail for the exchange ends in mailboxes, as far as anybody can say by its name."""
        return self.kind is ProviderKind.MAILBOX and self.is_certain


class ProviderTable:
    """Known exchanges, found by the last labels of their patterns; never changed after it was made."""

    __slots__ = ("_by_tail", "_exact", "rows")

    def __init__(self, rows: Iterable[KnownExchange]) -> None:
        """Index the rows; of several with the same pattern, a configured one wins, then the first."""
        self.rows: tuple[KnownExchange, ...] = tuple(rows)
        self._exact: dict[str, KnownExchange] = {}
        tails: dict[str, list[_Ranked]] = {}
        for rank, row in enumerate(sorted(self.rows, key=_specificity, reverse=True)):
            if row.pattern.is_exact:
                self._exact.setdefault(row.pattern.text, row)
            else:
                tails.setdefault(_fixed_tail(row.pattern), []).append(_Ranked(rank=rank, row=row))
        self._by_tail = {tail: tuple(found) for tail, found in tails.items()}

    def classify(self, exchange: DomainName) -> KnownExchange | None:
        """Return the most specific row that matches, or None.

        An exact name wins over any pattern, then the longer pattern; of equally long ones a configured row, then the
        greater text, so that the answer never depends on the order of a file.
        """
        exact = self._exact.get(exchange.text)
        if exact is not None or exchange.is_root:
            return exact
        best: _Ranked | None = None
        for tail in _tails(exchange):
            for ranked in self._by_tail.get(tail, ()):
                if best is not None and best.rank < ranked.rank:
                    break
                if ranked.row.pattern.matches(exchange):
                    best = ranked
                    break
        return None if best is None else best.row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    """A row and its place among all rows, the most specific first."""

    rank: int
    row: KnownExchange


def _specificity(row: KnownExchange) -> tuple[bool, int, bool, str]:
    return (row.pattern.is_exact, len(row.pattern.text), row.is_configured, row.pattern.text)


def _fixed_tail(pattern: NamePattern) -> str:
    """Return the labels after the last one with a ``*``: every name that matches ends in them."""
    return pattern.text.rpartition("*")[2].partition(".")[2]


def _tails(name: DomainName) -> Iterator[str]:
    r"""Yield what follows each dot of a name, the shortest last, then nothing at all.

    A dot that is part of a label (``\.``) yields a tail too many, which is harmless: patterns are asked all the same.
    """
    rest = name.text
    while rest:
        rest = rest.partition(".")[2]
        yield rest
