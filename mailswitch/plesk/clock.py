"""How far a panel's clock is ahead of this machine's, by the ``Date`` of its replies (RFC 9110 §6.6.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

__all__ = ["clock_ahead"]

_LONGEST = 100


def clock_ahead(date: str | None, now: datetime) -> timedelta | None:
    """Return the difference, to a second or so; None where the reply has no date that can be read."""
    if date is None or len(date) > _LONGEST:
        return None
    try:
        told = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    # A date in "-0000" comes without a zone, and means UTC too.
    return (told if told.tzinfo is not None else told.replace(tzinfo=UTC)) - now
