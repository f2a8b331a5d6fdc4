"""Who else could write what a ledger says: approvals, pins, and which switches are ours.

Facts:

- Whoever may write to a folder may put another file in a file's place; in a sticky one, such as /tmp, only before the
  file or one that SQLite keeps beside it is made.
- A symbolic link is followed when the ledger is opened. A link to a folder, or to a file, on another disk is common.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.failures import translated

__all__ = ["group_warnings", "refuse_dangling", "refuse_untrusted"]


def refuse_dangling(named: Path) -> None:
    """Refuse a symbolic link that leads to no file: whoever left it there would choose where one is made.

    Raises:
        LedgerError: there is such a link at ``named``, which is the ledger's path as it is configured.
    """
    if named.is_symlink():
        raise LedgerError(
            f"cannot open the ledger {str(named)!r}: it is a symbolic link to {str(named.readlink())!r}, and nothing "
            "is there; remove the link, or bring back what it leads to (is a disk not mounted?)"
        )


def refuse_untrusted(named: Path, path: Path) -> None:
    """Refuse a ledger at ``path``, called ``named`` in the configuration, that others than its user could have written.

    Raises:
        LedgerError: everybody may write to it or to its folder, or a link leads to a file of somebody else's.
    """
    shown = repr(str(named))
    with translated("look at", shown):
        for place, state in _states(named, path):
            if state.st_mode & stat.S_IWOTH:
                raise LedgerError(
                    f"cannot rely on the ledger {shown}: everybody may write to {str(place)!r} "
                    f"(mode {_mode(state)}); look through mailswitch history, then take that right "
                    "away with chmod o-w, or move the ledger to a folder of its own"
                )
        if named.is_symlink() and path.exists():
            owners = {0, os.geteuid(), named.lstat().st_uid}
            if path.stat().st_uid not in owners:
                raise LedgerError(
                    f"cannot rely on the ledger {shown}: it is a symbolic link to {str(path)!r}, which belongs to "
                    f"somebody else (uid {path.stat().st_uid}); remove the link, or name the file itself as the ledger"
                )


def group_warnings(named: Path, path: Path) -> tuple[str, ...]:
    """Tell of each group that may write to a ledger or its folder, one sentence each; some want it so."""
    with translated("look at", repr(str(named))):
        return tuple(
            f"the group {_group(place, state.st_gid)} may write to {str(place)!r} (mode {_mode(state)}), and so may "
            "approve and pin in the ledger: unless that is meant, take that right away with chmod g-w"
            for place, state in _states(named, path)
            if state.st_mode & stat.S_IWGRP and state.st_gid != 0
        )


def _states(named: Path, path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Give what is there of all that decides what the ledger says."""
    log = path.with_name(f"{path.name}-wal")
    for place in dict.fromkeys((path, log, path.parent, Path(os.path.realpath(named.parent)))):
        try:
            yield place, place.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue


def _group(place: Path, number: int) -> str:
    try:
        return place.group()
    except KeyError:
        return str(number)


def _mode(state: os.stat_result) -> str:
    return f"{stat.S_IMODE(state.st_mode):04o}"
