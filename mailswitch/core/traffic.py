"""What passes between mailswitch and one vantage beside questions and answers: what was lost, repeated or made up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

__all__ = ["Stray", "Traffic"]


class Stray(StrEnum):
    """Why something that came from a vantage, or from somebody who pretends to be it, is passed over.

    The words are labels of metrics.
    """

    UNKNOWN_ID = "unknown-id"
    """No question with this id is under way at the port or connection it came to: forged, or for somebody else."""
    LATE = "late"
    """The question it may belong to is over: it came too late, or a second time."""
    OTHER_QUESTION = "other-question"
    """The id is right, and the question is another one."""
    OTHER_CASE = "other-case"
    """The question is right but for the case of its letters, which a forger has to guess."""
    MALFORMED = "malformed"
    """It cannot be read: cut off, compression that leads nowhere, or no message at all."""
    BLOATED = "bloated"
    """It announces more records than any answer about mail has."""
    OTHER_NAMES = "other-names"
    """A right answer that brings records of names nobody asked for; they are never used."""
    STALLED = "stalled"
    """A connection on which questions were open and nothing was answered any more."""
    CLOSED = "closed"
    """A connection that was closed with questions open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How the packets of one vantage fared in a sweep."""

    retries: int = 0
    """Packets sent again, because those before stayed unanswered or were no answer to rely on."""
    timeouts: int = 0
    """Packets that stayed unanswered for as long as an answer was waited for."""
    cut_off: int = 0
    """Questions that the deadline of the lookups ended, asked already or not."""
    strays: tuple[tuple[Stray, int], ...] = ()
    """What was passed over, by kind; kinds that did not occur may be left out."""
    rate: float | None = None
    """Packets a second it was asked with in the end, less than configured where it cannot keep up; None: no limit."""
    round_trip: timedelta | None = None
    """How long its answers take, the last ones counting most; None without any."""
    is_given_up: bool = False
    """It left so many questions in a row without a reply that it was hardly asked any more."""
