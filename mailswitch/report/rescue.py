"""The view of stranded mail that is sent on: the dry run, what came of sending, and the runs on record.

The JSON documents bear the schema ``mailswitch/rescue/1``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from mailswitch.core.mailboxes import skips_in_words
from mailswitch.core.names import DomainName
from mailswitch.core.rescue import Rescue, RescuedMessage, RescueOutcome
from mailswitch.core.rescue_report import RescuePlan, RescueResult
from mailswitch.core.words import counted
from mailswitch.report.documents import document, moment
from mailswitch.report.page import BAD, DIM, GOOD, STRONG, WARNING, Page, Part
from mailswitch.report.records import shown_moment
from mailswitch.report.stranded import size_in_words

__all__ = [
    "RESCUE_SCHEMA",
    "plan_json",
    "print_plan",
    "print_rescues",
    "print_result",
    "rescue_fields",
    "result_json",
]

RESCUE_SCHEMA = "mailswitch/rescue/1"

_MOST_SHOWN = 20
_PERHAPS = "perhaps"
_WORDS = {
    RescueOutcome.DELIVERED: "taken by the other side",
    RescueOutcome.TAKEN: "still in the local queue",
    RescueOutcome.REJECTED: "refused by the other side",
    RescueOutcome.NOT_TAKEN: "not taken by the local mail server",
    None: "perhaps sent",
}


def plan_json(plan: RescuePlan) -> str:
    """Return a dry run as a JSON document."""
    body = {
        "dry_run": True,
        "server": plan.server,
        "name": plan.name.text,
        "since": moment(plan.since),
        "remark": plan.remark,
        "exchanges": [one.text for one in plan.exchanges],
        "obstacles": list(plan.obstacles),
        "messages": plan.messages,
        "octets": plan.octets,
        "mailboxes": [
            {"mailbox": one.mailbox, "messages": one.messages, "octets": one.octets, "known": _by_code(one.known)}
            for one in plan.mailboxes
        ],
        "skipped": dict(sorted(plan.skipped.items())),
    }
    return document(RESCUE_SCHEMA, body)


def result_json(result: RescueResult) -> str:
    """Return what came of sending as a JSON document."""
    body = {
        "dry_run": False,
        "server": result.server,
        "name": result.name.text,
        "id": result.id,
        "exchanges": [one.text for one in result.exchanges],
        "counts": _by_code(result.counts),
        "stopped": result.stopped,
        "rejected": result.rejected,
        "perhaps": [_message_fields(one) for one in result.perhaps],
        "skipped": dict(sorted(result.skipped.items())),
    }
    return document(RESCUE_SCHEMA, body)


def print_plan(
    plan: RescuePlan,
    stream: TextIO,
    *,
    is_terminal: bool,
    width: int | None,
    display: Callable[[DomainName], str] = str,
) -> None:
    """Write what would be sent on, and what stands in the way."""
    page = Page(is_terminal=is_terminal, width=width)
    where = f" to {', '.join(map(str, plan.exchanges))}" if plan.exchanges else ""
    amount = f"{counted(plan.messages, 'message')}, {size_in_words(plan.octets)}"
    page.line((display(plan.name), STRONG), f" on {plan.server}: would send on {amount}{where}")
    page.line(f"arrived since {shown_moment(plan.since)}", indent=2)
    page.rows(
        (
            (one.mailbox, STRONG),
            f"{counted(one.messages, 'message')} to send",
            size_in_words(one.octets) if one.messages else "",
            _amounts(one.known),
        )
        for one in plan.mailboxes
    )
    _remarks(page, plan.remark, plan.skipped)
    for obstacle in plan.obstacles:
        page.line(("not now: ", BAD), obstacle, indent=2)
    if plan.messages and not plan.obstacles:
        page.line(f"Nothing was sent. Send it with: mailswitch rescue {plan.name} --send")
    page.write(stream)


def print_result(
    result: RescueResult,
    stream: TextIO,
    *,
    is_terminal: bool,
    width: int | None,
    display: Callable[[DomainName], str] = str,
) -> None:
    """Write what came of sending, and what is left for people."""
    page = Page(is_terminal=is_terminal, width=width)
    page.line((display(result.name), STRONG), f" on {result.server}: {_amounts(result.counts) or 'nothing to send on'}")
    if result.stopped is not None:
        page.line(("stopped: ", BAD), result.stopped, indent=2)
    _remarks(page, None, result.skipped)
    if result.rejected:
        page.line(
            f"{counted(result.rejected, 'message')} refused by the other side: when it takes mail, send them once "
            f"more with: mailswitch rescue {result.name} --send --again",
            indent=2,
        )
    if result.perhaps:
        page.line(
            (f"{counted(len(result.perhaps), 'message')} perhaps sent", WARNING),
            ": the mail log does not tell, so they are not sent again; ask the recipient, and see "
            f"mailswitch stranded {result.name} --export",
            indent=2,
        )
        page.rows(
            (
                (f"{one.mailbox}@{one.name}", one.file, f"tried {shown_moment(one.intended_at)}")
                for one in result.perhaps[:_MOST_SHOWN]
            ),
            indent=4,
        )
    page.write(stream)


def rescue_fields(rescue: Rescue) -> dict[str, object]:
    """Return one run on record with the keys it has in every JSON document."""
    return {
        "id": rescue.id,
        "server": rescue.server,
        "name": rescue.name.text,
        "by": rescue.by,
        "exchanges": [one.text for one in rescue.exchanges],
        "started": moment(rescue.started),
        "finished": moment(rescue.finished),
        "counts": dict(rescue.counts),
        "stopped": rescue.stopped,
    }


def _rescue_row(rescue: Rescue, display: Callable[[DomainName], str] = str) -> tuple[Part, ...]:
    """Return one run on record as the cells of a row."""
    by_outcome = {_outcome(code): number for code, number in rescue.counts}
    if rescue.finished is None:
        ending: Part = ("not finished", WARNING)
    else:
        ending = ("stopped", BAD) if rescue.stopped else ("done", GOOD)
    return (
        (f"rescue {rescue.id}", STRONG),
        shown_moment(rescue.started),
        rescue.server,
        display(rescue.name),
        _amounts(by_outcome) or "no messages",
        ending,
        f"by {rescue.by}",
        rescue.stopped or "",
    )


def print_rescues(
    rescues: Sequence[Rescue],
    stream: TextIO,
    *,
    is_terminal: bool,
    width: int | None,
    display: Callable[[DomainName], str] = str,
) -> None:
    """Write the runs that sent stranded mail on, one a row, in the order given; nothing where there are none."""
    if not rescues:
        return
    page = Page(is_terminal=is_terminal, width=width)
    page.section("Stranded mail sent on")
    page.rows((_rescue_row(one, display) for one in rescues), indent=0)
    page.write(stream)


def _outcome(code: str) -> RescueOutcome | None:
    return None if code == _PERHAPS else RescueOutcome(code)


def _by_code(counts: Mapping[RescueOutcome | None, int]) -> dict[str, int]:
    return {(_PERHAPS if one is None else one.value): number for one, number in counts.items()}


def _amounts(counts: Mapping[RescueOutcome | None, int]) -> str:
    return ", ".join(f"{counts[one]} {words}" for one, words in _WORDS.items() if counts.get(one))


def _remarks(page: Page, remark: str | None, skipped: Mapping[str, int]) -> None:
    if remark is not None:
        page.line((remark, DIM), indent=2)
    skips = skips_in_words([skipped])
    if skips is not None:
        page.line((f"left out: {skips}", WARNING), indent=2)


def _message_fields(one: RescuedMessage) -> dict[str, object]:
    return {
        "mailbox": one.mailbox,
        "file": one.file,
        "sha256": one.sha256,
        "octets": one.octets,
        "intended": moment(one.intended_at),
        "message_id": f"<{one.token}>",
    }
