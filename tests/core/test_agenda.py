from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from mailswitch.core import agenda as agendas
from mailswitch.core.agenda import (
    Agenda,
    after,
    asked,
    due,
    next_moment,
    next_passes,
    noticed,
    outlook_of,
    postponed,
    pruned,
    rewritten,
)
from mailswitch.core.ledger import Guard
from mailswitch.core.names import DomainName
from mailswitch.core.reports import ServerError
from mailswitch.core.skips import NO_SKIPS, Skip, Skips
from mailswitch.core.timetable import Outlook, PassReason, Reading, Task, Timetable
from tests.support.builders import NOW, a_decision, a_finding, a_server, an_entry

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=amount) for amount in (1, 60, 3600, 86400))
HOURLY = Timetable(interval=HOUR)
NAME, OTHER = DomainName("moved.example"), DomainName("other.example")


@dataclass
class Play:
    """An agenda with clocks that are moved by hand."""

    agenda: Agenda
    skew: timedelta = timedelta(0)

    @property
    def now(self) -> datetime:
        return self.agenda.reading.wall

    def move(self, span: timedelta, *, jump: timedelta = timedelta(0)) -> Task | None:
        """Let time pass, with the wall clock set by ``jump`` meanwhile, and return what is due then."""
        before = self.agenda.reading
        reading = Reading(wall=before.wall + span + jump, monotonic=before.monotonic + span)
        self.agenda = noticed(self.agenda, reading)
        return due(self.agenda)

    def done(self, task: Task | None, *outlooks: Outlook, took: timedelta = timedelta(0)) -> None:
        assert task is not None
        started = self.now
        self.move(took)
        told = {outlook.server for outlook in outlooks}
        quiet = [Outlook(server=name) for name in task.servers if name not in told]
        self.agenda = after(self.agenda, task, [*outlooks, *quiet], started=started)


def a_play(*servers: str, timetable: Timetable = HOURLY) -> Play:
    reading = Reading(wall=NOW, monotonic=timedelta(seconds=5))
    return Play(agendas.start(timetable, servers or ("web01",), reading))


def swept(*servers: str, timetable: Timetable = HOURLY) -> Play:
    """Return an agenda after its first sweep."""
    play = a_play(*servers, timetable=timetable)
    play.done(due(play.agenda))
    return play


def following(moment: datetime, name: DomainName = NAME, server: str = "web01") -> Outlook:
    return Outlook(server=server, follow_ups={name: moment})


FAILING = Outlook(server="web01", is_failing=True)


# --- sweeps ---------------------------------------------------------------------------------------


def test_a_daemon_that_starts_looks_at_everything_in_one_pass() -> None:
    assert due(a_play("web01", "web02").agenda) == Task(reason=PassReason.SWEEP, servers=("web01", "web02"))


def test_a_server_is_swept_again_an_interval_after_the_last_sweep_began() -> None:
    play = a_play()
    play.done(due(play.agenda), took=10 * MINUTE)

    assert play.move(49 * MINUTE) is None
    assert play.move(MINUTE) is not None


def test_jitter_delays_each_sweep_by_an_amount_of_its_own_and_never_more() -> None:
    jittered = Timetable(interval=HOUR, jitter=10 * MINUTE, seed="here")
    delays = {jittered.delay(server, turn) for server in ("web01", "web02") for turn in range(20)}
    elsewhere = replace(jittered, seed="there")

    assert len(delays) == 40
    assert all(timedelta(0) <= delay < 10 * MINUTE for delay in delays)
    assert jittered.delay("web01", 3) == jittered.delay("web01", 3) != elsewhere.delay("web01", 3)
    assert next_moment(replace(swept(timetable=jittered).agenda, prune=NOW + DAY)) == NOW + HOUR + jittered.delay(
        "web01", 1
    )


def test_a_sweep_that_took_longer_than_the_interval_is_followed_by_one_not_by_many() -> None:
    play = a_play()
    play.done(due(play.agenda), took=5 * HOUR)

    task = due(play.agenda)
    play.done(task)

    assert task is not None
    assert due(play.agenda) is None
    assert next_passes(play.agenda) == {"web01": play.now + HOUR}


def test_late_sweeps_are_made_once_not_dropped() -> None:
    play = swept()

    play.done(play.move(7 * HOUR))

    assert due(play.agenda) is None


# --- failing servers ------------------------------------------------------------------------------


def test_a_failing_server_is_tried_again_ever_more_rarely() -> None:
    play, waits = a_play("web01"), []
    for _ in range(7):
        play.done(due(play.agenda), FAILING)
        waits.append(next_passes(play.agenda)["web01"] - play.now)
        play.move(waits[-1])

    assert waits == [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR, HOUR, HOUR]


def test_a_server_that_answers_again_is_back_in_the_timetable() -> None:
    play = a_play()
    play.done(due(play.agenda), FAILING)
    play.done(play.move(5 * MINUTE))

    assert play.agenda.servers["web01"].failures == 0
    assert next_passes(play.agenda) == {"web01": play.now + HOUR}


def test_a_server_fails_where_a_pass_tells_nothing_of_it() -> None:
    play = a_play()

    failed = after(play.agenda, Task(reason=PassReason.SWEEP, servers=("web01",)), [], started=NOW)

    assert failed.servers["web01"].failures == 1


def test_a_failing_server_delays_no_other() -> None:
    play = a_play("web01", "web02")
    play.done(due(play.agenda), FAILING)

    again = play.move(5 * MINUTE)

    assert again is not None
    assert again.servers == ("web01",)


def test_a_long_failure_does_not_overflow() -> None:
    assert HOURLY.patience(10_000) == HOUR
    assert Timetable(interval=DAY).patience(10_000) == DAY


# --- follow-ups -----------------------------------------------------------------------------------


def test_a_name_is_followed_up_at_the_moment_it_can_be_confirmed() -> None:
    play = a_play()
    play.done(due(play.agenda), following(NOW + 40 * MINUTE))

    assert play.move(40 * MINUTE - SECOND) is None
    task = play.move(SECOND)
    assert task == Task(reason=PassReason.FOLLOW_UP, servers=("web01",), names=frozenset({NAME}))
    play.done(task)
    assert due(play.agenda) is None
    assert next_passes(play.agenda) == {"web01": NOW + HOUR}


def test_only_names_that_are_ripe_are_followed_up() -> None:
    play = a_play()
    both = Outlook(server="web01", follow_ups={NAME: NOW + 20 * MINUTE, OTHER: NOW + 40 * MINUTE})
    play.done(due(play.agenda), both)

    first = play.move(20 * MINUTE)
    play.done(first)
    second = play.move(20 * MINUTE)

    assert first is not None
    assert first.names == {NAME}
    assert second is not None
    assert second.names == {OTHER}


def test_a_follow_up_that_needs_one_more_look_comes_again_after_a_while() -> None:
    play = a_play()
    play.done(due(play.agenda), following(NOW + 20 * MINUTE))

    play.done(play.move(20 * MINUTE), following(play.now))

    assert due(play.agenda) is None
    assert next_passes(play.agenda) == {"web01": play.now + 5 * MINUTE}


def test_what_can_be_confirmed_after_the_next_sweep_is_left_to_it() -> None:
    play = a_play()
    play.done(due(play.agenda), following(NOW + 90 * MINUTE))

    assert next_passes(play.agenda) == {"web01": NOW + HOUR}


def test_a_follow_up_at_a_failing_server_waits_for_its_sweep() -> None:
    play = a_play()
    play.done(due(play.agenda), following(NOW + 20 * MINUTE))

    play.done(play.move(20 * MINUTE), replace(FAILING, follow_ups={NAME: NOW}))

    assert next_passes(play.agenda) == {"web01": NOW + HOUR}


ENTRY = an_entry(decision=a_decision(holding=(Guard.UNCONFIRMED,), due=NOW + HOUR))


def test_names_are_followed_up_that_only_lack_their_confirmation() -> None:
    held = an_entry(decision=a_decision(holding=(Guard.UNCONFIRMED, Guard.APPROVAL), due=NOW + HOUR))

    assert outlook_of(a_server(ENTRY), NOW) == following(NOW + HOUR)
    assert outlook_of(a_server(held, an_entry()), NOW) == Outlook(server="web01")
    assert outlook_of(a_server(error=ServerError(code="x", text="y")), NOW) == FAILING


@pytest.mark.parametrize(("is_sighting", "is_followed"), [(True, True), (False, False)])
def test_an_overdue_name_is_followed_up_only_while_a_quorum_sees_it(is_sighting: bool, is_followed: bool) -> None:
    overdue = replace(ENTRY, finding=a_finding(is_sighting=is_sighting))

    assert bool(outlook_of(a_server(overdue), NOW + 2 * HOUR).follow_ups) is is_followed


# --- rechecks -------------------------------------------------------------------------------------


def test_names_asked_for_are_looked_at_at_once_and_once() -> None:
    play = swept("web01", "web02")
    play.agenda = asked(play.agenda, [NAME, OTHER])

    task = due(play.agenda)

    assert task == Task(reason=PassReason.RECHECK, servers=("web01", "web02"), names=frozenset({NAME, OTHER}))
    assert next_moment(play.agenda) == play.now
    play.done(task)
    assert due(play.agenda) is None


def test_names_asked_for_during_a_pass_are_not_forgotten_by_it() -> None:
    play = swept()
    play.agenda = asked(play.agenda, [NAME])
    task = due(play.agenda)
    play.agenda = asked(play.agenda, [OTHER])

    play.done(task)

    assert play.agenda.rechecks == {OTHER}


def test_a_first_sweep_comes_before_what_is_asked_for() -> None:
    play = a_play()
    play.agenda = asked(play.agenda, [NAME])

    task = due(play.agenda)

    assert task is not None
    assert task.reason is PassReason.SWEEP


def test_a_recheck_does_not_wait_for_servers_known_to_fail() -> None:
    play = a_play("web01", "web02")
    play.done(due(play.agenda), FAILING)
    play.agenda = asked(play.agenda, [NAME])
    only = swept("web01")
    only.done(Task(reason=PassReason.SWEEP, servers=("web01",)), FAILING)
    only.agenda = asked(only.agenda, [NAME])

    task, alone = due(play.agenda), due(only.agenda)

    assert task is not None
    assert task.servers == ("web02",)
    assert alone is not None
    assert alone.servers == ("web01",)


def test_a_flood_of_names_is_one_sweep() -> None:
    play = swept("web01", "web02")

    play.agenda = asked(play.agenda, [DomainName(f"d{number}.example") for number in range(501)])

    assert due(play.agenda) == Task(reason=PassReason.SWEEP, servers=("web01", "web02"))


# --- somebody else's pass, pruning, a new configuration -------------------------------------------


def test_nothing_is_due_while_somebody_else_holds_the_ledger() -> None:
    play = a_play()
    play.agenda = postponed(play.agenda, 5 * SECOND)

    assert due(play.agenda) is None
    assert next_moment(play.agenda) == NOW + 5 * SECOND
    task = play.move(5 * SECOND)
    play.done(task)
    assert play.agenda.not_before is None


def test_pruning_comes_once_a_day_and_soon_again_where_much_is_left() -> None:
    agenda = swept().agenda

    assert agenda.prune == NOW
    assert pruned(agenda, is_all=True).prune == NOW + DAY
    assert pruned(agenda, is_all=False).prune == NOW + MINUTE


def test_a_new_configuration_makes_everything_due_and_forgets_servers_that_went() -> None:
    play = swept("web01", "web02")
    play.move(MINUTE)
    former = due(rewritten(play.agenda, HOURLY, ["web02"]))

    play.agenda = rewritten(play.agenda, Timetable(interval=2 * HOUR), ["web02", "web03"])
    task = due(play.agenda)
    play.done(task)

    assert former is not None
    assert task == Task(reason=PassReason.SWEEP, servers=("web02", "web03"))
    assert next_passes(play.agenda) == dict.fromkeys(("web02", "web03"), play.now + 2 * HOUR)


def test_a_pass_over_a_server_that_went_meanwhile_changes_nothing() -> None:
    play = a_play("web01")
    task = due(play.agenda)
    play.agenda = rewritten(play.agenda, HOURLY, ["web02"])

    play.done(task)

    assert set(play.agenda.servers) == {"web02"}


# --- clocks that are set --------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-DAY, -HOUR, -61 * SECOND])
def test_a_clock_set_back_delays_nothing(jump: timedelta) -> None:
    play = a_play()
    play.done(due(play.agenda), following(NOW + 40 * MINUTE))
    play.agenda = postponed(play.agenda, 5 * SECOND)

    assert play.move(MINUTE, jump=jump) is None
    assert play.agenda.jump == jump
    assert play.move(39 * MINUTE - SECOND) is None
    assert play.move(SECOND) is not None
    assert play.agenda.prune == NOW + jump


@pytest.mark.parametrize("jump", [HOUR, DAY])
def test_a_clock_set_forward_makes_what_is_overdue_due_once(jump: timedelta) -> None:
    play = swept()

    task = play.move(MINUTE, jump=jump)

    assert task is not None
    assert play.agenda.skips == Skips((Skip(to=play.now, span=jump),))
    play.done(task)
    assert play.move(MINUTE) is None
    assert next_passes(play.agenda) == {"web01": play.now - MINUTE + HOUR}


def test_time_skipped_is_remembered_though_the_clock_is_set_back_again() -> None:
    play = swept("web01", "web02")
    before = play.now
    for _ in range(2):
        play.move(SECOND, jump=2 * MINUTE)
    play.done(play.move(HOUR))
    play.move(SECOND, jump=-4 * MINUTE)

    assert play.agenda.skips.age(before, play.now) <= HOUR + 3 * SECOND


def test_a_clock_that_is_a_little_off_is_left_alone() -> None:
    play = swept()

    play.move(HOUR - 2 * MINUTE, jump=60 * SECOND)

    assert play.agenda.jump == timedelta(0)
    assert play.agenda.skips == NO_SKIPS


def test_a_clock_set_back_during_a_sweep_does_not_send_the_next_one_away() -> None:
    play = a_play()
    task = due(play.agenda)
    started = play.now
    play.move(MINUTE, jump=-DAY)

    play.agenda = after(play.agenda, task, [Outlook(server="web01")], started=started) if task else play.agenda

    assert next_passes(play.agenda) == {"web01": play.now + HOUR}


# --- a week ---------------------------------------------------------------------------------------


@dataclass
class Week:
    """A week of a daemon that looks every two seconds whether anything is due; each pass takes a minute."""

    jumps: dict[int, timedelta] = field(default_factory=dict)
    """By hour, how the wall clock is set then."""
    sweeps: list[timedelta] = field(default_factory=list)
    """When they began, by a clock that nobody sets."""
    follow_ups: list[timedelta] = field(default_factory=list)

    def live(self) -> None:
        play = a_play(timetable=Timetable(interval=HOUR, jitter=10 * MINUTE))
        began = play.agenda.reading.monotonic
        for hour in range(7 * 24):
            play.move(SECOND, jump=self.jumps.get(hour, timedelta(0)))
            while (at := play.agenda.reading.monotonic - began) < (hour + 1) * HOUR:
                task = due(play.agenda)
                if task is None:
                    wait = min(
                        next_moment(replace(play.agenda, prune=play.now + DAY)) - play.now, (hour + 1) * HOUR - at
                    )
                    play.move(max(wait, SECOND))
                elif task.reason is PassReason.SWEEP:
                    self.sweeps.append(at)
                    moved = len(self.sweeps) % 10 == 0
                    play.done(task, *([following(play.now + 31 * MINUTE)] if moved else []), took=MINUTE)
                else:
                    self.follow_ups.append(at)
                    play.done(task, took=MINUTE)


def test_a_week_of_sweeps_and_follow_ups() -> None:
    week = Week()

    week.live()

    gaps = [later - sooner for sooner, later in zip(week.sweeps, week.sweeps[1:], strict=False)]
    assert all(HOUR <= gap <= HOUR + 10 * MINUTE + SECOND for gap in gaps)
    assert 7 * 24 * 6 // 7 - 1 <= len(week.sweeps) <= 7 * 24
    assert week.follow_ups == [sweep + 31 * MINUTE for sweep in week.sweeps[9::10]]


@pytest.mark.parametrize("jump", [-DAY, -HOUR, HOUR, DAY])
def test_a_week_in_which_the_clock_is_set_has_the_same_passes_and_none_that_overlap(jump: timedelta) -> None:
    quiet, week = Week(), Week(jumps={50: jump, 100: jump})

    quiet.live()
    week.live()

    gaps = [later - sooner for sooner, later in zip(week.sweeps, week.sweeps[1:], strict=False)]
    assert all(MINUTE <= gap <= HOUR + 10 * MINUTE + SECOND for gap in gaps)
    assert abs(len(week.sweeps) - len(quiet.sweeps)) <= 2
    assert len(week.follow_ups) >= len(quiet.follow_ups) - 2
