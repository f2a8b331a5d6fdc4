"""Amounts in words, for reasons and messages."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["counted", "duration"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def duration(span: timedelta) -> str:
    """Return a span in its two largest units, rounded down ("2 d 4 h"; never negative)."""
    left = max(int(span.total_seconds()), 0)
    parts = []
    for seconds, unit in _UNITS:
        amount, left = divmod(left, seconds)
        if amount:
            parts.append(f"{amount} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def counted(amount: int, one: str, many: str | None = None) -> str:
    """Return an amount with its noun ("1 name", "2 names")."""
    return f"{amount} {one if amount == 1 else many or one + 's'}"
