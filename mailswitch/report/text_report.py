"""The report of one pass for people: what is due, what a review would add, what is held and what to do about it.

Names that are simply kept are counted, long lists of held names are shortened; ``verbose`` lists everything. What a
review would turn off is never shortened, because the reviewer answers for all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Guard
from mailswitch.core.reports import PassReport, ServerReport, summary_of
from mailswitch.core.words import counted, duration
from mailswitch.report.advice import advice
from mailswitch.report.impact import impact_lines
from mailswitch.report.page import BAD, DIM, GOOD, STRONG, WARNING, Page, Part
from mailswitch.report.sections import (
    Named,
    Section,
    destination,
    leading_code,
    names_of,
    open_changes,
    plan_digest,
    title,
    what,
)

__all__ = ["print_report"]

_MOST_HELD = 5
_MOST_SERVERS = 5
_MOST_ASKED_FOR = 50
_LONGEST_WHY = 160
_CHANGING = (
    (Section.TURNED_OFF, "Turned off", GOOD),
    (Section.TURNED_ON, "Turned on again", GOOD),
    (Section.FAILED, "Failed", BAD),
    (Section.REFUSED, "Refused", BAD),
    (Section.DUE_ON, "Due to be turned on again", WARNING),
    (Section.DUE_OFF, "Due to be turned off", WARNING),
    (Section.LIMITED, "Due to be turned off, but a limit stands in front", WARNING),
)

_HOLDING = (
    (Section.REVIEW, "Would be turned off, but held for your review", WARNING, None),
    (Section.HELD, "Held", STRONG, _MOST_HELD),
)

_TURNED_OFF = frozenset({Section.TURNED_OFF, Section.FAILED, Section.REFUSED, Section.DUE_OFF, Section.LIMITED})

_TELLING = frozenset(
    {Guard.PINNED, Guard.NEEDED_BY_ALIAS, Guard.OWN_RESOLVER, Guard.STILL_RECEIVING, Guard.UNCONFIRMED}
)
"""Guards whose text says more about the one name than their code does."""


def print_report(
    report: PassReport, stream: TextIO, *, is_terminal: bool, width: int | None, verbose: bool = False
) -> None:
    """Write the report of one pass.

    Args:
        report: The pass. If it is about a few names only, all of them are listed.
        stream: Where to; what its encoding cannot show is written out as escapes.
        is_terminal: Whether colours are wanted.
        width: In columns; None does not wrap, for pipes.
        verbose: List kept names too, every held name, and every reason.
    """
    page = Page(is_terminal=is_terminal, width=width)
    _TextReport(page, report, verbose=verbose).write()
    page.write(stream)


class _TextReport:
    """One report on its way to a page."""

    def __init__(self, page: Page, report: PassReport, *, verbose: bool) -> None:
        self._page = page
        self._report = report
        self._names = names_of(report)
        # A part may be a few names somebody asked for, or all of one server.
        self._lists_all = verbose or (report.is_partial and len(self._names) <= _MOST_ASKED_FOR)
        self._has_servers = len(report.servers) > 1
        self._digest = plan_digest(report, self._names)

    def write(self) -> None:
        self._head()
        self._errors()
        self._alerts()
        for section, heading, style in _CHANGING:
            self._changes(section, heading, style)
        for section, heading, style, most in _HOLDING:
            self._grouped(section, heading, style, most=None if self._lists_all else most)
        self._kept()
        self._limits()
        self._summary()
        self._plan()

    def _head(self) -> None:
        report, page = self._report, self._page
        took = duration(report.finished - report.started)
        done = sum(1 for named in self._names if named.section in {Section.TURNED_OFF, Section.TURNED_ON})
        what_is_it = "Dry run" if report.is_dry_run else "Pass"
        ending = f"{counted(done, 'switch', 'switches')} turned" if done else "nothing was changed"
        page.line(
            (f"{what_is_it} of {_listed(report.servers)}", STRONG),
            f", mode {report.mode}, {_when(report.started)}, {took}: {ending}",
            "" if report.is_dry_run else f" (run {report.run_id})",
        )
        if report.pause is not None:
            reason = f": {report.pause.reason}" if report.pause.reason else ""
            page.line(
                (f"Paused by {report.pause.by} since {_when(report.pause.at)}{reason}", WARNING),
                "; no switch is turned until mailswitch resume",
            )

    def _errors(self) -> None:
        failed = [(server.name, server.error) for server in self._report.servers if server.error is not None]
        if failed:
            self._page.section(f"Servers that failed: {len(failed)}", BAD)
            self._page.rows(((name, BAD), error.code, error.text) for name, error in failed)

    def _alerts(self) -> None:
        refusals = {
            (server.name, server.refusal.code, server.refusal.text)
            for server in self._report.servers
            if server.refusal is not None
        }
        # A refusal has a block of its own beside the plan line, with the command that passes it.
        alerts = [alert for alert in self._report.alerts if (alert.server, alert.code, alert.text) not in refusals]
        titles = {(named.server.name, named.entry.domain.name): title(named.entry) for named in self._names}
        if alerts:
            self._page.section(f"Alerts: {len(alerts)}", BAD)
            self._page.rows(
                (
                    (str(alert.code), WARNING),
                    *([alert.server] if self._has_servers else []),
                    "" if alert.name is None else titles.get((alert.server, alert.name), str(alert.name)),
                    alert.text,
                )
                for alert in alerts
            )

    def _changes(self, section: Section, heading: str, style: str) -> None:
        names = self._in(section)
        if not names:
            return
        self._page.section(f"{heading}: {len(names)}", style)
        # What a limit says is said once, in a block of its own.
        is_limited = section is Section.LIMITED
        self._page.rows(
            self._row(named, ("" if is_limited else _trouble(named)) or self._reasons(named)) for named in names
        )

    def _grouped(self, section: Section, heading: str, style: str, *, most: int | None) -> None:
        names = self._in(section)
        if not names:
            return
        # A pass that applies is about what it did; what is left is for the dry run to list.
        is_counted_only = not (self._report.is_dry_run or self._lists_all)
        where = " (mailswitch report lists them)" if is_counted_only else ""
        self._page.section(f"{heading}: {len(names)}{where}", style)
        groups: dict[str, list[Named]] = {}
        for named in names:
            groups.setdefault(leading_code(named.entry), []).append(named)
        for code, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            self._page.line((f"{code}: {len(group)}", STRONG), (_dashed(advice(code)), DIM), indent=2)
            if is_counted_only:
                continue
            shown = group if most is None or len(group) <= most + 1 else group[:most]
            self._page.rows((self._row(named, self._why(named, code)) for named in shown), indent=4)
            if len(shown) < len(group):
                self._page.line((f"and {len(group) - len(shown)} more; --verbose lists them all", DIM), indent=4)

    def _row(self, named: Named, why: str) -> Sequence[Part]:
        entry = named.entry
        server = [named.server.name] if self._has_servers else []
        says_route = self._lists_all or not (entry.decision.holding or named.section in _TURNED_OFF)
        where = entry.finding.because if says_route else destination(entry)
        if named.section is Section.HELD and not self._lists_all:
            where, why = _shortened(where), _shortened(why)
        return (title(entry), *server, what(entry), where, why)

    def _why(self, named: Named, code: str) -> str:
        if self._lists_all:
            return self._reasons(named)
        decision = named.entry.decision
        texts = {reason.code: reason.text for reason in decision.reasons}
        words = [texts.get(guard, guard.value) for guard in decision.holding if guard in _TELLING]
        words += [guard.value for guard in decision.holding if guard not in _TELLING and guard.value != code]
        return "; ".join(words)

    def _reasons(self, named: Named) -> str:
        """Return the guards and notes; the route's own sentence stands in the column before."""
        route = named.entry.finding.route.value
        return "; ".join(
            f"{reason.code}: {reason.text}" for reason in named.entry.decision.reasons if reason.code != route
        )

    def _kept(self) -> None:
        names = self._in(Section.KEPT)
        if not names:
            return
        if self._lists_all:
            self._page.section(f"Kept: {len(names)}")
            self._page.rows(
                (*self._row(named, f"switch {named.entry.domain.switch}"), self._reasons(named)) for named in names
            )
            return
        counts = ", ".join(f"{count} {words}" for words, count in _kept_counts(names))
        self._page.blank()
        self._page.line((f"Kept: {len(names)}", STRONG), f" ({counts})")

    def _limits(self) -> None:
        refused = [server.refusal for server in self._report.servers if server.refusal is not None]
        if not refused:
            return
        self._page.section("Refused by limits", BAD)
        self._page.rows(((refusal.server, STRONG), refusal.code, refusal.text) for refusal in refused)
        if self._in(Section.LIMITED) and not self._report.is_partial:
            self._page.line(
                "Once you have read the list above, pass the limit with: ", (self._command(), STRONG), indent=2
            )

    def _summary(self) -> None:
        found = summary_of(self._report.servers)
        now = len(self._in(Section.DUE_OFF)), len(self._in(Section.LIMITED)), len(self._in(Section.DUE_ON))
        amounts = (
            (found.done, "done"),
            (found.failed, "failed"),
            (now[0], "to turn off"),
            (now[1], "stopped by a limit"),
            (now[2], "to turn on again"),
            (len(self._in(Section.REVIEW)), "on review"),
            (len(self._in(Section.HELD)), "held"),
            (found.keep, "kept"),
        )
        words = ", ".join(f"{amount} {word}" for amount, word in amounts if amount)
        self._page.blank()
        self._page.line(f"{counted(found.domains, 'name')}: {words}" if words else counted(found.domains, "name"))
        for line in impact_lines(self._report):
            self._page.line(line)

    def _plan(self) -> None:
        if self._report.is_partial:
            self._page.line(
                "No plan to apply from this: it is about a part only; mailswitch report makes one of everything"
            )
            return
        due, more = open_changes(self._names)
        if not due and not more:
            self._page.line(f"Plan {self._digest}: nothing to change")
            return
        amounts = [f"{len(due)} now"] if due else []
        amounts += (
            [f"{len(more)} more if you review them" if due else f"{len(more)} if you review them"] if more else []
        )
        self._page.line((f"Plan {self._digest}", STRONG), f": {', '.join(amounts)}: ", (self._command(), STRONG))

    def _command(self) -> str:
        return f"mailswitch once --apply --plan {self._digest}"

    def _in(self, section: Section) -> list[Named]:
        return [named for named in self._names if named.section is section]


def _listed(servers: Sequence[ServerReport]) -> str:
    if len(servers) == 1:
        server = servers[0]
        return f"{server.name} (Plesk {server.version})" if server.version else server.name
    if len(servers) > _MOST_SERVERS:
        return f"{len(servers)} servers"
    return ", ".join(server.name for server in servers) or "no server"


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _dashed(text: str) -> str:
    return f" - {text}" if text else ""


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_WHY else f"{text[: _LONGEST_WHY - 3]}..."


def _trouble(named: Named) -> str:
    return named.entry.error or ""


def _kept_counts(names: Iterable[Named]) -> list[tuple[str, int]]:
    """Count kept names by what is kept about them, the most frequent first."""
    counts = Counter(
        "off already" if named.entry.domain.switch is Switch.OFF else named.entry.finding.route.value for named in names
    )
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
