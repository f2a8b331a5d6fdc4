"""Walking where others may put what they like: nothing is followed, nothing is opened that could make us wait or leave.

Facts:

- A path is looked up anew at each use, so that what was a directory may be a symbolic link by then. An open directory
  stays what it is; below it everything is opened by its own name alone, with O_NOFOLLOW (openat(2)).
- Opening a FIFO waits for a writer unless O_NONBLOCK; opening some devices does something (open(2)). So only the open
  file's own state (fstat) says what it is, and whose.
- A hard link cannot be told from the file it is; its owner is the file's.
- O_NOATIME is refused to others than the owner and root (open(2)).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Self

__all__ = ["Directory", "NotFollowed", "kind_refused"]

_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class NotFollowed(Exception):
    """Something is not what it has to be; the message is the reason in words, as a noun."""


class Directory:
    """An open directory, and the only user whose things below it are looked at."""

    def __init__(self, descriptor: int, owner: int) -> None:
        """Take over an open descriptor; `close` closes it."""
        self.descriptor = descriptor
        self.owner = owner

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it. Harmless when called again."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    @property
    def changed(self) -> int:
        """When an entry last came, went or changed its name, in nanoseconds since 1970."""
        return os.fstat(self.descriptor).st_mtime_ns

    def below(self, name: str) -> Directory:
        """Open a directory in this one.

        Raises:
            FileNotFoundError: there is nothing of this name.
            NotFollowed: it is no directory, or another user's.
            OSError: it cannot be opened.
        """
        status = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            raise NotFollowed(kind_refused(status, self.owner) or "something else in a directory's place")
        try:
            opened = os.open(name, _READING | os.O_DIRECTORY, dir_fd=self.descriptor)
        except NotADirectoryError as error:
            raise NotFollowed("something else in a directory's place") from error
        found = Directory(opened, self.owner)
        if os.fstat(opened).st_uid != self.owner:
            found.close()
            raise NotFollowed("directory of another owner")
        return found

    def entries(self) -> Iterator[os.DirEntry[str]]:
        """Yield what is in it, one at a time however much there is; nothing of it is looked at yet."""
        with os.scandir(self.descriptor) as found:
            yield from found

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[BinaryIO, os.stat_result]]:
        """Open a plain file of the owner's for reading, with its state.

        Raises:
            FileNotFoundError: there is nothing of this name.
            NotFollowed: it is no plain file, or another user's.
            OSError: it cannot be opened.
        """
        with os.fdopen(self._descriptor_of(name), "rb") as stream:
            status = os.fstat(stream.fileno())
            reason = kind_refused(status, self.owner)
            if reason is not None:
                raise NotFollowed(reason)
            yield stream, status

    def _descriptor_of(self, name: str) -> int:
        try:
            try:
                return os.open(name, _READING | os.O_NOATIME, dir_fd=self.descriptor)
            except PermissionError:
                return os.open(name, _READING, dir_fd=self.descriptor)
        except OSError as error:
            # A symbolic link is ELOOP, a socket ENXIO (open(2)).
            if isinstance(error, FileNotFoundError | PermissionError):
                raise
            raise NotFollowed("symbolic link or special file") from error


def kind_refused(status: os.stat_result, owner: int) -> str | None:
    """Return why an entry is not looked at; None for a plain file of the owner's."""
    if stat.S_ISLNK(status.st_mode):
        return "symbolic link"
    if stat.S_ISDIR(status.st_mode):
        return "directory in a message's place"
    if not stat.S_ISREG(status.st_mode):
        return "special file"
    return None if status.st_uid == owner else "file of another owner"
