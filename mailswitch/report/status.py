"""The view of how mailswitch fares: the last pass of each server, and whatever keeps it from doing its work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TextIO

from mailswitch.core.ledger import Pause, Run
from mailswitch.core.policy import Mode
from mailswitch.core.reports import ServerError
from mailswitch.core.words import counted, duration
from mailswitch.report.documents import document, moment
from mailswitch.report.page import BAD, GOOD, STRONG, WARNING, Page, Part
from mailswitch.report.records import pause_fields, shown_moment

__all__ = ["STATUS_SCHEMA", "ServerStatus", "Status", "print_status", "status_json"]

STATUS_SCHEMA = "mailswitch/status/1"

_SHOWN_COUNTS = (
    ("keep", "kept"),
    ("hold", "held"),
    ("on_review", "on review"),
    ("turn_off", "to turn off"),
    ("turn_on", "to turn on again"),
    ("done", "done"),
    ("failed", "failed"),
)


_LIMITS = frozenset({"limits.changes", "limits.share", "limits.unknown_share", "inventory-shrunk"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """How the last recorded pass went on one configured server."""

    server: str
    last_pass: datetime | None
    """When its part of the last pass ended; None before the first."""
    age: timedelta | None
    """How long ago that was."""
    error: ServerError | None = None
    counts: tuple[tuple[str, int], ...] = ()
    """Names by decision and outcome, with the keys of the report's summary."""
    is_stale: bool = False
    """The last pass is longer ago than the schedule allows."""

    @property
    def is_healthy(self) -> bool:
        """Whether the server was looked at, lately and without an error."""
        return self.last_pass is not None and self.error is None and not self.is_stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How mailswitch fares."""

    now: datetime
    mode: Mode
    servers: tuple[ServerStatus, ...]
    last_run: Run | None
    paused: Pause | None = None
    next_pass: datetime | None = None
    """When the daemon looks next; None where no daemon is known to run."""
    unsettled: int = 0
    """Intents without an outcome; the next pass settles them first."""
    refused_mail: tuple[str, ...] = ()
    """Names we turned off that should be on again, and whose mail is refused until they are."""
    problems: tuple[str, ...] = ()
    """Anything else that fails, one sentence each; each makes the status unhealthy."""
    warnings: tuple[str, ...] = ()
    """What an administrator should know though nothing fails."""

    @property
    def is_healthy(self) -> bool:
        """Whether ``status`` may exit with 0: it ran and is not paused, and nothing is stale, failing or refused.

        A pause counts because it is forgotten so easily, and whoever monitors the exit code is to hear of it.
        """
        has_failed = self.last_run is None or self.last_run.changes_failed > 0
        is_fine = all(server.is_healthy for server in self.servers)
        return is_fine and not (has_failed or self.paused or self.refused_mail or self.problems)


def status_json(status: Status) -> str:
    """Return the status as a JSON document."""
    run = status.last_run
    return document(
        STATUS_SCHEMA,
        {
            "healthy": status.is_healthy,
            "now": moment(status.now),
            "mode": status.mode.value,
            "paused": pause_fields(status.paused),
            "last_run": None
            if run is None
            else {
                "id": run.id,
                "mode": run.mode.value,
                "by": run.by,
                "started": moment(run.started),
                "finished": moment(run.finished),
                "plan": run.plan,
                "done": run.changes_done,
                "failed": run.changes_failed,
            },
            "next_pass": moment(status.next_pass),
            "unsettled": status.unsettled,
            "refused_mail": list(status.refused_mail),
            "problems": list(status.problems),
            "warnings": list(status.warnings),
            "servers": [_server_fields(server) for server in status.servers],
        },
    )


def _server_fields(server: ServerStatus) -> dict[str, object]:
    error = server.error
    return {
        "name": server.server,
        "healthy": server.is_healthy,
        "last_pass": moment(server.last_pass),
        "age_seconds": None if server.age is None else int(server.age.total_seconds()),
        "stale": server.is_stale,
        "error": None if error is None else {"code": str(error.code), "text": error.text},
        "counts": dict(server.counts),
    }


def print_status(status: Status, stream: TextIO, *, is_terminal: bool, width: int | None) -> None:
    """Write the status for people, what is wrong first.

    Args:
        status: What to show.
        stream: Where to.
        is_terminal: Whether colours are wanted.
        width: In columns; None does not wrap.
    """
    page = Page(is_terminal=is_terminal, width=width)
    page.line(("healthy", GOOD) if status.is_healthy else ("NOT HEALTHY", BAD), f", mode {status.mode}", _last(status))
    for words in _wrongs(status):
        page.line((words, BAD), indent=2)
    for words in _remarks(status):
        page.line((words, WARNING), indent=2)
    page.rows((_row(server) for server in status.servers), indent=2)
    if status.next_pass is not None:
        page.line(f"Next pass: {shown_moment(status.next_pass)}")
    page.write(stream)


def _last(status: Status) -> str:
    run = status.last_run
    if run is None:
        return ", never ran"
    ending = "not finished" if run.finished is None else f"{run.changes_done} done, {run.changes_failed} failed"
    ago = duration(status.now - run.started)
    return f", last pass {shown_moment(run.started)}, {ago} ago ({ending}; run {run.id})"


def _wrongs(status: Status) -> list[str]:
    wrongs = []
    if status.last_run is None:
        wrongs.append("It never ran: try mailswitch report, then enable the daemon or run mailswitch once")
    elif status.last_run.changes_failed:
        failed = counted(status.last_run.changes_failed, "change")
        wrongs.append(f"{failed} failed in the last pass: mailswitch history shows what and why")
    if status.refused_mail:
        names = counted(len(status.refused_mail), "name")
        wrongs.append(f"Mail is refused for {names} that should be on again: {', '.join(status.refused_mail)}")
    if status.paused is not None:
        reason = f": {status.paused.reason}" if status.paused.reason else ""
        since = shown_moment(status.paused.at)
        wrongs.append(f"Paused by {status.paused.by} since {since}{reason}; mailswitch resume ends it")
    return [*wrongs, *status.problems]


def _remarks(status: Status) -> list[str]:
    remarks = []
    if status.unsettled:
        intents = counted(status.unsettled, "change")
        remarks.append(f"{intents} without a known outcome: the next pass reads the switch and settles it")
    return [*remarks, *status.warnings]


def _row(server: ServerStatus) -> tuple[Part, ...]:
    if server.last_pass is None:
        state: Part = ("never looked at", BAD)
    elif server.error is not None:
        state = ("refused by a limit" if server.error.code in _LIMITS else "failing", BAD)
    else:
        state = ("stale", BAD) if server.is_stale else ("ok", GOOD)
    ago = "" if server.age is None else f"{duration(server.age)} ago"
    if server.error is not None:
        return ((server.server, STRONG), state, ago, f"{server.error.code}: {server.error.text}")
    known = dict(server.counts)
    words = [f"{known[key]} {word}" for key, word in _SHOWN_COUNTS if known.get(key)]
    names = [counted(known["domains"], "name")] if "domains" in known else []
    return ((server.server, STRONG), state, ago, ", ".join([*names, *words]))
