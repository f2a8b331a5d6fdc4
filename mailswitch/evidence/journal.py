"""The systemd journal as a mail log: read on from the entry that was read last, by way of ``journalctl``.

Facts, from journalctl(1) and systemd.journal-fields(7):

- With ``--output=json`` each entry is one line; a field that is no text is a list of octets, and one that is too long
  is null unless ``--all`` is given.
- ``--cursor`` begins with that very entry, so that an entry that is gone from the journal shows as another first one.
- Fields that begin with ``_`` are journald's own and cannot be forged: ``_UID`` tells who wrote. Everybody may write
  to the journal and call himself ``postfix/smtpd``, so that what tenants and web servers wrote is left out.
- Facility 2 is mail (RFC 5424 §6.2.1).
"""

from __future__ import annotations

import json
import pwd
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mailswitch.core.domain import Network
from mailswitch.core.errors import InvalidName
from mailswitch.core.evidence import Gathered, LogReading
from mailswitch.core.names import DomainName
from mailswitch.core.providers import ProviderTable
from mailswitch.evidence.join import Join
from mailswitch.evidence.places import Places
from mailswitch.evidence.reading import LONGEST_LINE, Reading
from mailswitch.evidence.stamps import StampReader

__all__ = ["ENVIRONMENT", "FIELDS", "JournalLog", "JournalSettings", "mail_lines"]

_KEPT = timedelta(days=31)
_AT_ONCE = 2_000
_LONGEST_ENTRY = 1 << 20
_MOST_SAID = 300
FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID"
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_FIRST_TENANT = 1_000
"""User numbers from here on belong to people and tenants (login.defs(5), ``UID_MIN``)."""
_WEB_SERVERS = ("www-data", "apache", "nginx", "httpd", "www", "psaadm")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """How the journal is read, and what sends without being outside."""

    journalctl: Path = Path("/usr/bin/journalctl")
    own_networks: tuple[Network, ...] = ()
    providers: ProviderTable | None = None
    longest_reading: timedelta = timedelta(seconds=120)


class JournalLog:
    """Reads the journal of the machine this program runs on; satisfies MailLogSource."""

    def __init__(self, settings: JournalSettings) -> None:
        """Read by ``settings``; nothing is started yet."""
        self._settings = settings

    def gather(
        self, reading: LogReading | None, *, hosted: Iterable[DomainName], own: Iterable[Network], now: datetime
    ) -> Gathered:
        """Return what is new since ``reading`` for the ``hosted`` names; trouble is told in the answer."""
        places = Places((*self._settings.own_networks, *own), self._settings.providers)
        lines = Reading(Join(hosted, places), StampReader(now, UTC))
        cursor = _resumed(lines, reading)
        if reading is not None and cursor is None:
            lines.resume(since=None, until=int(reading.until.timestamp()), previous=None, mark=None)
            lines.lose_track()
        cursor, problem = self._read(lines, cursor, now)
        done = _reading(lines, cursor)
        if done is None:
            return Gathered(reading=None, problem=problem or "there is no line of the mail system in the journal yet")
        return Gathered(reading=done, counts=lines.join.counts(), logins=lines.join.logins(), problem=problem)

    def remember(self, *arguments: object, **more: object) -> None:
        """Do nothing: all that is to be remembered is in the ledger."""

    def _read(self, lines: Reading, cursor: str | None, now: datetime) -> tuple[str | None, str | None]:
        """Feed what is new; return the last entry's cursor and what went wrong."""
        begin = f"--since=@{int((now - _KEPT).timestamp())}" if cursor is None else f"--cursor={cursor}"
        words = (
            str(self._settings.journalctl), "--output=json", f"--output-fields={FIELDS}", "--no-pager", "--quiet",
            begin, "SYSLOG_FACILITY=2",
        )  # fmt: skip
        try:
            with (
                tempfile.TemporaryFile() as said,
                subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=ENVIRONMENT
                ) as program,
            ):
                late = threading.Event()

                def end() -> None:
                    late.set()
                    program.kill()

                timer = threading.Timer(self._settings.longest_reading.total_seconds(), end)
                timer.start()
                try:
                    cursor = _fed(lines, program.stdout or (), cursor)
                    code = program.wait()
                finally:
                    timer.cancel()
                    program.kill()
                said.seek(0)
                text = " ".join(said.read(_MOST_SAID).decode("utf-8", "replace").split())
        except OSError as error:
            return cursor, f"the journal cannot be read: {self._settings.journalctl}: {error.strerror}"
        if late.is_set():
            return cursor, "the journal is long and not read to its end yet"
        return cursor, f"the journal cannot be read: journalctl ended with {code}: {text}" if code else None


def mail_lines(stream: Any, cursor: str | None) -> Iterator[tuple[bytes | None, str]]:
    """Yield the entries behind ``cursor``, each as a line of a log with its own cursor.

    The line is None where nobody of the mail system wrote the entry.
    """
    trusted = _trusted_users()
    for octets in _whole(stream):
        found = _entry(octets)
        if found is not None and found["__CURSOR"] != cursor:
            yield _line(found, trusted), found["__CURSOR"]


def _fed(lines: Reading, stream: Iterable[bytes], cursor: str | None) -> str | None:
    """Feed the entries of ``stream`` to a reading, a few thousand at a time; return the last one's cursor."""
    waiting: list[bytes] = []
    expected = cursor
    trusted = _trusted_users()
    for octets in _whole(stream):
        found = _entry(octets)
        if found is None:
            lines.unknown += 1
            continue
        if expected is not None:
            if found["__CURSOR"] != expected:
                lines.lose_track()  # the entry that was read last is gone from the journal, and others with it
            is_known, expected = found["__CURSOR"] == expected, None
            if is_known:
                continue
        line = _line(found, trusted)
        if line is not None:
            waiting.append(line)
        cursor = found["__CURSOR"]
        if len(waiting) >= _AT_ONCE:
            lines.feed(waiting)
            waiting = []
    lines.feed(waiting)
    return cursor


def _whole(stream: Any) -> Iterator[bytes]:
    """Yield lines of a bounded length; of a longer one nothing."""
    is_rest = False
    while octets := stream.readline(_LONGEST_ENTRY):
        is_whole = octets.endswith(b"\n")
        if is_whole and not is_rest:
            yield octets
        is_rest = not is_whole


def _entry(octets: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(found, dict) and isinstance(found.get("__CURSOR"), str)
    return found if is_entry else None


def _line(found: dict[str, Any], trusted: frozenset[int]) -> bytes | None:
    """Return an entry as a line of a log; None for one that nobody of the mail system wrote, or that is no text."""
    try:
        if int(found["_UID"]) not in trusted:
            return None
        at = datetime.fromtimestamp(int(found["__REALTIME_TIMESTAMP"]) / 1_000_000, UTC)
        name, number = _octets(found["SYSLOG_IDENTIFIER"]), int(found.get("SYSLOG_PID") or found.get("_PID") or 0)
        text = _octets(found["MESSAGE"])
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None
    if b" " in name or len(text) > LONGEST_LINE:
        return None
    stamp = at.isoformat(timespec="microseconds").encode("ascii")
    return b"%b journal %b[%d]: %b" % (stamp, name.translate(_NO_CONTROLS), number, text.translate(_NO_CONTROLS))


_NO_CONTROLS = bytes(ord("?") if one < ord(" ") else one for one in range(256))
"""A message may hold a line's end, and must not begin another line."""


def _octets(value: Any) -> bytes:
    return bytes(value) if isinstance(value, list) else str(value).encode("utf-8", "replace")


def _trusted_users() -> frozenset[int]:
    """Return the numbers of users that the machine's own services run as, web servers left out."""
    web = set()
    for name in _WEB_SERVERS:
        try:
            web.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    return frozenset(range(_FIRST_TENANT)) - web


def _resumed(lines: Reading, reading: LogReading | None) -> str | None:
    """Set a reading to where it ended and return its last entry's cursor; None where that is not known."""
    if reading is None:
        return None
    try:
        found = json.loads(reading.bookmark)
        cursor = found["cursor"]
        if not isinstance(cursor, str):
            return None
        lines.join.restore(found["join"])
        lines.resume(since=found["since"], until=found["until"], previous=found["previous"], mark=None)
    except (ValueError, LookupError, TypeError, AttributeError, InvalidName):
        lines.join.begin(0)
        return None
    return cursor


def _reading(lines: Reading, cursor: str | None) -> LogReading | None:
    if lines.since is None or lines.until is None or cursor is None:
        return None
    bookmark = {
        "cursor": cursor,
        "since": lines.since,
        "until": lines.until,
        "previous": lines.previous,
        "join": lines.join.saved(),
    }
    return LogReading(
        since=datetime.fromtimestamp(lines.since, UTC),
        until=datetime.fromtimestamp(lines.until, UTC),
        bookmark=json.dumps(bookmark),
    )
