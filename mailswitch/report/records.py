"""Views of what the ledger keeps: changes, pins and approvals, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from mailswitch.core.ledger import Approval, Change, Outcome, Pause, Pin
from mailswitch.core.names import DomainName
from mailswitch.report.documents import document, moment
from mailswitch.report.page import BAD, DIM, GOOD, STRONG, WARNING, Page, Part

__all__ = [
    "APPROVALS_SCHEMA",
    "CHANGES_SCHEMA",
    "PINS_SCHEMA",
    "approval_fields",
    "approvals_json",
    "change_fields",
    "change_row",
    "changes_json",
    "ending",
    "pause_fields",
    "pin_fields",
    "pins_json",
    "print_approvals",
    "print_changes",
    "print_pins",
    "shown_moment",
]

CHANGES_SCHEMA = "mailswitch/changes/1"
PINS_SCHEMA = "mailswitch/pins/1"
APPROVALS_SCHEMA = "mailswitch/approvals/1"

_UNSETTLED = "unsettled"
_STYLES = {Outcome.DONE: GOOD, Outcome.FAILED: BAD, None: WARNING}


def shown_moment(at: datetime | None) -> str:
    """Return a moment for people, in UTC to the minute; "never" for None."""
    return "never" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def changes_json(changes: Sequence[Change], *, rescues: Sequence[dict[str, object]] = ()) -> str:
    """Return changes as a JSON document, in the order given, and beside them runs that sent stranded mail on."""
    return document(
        CHANGES_SCHEMA, {"changes": [change_fields(change) for change in changes], "rescues": list(rescues)}
    )


def change_fields(change: Change) -> dict[str, object]:
    """Return one change with the keys it has in every JSON document."""
    return {
        "id": change.id,
        "run": change.run_id,
        "server": change.server,
        "name": change.name.text,
        "kind": change.kind.value,
        "from": change.switch_from.value,
        "to": change.switch_to.value,
        "actor": change.actor.value,
        "by": change.by,
        "reason": change.reason,
        "route": None if change.route is None else change.route.value,
        "exchanges": [exchange.text for exchange in change.exchanges],
        "evidence": _evidence(change.evidence),
        "reviewed": change.is_reviewed,
        "never_local": change.is_never_local,
        "reverts": change.reverts,
        "intended": moment(change.intended_at),
        "finished": moment(change.finished_at),
        "outcome": _UNSETTLED if change.outcome is None else change.outcome.value,
        "error": change.error,
    }


def _evidence(text: str) -> object:
    """Return the evidence as the object it is; as the text it is where somebody damaged it."""
    try:
        found: object = json.loads(text)
        json.dumps(found, allow_nan=False, indent=2)
    except (ValueError, RecursionError):
        return text
    return found


def print_changes(
    changes: Sequence[Change],
    stream: TextIO,
    *,
    is_terminal: bool,
    width: int | None,
    display: Callable[[DomainName], str] = str,
) -> None:
    """Write changes, one a row, in the order given.

    Args:
        changes: What to show; an empty list says so.
        stream: Where to.
        is_terminal: Whether colours are wanted.
        width: In columns; None does not wrap.
        display: Makes the name people know from a name; by default its A-labels.
    """
    page = Page(is_terminal=is_terminal, width=width)
    if not changes:
        page.line("No changes.")
    page.rows((change_row(change, display) for change in changes), indent=0)
    page.write(stream)


def change_row(change: Change, display: Callable[[DomainName], str] = str) -> tuple[Part, ...]:
    """Return one change as the cells of a row."""
    outcome = _UNSETTLED if change.outcome is None else change.outcome.value
    notes = [change.reason]
    if change.reverts is not None:
        notes.append(f"reverts change {change.reverts}")
    if change.is_reviewed:
        notes.append("reviewed")
    if change.run_id is not None:
        notes.append(f"run {change.run_id}")
    if change.error:
        notes.append(f"error: {change.error}")
    return (
        (f"#{'-' if change.id is None else change.id}", STRONG),
        shown_moment(change.intended_at),
        change.server,
        display(change.name),
        f"{change.switch_from} -> {change.switch_to}",
        (outcome, _STYLES[change.outcome]),
        f"by {change.by}",
        "; ".join(note for note in notes if note),
    )


def pins_json(pins: Sequence[Pin], *, now: datetime) -> str:
    """Return pins as a JSON document, in the order given."""
    return document(PINS_SCHEMA, {"pins": [pin_fields(pin, now=now) for pin in pins]})


def pin_fields(pin: Pin, *, now: datetime) -> dict[str, object]:
    """Return one pin with the keys it has in every JSON document."""
    return {
        "pattern": pin.pattern.text,
        "reason": pin.reason,
        "by": pin.by,
        "at": moment(pin.at),
        "until": moment(pin.until),
        "expired": _is_over(pin.until, now),
    }


def print_pins(pins: Sequence[Pin], stream: TextIO, *, is_terminal: bool, width: int | None, now: datetime) -> None:
    """Write pins, one a row, in the order given; expired ones say so."""
    page = Page(is_terminal=is_terminal, width=width)
    if not pins:
        page.line("No pins.")
    page.rows(
        (
            (
                (pin.pattern.text, STRONG),
                f"by {pin.by}",
                shown_moment(pin.at),
                ending(pin.until, now),
                pin.reason,
            )
            for pin in pins
        ),
        indent=0,
    )
    page.write(stream)


def approvals_json(approvals: Sequence[Approval], *, now: datetime) -> str:
    """Return approvals as a JSON document, in the order given."""
    return document(APPROVALS_SCHEMA, {"approvals": [approval_fields(one, now=now) for one in approvals]})


def approval_fields(approval: Approval, *, now: datetime) -> dict[str, object]:
    """Return one approval with the keys it has in every JSON document."""
    return {
        "server": approval.server,
        "name": approval.name.text,
        "route": approval.route.value,
        "exchanges": [exchange.text for exchange in approval.exchanges],
        "despite": sorted(guard.value for guard in approval.despite),
        "by": approval.by,
        "at": moment(approval.at),
        "expires": moment(approval.expires),
        "expired": _is_over(approval.expires, now),
    }


def print_approvals(
    approvals: Sequence[Approval],
    stream: TextIO,
    *,
    is_terminal: bool,
    width: int | None,
    now: datetime,
    display: Callable[[DomainName], str] = str,
) -> None:
    """Write approvals, one a row, in the order given; expired ones say so."""
    page = Page(is_terminal=is_terminal, width=width)
    if not approvals:
        page.line("No approvals.")
    page.rows(
        (
            (
                (display(approval.name), STRONG),
                approval.server,
                f"by {approval.by}",
                shown_moment(approval.at),
                ending(approval.expires, now),
                _bound_to(approval),
            )
            for approval in approvals
        ),
        indent=0,
    )
    page.write(stream)


def pause_fields(pause: Pause | None) -> dict[str, object] | None:
    """Return the pause with the keys it has in every JSON document; None while there is none."""
    return None if pause is None else {"by": pause.by, "at": moment(pause.at), "reason": pause.reason}


def _is_over(until: datetime | None, now: datetime) -> bool:
    return until is not None and until <= now


def ending(until: datetime | None, now: datetime) -> Part:
    """Return until when something holds, or since when it does not any more."""
    if until is None:
        return "until unpinned"
    return (f"expired {shown_moment(until)}", DIM) if _is_over(until, now) else f"until {shown_moment(until)}"


def _bound_to(approval: Approval) -> str:
    exchanges = ", ".join(str(exchange) for exchange in approval.exchanges) or "no exchange"
    despite = ", ".join(sorted(guard.value for guard in approval.despite))
    return f"{approval.route} ({exchanges})" + (f" despite {despite}" if despite else "")
