"""How often Python looks for garbage while a pass runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["rare_collections"]

_THRESHOLDS = (50_000, 50, 50)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage in cycles more rarely while the block runs.

    A pass makes a few dozen values for each name, none of them in a cycle, and most live until its end. To look through
    all of them every few hundred costs a seventh of the whole pass over 100,000 names. What is not in a cycle is given
    back at once, as always.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
