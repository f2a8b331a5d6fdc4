"""The folder in which the collector leaves its batches: written by root alone, read by the daemon, never through links.

Facts:

- A batch is there as a whole or not at all: it is written beside, synced, renamed, and the folder is synced.
- The newest batch is also the collector's memory, so that what it counted and how far it read are never apart.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from mailswitch.core.names import DomainName
from mailswitch.evidence.batches import Batch, decoded_batch, encoded_batch

__all__ = ["Spool", "SpoolError", "read_trusted", "write_whole"]

_NAME = re.compile(r"batch-([0-9a-f]{16})-([0-9]{1,15})\.json\Z")
_LARGEST = 128 * 1024 * 1024
"""Octets of one file; a look that finds the most there can be stays far below."""


class SpoolError(Exception):
    """Something in the folder is not as it must be; the message is a sentence for people."""


class Spool:
    """One server's batches."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``; nothing is opened yet."""
        self.folder = folder

    def numbers(self) -> dict[str, list[int]]:
        """Return the numbers of the batches that are there, by series, in order.

        Raises:
            SpoolError: the folder cannot be read.
        """
        found: dict[str, list[int]] = {}
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - only names are wanted
        except OSError as error:
            raise SpoolError(f"what was collected in {self.folder} cannot be listed: {error.strerror}") from error
        for name in names:
            parts = _NAME.match(name)
            if parts is not None:
                found.setdefault(parts[1], []).append(int(parts[2]))
        return {series: sorted(numbers) for series, numbers in sorted(found.items())}

    def read(self, series: str, number: int, hosted: Iterable[DomainName] | None) -> Batch:
        """Return one batch.

        Raises:
            SpoolError: it cannot be read, or is none.
        """
        path = self._path(series, number)
        try:
            batch = decoded_batch(read_trusted(path, is_trusted=_is_trusted), hosted)
        except ValueError as error:
            raise SpoolError(f"{path} was left out: {error}") from error
        if (batch.spool, batch.number) != (series, number):
            raise SpoolError(f"{path} was left out: it is another batch under a wrong name")
        return batch

    def write(self, batch: Batch) -> None:
        """Leave a batch, readable by the folder's group.

        Raises:
            SpoolError: it cannot be written; nothing of it is there then.
        """
        write_whole(self._path(batch.spool, batch.number), encoded_batch(batch))

    def remove(self, which: Callable[[str, int], bool]) -> None:
        """Take away batches, and what a killed collector left half written.

        Raises:
            SpoolError: one of them cannot be removed.
        """
        try:
            for path in list(self.folder.iterdir()):
                parts = _NAME.match(path.name)
                if path.name.startswith(".batch-") or (parts is not None and which(parts[1], int(parts[2]))):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise SpoolError(f"what was collected in {self.folder} cannot be removed: {error.strerror}") from error

    def _path(self, series: str, number: int) -> Path:
        return self.folder / f"batch-{series}-{number}.json"


def _is_trusted(status: os.stat_result) -> bool:
    return status.st_uid in {0, os.geteuid()} and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def read_trusted(path: Path, *, is_trusted: Callable[[os.stat_result], bool] = lambda _: True) -> str:
    """Return a regular file's text; links are not followed, and what is no file is not waited for.

    Raises:
        SpoolError: it cannot be read, is too large, or is not to be trusted.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not is_trusted(status):
                raise SpoolError(f"{path} is not read: it is no file that only its owner can write")
            octets = stream.read(_LARGEST + 1)
        if len(octets) > _LARGEST:
            raise SpoolError(f"{path} is not read: it is longer than {_LARGEST} octets")
        return octets.decode("utf-8")
    except OSError as error:
        raise SpoolError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpoolError(f"{path} is not read: it is no text") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file for its owner and to be read by its group; as a whole, or not at all, also when power fails.

    Raises:
        SpoolError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(descriptor, 0o640)  # whatever the umask is
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SpoolError(f"{path} cannot be written: {error.strerror}") from error
