"""A mark outside the ledger of what was recorded last, by which a ledger restored from an old backup is noticed.

A restored ledger knows nothing of the switches turned since, nor of what persons did to them, and reads like any other.
So whoever records a run or an intent leaves a mark of it in a file, once the record is durable: the mark may lag behind
the ledger, but a ledger that lacks what the mark names is not the one that was written last.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailswitch.core.errors import LedgerError
from mailswitch.core.ledger import Change, Pause, Run
from mailswitch.ledger.failures import translated
from mailswitch.ledger.lock import FILE_MODE, adopt

__all__ = ["BY_MARKER", "Mark", "MarkerFile", "mark_of"]

BY_MARKER = "mailswitch itself"
"""Whose pause it is while a ledger is in doubt."""

_FORMAT = 1
_LONGEST = 8192
_WHAT_TO_DO = (
    "so what it says of switches is unverified, and nothing is changed; look through mailswitch history and "
    "mailswitch report, put right at the panel what the ledger missed, then take it as it is with mailswitch resume"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was recorded last."""

    at: datetime
    """When that was."""
    run_id: str | None
    """The run recorded last."""
    change: tuple[int, str, str, str] | None
    """The change recorded last: id, server, name (A-label) and when it was meant, in ISO 8601."""


def mark_of(run: Run | None, change: Change | None) -> Mark | None:
    """Return the mark of a ledger whose last records are these; None for one without any."""
    moments = [*([run.started] if run else []), *([change.intended_at] if change else [])]
    if not moments:
        return None
    return Mark(at=max(moments), run_id=run.id if run else None, change=_print_of(change) if change else None)


class MarkerFile:
    """The file of a mark; nothing is touched before one of its methods is called."""

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        self.path = path

    def doubt(self, holds: Callable[[Mark], bool]) -> Pause | None:
        """Return the pause that stands while the ledger is not the one written last; None where all is well.

        A mark that is missing proves nothing: ledgers are older than marks. One that cannot be read is a doubt.

        Args:
            holds: Whether the ledger holds what a mark names.
        """
        try:
            mark = self.read()
        except LedgerError as error:
            return _pause(self._written_at(), f"{error}: nobody can tell whether the ledger is an old one,")
        if mark is None or holds(mark):
            return None
        lacking = f"run {mark.run_id}" if mark.change is None else f"run {mark.run_id} or change {mark.change[0]}"
        return _pause(
            mark.at,
            f"the ledger is not the one that mailswitch wrote last, a backup of it was restored or another one put in "
            f"its place ({lacking} of {mark.at:%Y-%m-%d %H:%M} UTC, named by {str(self.path)!r}, is not in it),",
        )

    def _written_at(self) -> datetime:
        try:
            moment = self.path.lstat().st_mtime
        except OSError:
            moment = 0
        return datetime.fromtimestamp(moment, UTC)

    def read(self) -> Mark | None:
        """Return the mark; None where there is none.

        Raises:
            LedgerError: the file cannot be read, or holds no mark.
        """
        shown = repr(str(self.path))
        with translated("read the marker of", shown):
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError):
                return None
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise LedgerError(f"cannot read the ledger's marker {shown}: it is no plain file")
                written = file.read(_LONGEST + 1)
        try:
            return _parsed(written)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise LedgerError(f"cannot read the ledger's marker {shown}: it holds no mark") from error

    def write(self, mark: Mark) -> None:
        """Leave a mark in place of the former one; durable when it returns, and never half written.

        Raises:
            LedgerError: it cannot be written.
        """
        fresh = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        with translated("leave the marker of", repr(str(self.path))):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    adopt(descriptor, self.path.parent)
                    file.write(_written(mark))
                    file.flush()
                    os.fsync(descriptor)
                fresh.rename(self.path)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _print_of(change: Change) -> tuple[int, str, str, str]:
    return change.id or 0, change.server, change.name.text, change.intended_at.astimezone(UTC).isoformat()


def _pause(at: datetime, why: str) -> Pause:
    return Pause(by=BY_MARKER, at=at, reason=f"{why} {_WHAT_TO_DO}")


def _written(mark: Mark) -> bytes:
    words = {"format": _FORMAT, "at": mark.at.isoformat(), "run": mark.run_id, "change": mark.change}
    return json.dumps(words).encode() + b"\n"


def _parsed(written: bytes) -> Mark:
    if len(written) > _LONGEST:
        raise ValueError("too long")
    words = json.loads(written)
    at, run_id, change = datetime.fromisoformat(words["at"]), words["run"], words["change"]
    if words["format"] != _FORMAT or at.tzinfo is None or not isinstance(run_id, str | None):
        raise ValueError("not of this format")
    if change is None:
        return Mark(at=at, run_id=run_id, change=None)
    number, server, name, meant = change
    if not (isinstance(number, int) and all(isinstance(word, str) for word in (server, name, meant))):
        raise TypeError("not a change")
    return Mark(at=at, run_id=run_id, change=(number, server, name, meant))
