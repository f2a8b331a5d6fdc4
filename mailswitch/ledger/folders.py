"""Whether a folder can take what a pass writes there, as `doctor` looks at it; nothing is tried by writing.

Facts:

- The last blocks of most file systems are kept for root: ``f_bavail`` is what is left for everybody else (statvfs(3)).
- A file system without a fixed number of files, such as btrfs, says that it has none at all. A user's quota is not
  seen here.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

__all__ = ["FLOOR", "closed_to_us", "without_room"]

FLOOR = 64 * 1024
"""Octets that the smallest record may take: the 32 KiB that SQLite maps beside a ledger in use, and eight pages of
4 KiB, some for its write-ahead log and two for the marker."""

_FEWEST_FILES = 4
"""The two files that SQLite keeps beside a ledger in use, the lock, and a marker that takes the former one's place."""


def closed_to_us(path: Path) -> str | None:
    """Say what keeps this user from writing to a file or folder that is there; None where nothing does."""
    needed = os.W_OK | (os.X_OK if path.is_dir() else 0)
    if os.access(path, needed, effective_ids=True):
        return None
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        mount = _mount_of(path)
        return (
            f"its file system is mounted read-only: find out why (the kernel's log tells of a failing disk), then "
            f"remount {str(mount)!r} writable"
        )
    state = path.stat()
    return (
        f"it belongs to {_user(state.st_uid)} (mode {stat.S_IMODE(state.st_mode):04o}): give it to the user who runs "
        "mailswitch with chown, or run this as that user"
    )


def without_room(folder: Path) -> str | None:
    """Say that the disk of a folder has no room for the smallest record, and where; None where it has."""
    found, is_root = os.statvfs(folder), os.geteuid() == 0
    octets = found.f_frsize * (found.f_bfree if is_root else found.f_bavail)
    files = found.f_ffree if is_root else found.f_favail
    where = f"the file system at {str(_mount_of(folder))!r}"
    if octets < FLOOR:
        return f"the disk is full, {octets // 1024} KiB are left on {where}; make room there"
    if found.f_files and files < _FEWEST_FILES:
        return f"the disk is full, {where} takes {files} more files; make room there by removing small ones"
    return None


def _mount_of(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.is_mount() or one == one.parent)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
