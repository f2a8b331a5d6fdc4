"""One log and what it was rotated into: opened together, so that a rotation under way loses no file.

Facts:

- logrotate renames ``maillog`` to ``maillog.1`` or ``maillog-20261123``, or copies and truncates it; then compresses.
- Plesk's statistics append what they have counted to ``maillog.processed`` and empty ``maillog``.
- A renamed file may still grow, until the log's writer is told to open the new one.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from mailswitch.evidence.reading import LONGEST_LINE, digest

__all__ = ["LogFile", "Position", "Unreadable", "open_family"]

_ROTATED = re.compile(r"(?:\.processed)?(?:\.[0-9]{1,4}|-[0-9]{8}(?:-?[0-9]{2,10})?)?(?:\.gz)?\Z")
_HEAD_OCTETS = 1_024
_TAIL_OCTETS = 256
_LEAST_HEAD = 64
"""Octets that tell two logs apart by themselves: stamp, host, process and a few words."""
_CHUNK = 1 << 20
_LISTING_TRIES = 5


class Unreadable(Exception):
    """A log cannot be read; the message is a sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a file was read, and how to know it again under another name."""

    device: int
    inode: int
    offset: int
    """Of the decompressed content; behind a newline, unless ``is_in_long_line``."""
    head_octets: int
    head: str
    tail_octets: int
    tail: str
    is_in_long_line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """One open file of a log's family."""

    path: Path
    device: int
    inode: int
    modified: float
    """Seconds since 1970."""
    stream: BinaryIO
    head: bytes
    is_live: bool = False
    """The one that is written to, unless a rotation is just under way."""

    def holds(self, position: Position) -> bool:
        """Whether this is the file that was read so far, by its content."""
        if digest(self.head[: position.head_octets]) != position.head:
            return False
        is_same_file = (self.device, self.inode) == (position.device, position.inode)
        if not is_same_file and position.head_octets < _LEAST_HEAD:
            return False
        try:
            self.stream.seek(position.offset - position.tail_octets)
            return digest(self.stream.read(position.tail_octets)) == position.tail
        except (OSError, EOFError, zlib.error):
            return False

    def pieces(self, offset: int, *, is_in_long_line: bool = False) -> Iterator[tuple[list[bytes], Position]]:
        """Yield whole lines from ``offset`` on, a few thousand at a time, each with the position behind them.

        The beginning of a line that is too long comes as a line, which is told by its length; the rest is left out.

        Raises:
            Unreadable: the disk failed, or a compressed file is damaged.
        """
        skipping, carry, tail = is_in_long_line, b"", self._tail_before(offset)
        while True:
            octets = carry + self._read(offset + len(carry))
            if len(octets) == len(carry):
                return
            if skipping:
                cut, newline, _ = octets.partition(b"\n")
                used, lines = len(cut) + len(newline), []
                skipping, carry = not newline, b""  # what follows is read again, as lines
            else:
                used = octets.rfind(b"\n") + 1
                lines, carry = octets[:used].split(b"\n")[:-1], octets[used:]
                if len(carry) > LONGEST_LINE:
                    lines.append(carry)
                    used, skipping, carry = len(octets), True, b""
            offset += used
            tail = (tail + octets[:used][-_TAIL_OCTETS:])[-_TAIL_OCTETS:]
            if used:
                yield lines, self._position(offset, tail, is_in_long_line=skipping)

    def _position(self, offset: int, tail: bytes, *, is_in_long_line: bool) -> Position:
        head = self.head[:offset]
        return Position(
            device=self.device,
            inode=self.inode,
            offset=offset,
            head_octets=len(head),
            head=digest(head),
            tail_octets=len(tail),
            tail=digest(tail),
            is_in_long_line=is_in_long_line,
        )

    def _tail_before(self, offset: int) -> bytes:
        start = max(offset - _TAIL_OCTETS, 0)
        return self._read(start, offset - start)

    def _read(self, at: int, octets: int = _CHUNK) -> bytes:
        try:
            self.stream.seek(at)
            return self.stream.read(octets)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable(f"cannot read the mail log {self.path}: {error}") from error


def open_family(live: Path, stack: ExitStack, *, since: float) -> list[LogFile]:
    """Open a log and what it was rotated into, the oldest first; files last written before ``since`` are left out.

    Raises:
        Unreadable: there is no such log, or this user may not read it.
    """
    live = Path(os.path.realpath(live))  # a rotated file lies beside the log, not beside a link to it
    files: list[LogFile] = []
    for _ in range(_LISTING_TRIES):
        listed = _listing(live)
        files = [found for path in listed if (found := _opened(path, stack, since, is_live=path == live)) is not None]
        if _listing(live) == listed:
            break
    by_identity = {(one.device, one.inode): one for one in files}
    if not by_identity:
        raise Unreadable(f"there is no mail log at {live}: name its place with mail_log.paths")
    return sorted(by_identity.values(), key=lambda one: (one.is_live, one.modified, one.path.name))


def _listing(live: Path) -> dict[Path, int]:
    """Return the family's files with their inodes; of a file and its compressed self only the file."""
    try:
        found = {
            Path(entry.path): entry.inode()
            for entry in os.scandir(live.parent)
            if entry.name.startswith(live.name) and _ROTATED.match(entry.name, len(live.name))
        }
    except OSError as error:
        raise Unreadable(f"cannot look for the mail log {live}: {error.strerror}") from error
    return {path: inode for path, inode in found.items() if path.suffix != ".gz" or path.with_suffix("") not in found}


def _opened(path: Path, stack: ExitStack, since: float, *, is_live: bool) -> LogFile | None:
    """Open a regular file; None for one that is gone, too old, or no file. Nothing that is opened can make us wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if not is_live:  # what is missing shows as a gap
            return None
        raise Unreadable(f"cannot read the mail log {path}: {error.strerror}") from error
    raw = stack.enter_context(os.fdopen(descriptor, "rb"))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or (status.st_mtime < since and not is_live):
        return None
    stream = cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=raw))) if path.suffix == ".gz" else raw
    try:
        head = stream.read(_HEAD_OCTETS)
    except (OSError, EOFError, zlib.error):
        return None
    return LogFile(
        path=path,
        device=status.st_dev,
        inode=status.st_ino,
        modified=status.st_mtime,
        stream=stream,
        head=head,
        is_live=is_live,
    )
