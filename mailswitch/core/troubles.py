"""What of a pass is a trouble that people are told of: the way from a report to `mailswitch.core.notices.Seen`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from mailswitch.core.alerts import why_refused
from mailswitch.core.decide import REFUSED_HERE
from mailswitch.core.ledger import Change
from mailswitch.core.limits import Refusal
from mailswitch.core.names import DomainName
from mailswitch.core.notices import NoticeKind, Seen, Trouble
from mailswitch.core.reports import DomainOutcome, PassReport, ServerReport
from mailswitch.core.table import Verdict
from mailswitch.core.words import counted

__all__ = ["failed_pass", "has_held_back", "seen_in", "troubles_of"]

_MAIL_REFUSED = NoticeKind.MAIL_REFUSED.value
_TOLD_WITH_TURN_ON = frozenset({"route-changed", REFUSED_HERE})
_CHANGE_LIMITS = frozenset({"limits.changes", "limits.share"})
"""Limits that are no trouble as long as nothing is applied: in mode report many names may be due."""


def seen_in(report: PassReport, *, whole: Iterable[str], changes: Iterable[Change]) -> Seen:
    """Return what a recorded pass found.

    Args:
        report: The pass, with the outcome of every change.
        whole: The servers of which it was to look at every name.
        changes: Those recorded since the last time, and those without an outcome then.
    """
    working = {server.name for server in report.servers if server.error is None}
    looked_at_whole = working & set(whole)
    return Seen(
        now=report.finished,
        troubles=tuple(_counting(troubles_of(report), looked_at_whole)),
        whole=frozenset(looked_at_whole),
        answered=frozenset({"", *(server.name for server in report.servers)}),
        names=frozenset(
            (server.name, entry.domain.name)
            for server in report.servers
            if server.error is None
            for entry in server.domains
        ),
        changes=tuple(changes),
    )


def failed_pass(code: str, text: str, now: datetime, *, changes: Iterable[Change] = ()) -> Seen:
    """Return what a pass found that could not be made at all: nothing but its own failure."""
    trouble = Trouble(kind=NoticeKind.FAILING, code=code, server="", name=None, text=text)
    return Seen(now=now, troubles=(trouble,), answered=frozenset({""}), changes=tuple(changes))


def troubles_of(report: PassReport) -> Iterator[Trouble]:
    """Return everything in a pass that stands until somebody mends it."""
    refused: set[tuple[str, str]] = set()
    returning: set[tuple[str, DomainName]] = set()
    for server in report.servers:
        if server.error is not None:
            error = server.error
            yield Trouble(kind=NoticeKind.FAILING, code=str(error.code), server=server.name, name=None, text=error.text)
        if server.refusal is not None and has_held_back(server, server.refusal):
            refused.add((server.name, server.refusal.code))
            yield _refusal(server, server.refusal)
        returning |= {
            (server.name, entry.domain.name) for entry in server.domains if entry.decision.verdict is Verdict.TURN_ON
        }
        yield from _refused_mail(server)
    for alert in report.alerts:
        # What is told as a refusal, as refused mail or as a change is not told again as an alert.
        is_told = str(alert.code) == _MAIL_REFUSED or (alert.server, alert.code) in refused
        is_returning = str(alert.code) in _TOLD_WITH_TURN_ON and (alert.server, alert.name) in returning
        if not is_told and not is_returning:
            yield Trouble(
                kind=NoticeKind.ALERT, code=str(alert.code), server=alert.server, name=alert.name, text=alert.text
            )


def has_held_back(server: ServerReport, refusal: Refusal) -> bool:
    """Whether a refusal held something back, or shows that public DNS or the panel is in trouble."""
    is_holding = any(entry.outcome is DomainOutcome.REFUSED for entry in server.domains)
    return is_holding or refusal.code not in _CHANGE_LIMITS


def _refusal(server: ServerReport, refusal: Refusal) -> Trouble:
    stopped = sum(1 for entry in server.domains if entry.outcome is DomainOutcome.REFUSED)
    held = f"; {counted(stopped, 'change')} held back" if stopped else ""
    return Trouble(
        kind=NoticeKind.REFUSED, code=refusal.code, server=server.name, name=None, text=f"{refusal.text}{held}"
    )


def _refused_mail(server: ServerReport) -> Iterator[Trouble]:
    for entry in server.domains:
        if entry.decision.verdict is Verdict.TURN_ON and entry.outcome is not DomainOutcome.DONE:
            why = f": {entry.error}" if entry.error else ""
            text = f"mailswitch turned it off, {why_refused(entry)}, and it is not on yet{why}"
            yield Trouble(
                kind=NoticeKind.MAIL_REFUSED, code=_MAIL_REFUSED, server=server.name, name=entry.domain.name, text=text
            )


def _counting(troubles: Iterable[Trouble], whole: set[str]) -> Iterator[Trouble]:
    """Leave out what a look at single names says of a whole server, but for its failing and its limits."""
    for trouble in troubles:
        is_of_server = trouble.name is None and trouble.kind is NoticeKind.ALERT
        if not is_of_server or trouble.server in whole:
            yield trouble
