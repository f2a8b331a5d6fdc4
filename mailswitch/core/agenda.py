"""What the daemon has to do and when, as values: sweeps, follow-ups, rechecks, tries again, forgetting.

Facts:

- A wall clock is set, forwards and backwards; a monotonic one only runs, and stands still while a machine sleeps. What
  is due is a wall moment, because confirmations are; that the two disagree by over a minute shows a clock that was set.
- Set back, the wall clock would make everything wait for as long as it was set back: what is left to wait is kept
  instead. Set forward, overdue work is done once, however often it would have been due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailswitch.core.ledger import Guard
from mailswitch.core.names import DomainName
from mailswitch.core.reports import ServerReport
from mailswitch.core.skips import NO_SKIPS, Skip, Skips
from mailswitch.core.timetable import Outlook, PassReason, Reading, ServerAgenda, Task, Timetable

__all__ = [
    "CLOCK_TOLERANCE",
    "Agenda",
    "after",
    "asked",
    "due",
    "next_moment",
    "next_passes",
    "noticed",
    "outlook_of",
    "postponed",
    "pruned",
    "rewritten",
    "start",
]

CLOCK_TOLERANCE = timedelta(seconds=60)
_SPACING = timedelta(minutes=5)
"""Between a look at a server and a follow-up there: confirmations that fall together are made together."""
_MOST_RECHECKS = 500
"""Above that a look at everything costs less."""
_PRUNE_EVERY = timedelta(days=1)
_PRUNE_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """Everything that is to be done; each function here returns a new one."""

    timetable: Timetable
    servers: Mapping[str, ServerAgenda]
    """In configuration order."""
    reading: Reading
    prune: datetime
    rechecks: frozenset[DomainName] = frozenset()
    not_before: datetime | None = None
    """Nothing is due before: somebody else holds the ledger."""
    jump: timedelta = timedelta(0)
    """How far the wall clock was found to have been set at the last reading."""
    skips: Skips = NO_SKIPS
    """Time in which nothing was seen, and nothing grew older."""


def start(timetable: Timetable, servers: Iterable[str], reading: Reading) -> Agenda:
    """Return the agenda of a daemon that starts: everything is due, for nobody knows what happened meanwhile."""
    return Agenda(
        timetable=timetable,
        servers={server: ServerAgenda(sweep=reading.wall) for server in servers},
        reading=reading,
        prune=reading.wall,
    )


def rewritten(agenda: Agenda, timetable: Timetable, servers: Iterable[str]) -> Agenda:
    """Return the agenda after the configuration was read anew: it may have changed anything, so everything is due."""
    now = agenda.reading.wall
    known = agenda.servers
    return replace(
        agenda,
        timetable=timetable,
        servers={name: replace(known.get(name, ServerAgenda(sweep=now)), sweep=now) for name in servers},
    )


def noticed(agenda: Agenda, reading: Reading) -> Agenda:
    """Return the agenda as of a new reading of the clocks, recomputed where the wall clock was set."""
    jump = (reading.wall - agenda.reading.wall) - (reading.monotonic - agenda.reading.monotonic)
    if abs(jump) <= CLOCK_TOLERANCE:
        return replace(agenda, reading=reading, jump=timedelta(0))
    agenda = replace(agenda, reading=reading, jump=jump)
    if jump > timedelta(0):
        return replace(agenda, skips=agenda.skips.and_one(Skip(to=reading.wall, span=jump)))
    return replace(
        agenda,
        servers={
            name: replace(
                one,
                sweep=one.sweep + jump,
                follow_ups={followed: moment + jump for followed, moment in one.follow_ups.items()},
            )
            for name, one in agenda.servers.items()
        },
        prune=agenda.prune + jump,
        not_before=None,
    )


def asked(agenda: Agenda, names: Iterable[DomainName]) -> Agenda:
    """Return the agenda with names somebody wants looked at now; where they are too many, everything is due."""
    rechecks = agenda.rechecks | frozenset(names)
    if len(rechecks) <= _MOST_RECHECKS:
        return replace(agenda, rechecks=rechecks)
    now = agenda.reading.wall
    servers = {name: replace(one, sweep=min(one.sweep, now)) for name, one in agenda.servers.items()}
    return replace(agenda, rechecks=frozenset(), servers=servers)


def due(agenda: Agenda) -> Task | None:
    """Return the pass to make now, if any: first looks before anything, then what people wait for."""
    now = agenda.reading.wall
    if agenda.not_before is not None and now < agenda.not_before:
        return None
    sweeps = [name for name, one in agenda.servers.items() if one.sweep <= now]
    is_first = any(not agenda.servers[name].turn for name in sweeps)
    if agenda.rechecks and not is_first:
        answering = [name for name, one in agenda.servers.items() if not one.failures]
        return _task(PassReason.RECHECK, answering or list(agenda.servers), agenda.rechecks)
    if sweeps:
        return _task(PassReason.SWEEP, sweeps)
    ripe = {
        name: [followed for followed, moment in one.follow_ups.items() if moment <= now]
        for name, one in agenda.servers.items()
    }
    names = frozenset(name for found in ripe.values() for name in found)
    return _task(PassReason.FOLLOW_UP, [name for name in ripe if ripe[name]], names) if names else None


def _task(reason: PassReason, servers: Iterable[str], names: frozenset[DomainName] = frozenset()) -> Task:
    return Task(reason=reason, servers=tuple(servers), names=names)


def next_moment(agenda: Agenda) -> datetime:
    """Return when something is due next."""
    moments = [agenda.prune, *(one.next for one in agenda.servers.values())]
    if agenda.rechecks:
        moments.append(agenda.reading.wall)
    return min(moments) if agenda.not_before is None else max(agenda.not_before, min(moments))


def next_passes(agenda: Agenda) -> dict[str, datetime]:
    """Return when each server is looked at next."""
    return {name: one.next for name, one in agenda.servers.items()}


def after(agenda: Agenda, task: Task, outlooks: Iterable[Outlook], *, started: datetime) -> Agenda:
    """Return the agenda after a pass.

    Args:
        agenda: As of now: with a reading taken when the pass had ended.
        task: What the pass was for.
        outlooks: What it makes of each of its servers; a server without one failed.
        started: The wall moment at which the pass began.
    """
    found = {outlook.server: outlook for outlook in outlooks}
    servers = dict(agenda.servers)
    for name in task.servers:
        if name in servers:  # the configuration may have been read anew meanwhile
            outlook = found.get(name, Outlook(server=name, is_failing=True))
            servers[name] = (
                _followed(agenda, servers[name], task, outlook)
                if task.names
                else _swept(agenda, name, outlook, started=started)
            )
    return replace(
        agenda, servers=servers, rechecks=agenda.rechecks - task.names, not_before=None if found else agenda.not_before
    )


def _swept(agenda: Agenda, name: str, outlook: Outlook, *, started: datetime) -> ServerAgenda:
    now, before = agenda.reading.wall, agenda.servers[name]
    turn = before.turn + 1
    if outlook.is_failing:
        failures = before.failures + 1
        sweep = now + agenda.timetable.patience(failures)
        return replace(before, turn=turn, failures=failures, sweep=sweep, follow_ups={})
    # A clock set while the pass ran must not send the next one further away than the timetable does.
    from_start = min(started, now) + agenda.timetable.interval + agenda.timetable.delay(name, turn)
    sweep = max(from_start, now)
    return ServerAgenda(sweep=sweep, turn=turn, follow_ups=_before(sweep, outlook.follow_ups, now))


def _followed(agenda: Agenda, before: ServerAgenda, task: Task, outlook: Outlook) -> ServerAgenda:
    left = {name: moment for name, moment in before.follow_ups.items() if name not in task.names}
    again = {} if outlook.is_failing else _before(before.sweep, outlook.follow_ups, agenda.reading.wall)
    return replace(before, follow_ups={**left, **again})


def _before(sweep: datetime, follow_ups: Mapping[DomainName, datetime], now: datetime) -> dict[DomainName, datetime]:
    """Return the follow-ups that come before the next sweep, which sees to all later ones."""
    spaced = {name: max(moment, now + _SPACING) for name, moment in follow_ups.items()}
    return {name: moment for name, moment in spaced.items() if moment < sweep}


def postponed(agenda: Agenda, span: timedelta) -> Agenda:
    """Return the agenda with nothing due for a while: somebody else holds the ledger."""
    return replace(agenda, not_before=agenda.reading.wall + span)


def pruned(agenda: Agenda, *, is_all: bool) -> Agenda:
    """Return the agenda after old rows were pruned; the next time is soon where some are left."""
    return replace(agenda, prune=agenda.reading.wall + (_PRUNE_EVERY if is_all else _PRUNE_AGAIN))


def outlook_of(report: ServerReport, now: datetime) -> Outlook:
    """Return what a server's part of a pass makes of its future.

    A name is followed up when only its confirmation is missing. One that could have been confirmed by now, and was not
    seen by a quorum, waits for the next sweep: to ask again and again would not make its vantages answer.
    """
    follow_ups = {
        entry.domain.name: entry.decision.due
        for entry in report.domains
        if entry.decision.due is not None
        and entry.decision.holding == (Guard.UNCONFIRMED,)
        and (entry.decision.due > now or entry.finding.is_sighting)
    }
    return Outlook(server=report.name, is_failing=report.error is not None, follow_ups=follow_ups)
