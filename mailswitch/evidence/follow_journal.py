"""Following messages in the systemd journal while it is written; see `mailswitch.evidence.journal` for the facts."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailswitch.core.errors import MailError
from mailswitch.core.rescue import Fate
from mailswitch.evidence.fates import FateReader
from mailswitch.evidence.journal import ENVIRONMENT, FIELDS, mail_lines

__all__ = ["FollowedJournal", "JournalFates"]

_MOST_SAID = 300


class JournalFates:
    """Follows messages in the journal; satisfies FateSource."""

    def __init__(
        self, *, journalctl: Path = Path("/usr/bin/journalctl"), patience: timedelta = timedelta(minutes=2)
    ) -> None:
        """Read by this program, and end it when it takes longer than ``patience``; nothing is started yet."""
        self._journalctl = journalctl
        self._patience = patience

    def follow(self, tokens: Collection[str], *, since: datetime | None) -> FollowedJournal:
        """Begin to follow messages: what was logged since a moment, or with None what is logged from now on.

        Raises:
            MailError: the journal cannot be read.
        """
        begin = datetime.now(UTC) if since is None else since
        followed = FollowedJournal(self._journalctl, self._patience, tokens, since=begin)
        followed.look()
        return followed


class FollowedJournal:
    """Some messages in the journal. What was read is not read again."""

    def __init__(self, journalctl: Path, patience: timedelta, tokens: Collection[str], *, since: datetime) -> None:
        """Start nothing yet."""
        self._journalctl = journalctl
        self._patience = patience
        self._tokens = list(tokens)
        self._reader = FateReader(tokens)
        self._since = int(since.timestamp())
        self._cursor: str | None = None

    def add(self, token: str) -> None:
        """Follow one more message, before it can be in the journal."""
        self._reader.add(token)
        self._tokens.append(token)

    def look(self) -> Mapping[str, Fate]:
        """Read what is new and return what is known by now of each message, by its token.

        Raises:
            MailError: the journal cannot be read.
        """
        begin = f"--since=@{self._since}" if self._cursor is None else f"--cursor={self._cursor}"
        words = (
            str(self._journalctl), "--output=json", f"--output-fields={FIELDS}", "--no-pager", "--quiet", begin,
            "SYSLOG_FACILITY=2",
        )  # fmt: skip
        try:
            with (
                tempfile.TemporaryFile() as said,
                subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=ENVIRONMENT
                ) as program,
            ):
                self._read(program)
                said.seek(0)
                text = " ".join(said.read(_MOST_SAID).decode("utf-8", "replace").split())
        except OSError as error:
            raise self._trouble(f"{self._journalctl}: {error.strerror}") from error
        if program.returncode:
            raise self._trouble(f"journalctl ended with {program.returncode}: {text}")
        return {token: self._reader.fate(token) for token in self._tokens}

    def close(self) -> None:
        """Do nothing: nothing stays open."""

    def _read(self, program: subprocess.Popen[bytes]) -> None:
        timer = threading.Timer(self._patience.total_seconds(), program.kill)
        timer.daemon = True
        timer.start()
        try:
            for line, cursor in mail_lines(program.stdout, self._cursor):
                self._cursor = cursor
                if line is not None:
                    self._reader.feed(line)
            program.wait()
        finally:
            timer.cancel()
            program.kill()

    def _trouble(self, what: str) -> MailError:
        return MailError(f"the journal cannot be read: {what}; without it nobody learns what the other side answers")
