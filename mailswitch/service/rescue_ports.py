"""What stranded mail and sending it on need from the world, as Protocols; see `mailswitch.service.ports`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mailswitch.core.mailboxes import Content, Examined, Exported, MailboxTally, StrandedMessage
from mailswitch.core.names import DomainName
from mailswitch.core.rescue import Fate, Handover, Letter, Rescue, RescuedMessage, RescueOutcome

__all__ = ["FateSource", "Followed", "MailboxSource", "Outbox", "RescueReader", "RescueWriter"]


class MailboxSource(Protocol):
    """The mailboxes of one server that are on this machine. They are only ever read."""

    def tallies(self, name: DomainName, *, since: datetime, only: Collection[str] = ()) -> Iterable[MailboxTally]:
        """Yield what arrived in each of a name's mailboxes since a moment.

        Raises:
            MailError: the mailboxes cannot be looked into.
        """

    def export(
        self, name: DomainName, path: Path, *, since: datetime, only: Collection[str] = (), is_with_spam: bool = False
    ) -> Exported:
        """Write what arrived since a moment to a new mbox file, whole or not at all.

        Raises:
            ConfigError: there is a file of this name, or none can be made there.
            MailError: the mailboxes cannot be read or the file cannot be written.
        """

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

        What is left out is counted in ``skipped`` by the reason in words.

        Raises:
            MailError: the mailboxes cannot be looked into.
        """


class Followed(Protocol):
    """Some messages in the mail log, followed while it is written."""

    def add(self, token: str) -> None:
        """Follow one more message, by its Message-ID without brackets, before it can be in the log."""

    def look(self) -> Mapping[str, Fate]:
        """Read what is new and return what is known by now of each message, by its token.

        Raises:
            MailError: the log cannot be read any more.
        """

    def close(self) -> None:
        """Close the log. Harmless when called again."""


class FateSource(Protocol):
    """The mail log of the server this program runs on."""

    def follow(self, tokens: Collection[str], *, since: datetime | None) -> Followed:
        """Begin to follow messages: what was logged since a moment, or with None what is logged from now on.

        Raises:
            MailError: there is no log that can be read.
        """


class Outbox(Protocol):
    """Sends stranded messages on through the local mail server; used by one thread."""

    def examine(self, content: Content) -> Examined:
        """Read a whole message once.

        Raises:
            UnreadableMessage: it cannot be read.
        """

    def obstacle(self, examined: Examined) -> str | None:
        """Return why a message cannot be sent on at all, in words.

        Raises:
            MailError: the mail server cannot be reached.
        """

    def send(self, letter: Letter, content: Content, examined: Examined, *, commit: Callable[[], bool]) -> Handover:
        """Send one message, and say whether the mail server has it.

        ``commit`` is asked when all is sent but its end; the message counts as sent from then on, and when it returns
        False the server gets nothing.

        Raises:
            MailError: the mail server cannot be reached; nothing was sent.
            UnreadableMessage: the message cannot be read any more, or is another by now; nothing was sent.
        """

    def close(self) -> None:
        """End the connection; the next message makes a new one. Harmless when called again."""


class RescueReader(Protocol):
    """What was sent on; part of LedgerReader."""

    def rescues(
        self, *, server: str | None = None, name: DomainName | None = None, limit: int | None = None
    ) -> tuple[Rescue, ...]:
        """Return the runs of ``rescue --send`` that match all that is given, newest first."""

    def rescued(
        self, server: str, name: DomainName, mailbox: str, *, files: Collection[str] = (), sums: Collection[str] = ()
    ) -> tuple[RescuedMessage, ...]:
        """Return a mailbox's messages on record that are among these files or have one of these contents."""

    def unanswered(self, server: str, name: DomainName) -> tuple[RescuedMessage, ...]:
        """Return a name's messages of which it is not known yet whether the other side has them, oldest first."""

    def rescue_counts(self, server: str, name: DomainName) -> dict[RescueOutcome | None, int]:
        """Return how many of a name's messages are on record, by outcome."""


class RescueWriter(Protocol):
    """Recording what is sent on; part of Ledger. Every write is durable when the method returns."""

    def begin_rescue(self, rescue: Rescue) -> int:
        """Record that a run of ``rescue --send`` started and return its id."""

    def finish_rescue(
        self, rescue_id: int, *, at: datetime, counts: tuple[tuple[str, int], ...], stopped: str | None
    ) -> None:
        """Record how a run of ``rescue --send`` ended."""

    def intend_message(
        self, message: RescuedMessage, *, despite: Collection[RescueOutcome] = (RescueOutcome.NOT_TAKEN,)
    ) -> RescuedMessage | None:
        """Record the intent to send one message, durably; None where it is on record already and must not be sent.

        One whose outcome is in ``despite`` is intended anew.
        """

    def settle_message(
        self,
        message_id: int,
        *,
        outcome: RescueOutcome,
        at: datetime,
        queue_id: str | None = None,
        answer: str | None = None,
    ) -> None:
        """Record what became of a message that was intended, or taken before; a last word on record stays."""
