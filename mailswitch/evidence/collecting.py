"""The collector's side: reads the log where the daemon may not, and leaves what it counted for it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mailswitch.core.evidence import Gathered, LogReading
from mailswitch.evidence.batches import Batch, Wish, decoded_wish
from mailswitch.evidence.spool import Spool, SpoolError, read_trusted

__all__ = ["WISH_NAME", "Gather", "collect"]

WISH_NAME = "mail-log-wish.json"
"""What the daemon leaves in its own folder for the collector."""
_MOST_UNMERGED = 1_000

Gather = Callable[[LogReading | None, Wish], Gathered]
"""Looks into the log from where a reading ended, for what the wish names."""


def collect(spool: Spool, wish_file: Path, gather: Gather) -> str:
    """Look once into the log and leave a batch; return in a few words what was done.

    Raises:
        SpoolError: something cannot be read or written; the next look goes on from the last batch.
    """
    if not wish_file.parent.is_dir() or not os.path.lexists(wish_file):
        return f"nothing to do: the daemon has not left {wish_file} yet"
    try:
        wish = decoded_wish(read_trusted(wish_file))
    except ValueError as error:
        raise SpoolError(f"{wish_file} was left out: {error}") from error
    numbers = spool.numbers()
    last = _last(spool, numbers)
    if last is None:
        # What is there of another series was not merged: it is in the log still, and read from there again.
        spool.remove(lambda series, number: True)
        last = Batch(spool=secrets.token_hex(8), number=0, after=None, reading=_beginning(wish.until))
    elif wish.spool == last.spool:
        spool.remove(lambda series, number: series != last.spool or number <= min(wish.merged, last.number - 1))
    unmerged = last.number - (wish.merged if wish.spool == last.spool else 0)
    if unmerged >= _MOST_UNMERGED:
        return f"nothing was read: {unmerged} batches wait for the daemon"
    found = gather(last.reading, wish)
    spool.write(
        Batch(
            spool=last.spool,
            number=last.number + 1,
            after=None if last.reading is None else last.reading.until,
            reading=found.reading or last.reading,
            counts=found.counts,
            logins=found.logins,
            problem=found.problem,
        )
    )
    return f"batch {last.number + 1}: {len(found.counts)} counts" + (f"; {found.problem}" if found.problem else "")


def _last(spool: Spool, numbers: dict[str, list[int]]) -> Batch | None:
    """Return the newest batch, which is the collector's memory; None where there is none that can be read."""
    if len(numbers) != 1:
        return None
    ((series, found),) = numbers.items()
    try:
        return spool.read(series, found[-1], None)
    except SpoolError:
        return None


def _beginning(until: datetime | None) -> LogReading | None:
    """Return where to begin: behind what the ledger has counts of, which must not be counted again."""
    return None if until is None else LogReading(since=until, until=until, bookmark="")
