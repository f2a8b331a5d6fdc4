"""The mailboxes of this machine as the service asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from mailswitch.core.errors import MailError, UnreadableMessage
from mailswitch.core.mailboxes import Exported, MailboxTally, StrandedMessage
from mailswitch.core.names import DomainName
from mailswitch.evidence.directories import NotFollowed
from mailswitch.evidence.folders import Role
from mailswitch.evidence.mailboxes import Arrival, Folder, Mailboxes, MailboxSettings
from mailswitch.evidence.mbox import READ_ERRORS, export
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

    def messages(
        self,
        name: DomainName,
        *,
        since: datetime,
        skipped: Counter[str],
        only: Collection[str] = (),
        is_with_spam: bool = False,
    ) -> Iterator[StrandedMessage]:
        """Yield what arrived since a moment, each open until the next one is asked for.

        Args:
            name: Whose mailboxes.
            since: From when on.
            skipped: Takes what was left out, by the reason in words.
            only: Local parts; empty for all.
            is_with_spam: Yield what is in spam folders too.

        Raises:
            MailError: the mailboxes cannot be looked into.
        """
        roles = {Role.ARRIVED, Role.SPAM} if is_with_spam else {Role.ARRIVED}
        try:
            for mailbox in self._mailboxes.of(name, only=only):
                for folder in mailbox.folders(roles):
                    for arrival in folder.arrivals(since, skipped):
                        yield from _opened(mailbox.name, folder, arrival, skipped)
                skipped.update(mailbox.skipped)
        except OSError as error:
            raise MailError(f"cannot look into the mailboxes of {name}: {error.strerror}; run this as root") from error


class _FileContent:
    """A message's octets in its file; satisfies Content."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def rewind(self) -> None:
        """Go back to the beginning."""
        try:
            self._stream.seek(0)
        except READ_ERRORS as error:
            raise UnreadableMessage(f"a message cannot be read: {error}") from error

    def readline(self, limit: int, /) -> bytes:
        """Return the rest of the line, ``limit`` octets at most."""
        try:
            return self._stream.readline(limit)
        except READ_ERRORS as error:
            raise UnreadableMessage(f"a message cannot be read: {error}") from error


def _opened(mailbox: str, folder: Folder, arrival: Arrival, skipped: Counter[str]) -> Iterator[StrandedMessage]:
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(folder.opened(arrival))
        except FileNotFoundError:
            skipped["message deleted meanwhile"] += 1
            return
        except NotFollowed as reason:
            skipped[str(reason)] += 1
            return
        except OSError as error:
            skipped[f"unreadable message ({error.strerror})"] += 1
            return
        yield StrandedMessage(
            mailbox=mailbox,
            file=arrival.name.base,
            arrived=arrival.at,
            octets=arrival.octets,
            content=_FileContent(stream),
        )
