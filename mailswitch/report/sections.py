"""Sorts the names of a pass into the sections of the text report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.plan import PlannedChange, digest_of
from mailswitch.core.reports import DomainOutcome, DomainReport, PassReport, ServerReport, planned_change
from mailswitch.core.table import Verdict

__all__ = [
    "Named",
    "Section",
    "destination",
    "leading_code",
    "names_of",
    "open_changes",
    "plan_digest",
    "title",
    "what",
]


class Section(Enum):
    """Where a name stands in the text report."""

    TURNED_OFF = "turned off"
    TURNED_ON = "turned on again"
    FAILED = "failed"
    REFUSED = "refused"
    DUE_OFF = "due to be turned off"
    DUE_ON = "due to be turned on again"
    LIMITED = "due, but a limit stands in front"
    REVIEW = "held only by what a review lifts"
    HELD = "held"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One name with the server it is on and its place in the report."""

    server: ServerReport
    entry: DomainReport
    section: Section

    @property
    def planned(self) -> PlannedChange:
        """The plan entry of a name that is to be turned."""
        return planned_change(self.server.name, self.entry)


def names_of(report: PassReport) -> tuple[Named, ...]:
    """Return every name with its section, servers as given, names in their order."""
    return tuple(
        Named(server=server, entry=entry, section=_section(server.refusal, entry))
        for server in report.servers
        for entry in sorted(server.domains, key=lambda entry: (entry.domain.name, entry.domain.kind))
    )


def open_changes(names: Iterable[Named]) -> tuple[tuple[PlannedChange, ...], tuple[PlannedChange, ...]]:
    """Return what is due and what a review would add, without what this pass has done already."""
    due, more = [], []
    for named in names:
        if named.entry.outcome is DomainOutcome.DONE:
            continue
        is_turned = named.entry.decision.verdict in {Verdict.TURN_ON, Verdict.TURN_OFF}
        if is_turned and not _is_limited(named.server.refusal, named.entry):
            due.append(named.planned)
        elif is_turned or named.entry.decision.is_on_review:
            more.append(named.planned)
    return tuple(due), tuple(more)


def plan_digest(report: PassReport, names: Iterable[Named]) -> str:
    """Return the digest of what the pass left to be done: the plan's own after a dry run.

    After an apply it is the digest that the next pass will have, if nothing but those changes happens in between.
    """
    if report.is_dry_run:
        return report.plan.digest
    due, more = open_changes(names)
    return digest_of((*due, *more))


def title(entry: DomainReport) -> str:
    """Return a name for people: with U-labels, and as A-labels too where that differs."""
    domain = entry.domain
    if domain.display_name == domain.name.text:
        return domain.name.text
    return f"{domain.display_name} ({domain.name})"


def what(entry: DomainReport) -> str:
    """Return what kind of name it is, with the domain it belongs to."""
    domain = entry.domain
    if domain.parent is None or domain.kind is Kind.DOMAIN:
        return domain.kind.value
    return f"{domain.kind} of {domain.parent}"


def destination(entry: DomainReport) -> str:
    """Return where public mail goes: the provider if it is known, else the exchanges, else what settled the route."""
    finding = entry.finding
    if finding.provider is not None:
        return finding.provider
    names = list(dict.fromkeys(str(seen.exchange) for seen in sorted(finding.exchanges, key=attrgetter("order"))))
    if not names:
        return finding.because
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def leading_code(entry: DomainReport) -> str:
    """Return the code a held name is listed under: the first guard that holds it, or its route."""
    holding = entry.decision.holding
    if holding:
        return holding[0].value
    if entry.domain.switch in {Switch.NOT_CONFIGURED, Switch.UNKNOWN} or not entry.domain.name.is_host_name:
        return Guard.NOT_MANAGED.value
    return entry.finding.route.value


def _section(refusal: Refusal | None, entry: DomainReport) -> Section:
    verdict = entry.decision.verdict
    match entry.outcome:
        case DomainOutcome.DONE:
            return Section.TURNED_ON if verdict is Verdict.TURN_ON else Section.TURNED_OFF
        case DomainOutcome.FAILED:
            return Section.FAILED
        case DomainOutcome.REFUSED if not _is_limited(refusal, entry):
            return Section.REFUSED
    if verdict is Verdict.TURN_ON:
        return Section.DUE_ON
    if verdict is Verdict.TURN_OFF:
        return Section.LIMITED if _is_limited(refusal, entry) else Section.DUE_OFF
    if entry.decision.is_on_review:
        return Section.REVIEW
    return Section.HELD if verdict is Verdict.HOLD else Section.KEPT


def _is_limited(refusal: Refusal | None, entry: DomainReport) -> bool:
    return refusal is not None and entry.decision.verdict is Verdict.TURN_OFF and not entry.is_never_local
