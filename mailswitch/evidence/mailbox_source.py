"""The mailboxes of this machine as the service asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from mailswitch.core.mailboxes import Exported, MailboxTally
from mailswitch.core.names import DomainName
from mailswitch.evidence.mailboxes import Mailboxes, MailboxSettings
from mailswitch.evidence.mbox import export
from mailswitch.evidence.stranded import tallies

__all__ = ["PleskMailboxes"]


class PleskMailboxes:
    """Reads the mailboxes below one directory, and nothing else; satisfies MailboxSource."""

    def __init__(self, settings: MailboxSettings) -> None:
        """Open nothing yet."""
        self._mailboxes = Mailboxes(settings)

    def tallies(self, name: DomainName, *, since: datetime, only: Collection[str] = ()) -> Iterator[MailboxTally]:
        """Yield what arrived in each of a name's mailboxes since a moment; see `mailswitch.evidence.stranded`."""
        return tallies(self._mailboxes, name, since=since, only=only)

    def export(
        self, name: DomainName, path: Path, *, since: datetime, only: Collection[str] = (), is_with_spam: bool = False
    ) -> Exported:
        """Write what arrived since a moment to a new mbox file; see `mailswitch.evidence.mbox`."""
        return export(self._mailboxes, name, path, since=since, only=only, is_with_spam=is_with_spam)
