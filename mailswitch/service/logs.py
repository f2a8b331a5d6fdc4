"""The daemon's log: JSON for the journal, coloured lines on a terminal; one line per pass, per change, per failure.

Events are fixed words in the past tense; everything else is in keys, all of which are in `KEYS`. Values are cleaned and
cut, for names and messages of panels and DNS are in them. Secrets are in none: errors carry none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from enum import Enum
from typing import Any, TextIO

import structlog

from mailswitch.core.errors import ConfigError, MailswitchError
from mailswitch.core.reports import DomainOutcome, DomainReport, PassReport, ServerReport, summary_of
from mailswitch.core.table import Verdict
from mailswitch.report.clean import printable
from mailswitch.service.observers import DaemonState, PassContext

__all__ = ["KEYS", "Log", "LogObserver", "open_log"]

KEYS = frozenset(
    {
        "run_id", "server", "domain", "route", "decision", "reason", "exchange", "preference", "vantage",
        "elapsed_seconds", "dry_run",
        # What a whole pass, and the daemon's own life, need beside them:
        "alerts", "cause", "domains", "done", "failed", "hold", "keep", "next_pass", "on_review", "outcome", "pruned",
        "refused", "seconds", "servers", "turn_off", "turn_on", "version",
    }
)  # fmt: skip
"""Every key a line may have, beside ``event``, ``level`` and ``timestamp``."""

_LONGEST_TEXT = 600
_LONGEST_LIST = 20

Log = structlog.typing.FilteringBoundLogger


def open_log(stream: TextIO, *, is_terminal: bool) -> Log:
    """Return a log that writes to ``stream``: for people where it is a terminal, else a JSON object a line."""
    shown: Any = (
        structlog.dev.ConsoleRenderer(colors=True)
        if is_terminal
        else structlog.processors.JSONRenderer(ensure_ascii=True)
    )
    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            _cleaned,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )
    return log


def _cleaned(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean and cut every value."""
    for key, value in event.items():
        event[key] = _bounded(value)
    return event


def _bounded(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case list() | tuple() | set() | frozenset():
            items = [_bounded(one) for one in value]
            return (
                items
                if len(items) <= _LONGEST_LIST
                else [*items[:_LONGEST_LIST], f"and {len(items) - _LONGEST_LIST} more"]
            )
        case _:
            text = str(value)
            cut = printable(text[:_LONGEST_TEXT])[:_LONGEST_TEXT]
            return cut if len(text) <= _LONGEST_TEXT else f"{cut}..."


class LogObserver:
    """Writes what the daemon does to the log; satisfies PassObserver."""

    def __init__(self, log: Log) -> None:
        """Write to ``log``."""
        self._log = log

    def pass_done(self, report: PassReport, context: PassContext) -> None:
        """Write the changes, then new troubles, then the pass."""
        log = self._log.bind(run_id=report.run_id)
        for server in report.servers:
            for entry in server.domains:
                _log_change(log, server, entry)
            _log_refused(log, server)
            if server.name in context.newly_failing and server.error is not None:
                log.warning("server_failed", server=server.name, cause=server.error.code, reason=server.error.text)
            if server.name in context.recovered:
                log.info("server_recovered", server=server.name)
        counts = summary_of(report.servers)
        log.info(
            "pass_finished",
            cause=context.reason,
            servers=[server.name for server in report.servers],
            elapsed_seconds=round(context.elapsed.total_seconds(), 3),
            dry_run=report.is_dry_run,
            alerts=len(report.alerts),
            **{name: getattr(counts, name) for name in type(counts).__slots__},
        )

    def pass_failed(self, error: MailswitchError, context: PassContext) -> None:
        """Write why no pass could be made."""
        reasons = error.problems if isinstance(error, ConfigError) else (str(error),)
        for reason in reasons:
            self._log.error("pass_failed", cause=context.reason, servers=context.servers, reason=reason)

    def ticked(self, state: DaemonState) -> None:
        """Write nothing: a quiet daemon is a quiet log."""

    def close(self) -> None:
        """Do nothing."""


def _log_change(log: Log, server: ServerReport, entry: DomainReport) -> None:
    """Write one line for a change that was tried; held and refused names are in the report and counted."""
    if entry.outcome not in {DomainOutcome.DONE, DomainOutcome.FAILED}:
        return
    line = log.bind(
        server=server.name,
        domain=entry.domain.name,
        route=entry.finding.route,
        decision=Verdict.TURN_ON if entry.decision.verdict is Verdict.TURN_ON else Verdict.TURN_OFF,
        exchange=entry.finding.exchange_names,
    )
    if entry.outcome is DomainOutcome.DONE:
        line.info("switch_turned", reason=entry.finding.because)
    else:
        line.error("change_failed", reason=entry.error)


def _log_refused(log: Log, server: ServerReport) -> None:
    """Write one line for each ground on which changes of a server were refused, however many they are."""
    grounds = Counter(entry.error or "" for entry in server.domains if entry.outcome is DomainOutcome.REFUSED)
    for reason, refused in grounds.items():
        log.warning("changes_refused", server=server.name, refused=refused, reason=reason)
