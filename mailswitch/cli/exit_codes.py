"""Every exit code, and what a finished pass ends in; `mailswitch.cli.main` gives errors theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailswitch.core.reports import PassReport

__all__ = ["BUSY", "DONE", "FAILED", "INTERRUPTED", "PENDING", "PIPE_CLOSED", "REFUSED", "USAGE", "pass_code"]

DONE, FAILED, USAGE, REFUSED, PENDING, BUSY = range(6)
"""design.md section 7."""

INTERRUPTED, PIPE_CLOSED = 130, 141
"""What a shell says of a program ended by SIGINT and SIGPIPE."""


def pass_code(report: PassReport, *, is_telling_pending: bool = False) -> int:
    """Return a pass's exit code; where several apply, failed comes before refused, and refused before pending."""
    from mailswitch.core.reports import DomainOutcome

    outcomes = {entry.outcome for server in report.servers for entry in server.domains}
    if DomainOutcome.FAILED in outcomes or any(server.error is not None for server in report.servers):
        return FAILED
    if DomainOutcome.REFUSED in outcomes:
        return REFUSED
    is_pending = bool(report.plan.changes) or any(
        entry.outcome is None and entry.decision.verdict in {"turn-off", "turn-on"}
        for server in report.servers
        for entry in server.domains
    )
    return PENDING if is_telling_pending and is_pending else DONE
