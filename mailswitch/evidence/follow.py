"""Reading a mail log while it is written: from a moment in the past, through rotation and truncation, to now."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from mailswitch.core.errors import MailError
from mailswitch.core.rescue import Fate
from mailswitch.evidence.fates import FateReader
from mailswitch.evidence.files import Unreadable, open_family
from mailswitch.evidence.source import PLACES

__all__ = ["FollowedLog", "PostfixFates"]

_CHUNK = 1 << 20
_LONGEST_LINE = 16_384
_SLACK = timedelta(days=1)
"""By which a file's time may disagree with its lines."""


class PostfixFates:
    """Follows messages in Postfix's log; satisfies FateSource."""

    def __init__(self, paths: tuple[Path, ...] = (), *, places: tuple[Path, ...] = PLACES) -> None:
        """Read these logs; without any the first there is of ``places``."""
        there = [place for place in places if os.path.lexists(place)]
        self._paths = paths or tuple(there[:1]) or places[:1]

    def follow(self, tokens: Collection[str], *, since: datetime | None) -> FollowedLog:
        """Begin to follow messages: what was logged since a moment, or with None what is logged from now on.

        Raises:
            MailError: there is no log that can be read.
        """
        return FollowedLog(self._paths, tokens, since=since)


class FollowedLog:
    """Some messages in the logs. What was read is not read again."""

    def __init__(self, paths: Iterable[Path], tokens: Collection[str], *, since: datetime | None) -> None:
        """Open the logs; nothing is read yet but what was rotated away.

        Raises:
            MailError: one cannot be read.
        """
        self._reader = FateReader(tokens)
        self._tokens = list(tokens)
        self._tails: list[_Tail] = []
        try:
            for path in paths:
                if since is not None:
                    self._read_rotated(path, since)
                self._tails.append(_Tail(path, is_at_end=since is None))
        except BaseException:
            self.close()
            raise

    def add(self, token: str) -> None:
        """Follow one more message, before it can be in the log."""
        self._reader.add(token)
        self._tokens.append(token)

    def look(self) -> Mapping[str, Fate]:
        """Read what is new and return what is known by now of each message, by its token.

        Raises:
            MailError: a log cannot be read any more.
        """
        for tail in self._tails:
            for line in tail.lines():
                self._reader.feed(line)
        return {token: self._reader.fate(token) for token in self._tokens}

    def close(self) -> None:
        """Close the logs. Harmless when called again."""
        for tail in self._tails:
            tail.close()

    def _read_rotated(self, path: Path, since: datetime) -> None:
        try:
            with ExitStack() as stack:
                for one in open_family(path, stack, since=(since - _SLACK).timestamp()):
                    if not one.is_live:
                        for lines, _ in one.pieces(0):
                            for line in lines:
                                self._reader.feed(line)
        except Unreadable as error:
            raise MailError(f"{error}; without it nobody learns what the other side answers") from error


class _Tail:
    """The file that is written to, whichever that is by now."""

    def __init__(self, path: Path, *, is_at_end: bool) -> None:
        self._path = path
        self._carry = b""
        self._stream = self._opened()
        self._offset = 0
        if is_at_end:
            self._offset = os.fstat(self._stream.fileno()).st_size

    def lines(self) -> Iterable[bytes]:
        """Yield the whole lines that are new; the end of a file that was rotated away comes before its successor."""
        while True:
            yield from self._new_lines()
            try:
                now = self._path.stat()
            except FileNotFoundError:
                return  # between two files
            except OSError as error:
                raise self._trouble(error) from error
            here = os.fstat(self._stream.fileno())
            if (now.st_dev, now.st_ino) == (here.st_dev, here.st_ino):
                if here.st_size >= self._offset:
                    return
                self._offset, self._carry = 0, b""  # emptied in its place
                continue
            yield from self._new_lines()
            try:
                following = self._opened()
            except FileNotFoundError:
                return
            self._stream.close()
            self._stream, self._offset, self._carry = following, 0, b""

    def close(self) -> None:
        self._stream.close()

    def _new_lines(self) -> Iterable[bytes]:
        while True:
            try:
                self._stream.seek(self._offset)
                octets = self._stream.read(_CHUNK)
            except OSError as error:
                raise self._trouble(error) from error
            if not octets:
                return
            self._offset += len(octets)
            *lines, self._carry = (self._carry + octets).split(b"\n")
            self._carry = self._carry[:_LONGEST_LINE]
            yield from (line for line in lines if len(line) <= _LONGEST_LINE)

    def _opened(self) -> BinaryIO:
        try:
            # Unbuffered: what was read ahead would be missed when the file grows.
            return os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
        except FileNotFoundError:
            if hasattr(self, "_stream"):
                raise
            raise MailError(
                f"there is no mail log at {self._path}: name its place with mail_log.paths; without it nobody learns "
                "what the other side answers"
            ) from None
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> MailError:
        return MailError(
            f"cannot read the mail log {self._path}: {error.strerror}; without it nobody learns what the other side "
            "answers"
        )
