"""Waiting for what has to become so, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Broken", "until"]

_PAUSE_SECONDS = 0.05


class Broken(Exception):
    """Something is not as it must be."""


def until(
    what: str, is_so: Callable[[], object], *, seconds: float = 60, told: Callable[[], str] | None = None
) -> float:
    """Wait until something is so, and return how many seconds that took; raise Broken when it takes too long."""
    started = time.monotonic()
    while not is_so():
        if time.monotonic() - started > seconds:
            raise Broken(f"not within {seconds:g} s: {what}" + ("" if told is None else f"\n{told()}"))
        time.sleep(_PAUSE_SECONDS)
    return time.monotonic() - started
