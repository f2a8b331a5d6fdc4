"""The daemon with clocks that are moved by hand: what it does when, and what it tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import AlreadyRunning, ConfigError, InventoryError, LedgerError
from mailswitch.core.ledger import Outcome
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Confirmation, Policy
from mailswitch.core.reports import PassReport
from mailswitch.core.timetable import PassReason
from mailswitch.service.logs import KEYS
from mailswitch.service.observers import DaemonState, PassContext
from tests.support.daemons import Ear, Played, Witness, failing_with, listening, with_another_ledger
from tests.support.ports import AT_ONCE, HOUR, SILENT, Scene, Whim

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MOVED = "moved.example"
DOWN = InventoryError("web01: nobody could be reached", code="unreachable")


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    with listening(tmp_path) as opened:
        yield opened


def a_play(folder: Path, *names: str, confirm: Confirmation = AT_ONCE, ear: Ear | None = None) -> Played:
    return Played(Scene(folder, *names, policy=Policy(confirm=confirm)), ear=ear)


def ask(played: Played, *names: str) -> None:
    with played.scene.place.writer(wait=timedelta(seconds=5)) as ledger:
        ledger.request_recheck(map(DomainName, names), by="plesk", at=played.scene.clock())


# ---- passes


def test_it_looks_at_everything_when_it_starts_and_then_every_interval(folder: Path) -> None:
    played = a_play(folder, MOVED)

    played.live(3 * HOUR)

    assert [context.reason for _, context in played.witness.passes] == [PassReason.SWEEP] * 4
    assert played.scene.plesk.switch(MOVED) is Switch.OFF
    assert [change.by for change in played.scene.changes()] == ["daemon"]


def test_a_moved_domain_goes_off_at_the_moment_its_window_is_over(folder: Path) -> None:
    """Not at the sweep after it: the name is followed up."""
    played = a_play(folder, MOVED, confirm=Confirmation(window=timedelta(hours=3, minutes=30)))
    began = played.scene.clock.at

    played.live(5 * HOUR)

    (change,) = played.scene.changes()
    assert timedelta(0) <= change.intended_at - began - timedelta(hours=3, minutes=30) < MINUTE
    reasons = [context.reason for _, context in played.witness.passes]
    assert reasons.count(PassReason.FOLLOW_UP) == 1
    (follow_up,) = [report for report, context in played.witness.passes if context.reason is PassReason.FOLLOW_UP]
    assert [entry.domain.name.text for entry in follow_up.servers[0].domains] == [MOVED]


def test_a_recheck_is_taken_up_by_the_next_pulse(folder: Path) -> None:
    played = a_play(folder)
    played.settle()
    played.scene.plesk.host("new.example")
    played.scene.moves("new.example")
    played.move(timedelta(seconds=2))
    ask(played, "new.example", "hosted-nowhere.example")

    played.settle()

    report, context = played.witness.passes[-1]
    assert context.reason is PassReason.RECHECK
    assert [entry.domain.name.text for entry in report.servers[0].domains] == ["new.example"]
    played.settle()
    assert len(played.witness.passes) == 2


def test_a_pass_by_hand_puts_the_daemon_s_off_for_seconds(folder: Path) -> None:
    played = a_play(folder, MOVED)
    with played.scene.place.locked():
        played.step()
        assert played.witness.passes == []
    assert not played.step()

    played.move(timedelta(seconds=3))
    played.settle()

    assert len(played.witness.passes) == 1
    assert played.witness.failures == []


def test_a_pause_stops_changes_and_not_the_looking(folder: Path) -> None:
    played = a_play(folder, MOVED)
    played.scene.pause()

    played.live(2 * HOUR)

    assert len(played.witness.passes) == 3
    assert played.scene.plesk.writes == []
    assert played.witness.states[-1].is_paused
    played.scene.resume()
    played.live(HOUR)
    assert played.scene.plesk.switch(MOVED) is Switch.OFF


def test_an_intent_left_open_is_settled_by_the_first_pass(folder: Path) -> None:
    scene = Scene(folder, MOVED)
    scene.plesk.whims[MOVED] = [Whim.UNREADABLE]
    scene.once()
    assert scene.changes()[0].outcome is None
    scene.plesk.unreadable.clear()

    Played(scene).settle()

    assert [change.outcome for change in scene.changes()] == [Outcome.DONE]
    assert len(scene.plesk.writes) == 1


# ---- troubles


def test_a_failing_server_is_told_once_and_again_when_it_recovers(folder: Path) -> None:
    played = a_play(folder)
    played.scene.plesk.failure = DOWN
    played.live(3 * HOUR)
    opened = played.scene.plesk.opened
    played.scene.plesk.failure = None
    played.live(HOUR)

    contexts = [context for _, context in played.witness.passes]
    assert [context.newly_failing for context in contexts if context.newly_failing] == [("web01",)]
    assert [context.recovered for context in contexts if context.recovered] == [("web01",)]
    assert contexts[0].failing == ("web01",)
    assert [line["event"] for line in played.events("server_failed", "server_recovered")] == [
        "server_failed",
        "server_recovered",
    ]
    assert 5 <= opened <= 8  # 0, 5, 15, 35, 75, 135 minutes


def test_another_trouble_of_a_failing_server_is_told(folder: Path) -> None:
    played = a_play(folder)
    played.scene.plesk.failure = DOWN
    played.settle()
    played.scene.plesk.failure = InventoryError("web01: the key is not accepted", code="authentication")

    played.live(10 * MINUTE)

    assert [line["cause"] for line in played.events("server_failed")] == ["unreachable", "authentication"]


def test_a_ledger_that_cannot_be_used_is_told_once_and_tried_again(tmp_path: Path) -> None:
    played = a_play(tmp_path)
    played.settle()
    ledger = tmp_path / "ledger.db"
    kept = ledger.read_bytes()
    ledger.write_bytes(b"this is no database at all" * 100)
    played.live(3 * HOUR)
    ledger.write_bytes(kept)
    played.live(HOUR)

    assert len(played.witness.failures) == 1
    assert isinstance(played.witness.failures[0][0], LedgerError)
    assert len(played.events("pass_failed")) == len(played.events("passes_recovered")) == 1
    assert len(played.witness.passes) >= 2


def test_a_lost_daemon_lock_stops_the_pass(folder: Path) -> None:
    played = a_play(folder, MOVED)

    def lost() -> None:
        raise AlreadyRunning("another daemon is running")

    played.daemon._check_lock = lost
    played.step()

    assert played.scene.plesk.calls == []


def test_a_bug_in_a_pass_is_told_and_ends_no_daemon(folder: Path) -> None:
    played = a_play(folder, MOVED)

    def broken() -> None:
        raise ZeroDivisionError("a bug")

    played.scene.plesk.between[MOVED] = broken
    played.settle()
    played.live(HOUR)

    (line,) = played.events("pass_failed")
    assert "ZeroDivisionError" in line["reason"]
    assert played.scene.plesk.switch(MOVED) is Switch.OFF


# ---- clocks


@pytest.mark.parametrize("jump", [-DAY, -HOUR, HOUR, DAY])
def test_a_clock_that_is_set_changes_nothing_too_early(folder: Path, jump: timedelta) -> None:
    """A name has to be seen for a day, and a day that was skipped is none."""
    scene = Scene(folder, MOVED, policy=Policy(confirm=Confirmation()))
    played = Played(scene, interval=4 * HOUR)
    for _ in range(3):
        played.live(5 * HOUR)
        played.move(timedelta(seconds=2), jump=jump)
    played.live(7 * HOUR)
    assert played.scene.plesk.writes == []

    played.live(2 * DAY)

    assert [name for name, _ in played.scene.plesk.writes] == [MOVED]
    assert len(played.events("clock_jumped")) == 3


def test_a_week_in_seconds(folder: Path) -> None:
    played = Played(Scene(folder, MOVED, policy=Policy(confirm=Confirmation(window=DAY))), interval=3 * HOUR)
    played.live(2 * DAY)
    played.scene.comes_back(MOVED)
    played.live(DAY)
    played.scene.moves(MOVED)
    played.live(4 * DAY)

    sweeps = [report.started for report, context in played.witness.passes if context.reason is PassReason.SWEEP]
    assert 7 * 8 <= len(sweeps) <= 7 * 8 + 1
    ends = [report.finished for report, _ in played.witness.passes]
    assert all(end <= begin for end, begin in zip(ends, played.moments[1:], strict=False))
    assert [(one.switch_to, one.outcome) for one in played.scene.changes()] == [
        (Switch.OFF, Outcome.DONE),
        (Switch.ON, Outcome.DONE),
    ]  # and not off again: it flaps
    assert played.scene.plesk.writes_without_a_look() == []


# ---- what it tells


def test_it_tells_systemd_in_words_a_person_understands(folder: Path, ear: Ear) -> None:
    played = a_play(folder, MOVED, ear=ear)
    assert ear.heard() == ["READY=1\nSTATUS=watching 1 server, next pass 12:00 UTC"]

    played.settle()
    assert "STATUS=watching 1 server, next pass 13:00 UTC" in ear.heard()
    played.scene.plesk.failure = DOWN
    played.scene.pause()
    played.live(HOUR)
    said = "STATUS=watching 1 server, next pass 13:05 UTC; all changes are paused; failing: web01"
    assert [one for one in ear.heard() if one.startswith("STATUS=")][-1] == said
    played.daemon.stop()
    assert ear.heard() == ["STOPPING=1\nSTATUS=stopping"]


def test_the_watchdog_is_fed_only_while_the_scheduler_makes_progress(folder: Path, ear: Ear) -> None:
    played = a_play(folder, ear=ear)
    played.settle()
    assert "WATCHDOG=1" in ear.heard()

    played.move(44 * timedelta(seconds=1))
    played.daemon.pulse()
    assert "WATCHDOG=1" in ear.heard()
    played.move(2 * timedelta(seconds=1))
    played.daemon.pulse()
    assert "WATCHDOG=1" not in ear.heard()
    played.daemon.beat()
    played.daemon.pulse()
    assert "WATCHDOG=1" in ear.heard()


def test_the_watchdog_is_not_fed_while_a_pass_hangs(folder: Path, ear: Ear) -> None:
    played = a_play(folder, MOVED, ear=ear)

    def hang() -> None:
        for hours in (9, 2):
            ear.heard()
            played.move(hours * HOUR)
            played.daemon.beat()
            played.daemon.pulse()
            heard.append("WATCHDOG=1" in ear.heard())

    heard: list[bool] = []
    played.scene.plesk.meanwhile = hang
    played.step()

    assert heard == [True, False]


def test_what_it_means_to_do_next_is_in_the_ledger_until_it_stops(folder: Path) -> None:
    played = a_play(folder)
    played.settle()
    with played.scene.reading() as reader:
        planned = reader.next_passes()
    assert timedelta(0) < planned["web01"] - played.scene.clock.at <= HOUR

    played.daemon.stop()
    played.daemon.end()

    with played.scene.reading() as reader:
        assert reader.next_passes() == {}
    assert played.witness.closed == 1
    assert played.log[-1]["event"] == "daemon_stopped"


def test_a_stop_finishes_the_change_under_way_and_begins_no_other(folder: Path) -> None:
    played = a_play(folder, "a.example", "b.example")
    played.scene.plesk.between["a.example"] = played.daemon.stop

    played.step()
    played.step()

    assert [change.outcome for change in played.scene.changes()] == [Outcome.DONE]
    assert len(played.witness.passes) == 1


def test_a_stop_while_it_looks_leaves_no_trace(folder: Path) -> None:
    played = a_play(folder, MOVED)
    played.scene.plesk.meanwhile = played.daemon.stop

    played.step()

    assert played.scene.plesk.writes == []
    assert played.witness.passes == []


def test_old_rows_are_pruned_once_a_day(folder: Path) -> None:
    played = Played(Scene(folder), interval=6 * HOUR)
    played.settle()
    played.move(500 * DAY)
    played.settle()
    played.live(26 * HOUR)

    with played.scene.reading() as reader:
        runs = reader.recent_passes("web01", limit=999)
    assert all(played.scene.clock.at - one.finished < 400 * DAY for one in runs)
    assert [line["pruned"] for line in played.events("ledger_pruned")] == [2]


def test_every_line_of_the_log_has_known_keys_and_an_event_in_the_past_tense(folder: Path) -> None:
    played = a_play(folder, MOVED)
    played.live(HOUR)
    played.scene.plesk.failure = DOWN
    played.live(HOUR)
    played.move(MINUTE, jump=DAY)
    played.settle()

    assert {key for line in played.log for key in line} <= KEYS | {"event", "level", "timestamp"}
    assert all(line["event"].split("_")[-1].endswith(("ed", "led")) for line in played.log)
    (change,) = played.events("switch_turned")
    assert (change["domain"], change["decision"], change["route"]) == (MOVED, "turn-off", "elsewhere")


def test_silent_vantages_are_not_asked_every_few_minutes(folder: Path) -> None:
    played = a_play(folder, MOVED, confirm=Confirmation(window=3 * HOUR))
    played.live(timedelta(hours=1, minutes=30))
    played.scene.view.publish(SILENT, MOVED)

    played.live(5 * HOUR)

    assert len(played.witness.passes) <= 9


# ---- a new configuration


def test_a_new_configuration_is_taken_over_and_used_at_once(folder: Path, ear: Ear) -> None:
    played = a_play(folder, ear=ear)
    played.settle()
    played.scene.add_server("web02").host("other.example")
    played.interval = 2 * HOUR
    ear.heard()

    played.daemon.reload()

    said = ear.heard()
    assert said[0].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[1].startswith("READY=1\nSTATUS=watching 2 servers")
    played.settle()
    assert [server.name for server in played.witness.passes[-1][0].servers] == ["web01", "web02"]
    assert played.witness.closed == 1


def test_a_broken_configuration_is_refused_with_all_its_problems(folder: Path, ear: Ear) -> None:
    played = a_play(folder, ear=ear)
    played.settle()
    played.load = failing_with(ConfigError(("file:1: one", "file:2: two")))

    played.daemon.reload()
    played.live(HOUR)

    assert [line["reason"] for line in played.events("configuration_refused")] == ["file:1: one", "file:2: two"]
    assert any(said.startswith("READY=1") for said in ear.heard())
    assert len(played.witness.passes) == 2
    assert played.witness.closed == 0


def test_another_ledger_needs_a_restart(folder: Path) -> None:
    played = a_play(folder)
    played.load = with_another_ledger(played)

    played.daemon.reload()

    (line,) = played.events("configuration_refused")
    assert "restart" in line["reason"]


# ---- observers


def test_what_an_observer_gets_wrong_stops_nobody(folder: Path) -> None:
    played = a_play(folder, MOVED)

    class Broken(Witness):
        def pass_done(self, report: PassReport, context: PassContext) -> None:
            raise RuntimeError("broken")

        def ticked(self, state: DaemonState) -> None:
            raise RuntimeError("broken too")

    parts = replace(played.parts(), open_observers=lambda: (Broken(), played.witness))
    played.load = lambda: parts
    played.daemon.reload()
    played.settle()

    assert len(played.witness.passes) == 1
    assert played.events("observer_failed")
    assert played.scene.plesk.switch(MOVED) is Switch.OFF


def test_observers_that_cannot_be_opened_are_told_and_done_without(folder: Path) -> None:
    played = a_play(folder, MOVED)

    def closed() -> tuple[()]:
        raise ConfigError("metrics.listen: the port is taken")

    played.load = lambda: replace(played.parts(), open_observers=closed)
    played.daemon.reload()
    played.settle()

    assert [line["reason"] for line in played.events("observer_failed")] == ["metrics.listen: the port is taken"]
    assert played.scene.plesk.switch(MOVED) is Switch.OFF
