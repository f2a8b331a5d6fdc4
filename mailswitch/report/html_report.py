"""The report of one pass as one HTML page, to be mailed to people and opened anywhere.

Facts:

- A page may forbid itself everything but its own style, named by its digest (Content Security Policy Level 3 §2.3.1).
- Character references read the same in every encoding (HTML Standard §13.1.4), so a page in ASCII cannot be misread.
- A search in a page looks into a closed ``details`` and opens it (HTML Standard §6.9.2); some browsers' does not yet.

Every value is cleaned and escaped where the template puts it, so foreign text needs no care elsewhere; and it is put
between tags, never into one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from mailswitch.core.reports import PassReport, ServerReport
from mailswitch.report import sentences
from mailswitch.report.clean import printable
from mailswitch.report.impact import impact_in_words, impact_lines
from mailswitch.report.sections import Named, Section, names_of, title, what

__all__ = ["html_report"]

_VALUES_A_PIECE = 2_000
"""How many of the template's texts and values are written at once: some hundred names."""

_TONES = {
    Section.TURNED_OFF: "done",
    Section.TURNED_ON: "done",
    Section.FAILED: "bad",
    Section.REFUSED: "bad",
    Section.DUE_ON: "due",
    Section.DUE_OFF: "due",
    Section.LIMITED: "due",
    Section.REVIEW: "due grouped",
    Section.HELD: "grouped",
    Section.KEPT: "kept",
}
"""The classes of the style for each section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    caption: str
    advice: str = ""
    columns: tuple[str, ...]
    rows: Iterable[tuple[str, ...]]
    """May be read once: rows are made while they are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The names of one section on one server."""

    tone: str
    heading: str
    tables: tuple[_Table, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    title: str
    summary: str
    blocks: tuple[_Block, ...]


def html_report(report: PassReport) -> Iterator[str]:
    """Yield the report as an HTML document with every name in it: printable ASCII, in pieces of bounded length."""
    names = names_of(report)
    templates = Environment(
        loader=PackageLoader("mailswitch.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    document = templates.get_template("report.html").stream(
        policy=_policy(templates.get_template("report.css").render()),
        head=sentences.head(report, names),
        pause=sentences.pause_words(report),
        failures=_failures(report),
        alerts=_alerts(report, names),
        summary=sentences.summary(report.servers, names),
        impact=impact_lines(report),
        servers=_servers(report, names),
        is_about_few=sentences.is_about_few(report, names),
        limits=_limits(report),
        passing=sentences.limit_words(report, names),
        plan=sentences.plan_line(report, names),
    )
    document.enable_buffering(_VALUES_A_PIECE)
    for piece in document:
        yield piece.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _cleaned(value: object) -> str:
    return printable(str(value))


def _policy(style: str) -> str:
    """Return the policy that allows this style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode("ascii")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _failures(report: PassReport) -> _Table:
    failed = [(server.name, server.error) for server in report.servers if server.error is not None]
    return _Table(
        caption=f"Servers that failed: {len(failed)}",
        columns=("Server", "Code", "What happened"),
        rows=[(name, error.code, error.text) for name, error in failed],
    )


def _alerts(report: PassReport, names: Iterable[Named]) -> _Table:
    rows = sentences.alert_rows(report, names)
    return _Table(caption=f"Alerts: {len(rows)}", columns=("Code", "Server", "Name", "What to look at"), rows=rows)


def _limits(report: PassReport) -> _Table:
    refused = [server.refusal for server in report.servers if server.refusal is not None]
    return _Table(
        caption="Refused by limits",
        columns=("Server", "Limit", "Why"),
        rows=[(refusal.server, refusal.code, refusal.text) for refusal in refused],
    )


def _servers(report: PassReport, names: Iterable[Named]) -> list[_Server]:
    """Return the servers in their order, without those of which nothing is known but that they failed."""
    by_server: dict[str, list[Named]] = {server.name: [] for server in report.servers}
    for named in names:
        by_server[named.server.name].append(named)
    told = [server for server in report.servers if server.domains or server.error is None]
    return [_server(server, by_server[server.name]) for server in told]


def _server(server: ServerReport, names: Sequence[Named]) -> _Server:
    by_section: dict[Section, list[Named]] = {section: [] for section in sentences.HEADINGS}
    for named in names:
        by_section[named.section].append(named)
    return _Server(
        title=sentences.server_title(server),
        summary=sentences.summary((server,), names),
        blocks=tuple(_block(section, found) for section, found in by_section.items() if found),
    )


def _block(section: Section, names: Sequence[Named]) -> _Block:
    heading = f"{sentences.HEADINGS[section]}: {len(names)}"
    match section:
        case Section.REVIEW | Section.HELD:
            tables = [_table(*sentences.group_words(code, group), group) for code, group in sentences.groups(names)]
        case Section.KEPT:
            tables = [_table(heading, "", names)]
            heading = f"{heading} ({sentences.kept_counts(names)})"
        case _:
            tables = [_table(heading, "", names)]
    return _Block(tone=_TONES[section], heading=heading, tables=tuple(tables))


def _table(caption: str, advice: str, names: Iterable[Named]) -> _Table:
    return _Table(
        caption=caption,
        advice=advice,
        columns=("Name", "Kind", "Switch", "Where public mail goes", "Reasons"),
        rows=map(_row, names),
    )


def _row(named: Named) -> tuple[str, ...]:
    entry = named.entry
    why = "; ".join(words for words in (sentences.why(named), impact_in_words(entry)) if words)
    return title(entry), what(entry), entry.domain.switch.value, entry.finding.because, why
