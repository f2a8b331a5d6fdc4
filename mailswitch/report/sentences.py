"""What the reports of a pass say to people, in the same words as text and as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from mailswitch.core.domain import Switch
from mailswitch.core.reports import PassReport, ServerReport, summary_of
from mailswitch.core.words import counted, duration
from mailswitch.report.advice import advice
from mailswitch.report.sections import Named, Section, leading_code, open_changes, plan_digest, title

__all__ = [
    "HEADINGS",
    "alert_rows",
    "group_words",
    "groups",
    "head",
    "is_about_few",
    "kept_counts",
    "limit_words",
    "pause_words",
    "plan_line",
    "reasons",
    "server_title",
    "summary",
    "why",
]

HEADINGS = {
    Section.TURNED_OFF: "Turned off",
    Section.TURNED_ON: "Turned on again",
    Section.FAILED: "Failed",
    Section.REFUSED: "Refused",
    Section.DUE_ON: "Due to be turned on again",
    Section.DUE_OFF: "Due to be turned off",
    Section.LIMITED: "Due to be turned off, but a limit stands in front",
    Section.REVIEW: "Would be turned off, but held for your review",
    Section.HELD: "Held",
    Section.KEPT: "Kept",
}
"""The sections in the order in which they are shown."""

_MOST_SERVERS = 5
_MOST_ASKED_FOR = 50


def is_about_few(report: PassReport, names: Sequence[Named]) -> bool:
    """Whether somebody asked for a few names; a part may be all of one server, too."""
    return report.is_partial and len(names) <= _MOST_ASKED_FOR


def head(report: PassReport, names: Iterable[Named]) -> tuple[str, str]:
    """Return what the pass was, and how it went."""
    took = duration(report.finished - report.started)
    done = sum(1 for named in names if named.section in {Section.TURNED_OFF, Section.TURNED_ON})
    what_is_it = "Dry run" if report.is_dry_run else "Pass"
    ending = f"{counted(done, 'switch', 'switches')} turned" if done else "nothing was changed"
    run = "" if report.is_dry_run else f" (run {report.run_id})"
    return (
        f"{what_is_it} of {_listed(report.servers)}",
        f"mode {report.mode}, {_when(report.started)}, {took}: {ending}{run}",
    )


def pause_words(report: PassReport) -> tuple[str, str] | None:
    """Return who paused everything, and what that means; None where nobody did."""
    if report.pause is None:
        return None
    reason = f": {report.pause.reason}" if report.pause.reason else ""
    return (
        f"Paused by {report.pause.by} since {_when(report.pause.at)}{reason}",
        "no switch is turned until mailswitch resume",
    )


def alert_rows(report: PassReport, names: Iterable[Named]) -> list[tuple[str, str, str, str]]:
    """Return each alert's code, server, name for people and text.

    A limit's alert is left out: it has a block of its own, with the command that passes it.
    """
    refusals = {
        (server.name, server.refusal.code, server.refusal.text)
        for server in report.servers
        if server.refusal is not None
    }
    alerts = [alert for alert in report.alerts if (alert.server, alert.code, alert.text) not in refusals]
    wanted = {(alert.server, alert.name) for alert in alerts}
    keys = ((named.server.name, named.entry.domain.name, named) for named in names)
    titles = {(server, name): title(named.entry) for server, name, named in keys if (server, name) in wanted}
    return [
        (
            str(alert.code),
            alert.server,
            "" if alert.name is None else titles.get((alert.server, alert.name), str(alert.name)),
            alert.text,
        )
        for alert in alerts
    ]


def groups(names: Iterable[Named]) -> list[tuple[str, list[Named]]]:
    """Return names that are held by the code that holds them, the most frequent first."""
    found: dict[str, list[Named]] = {}
    for named in names:
        found.setdefault(leading_code(named.entry), []).append(named)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def group_words(code: str, group: Sequence[Named]) -> tuple[str, str]:
    """Return a group's heading, and what to do about its names."""
    advised = advice(code)
    return f"{code}: {len(group)}", f" - {advised}" if advised else ""


def reasons(named: Named) -> str:
    """Return the guards and notes; the route's own sentence is told beside them."""
    route = named.entry.finding.route.value
    return "; ".join(f"{reason.code}: {reason.text}" for reason in named.entry.decision.reasons if reason.code != route)


def why(named: Named) -> str:
    """Return what went wrong with a name, else its reasons. What a limit says is said once, in a block of its own."""
    trouble = None if named.section is Section.LIMITED else named.entry.error
    return trouble or reasons(named)


def kept_counts(names: Iterable[Named]) -> str:
    """Count kept names by what is kept about them, the most frequent first."""
    counts = Counter(
        "off already" if named.entry.domain.switch is Switch.OFF else named.entry.finding.route.value for named in names
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {words}" for words, count in ordered)


def summary(servers: tuple[ServerReport, ...], names: Iterable[Named]) -> str:
    """Return how many names some servers have, and what becomes of them; ``names`` are theirs."""
    found, by_section = summary_of(servers), Counter(named.section for named in names)
    amounts = (
        (found.done, "done"),
        (found.failed, "failed"),
        (by_section[Section.DUE_OFF], "to turn off"),
        (by_section[Section.LIMITED], "stopped by a limit"),
        (by_section[Section.DUE_ON], "to turn on again"),
        (by_section[Section.REVIEW], "on review"),
        (by_section[Section.HELD], "held"),
        (found.keep, "kept"),
    )
    words = ", ".join(f"{amount} {word}" for amount, word in amounts if amount)
    return f"{counted(found.domains, 'name')}: {words}" if words else counted(found.domains, "name")


def limit_words(report: PassReport, names: Sequence[Named]) -> tuple[str, str] | None:
    """Return what passes a limit, and the command; None where no limit stops anything that could be passed."""
    if report.is_partial or not any(named.section is Section.LIMITED for named in names):
        return None
    return "Once you have read the list above, pass the limit with: ", _command(plan_digest(report, names))


def plan_line(report: PassReport, names: Sequence[Named]) -> tuple[str, str, str]:
    """Return the plan, what it comes to, and the command that applies it; empty texts where there is none."""
    if report.is_partial:
        return "", "No plan to apply from this: it is about a part only; mailswitch report makes one of everything", ""
    digest = plan_digest(report, names)
    due, more = open_changes(names)
    if not due and not more:
        return "", f"Plan {digest}: nothing to change", ""
    amounts = [f"{len(due)} now"] if due else []
    amounts += [f"{len(more)} more if you review them" if due else f"{len(more)} if you review them"] if more else []
    return f"Plan {digest}", f": {', '.join(amounts)}: ", _command(digest)


def server_title(server: ServerReport) -> str:
    """Return a server's name with its panel's version where that is known."""
    return f"{server.name} (Plesk {server.version})" if server.version else server.name


def _command(digest: str) -> str:
    return f"mailswitch once --apply --plan {digest}"


def _listed(servers: Sequence[ServerReport]) -> str:
    if len(servers) == 1:
        return server_title(servers[0])
    if len(servers) > _MOST_SERVERS:
        return f"{len(servers)} servers"
    return ", ".join(server.name for server in servers) or "no server"


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
