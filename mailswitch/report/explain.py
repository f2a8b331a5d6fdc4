"""Everything about one name, for the support desk that has to answer "why?"."""

from __future__ import annotations

from datetime import timedelta
from typing import TextIO

from mailswitch.core.ledger import Claim, DomainHistory
from mailswitch.core.reports import DomainReport
from mailswitch.core.route import ExchangeSeen, Opinion
from mailswitch.core.table import Verdict
from mailswitch.core.words import duration
from mailswitch.report.documents import document, moment
from mailswitch.report.explanation import Explanation, GuardState, guard_answers, is_ours
from mailswitch.report.json_report import domain_fields, exchange_fields
from mailswitch.report.page import BAD, DIM, GOOD, STRONG, WARNING, Page, Part
from mailswitch.report.records import (
    approval_fields,
    change_fields,
    change_row,
    ending,
    pause_fields,
    pin_fields,
    shown_moment,
)
from mailswitch.report.sections import title, what
from mailswitch.report.usage import usage_fields, usage_rows

__all__ = ["EXPLAIN_SCHEMA", "Explanation", "explain_json", "print_explain"]

EXPLAIN_SCHEMA = "mailswitch/explain/1"

_CLAIMS = {
    Claim.NONE: "no",
    Claim.OURS: "yes",
    Claim.RE_ENABLED: "yes, and turned on against us since",
}


def explain_json(explanation: Explanation) -> str:
    """Return everything about one name as a JSON document."""
    entry = explanation.entry
    return document(
        EXPLAIN_SCHEMA,
        {
            "server": explanation.server,
            "now": moment(explanation.now),
            "mode": explanation.mode.value,
            "paused": pause_fields(explanation.pause),
            "addresses": list(explanation.addresses),
            "domain": {
                **domain_fields(entry),
                "mx": [_exchange(seen, explanation.addresses) for seen in entry.finding.exchanges],
                "created": None if entry.domain.created is None else entry.domain.created.isoformat(),
                "suspended": entry.domain.is_suspended,
                "never_local": entry.is_never_local,
            },
            "opinions": [_opinion(opinion) for opinion in entry.finding.opinions],
            "guards": [
                {
                    "guard": answer.guard.value,
                    "state": answer.state.value,
                    "liftable": answer.guard.is_liftable,
                    "text": answer.text,
                }
                for answer in guard_answers(entry)
            ],
            "history": _history(entry.history),
            "due": moment(entry.decision.due),
            "pins": [pin_fields(pin, now=explanation.now) for pin in explanation.pins],
            "approval": None
            if explanation.approval is None
            else approval_fields(explanation.approval, now=explanation.now),
            "usage": usage_fields(entry, explanation.pointing, explanation.now),
            "changes": [change_fields(change) for change in explanation.changes],
            "next": list(explanation.next_steps),
        },
    )


def _exchange(seen: ExchangeSeen, ours: tuple[str, ...]) -> dict[str, object]:
    addresses = [{"address": str(found), "ours": is_ours(found, ours)} for found in seen.addresses]
    return {**exchange_fields(seen), "addresses": addresses}


def _opinion(opinion: Opinion) -> dict[str, object]:
    return {
        "vantage": opinion.vantage.name,
        "operator": opinion.vantage.operator,
        "route": opinion.route.value,
        "because": opinion.because,
        "provider": opinion.provider,
        "mx": [exchange_fields(seen) for seen in opinion.exchanges],
        "ttl_seconds": _seconds(opinion.ttl),
        "remembered": opinion.is_remembered,
    }


def _history(history: DomainHistory) -> dict[str, object]:
    return {
        "first_seen": moment(history.first_seen),
        "route": None if history.route is None else history.route.value,
        "since": moment(history.since),
        "sightings": history.sightings,
        "last_sighting": moment(history.last_sighting),
        "credited_seconds": _seconds(history.credited),
        "ttl_seconds": _seconds(history.ttl),
        "last_seen_here": moment(history.last_seen_here),
        "was_here": history.was_here,
        "unknown_since": moment(history.unknown_since),
        "claim": history.claim.value,
        "claim_change": history.claim_change,
        "claim_route": None if history.claim_route is None else history.claim_route.value,
    }


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())


def print_explain(explanation: Explanation, stream: TextIO, *, is_terminal: bool, width: int | None) -> None:
    """Write everything about one name for people.

    Args:
        explanation: What is known.
        stream: Where to.
        is_terminal: Whether colours are wanted.
        width: In columns; None does not wrap.
    """
    page = Page(is_terminal=is_terminal, width=width)
    _head(page, explanation)
    _next(page, explanation)
    _public_view(page, explanation)
    _guards(page, explanation.entry)
    _remembered(page, explanation.entry.history)
    _said(page, explanation)
    page.section("What this server knows of its mail")
    page.rows(usage_rows(explanation.entry, explanation.pointing, explanation.now))
    if explanation.changes:
        page.section("Changes")
        page.rows(change_row(change) for change in explanation.changes)
    page.write(stream)


def _head(page: Page, explanation: Explanation) -> None:
    entry = explanation.entry
    domain, decision = entry.domain, entry.decision
    style = {Verdict.KEEP: GOOD, Verdict.HOLD: WARNING}.get(decision.verdict, BAD)
    page.line((title(entry), STRONG), f", {what(entry)} on {explanation.server}")
    page.rows(
        [
            ("switch", str(domain.switch) + (", suspended" if domain.is_suspended else "")),
            ("route", f"{entry.finding.route}: {entry.finding.because}"),
            ("decision", (str(decision.verdict) + (", on review" if decision.is_on_review else ""), style)),
            ("mode", f"{explanation.mode}" + (f", paused by {explanation.pause.by}" if explanation.pause else "")),
        ]
    )
    if entry.error:
        page.line((f"error: {entry.error}", BAD), indent=2)


def _next(page: Page, explanation: Explanation) -> None:
    page.section("What happens next")
    for sentence in explanation.next_steps:
        page.line(sentence, indent=2)


def _public_view(page: Page, explanation: Explanation) -> None:
    finding = explanation.entry.finding
    page.section(f"What public DNS says ({finding.vantages} agree)")
    page.rows(
        (
            (opinion.vantage.name, STRONG),
            f"({opinion.vantage.operator})" if opinion.vantage.operator != opinion.vantage.name else "",
            str(opinion.route),
            opinion.because + (" (from memory)" if opinion.is_remembered else ""),
        )
        for opinion in finding.opinions
    )
    if not finding.opinions:
        page.line(finding.because, indent=2)
    page.rows(_exchange_row(seen, explanation.addresses) for seen in finding.exchanges)
    page.line((f"Ours: {', '.join(explanation.addresses) or 'no address known'}", DIM), indent=2)


def _exchange_row(seen: ExchangeSeen, ours: tuple[str, ...]) -> tuple[Part, ...]:
    shown = [f"{found} (ours)" if is_ours(found, ours) else str(found) for found in seen.addresses]
    return (f"MX {seen.preference}", (str(seen.exchange), STRONG), ", ".join(shown) or "no address known")


def _guards(page: Page, entry: DomainReport) -> None:
    answers = guard_answers(entry)
    asked = [answer for answer in answers if answer.state is not GuardState.NOT_ASKED]
    page.section("Guards")
    if not asked:
        page.line("not asked: they stand in front of turning off, which is not due", indent=2)
    styles = {GuardState.HOLDS: WARNING, GuardState.LIFTED: GOOD}
    words = {GuardState.HOLDS: "holds", GuardState.LIFTED: "lifted", GuardState.DOES_NOT_HOLD: "does not hold"}
    page.rows(
        (answer.guard.value, (words[answer.state], styles.get(answer.state, DIM)), answer.text) for answer in asked
    )
    told = {entry.finding.route.value, *(answer.guard.value for answer in asked)}
    notes = [reason for reason in entry.decision.reasons if str(reason.code) not in told]
    page.rows(("note", str(reason.code), reason.text) for reason in notes)


def _remembered(page: Page, history: DomainHistory) -> None:
    page.section("History")
    route = "none yet" if history.route is None else f"{history.route} since {shown_moment(history.since)}"
    seen = f"{history.sightings}, the last {shown_moment(history.last_sighting)}"
    claim = "" if history.claim_change is None else f" (change #{history.claim_change})"
    unknown = () if history.unknown_since is None else (("unknown since", shown_moment(history.unknown_since)),)
    page.rows(
        [
            ("first seen", shown_moment(history.first_seen)),
            ("route", route),
            *unknown,
            ("sightings", seen if history.sightings else "none"),
            ("credited", duration(history.credited)),
            ("last seen here", shown_moment(history.last_seen_here)),
            ("largest TTL", duration(history.ttl)),
            ("turned off by us", f"{_CLAIMS[history.claim]}{claim}"),
        ]
    )


def _said(page: Page, explanation: Explanation) -> None:
    approval, now = explanation.approval, explanation.now
    if explanation.pins or approval is not None:
        page.section("What administrators said")
    page.rows(
        (
            "pinned",
            str(pin.pattern),
            f"by {pin.by}",
            ending(pin.until, now),
            pin.reason,
        )
        for pin in explanation.pins
    )
    if approval is not None:
        until = f"{'expired' if approval.expires <= now else 'until'} {shown_moment(approval.expires)}"
        despite = ", ".join(sorted(approval.despite))
        seen = ", ".join(str(exchange) for exchange in approval.exchanges)
        page.line(
            f"approved by {approval.by}, {until}: {approval.route} ({seen})",
            f" despite {despite}" if despite else "",
            indent=2,
        )
