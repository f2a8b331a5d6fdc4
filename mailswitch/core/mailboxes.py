"""What lies in a server's mailboxes of mail that nobody fetches any more; values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailswitch.core.names import DomainName

__all__ = ["Content", "Examined", "Exported", "MailboxTally", "StrandedMail", "StrandedMessage", "skips_in_words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxTally:
    """What arrived in one mailbox since a moment, and is still there."""

    mailbox: str
    """The address's local part, as its directory is called: foreign text."""
    messages: int
    """In the inbox and in folders people made; spam, and what was sent, drafted or thrown away, is not among them."""
    unread: int
    spam: int
    """In the spam folders."""
    octets: int
    """Of ``messages``."""
    oldest: datetime | None
    """When the first of ``messages`` arrived; None where there is none."""
    newest: datetime | None
    skipped: Mapping[str, int]
    """Entries that were not followed, by the reason in words."""
    is_in_use: bool = False
    """Somebody used the mailbox while it was counted, so that a message may be counted twice or not at all."""
    last_login: datetime | None = None
    """The last one there is on record of; None where there is none, or no log was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrandedMail:
    """One name and what is stranded in its mailboxes on one server."""

    server: str
    name: DomainName
    since: datetime | None
    """When its mail moved away; None where nobody knows, or it did not."""
    remark: str | None
    """What is to be known about the name or the moment, in words."""
    mailboxes: tuple[MailboxTally, ...] = ()
    logins_since: datetime | None = None
    """From when on the mail log tells of log-ins; None where no log was read."""

    @property
    def messages(self) -> int:
        """All messages together."""
        return sum(one.messages for one in self.mailboxes)

    @property
    def octets(self) -> int:
        """Their size together."""
        return sum(one.octets for one in self.mailboxes)


class Content(Protocol):
    """A message's octets, read from the beginning as often as need be."""

    def rewind(self) -> None:
        """Go back to the beginning.

        Raises:
            UnreadableMessage: it cannot be read.
        """

    def readline(self, limit: int, /) -> bytes:
        """Return the rest of the line, ``limit`` octets at most; nothing at the end.

        Raises:
            UnreadableMessage: it cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class StrandedMessage:
    """One message in a mailbox, open for reading until the next one is asked for."""

    mailbox: str
    """The address's local part, as its directory is called: foreign text."""
    file: str
    """The unique part of its file's name."""
    arrived: datetime
    octets: int
    """As its file's name or state tells; its content may be of another size."""
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a look at a whole message tells."""

    sha256: str
    octets: int
    lone_feeds: int
    """Lines that end in LF alone, and take an octet more on the way."""
    has_eight_bit: bool
    is_plain: bool
    """Every octet of it survives as lines of text do: no NUL, no lone CR, no line too long, one kind of line end."""
    is_our_own: bool
    """It is a mail of ours that sent a message on, and came back."""
    subject: bytes
    """As it is written in the header, shortened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export brought."""

    messages: int
    octets: int
    """The file's size."""
    skipped: Mapping[str, int]
    """What was left out, by the reason in words."""


def skips_in_words(skips: Iterable[Mapping[str, int]]) -> str | None:
    """Return what was not followed ("2 x symbolic link"); None where everything was."""
    every: Counter[str] = Counter()
    for one in skips:
        every.update(one)
    return ", ".join(f"{number} x {reason}" for reason, number in sorted(every.items())) or None
