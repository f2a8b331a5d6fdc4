"""Counting what arrived in mailboxes since a moment: in the memory of one entry, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from mailswitch.core.errors import MailError
from mailswitch.core.mailboxes import MailboxTally
from mailswitch.core.names import DomainName
from mailswitch.evidence.folders import Role
from mailswitch.evidence.mailboxes import Folder, Mailbox, Mailboxes

__all__ = ["tallies"]

_TRIES = 3
"""How often a folder is counted that somebody uses meanwhile."""


@dataclass(slots=True)
class _Count:
    """What was counted so far of one folder or mailbox."""

    messages: int = 0
    unread: int = 0
    spam: int = 0
    octets: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, other: _Count) -> None:
        self.messages += other.messages
        self.unread += other.unread
        self.spam += other.spam
        self.octets += other.octets
        self.skipped.update(other.skipped)
        moments = [one for one in (self.oldest, other.oldest, self.newest, other.newest) if one is not None]
        self.oldest, self.newest = min(moments, default=None), max(moments, default=None)


def tallies(
    mailboxes: Mailboxes, domain: DomainName, *, since: datetime, only: Collection[str] = ()
) -> Iterator[MailboxTally]:
    """Yield what arrived in each of a domain's mailboxes since a moment, one mailbox after another.

    Raises:
        MailError: the mailboxes cannot be looked into.
    """
    try:
        for mailbox in mailboxes.of(domain, only=only):
            yield _tally(mailbox, since)
    except OSError as error:
        raise MailError(f"cannot look into the mailboxes of {domain}: {error.strerror}; run this as root") from error


def _tally(mailbox: Mailbox, since: datetime) -> MailboxTally:
    total, is_in_use = _Count(), False
    for folder in mailbox.folders({Role.ARRIVED, Role.SPAM}):
        count, is_quiet = _count_quietly(folder, since)
        is_in_use |= not is_quiet
        total.add(count)
    total.skipped.update(mailbox.skipped)
    return MailboxTally(
        mailbox=mailbox.name,
        messages=total.messages,
        unread=total.unread,
        spam=total.spam,
        octets=total.octets,
        oldest=total.oldest,
        newest=total.newest,
        skipped=dict(total.skipped),
        is_in_use=is_in_use,
    )


def _count_quietly(folder: Folder, since: datetime) -> tuple[_Count, bool]:
    """Count a folder, again where somebody used it meanwhile; return whether it was quiet in the end."""
    for _ in range(_TRIES - 1):
        before = folder.used
        count = _counted(folder, since)
        if folder.used == before:
            return count, True
    before = folder.used
    count = _counted(folder, since)
    return count, folder.used == before


def _counted(folder: Folder, since: datetime) -> _Count:
    count = _Count()
    for arrival in folder.arrivals(since, count.skipped):
        if folder.role is Role.SPAM:
            count.spam += 1
            continue
        count.messages += 1
        count.unread += arrival.is_unread
        count.octets += arrival.octets
        count.oldest = arrival.at if count.oldest is None else min(count.oldest, arrival.at)
        count.newest = arrival.at if count.newest is None else max(count.newest, arrival.at)
    return count
