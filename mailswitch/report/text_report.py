"""The report of one pass for people: what is due, what a review would add, what is held and what to do about it.

Names that are simply kept are counted, long lists of held names are shortened; ``verbose`` lists everything. What a
review would turn off is never shortened, because the reviewer answers for all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from mailswitch.core.ledger import Guard
from mailswitch.core.reports import PassReport
from mailswitch.report import sentences
from mailswitch.report.impact import impact_lines
from mailswitch.report.page import BAD, DIM, GOOD, STRONG, WARNING, Page, Part
from mailswitch.report.sections import Named, Section, destination, names_of, title, what

__all__ = ["print_report"]

_MOST_HELD = 5
_LONGEST_WHY = 160
_CHANGING = {
    Section.TURNED_OFF: GOOD,
    Section.TURNED_ON: GOOD,
    Section.FAILED: BAD,
    Section.REFUSED: BAD,
    Section.DUE_ON: WARNING,
    Section.DUE_OFF: WARNING,
    Section.LIMITED: WARNING,
}

_HOLDING = ((Section.REVIEW, WARNING, None), (Section.HELD, STRONG, _MOST_HELD))

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
        self._lists_all = verbose or sentences.is_about_few(report, self._names)
        self._has_servers = len(report.servers) > 1

    def write(self) -> None:
        self._head()
        self._errors()
        self._alerts()
        for section, style in _CHANGING.items():
            self._changes(section, style)
        for section, style, most in _HOLDING:
            self._grouped(section, style, most=None if self._lists_all else most)
        self._kept()
        self._limits()
        self._summary()
        self._plan()

    def _head(self) -> None:
        what_is_it, how = sentences.head(self._report, self._names)
        self._page.line((what_is_it, STRONG), f", {how}")
        if (paused := sentences.pause_words(self._report)) is not None:
            self._page.line((paused[0], WARNING), f"; {paused[1]}")

    def _errors(self) -> None:
        failed = [(server.name, server.error) for server in self._report.servers if server.error is not None]
        if failed:
            self._page.section(f"Servers that failed: {len(failed)}", BAD)
            self._page.rows(((name, BAD), error.code, error.text) for name, error in failed)

    def _alerts(self) -> None:
        alerts = sentences.alert_rows(self._report, self._names)
        if alerts:
            self._page.section(f"Alerts: {len(alerts)}", BAD)
            self._page.rows(
                ((code, WARNING), *([server] if self._has_servers else []), name, text)
                for code, server, name, text in alerts
            )

    def _changes(self, section: Section, style: str) -> None:
        names = self._in(section)
        if not names:
            return
        self._page.section(f"{sentences.HEADINGS[section]}: {len(names)}", style)
        self._page.rows(self._row(named, sentences.why(named)) for named in names)

    def _grouped(self, section: Section, style: str, *, most: int | None) -> None:
        names = self._in(section)
        if not names:
            return
        # A pass that applies is about what it did; what is left is for the dry run to list.
        is_counted_only = not (self._report.is_dry_run or self._lists_all)
        where = " (mailswitch report lists them)" if is_counted_only else ""
        self._page.section(f"{sentences.HEADINGS[section]}: {len(names)}{where}", style)
        for code, group in sentences.groups(names):
            heading, advice = sentences.group_words(code, group)
            self._page.line((heading, STRONG), (advice, DIM), indent=2)
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
            return sentences.reasons(named)
        decision = named.entry.decision
        texts = {reason.code: reason.text for reason in decision.reasons}
        words = [texts.get(guard, guard.value) for guard in decision.holding if guard in _TELLING]
        words += [guard.value for guard in decision.holding if guard not in _TELLING and guard.value != code]
        return "; ".join(words)

    def _kept(self) -> None:
        names = self._in(Section.KEPT)
        if not names:
            return
        if self._lists_all:
            self._page.section(f"Kept: {len(names)}")
            self._page.rows(
                (*self._row(named, f"switch {named.entry.domain.switch}"), sentences.reasons(named)) for named in names
            )
            return
        self._page.blank()
        self._page.line((f"Kept: {len(names)}", STRONG), f" ({sentences.kept_counts(names)})")

    def _limits(self) -> None:
        refused = [server.refusal for server in self._report.servers if server.refusal is not None]
        if not refused:
            return
        self._page.section("Refused by limits", BAD)
        self._page.rows(((refusal.server, STRONG), refusal.code, refusal.text) for refusal in refused)
        if (passing := sentences.limit_words(self._report, self._names)) is not None:
            self._page.line(passing[0], (passing[1], STRONG), indent=2)

    def _summary(self) -> None:
        self._page.blank()
        self._page.line(sentences.summary(self._report.servers, self._names))
        for line in impact_lines(self._report):
            self._page.line(line)

    def _plan(self) -> None:
        plan, words, command = sentences.plan_line(self._report, self._names)
        self._page.line((plan, STRONG), words, (command, STRONG))

    def _in(self, section: Section) -> list[Named]:
        return [named for named in self._names if named.section is section]


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_WHY else f"{text[: _LONGEST_WHY - 3]}..."
