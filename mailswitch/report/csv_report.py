"""The report of one pass as CSV (RFC 4180), one row for each name, safe to open in a spreadsheet.

Facts:

- Spreadsheets run a cell that starts with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return as a formula,
  full-width forms included (OWASP, CSV Injection); an apostrophe before it makes it text.
- Line breaks inside quoted cells are allowed (RFC 4180 §2) and break many readers, so control characters are written
  out as escapes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from operator import attrgetter

from mailswitch.core.reports import DomainReport, PassReport, ServerReport
from mailswitch.report.clean import printable

__all__ = ["COLUMNS", "report_csv"]

COLUMNS = (
    "server",
    "name",
    "display_name",
    "kind",
    "parent",
    "switch",
    "route",
    "provider",
    "mx",
    "decision",
    "on_review",
    "vantages",
    "reasons",
    "outcome",
    "error",
    "misdelivered",
    "misdelivered_since",
    "misdelivered_30_days",
)
_ERROR = COLUMNS.index("error")

_FORMULA_STARTS = frozenset("=+-@\t\r＝＋－＠")  # noqa: RUF001  # full-width forms are what this is about


def report_csv(report: PassReport) -> str:
    """Return the report with a header row; lines end with CR LF.

    A server that failed, that a limit stops, or that has no names has one row of its own with the server and the error.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, dialect="excel", lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for server in report.servers:
        for cells in _rows(server):
            rows.writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _rows(server: ServerReport) -> Iterable[tuple[str, ...]]:
    troubles = [f"{found.code}: {found.text}" for found in (server.error, server.refusal) if found is not None]
    if not troubles and not server.domains:
        troubles = [""]
    for trouble in troubles:
        yield (server.name, *[""] * (_ERROR - 1), trouble, *[""] * (len(COLUMNS) - _ERROR - 1))
    for entry in sorted(server.domains, key=lambda entry: (entry.domain.name, entry.domain.kind)):
        yield _row(server, entry)


def _row(server: ServerReport, entry: DomainReport) -> tuple[str, ...]:
    domain, finding, decision = entry.domain, entry.finding, entry.decision
    return (
        server.name,
        domain.name.text,
        domain.display_name,
        domain.kind.value,
        "" if domain.parent is None else domain.parent.text,
        domain.switch.value,
        finding.route.value,
        finding.provider or "",
        "; ".join(f"{seen.preference} {seen.exchange}" for seen in sorted(finding.exchanges, key=attrgetter("order"))),
        decision.verdict.value,
        "true" if decision.is_on_review else "false",
        str(finding.vantages),
        "; ".join(f"{reason.code}: {reason.text}" for reason in decision.reasons),
        "" if entry.outcome is None else entry.outcome.value,
        entry.error or "",
        *_impact(entry),
    )


def _impact(entry: DomainReport) -> tuple[str, str, str]:
    impact = entry.impact
    if impact is None:
        return "", "", ""
    return str(impact.messages), impact.since.isoformat(), str(impact.recent)


def _cell(text: str) -> str:
    """Clean a cell; what a spreadsheet would run gets an apostrophe, also behind spaces, which some skip."""
    is_formula = text[:1] in _FORMULA_STARTS or text.lstrip()[:1] in _FORMULA_STARTS
    return f"'{printable(text)}" if is_formula else printable(text)
