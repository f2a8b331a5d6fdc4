"""What is remembered of mail that was sent on from abandoned mailboxes: who did it, and each message at most once ever.

Moments are aware UTC datetimes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailswitch.core.names import DomainName

__all__ = [
    "Fate",
    "FateKind",
    "Handover",
    "HandoverKind",
    "Letter",
    "Rescue",
    "RescueOutcome",
    "RescuedMessage",
    "token_of",
]

_SHA256_DIGITS = 64
_TOKEN = re.compile(r"[0-9a-f]{32}\.mailswitch-rescue@[A-Za-z0-9.-]{1,253}\Z")


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
    """The Message-ID of the mail it travels in, without its brackets: random, so that the mail log's word is for it."""
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


def token_of(digits: str, host: str) -> str:
    """Return the Message-ID, without brackets, of a mail that sends a message on.

    Raises:
        ValueError: the digits are not 32 hexadecimal ones, or the host is none: the log's reader would not know it.
    """
    token = f"{digits}.mailswitch-rescue@{host}"
    if _TOKEN.match(token) is None:
        raise ValueError(f"{token!r} is no Message-ID that can be found again")
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The mail that sends one message on."""

    recipient: str
    domain: str
    """The recipient's, as people know it."""
    token: str
    """Its Message-ID without the brackets."""
    arrived: datetime
    """When the message arrived in the abandoned mailbox."""
    at: datetime
    """Now."""


class HandoverKind(StrEnum):
    """How an attempt to hand a message to the local mail server ended."""

    TAKEN = "taken"
    REFUSED = "refused"
    """It said no for good (5xx)."""
    PUT_OFF = "put-off"
    """It did not take it now: 4xx, or the connection ended before the message did."""
    UNKNOWN = "unknown"
    """The whole message was sent, and no answer came."""
    ON_RECORD = "on-record"
    """It was broken off: somebody else sent the message meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What came of handing one message to the local mail server."""

    kind: HandoverKind
    answer: str
    """The server's words, or what happened."""
    queue_id: str | None = None


class FateKind(StrEnum):
    """What the mail log says of a message that was handed over."""

    UNSEEN = "unseen"
    """Nothing that decides anything."""
    ABORTED = "aborted"
    """The connection ended before the message did: it was not taken."""
    QUEUED = "queued"
    DEFERRED = "deferred"
    """The other side did not take it yet."""
    DELIVERED = "delivered"
    """The other side took it."""
    REJECTED = "rejected"
    """The other side refused it, or it never got there."""
    KEPT_HERE = "kept-here"
    """It was delivered on this very server."""

    @property
    def is_taken(self) -> bool:
        """Whether the local mail server took the message, whatever became of it."""
        return self not in {FateKind.UNSEEN, FateKind.ABORTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What the mail log says of one message."""

    kind: FateKind
    queue_id: str | None = None
    answer: str | None = None
    """The other side's words, with its name."""
