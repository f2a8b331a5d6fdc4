"""Stranded messages as one file every mail program reads: mbox, written whole or not at all.

Facts:

- A message begins with ``From ADDRESS DATE``, ends with an empty line; the date is asctime's, in UTC (RFC 4155).
- A line of ``>`` signs and ``From `` gets one more ``>``, so that a reader can take exactly one away again (mboxrd).
- A file made with O_TMPFILE has no name: whatever ends the program, nothing of it is left. linkat(2) gives it its name,
  and never in place of another file. Where a file system has no such files, one with a random name stands in.
"""

from __future__ import annotations

import lzma
import os
import re
import secrets
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from mailswitch.core.errors import ConfigError, MailError
from mailswitch.core.mailboxes import Exported
from mailswitch.core.names import DomainName
from mailswitch.evidence.directories import NotFollowed
from mailswitch.evidence.folders import Role
from mailswitch.evidence.mailboxes import Arrival, Folder, Mailboxes

__all__ = ["READ_ERRORS", "append_message", "export"]

READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading a message may raise, a compressed one included."""

_MODE = 0o600
_CHUNK = 1 << 16
_TRIES = 3
_RETURN_PATH = re.compile(rb"(?i)\AReturn-Path:[ \t]*<([!-~]{1,320})>[ \t]*\r?\n")
_WHOM = b"MAILER-DAEMON"
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def export(
    mailboxes: Mailboxes,
    domain: DomainName,
    path: Path,
    *,
    since: datetime,
    only: Collection[str] = (),
    is_with_spam: bool = False,
) -> Exported:
    """Write what arrived since a moment to a new file, readable by its owner alone.

    Raises:
        ConfigError: there is a file of this name, or none can be made there.
        MailError: the mailboxes cannot be read, somebody keeps using one, or the disk is full; there is no file then.
    """
    roles = {Role.ARRIVED, Role.SPAM} if is_with_spam else {Role.ARRIVED}
    skipped: Counter[str] = Counter()
    messages = 0
    with _new_file(path) as stream:
        try:
            for mailbox in mailboxes.of(domain, only=only):
                for folder in mailbox.folders(roles):
                    messages += _export_folder(folder, stream, since, skipped)
                skipped.update(mailbox.skipped)
            octets = stream.tell()
        except OSError as error:
            raise MailError(f"nothing is exported: {domain}: {error.strerror or error}") from error
    return Exported(messages=messages, octets=octets, skipped=dict(skipped))


def append_message(stream: BinaryIO, content: BinaryIO, arrived: datetime) -> None:
    """Write one message, whatever its octets are, in pieces of a bounded size."""
    first = content.readline(_CHUNK)
    found = _RETURN_PATH.match(first)
    sender = _WHOM if found is None else found[1]
    stream.write(b"From %b %b\n" % (sender, _asctime(arrived).encode("ascii")))
    ending = _write_quoted(stream, content, first)
    stream.write(b"\n" if ending else b"\n\n")


def _export_folder(folder: Folder, stream: BinaryIO, since: datetime, skipped: Counter[str]) -> int:
    """Write one folder; again from its beginning where somebody used it meanwhile, for then a message may be twice."""
    begin = stream.tell()
    for _ in range(_TRIES):
        before, missed = folder.used, Counter[str]()
        messages = sum(_export_one(folder, one, stream, missed) for one in folder.arrivals(since, missed))
        if folder.used == before:
            skipped.update(missed)
            return messages
        stream.seek(begin)
        stream.truncate()
    raise MailError("nothing is exported: somebody keeps using the mailbox; try again when it is quiet")


def _export_one(folder: Folder, arrival: Arrival, stream: BinaryIO, skipped: Counter[str]) -> bool:
    begin = stream.tell()
    try:
        with folder.opened(arrival) as content:
            _append_readable(stream, content, arrival.at)
    except FileNotFoundError:
        skipped["message deleted meanwhile"] += 1
    except NotFollowed as reason:
        skipped[str(reason)] += 1
    except _Unreadable:
        skipped["unreadable message"] += 1
    else:
        return True
    stream.seek(begin)
    stream.truncate()
    return False


class _Unreadable(Exception):
    """A message's own octets cannot be read."""


class _Reader:
    """Tells trouble with reading from trouble with writing, which both are OSErrors."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content

    def readline(self, limit: int) -> bytes:
        try:
            return self._content.readline(limit)
        except READ_ERRORS as error:
            raise _Unreadable from error


def _append_readable(stream: BinaryIO, content: BinaryIO, arrived: datetime) -> None:
    append_message(stream, _Reader(content), arrived)  # type: ignore[arg-type]  # only readline is asked of it


def _write_quoted(stream: BinaryIO, content: BinaryIO, piece: bytes) -> bool:
    """Write lines with their quoting; return whether the last one ended in a newline.

    Lines come in pieces, so that one of any length takes no memory: its ``>`` signs are counted, not kept.
    """
    is_at_start, marks, is_ended = True, 0, True
    while piece:
        if is_at_start:
            rest = piece.lstrip(b">")
            marks += len(piece) - len(rest)
            if not rest:
                piece = content.readline(_CHUNK)
                continue
            if len(rest) < len(b"From ") and not rest.endswith(b"\n"):
                rest += content.readline(_CHUNK)
            _write_marks(stream, marks + rest.startswith(b"From "))
            piece, marks = rest, 0
        stream.write(piece)
        is_ended = is_at_start = piece.endswith(b"\n")
        piece = content.readline(_CHUNK)
    if marks:
        _write_marks(stream, marks)
        is_ended = False
    return is_ended


def _write_marks(stream: BinaryIO, number: int) -> None:
    while number > 0:
        stream.write(b">" * min(number, _CHUNK))
        number -= _CHUNK


def _asctime(at: datetime) -> str:
    """Return asctime(3)'s form in English, whatever the locale says."""
    weekday, month = _WEEKDAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{weekday} {month} {at.day:2} {at:%H:%M:%S} {at.year:04}"


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file that gets its name when the block ends well, and leaves nothing behind otherwise."""
    if os.path.lexists(path):
        raise ConfigError(f"{path}: there is something of this name already, and nothing is overwritten: name another")
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.tmp")
    descriptor, is_nameless = _made(path.parent, temporary)
    stream = os.fdopen(descriptor, "w+b")
    try:
        yield stream
        _keep(stream)
        source = f"/proc/self/fd/{descriptor}" if is_nameless else str(temporary)
        try:
            # Without a directory's descriptor Python calls link(2), which follows nothing; an absolute path ignores it.
            os.link(source, path, src_dir_fd=descriptor if is_nameless else None, follow_symlinks=is_nameless)
        except OSError as error:
            raise ConfigError(f"{path}: the file cannot be given this name: {error.strerror}") from error
    finally:
        with suppress(OSError):  # what a full disk did not take is not written now either
            stream.close()
        if not is_nameless:
            with suppress(OSError):
                temporary.unlink()


def _keep(stream: BinaryIO) -> None:
    try:
        stream.flush()
        os.fsync(stream.fileno())
    except OSError as error:
        raise MailError(f"nothing is exported: {error.strerror}") from error


def _made(directory: Path, temporary: Path) -> tuple[int, bool]:
    try:
        with suppress(OSError):  # a file system, or a kernel, without nameless files
            return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, _MODE), True
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(temporary, flags, _MODE), False
    except OSError as error:
        raise ConfigError(f"{directory}: no file can be made there: {error.strerror}") from error
