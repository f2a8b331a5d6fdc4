"""The view of stranded mail, as text and as JSON: what lies in abandoned mailboxes, and what was exported of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TextIO

from mailswitch.core.mailboxes import Exported, MailboxTally, StrandedMail, skips_in_words
from mailswitch.core.names import DomainName
from mailswitch.core.words import counted
from mailswitch.report.documents import document, moment
from mailswitch.report.page import DIM, STRONG, WARNING, Page, Part
from mailswitch.report.records import shown_moment

__all__ = [
    "EXPORT_SCHEMA",
    "STRANDED_SCHEMA",
    "export_json",
    "export_words",
    "print_stranded",
    "size_in_words",
    "stranded_json",
]

STRANDED_SCHEMA = "mailswitch/stranded/1"
EXPORT_SCHEMA = "mailswitch/export/1"

_UNITS = ("kB", "MB", "GB", "TB")
_THOUSAND = 1000


def size_in_words(octets: int) -> str:
    """Return an amount of octets for people ("3.4 MB"; powers of ten)."""
    if octets < _THOUSAND:
        return f"{octets} B"
    size, unit = float(octets), ""
    for unit in _UNITS:  # noqa: B007 - the last one is what it stays at
        size /= _THOUSAND
        if size < _THOUSAND:
            break
    return f"{size:.1f} {unit}"


def stranded_json(found: Sequence[StrandedMail]) -> str:
    """Return stranded mail as a JSON document, in the order given."""
    return document(STRANDED_SCHEMA, {"domains": [_fields(one) for one in found]})


def export_json(one: StrandedMail, done: Exported, file: str) -> str:
    """Return what was exported as a JSON document."""
    return document(
        EXPORT_SCHEMA,
        {
            "server": one.server,
            "name": one.name.text,
            "since": moment(one.since),
            "file": file,
            "messages": done.messages,
            "octets": done.octets,
            "skipped": dict(sorted(done.skipped.items())),
        },
    )


def export_words(one: StrandedMail, done: Exported, file: str) -> tuple[str, ...]:
    """Return what was exported as lines for people."""
    amount = f"{counted(done.messages, 'message')}, {size_in_words(done.octets)}"
    lines = [f"{one.name}: {amount}, arrived since {shown_moment(one.since)}, written to {file}"]
    if one.remark is not None:
        lines.append(one.remark)
    skips = skips_in_words([done.skipped])
    if skips is not None:
        lines.append(f"left out: {skips}")
    return tuple(lines)


def print_stranded(
    found: Sequence[StrandedMail],
    stream: TextIO,
    *,
    is_terminal: bool,
    width: int | None,
    display: Callable[[DomainName], str] = str,
) -> None:
    """Write each name with its mailboxes, those without stranded mail left out.

    Args:
        found: What to show; an empty list says so.
        stream: Where to.
        is_terminal: Whether colours are wanted.
        width: In columns; None does not wrap.
        display: Makes the name people know from a name; by default its A-labels.
    """
    page = Page(is_terminal=is_terminal, width=width)
    if not found:
        page.line("No name's mail has moved away, as far as mailswitch knows.")
    for place, one in enumerate(found):
        if place:
            page.blank()
        _print_one(page, one, display(one.name))
    if len(found) > 1:
        page.blank()
        total = sum(one.messages for one in found)
        page.line((f"{_amount(total)} in all, {size_in_words(sum(one.octets for one in found))}", STRONG))
    page.write(stream)


def _print_one(page: Page, one: StrandedMail, name: str) -> None:
    since = "" if one.since is None else f", arrived since {shown_moment(one.since)}"
    page.line((name, STRONG), f" on {one.server}: {_amount(one.messages)}{since}")
    rows = [tally for tally in one.mailboxes if tally.messages or tally.spam or tally.skipped]
    page.rows(_row(tally, one.logins_since) for tally in rows)
    if one.remark is not None:
        page.line((one.remark, DIM), indent=2)
    skips = skips_in_words(tally.skipped for tally in one.mailboxes)
    if skips is not None:
        page.line((f"not followed: {skips}", WARNING), indent=2)
    if any(tally.is_in_use for tally in one.mailboxes):
        page.line(("somebody used a mailbox while it was counted: its numbers may be off", WARNING), indent=2)


def _amount(messages: int) -> str:
    return "no stranded mail" if messages == 0 else counted(messages, "stranded message")


def _row(tally: MailboxTally, logins_since: datetime | None) -> tuple[Part, ...]:
    spam = f"{tally.spam} in spam folders" if tally.spam else ""
    if not tally.messages:
        return (tally.mailbox, STRONG), "0 messages", "", "", "", spam, _login(tally, logins_since)
    return (
        (tally.mailbox, STRONG),
        counted(tally.messages, "message"),
        f"{tally.unread} unread",
        size_in_words(tally.octets),
        f"{shown_moment(tally.oldest)} to {shown_moment(tally.newest)}",
        spam,
        _login(tally, logins_since),
    )


def _login(tally: MailboxTally, since: datetime | None) -> str:
    if tally.last_login is not None:
        return f"last log-in {shown_moment(tally.last_login)}"
    return "last log-in unknown" if since is None else f"no log-in since {since:%Y-%m-%d}"


def _fields(one: StrandedMail) -> dict[str, object]:
    return {
        "server": one.server,
        "name": one.name.text,
        "since": moment(one.since),
        "remark": one.remark,
        "messages": one.messages,
        "octets": one.octets,
        "logins_since": moment(one.logins_since),
        "mailboxes": [
            {
                "mailbox": tally.mailbox,
                "messages": tally.messages,
                "unread": tally.unread,
                "spam": tally.spam,
                "octets": tally.octets,
                "oldest": moment(tally.oldest),
                "newest": moment(tally.newest),
                "last_login": moment(tally.last_login),
                "skipped": dict(sorted(tally.skipped.items())),
                "in_use": tally.is_in_use,
            }
            for tally in one.mailboxes
        ],
    }
