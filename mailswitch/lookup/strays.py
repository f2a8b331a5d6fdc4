"""What may come from a vantage, or from somebody who pretends to be it, that is no answer to rely on."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Stray"]


class Stray(StrEnum):
    """Why something that came is passed over; the words are labels in metrics."""

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
