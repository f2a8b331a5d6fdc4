"""What a server's switches cost its own users, summed up for every report of a pass."""

from __future__ import annotations

from dataclasses import dataclass

from mailswitch.core.reports import DomainOutcome, DomainReport, PassReport, ServerReport
from mailswitch.core.table import Verdict
from mailswitch.core.words import counted
from mailswitch.report.sections import title

__all__ = ["ServerImpact", "impact_in_words", "impact_lines", "server_impact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerImpact:
    """Messages of the last 30 days that a server put into mailboxes nobody reads any more."""

    messages: int
    stopped: int
    """Those for the names that this pass turned off, or would turn off by itself."""
    switches: int
    """How many names those are."""


def server_impact(server: ServerReport) -> ServerImpact | None:
    """Return what a server's names come to; None where no log tells of any name whose mail is elsewhere."""
    told = [(entry, entry.impact) for entry in server.domains if entry.impact is not None]
    if not told:
        return None
    ended = [impact for entry, impact in told if _is_ended(server, entry)]
    return ServerImpact(
        messages=sum(impact.recent for _, impact in told),
        stopped=sum(impact.recent for impact in ended),
        switches=len(ended),
    )


def impact_lines(report: PassReport) -> tuple[str, ...]:
    """Return each server's impact for people, the server named where there are several; nothing where there is none.

    A report about a part tells of the names in it, and not of the server.
    """
    has_servers = len(report.servers) > 1
    whose = "for these names this server" if report.is_partial else "this server"
    told = [(server.name, _sentence(found, whose)) for server in report.servers if (found := server_impact(server))]
    return tuple(
        f"{name}: {sentence}" if has_servers else f"{sentence[0].upper()}{sentence[1:]}"
        for name, sentence in told
        if sentence is not None
    )


def _sentence(impact: ServerImpact, whose: str) -> str | None:
    if not impact.messages:
        return None
    told = f"{whose} mis-delivered {counted(impact.messages, 'message')} in 30 days"
    if not impact.stopped:
        return told
    switches = "this switch" if impact.switches == 1 else f"these {impact.switches} switches"
    return f"{told}; turning {switches} off stops {impact.stopped} of them"


def impact_in_words(entry: DomainReport) -> str | None:
    """Return one name's impact for people; None where there is none to tell."""
    impact = entry.impact
    if impact is None or not impact.messages:
        return None
    messages = counted(impact.messages, "message")
    return f"{messages} from this server to {title(entry)} went into the abandoned mailbox since {impact.since}"


def _is_ended(server: ServerReport, entry: DomainReport) -> bool:
    if entry.outcome is not None:
        return entry.outcome is DomainOutcome.DONE and entry.decision.verdict is Verdict.TURN_OFF
    is_limited = server.refusal is not None and not entry.is_never_local
    return entry.decision.verdict is Verdict.TURN_OFF and not is_limited
