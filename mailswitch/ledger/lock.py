"""The pass lock of a ledger in a file: no two passes at once, and none held by the dead.

Facts:

- flock(2) locks belong to the open file; the kernel lifts them when the last copy of it is closed, SIGKILL included.
- The lock file stays when it is unlocked: to delete it would let two processes hold two files of one name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from mailswitch.core.errors import AlreadyRunning, LedgerError
from mailswitch.ledger.failures import translated

__all__ = [
    "ANOTHER_DAEMON",
    "ANOTHER_RUN",
    "FILE_MODE",
    "adopt",
    "file_lock",
    "is_file_locked",
    "retry_while_running",
    "running_message",
]

ANOTHER_RUN = "another pass"
ANOTHER_DAEMON = "another daemon"

FILE_MODE = 0o640
"""For files the ledger makes; the umask may take more away."""

_POLL_SECONDS = 0.05
_LONGEST_HOLDER = 20


@contextmanager
def file_lock(path: Path, place: str, *, who: str = ANOTHER_RUN) -> Iterator[None]:
    """Hold the lock file at ``path``, making it if need be; ``place`` and ``who`` name ledger and holder in messages.

    Raises:
        AlreadyRunning: another process (or another part of this one) holds it.
        LedgerError: it cannot be made or opened, or is no plain file.
    """
    descriptor = _opened(path, place)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, _LONGEST_HOLDER, 0).strip()
            raise AlreadyRunning(
                running_message(place, f"process {int(holder)}" if holder.isdigit() else None, who=who)
            ) from None
        with translated("lock", place):
            _write_holder(descriptor, f"{os.getpid()}\n")
        try:
            yield
        finally:
            with translated("unlock", place):
                _write_holder(descriptor, "")
    finally:
        os.close(descriptor)


def is_file_locked(path: Path, place: str) -> bool:
    """Whether somebody holds the lock file at ``path``; it is not made, and may be read by those who cannot write it.

    Raises:
        LedgerError: it is there and cannot be opened.
    """
    with translated("look at the lock of", place):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
    try:
        # Shared, so that those who look do not see each other; whoever takes the lock tries more than once.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def running_message(place: str, holder: str | None, *, who: str = ANOTHER_RUN) -> str:
    """Return what to say when ``holder``, if it is known, holds a lock of the ledger at ``place``."""
    return (
        f"{who} is running on the ledger {place}" + (f" ({holder})" if holder else "") + "; try again when it has ended"
    )


def retry_while_running(act: Callable[[], None], wait: timedelta) -> None:
    """Do ``act``; while it raises AlreadyRunning, do it again until ``wait`` is over.

    Raises:
        AlreadyRunning: the last one.
    """
    deadline = time.monotonic() + wait.total_seconds()
    while True:
        try:
            return act()
        except AlreadyRunning:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_POLL_SECONDS)


def adopt(descriptor: int, directory: Path) -> None:
    """Give a new file to the owner of its directory when root made it.

    Otherwise ``sudo mailswitch pin ...`` before the first pass would leave a ledger that the service cannot write.
    """
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _opened(path: Path, place: str) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with translated("lock", place):
            try:
                descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, FILE_MODE)
                adopt(descriptor, path.parent)
            except FileExistsError:
                descriptor = os.open(path, flags)
    except LedgerError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ELOOP:
            raise LedgerError(
                f"cannot lock the ledger {place}: {str(path)!r} is a symbolic link; remove it"
            ) from error.__cause__
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LedgerError(f"cannot lock the ledger {place}: {str(path)!r} is no plain file; remove it")
    return descriptor


def _write_holder(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
