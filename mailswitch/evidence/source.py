"""The mail logs of one server as the service asks for them: what is new, and how far they were read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mailswitch.core.domain import Network
from mailswitch.core.errors import InvalidName
from mailswitch.core.evidence import Gathered, LoginCount, LogReading, MailCount
from mailswitch.core.names import DomainName
from mailswitch.core.providers import ProviderTable
from mailswitch.evidence.files import Unreadable
from mailswitch.evidence.join import Join
from mailswitch.evidence.maillog import MailLogFile, saved, saved_position
from mailswitch.evidence.places import Places
from mailswitch.evidence.reading import Reading
from mailswitch.evidence.stamps import StampReader

__all__ = ["PLACES", "MailLogSettings", "PostfixLogs", "local_zone"]

PLACES = (Path("/var/log/maillog"), Path("/var/log/mail.log"), Path("/usr/local/psa/var/log/maillog"))
"""Where Plesk's Postfix logs to, the usual place first (plesk.md section 5)."""
_ZONE_FILE = Path("/etc/localtime")


def local_zone(file: Path = _ZONE_FILE) -> tzinfo:
    """Return this machine's time zone, which classic stamps are in; UTC where it has none."""
    try:
        with file.open("rb") as octets:
            return ZoneInfo.from_file(octets)
    except (OSError, ValueError):
        return UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLogSettings:
    """Where a server's mail logs are and what sends without being outside."""

    paths: tuple[Path, ...] = ()
    """Empty: the first of `PLACES` that there is."""
    own_networks: tuple[Network, ...] = ()
    """Postfix's ``mynetworks``, beside loopback."""
    providers: ProviderTable | None = None
    """Tells known filters by their names; None tells nobody."""
    longest_reading: timedelta = timedelta(seconds=120)
    places: tuple[Path, ...] = PLACES
    zone: tzinfo = field(default_factory=local_zone)


class PostfixLogs:
    """Reads the mail logs of the server this program runs on; satisfies EvidenceSource."""

    def __init__(self, settings: MailLogSettings) -> None:
        """Read by ``settings``; nothing is opened yet."""
        self._settings = settings

    def gather(
        self,
        reading: LogReading | None,
        *,
        hosted: Iterable[DomainName],
        own: Iterable[Network],
        now: datetime,
    ) -> Gathered:
        """Return what is new since ``reading`` for the ``hosted`` names. Nothing is remembered here.

        ``own`` are the server's addresses. Trouble is told in the answer: a log that cannot be read stops no pass.
        """
        names, places = tuple(hosted), Places((*self._settings.own_networks, *own), self._settings.providers)
        written = _bookmark(reading)
        stamps = StampReader(now, self._settings.zone)
        deadline = time.monotonic() + self._settings.longest_reading.total_seconds()
        logs: dict[str, dict[str, Any]] = {}
        counts: list[MailCount] = []
        logins: list[LoginCount] = []
        problems: list[str] = []
        for path in self._paths():
            lines, log = _resumed(path, Reading(Join(names, places), stamps), written.get(str(path)), reading)
            try:
                if not log.read(now=now.timestamp(), deadline=deadline):
                    problems.append(f"the mail log {path} is long and not read to its end yet")
            except Unreadable as error:
                problems.append(str(error))
            logs[str(path)] = saved(log, lines)
            counts += lines.join.counts()
            logins += lines.join.logins()
        done = _reading(logs)
        if done is None and not problems:
            problems.append(f"there is no line yet in the mail log {', '.join(logs)}")
        problem = "; ".join(problems) or None
        if done is None:  # without a bookmark to keep beside them, counts would be counted again
            return Gathered(reading=None, problem=problem)
        return Gathered(reading=done, counts=tuple(counts), logins=tuple(logins), problem=problem)

    def remember(self, *arguments: object, **more: object) -> None:
        """Do nothing: all that is to be remembered is in the ledger."""

    def _paths(self) -> tuple[Path, ...]:
        if self._settings.paths:
            return self._settings.paths
        there = [place for place in self._settings.places if os.path.lexists(place)]
        return tuple(there[:1]) or self._settings.places[:1]


def _bookmark(reading: LogReading | None) -> dict[str, Any]:
    if reading is None:
        return {}
    try:
        found = json.loads(reading.bookmark)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _resumed(path: Path, lines: Reading, written: Any, reading: LogReading | None) -> tuple[Reading, MailLogFile]:
    """Set a reading to where it was; without a bookmark behind the latest minute that was counted, come what may."""
    if written is not None:
        try:
            return lines, MailLogFile(path, lines, saved_position(written, lines))
        except (ValueError, LookupError, TypeError, AttributeError, InvalidName):
            lines.join.begin(0)
    if reading is not None:
        until = int(reading.until.timestamp())
        lines.resume(since=None, until=until, previous=None, mark=None)
    return lines, MailLogFile(path, lines, None)


def _reading(logs: dict[str, dict[str, Any]]) -> LogReading | None:
    """Return what all logs have in common: no gap since the latest beginning, nothing missing until the first end."""
    read = [one for one in logs.values() if one["until"] is not None and one["since"] is not None]
    if not read or len(read) != len(logs):
        return None
    return LogReading(
        since=datetime.fromtimestamp(max(one["since"] for one in read), UTC),
        until=datetime.fromtimestamp(min(one["until"] for one in read), UTC),
        bookmark=json.dumps(logs),
    )
