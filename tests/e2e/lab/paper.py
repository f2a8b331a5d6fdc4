"""docs/proof.md: what was shown, with the table of the run that wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from tests.e2e.lab.tally import Row, table

__all__ = ["Printed", "paper"]

_TEMPLATE = Path(__file__).with_name("proof.template.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What one run has to tell."""

    rows: tuple[Row, ...]
    titles: Mapping[str, str]
    """Of the scenarios, by letter."""
    remarks: tuple[str, ...]
    when: str
    took_seconds: int
    machine: str
    """How many cores it had, and how busy they were."""
    versions: tuple[str, ...]


def paper(printed: Printed) -> str:
    """Return the whole paper."""
    promised = [row for row in printed.rows if row.is_promised]
    sent = sum(row.found.sent for row in promised)
    total = (
        f"After confirmation: {sent} messages sent, {_total(promised, 'rightly')} delivered rightly, "
        f"{_total(promised, 'abandoned')} in abandoned mailboxes, {_total(promised, 'bounced')} bounced, "
        f"{_total(promised, 'lost')} lost."
    )
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        table=table(printed.rows),
        total=total,
        remarks="\n".join(f"- {remark}" for remark in printed.remarks),
        titles="\n".join(f"- **{letter}**: {title}" for letter, title in printed.titles.items()),
        when=printed.when,
        seconds=printed.took_seconds,
        machine=printed.machine,
        versions=", ".join(printed.versions),
    )


def _total(rows: Iterable[Row], word: str) -> int:
    return sum(getattr(row.found, word) for row in rows)
