"""What is remembered of mail that was sent on from abandoned mailboxes: who did it, and each message at most once ever.

Moments are aware UTC datetimes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailswitch.core.names import DomainName

__all__ = ["Rescue", "RescueOutcome", "RescuedMessage"]

_SHA256_DIGITS = 64


class RescueOutcome(StrEnum):
    """What became of one message. A message without an outcome was perhaps sent, and is not sent again."""

    TAKEN = "taken"
    """The local mail server took it and keeps trying; the other side has not answered."""
    DELIVERED = "delivered"
    """The other side took it."""
    REJECTED = "rejected"
    """The other side did not want it; it is there not even once."""
    NOT_TAKEN = "not-taken"
    """It never left: the local mail server did not take it, so that it may be sent as if nothing had been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """One run of ``rescue --send`` for one name."""

    id: int | None
    """Given by the ledger; None before it is recorded."""
    server: str
    name: DomainName
    by: str
    """Who asked for it."""
    exchanges: tuple[DomainName, ...]
    """Where the name's mail lived at the time."""
    started: datetime
    finished: datetime | None = None
    """None while it runs, and for ever if it was killed."""
    counts: tuple[tuple[str, int], ...] = ()
    """Messages of this run by outcome."""
    stopped: str | None = None
    """Why it ended before its end, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescuedMessage:
    """One message that was sent on, or meant to be.

    Its identity is server, name, mailbox and content: a mail program that marks it, moves it to another folder or
    copies it makes no other message of it.
    """

    id: int | None
    """Given by the ledger; None before the intent is written."""
    rescue_id: int
    server: str
    name: DomainName
    mailbox: str
    """The address's local part."""
    sha256: str
    """Of the file's content, in hexadecimal digits."""
    file: str
    """The unique part of its file's name (Maildir), for people who look for it."""
    octets: int
    token: str
    """Part of the Message-ID of the mail it travels in; random, by which the mail log tells what became of it."""
    intended_at: datetime
    queue_id: str | None = None
    """By which the local mail server's log calls it."""
    outcome: RescueOutcome | None = None
    answer: str | None = None
    """What the local mail server or the other side said last."""
    finished_at: datetime | None = None
    """When the outcome was learnt."""

    def __post_init__(self) -> None:
        """Raise ValueError for a digest that could never be found again."""
        if len(self.sha256) != _SHA256_DIGITS or not set(self.sha256) <= set("0123456789abcdef"):
            raise ValueError(f"{self.sha256!r} is no SHA-256 in hexadecimal digits")
