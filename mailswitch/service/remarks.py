"""What a pass says beside its decisions: alerts from the ledger, and how it went on each server, for ``status``."""

from __future__ import annotations

from mailswitch.core.alerts import why_refused
from mailswitch.core.ledger import ServerPass
from mailswitch.core.limits import Refusal
from mailswitch.core.policy import Mode
from mailswitch.core.reports import Alert, DomainOutcome, PassReport, ServerError, ServerReport, Summary, summary_of
from mailswitch.core.table import Verdict
from mailswitch.core.words import counted
from mailswitch.service.ports import LedgerReader

__all__ = ["failure_text", "failures_of", "paused_alerts", "server_pass", "silent_servers", "unsettled_alerts"]

_REFUSED = "ours-incomplete"
"""The code of a server that answered and is refused; every other error is one of its panel."""


def failure_text(server: str, error: ServerError) -> str:
    """Return what went wrong with its server named, which panels do by themselves."""
    return error.text if error.text.startswith(f"{server}: ") else f"{server}: {error.text}"


def failures_of(report: PassReport) -> list[str]:
    """Return what went wrong with each server that failed or is refused."""
    return [failure_text(one.name, one.error) for one in report.servers if one.error is not None]


def silent_servers(report: PassReport) -> list[str]:
    """Return what went wrong with each server whose panel did not say what it hosts."""
    return [
        failure_text(one.name, one.error)
        for one in report.servers
        if one.error is not None and one.error.code != _REFUSED
    ]


def paused_alerts(report: PassReport) -> tuple[Alert, ...]:
    """Name what should be on again while a pause stops even that."""
    if report.pause is None or report.mode is Mode.REPORT:  # which has alerts of its own
        return ()
    return tuple(
        Alert(
            code="mail-refused",
            server=server.name,
            name=entry.domain.name,
            text=f"mailswitch turned it off, {why_refused(entry)} while all changes are paused: mailswitch resume",
        )
        for server in report.servers
        for entry in server.domains
        if entry.decision.verdict is Verdict.TURN_ON
    )


def unsettled_alerts(reader: LedgerReader) -> tuple[Alert, ...]:
    """Name the changes whose outcome is not known."""
    return tuple(
        Alert(
            code="unsettled",
            server=change.server,
            name=change.name,
            text=f"change {change.id} ({change.switch_from} -> {change.switch_to}) has no known outcome yet; the next "
            "pass reads the switch and settles it",
        )
        for change in reader.unsettled()
    )


def _is_trouble(server: ServerReport, refusal: Refusal) -> bool:
    """Whether a refusal is a failure of the pass: it held something back, or public DNS or the panel is in trouble."""
    is_holding = any(entry.outcome is DomainOutcome.REFUSED for entry in server.domains)
    return is_holding or refusal.code not in {"limits.changes", "limits.share"}


def server_pass(report: PassReport, server: ServerReport) -> ServerPass:
    """Return what the ledger keeps of a pass about one server."""
    summary: Summary = summary_of((server,))
    counts = {name: getattr(summary, name) for name in Summary.__slots__}
    error = server.error
    if error is None and server.refusal is not None and _is_trouble(server, server.refusal):
        error = ServerError(code=server.refusal.code, text=server.refusal.text)
    if error is None and counts["failed"]:
        error = ServerError(code="failed", text=f"{counted(counts['failed'], 'change')} failed, see mailswitch history")
    return ServerPass(
        run_id=report.run_id,
        server=server.name,
        finished=report.finished,
        error_code=None if error is None else error.code,
        error_text=None if error is None else error.text,
        counts=tuple(counts.items()),
    )
