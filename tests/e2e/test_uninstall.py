"""What becomes of the switches that are off when mailswitch is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.cli.install import leave_switches
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError, UnsafePlan
from tests.support.machine import Machine
from tests.support.worlds import Play, Staged, a_world

_STOP = ("systemctl", "stop", "mailswitch.service")
_START = ("systemctl", "start", "mailswitch.service")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "machine").mkdir()
    return Machine(root=tmp_path / "machine")


@pytest.fixture
def play(staged: Staged) -> Play:
    """A world in which two names were turned off."""
    play = staged(a_world(moved=2))
    play.ok("once", "--apply")
    assert [play.switch(f"moved{number}.example") for number in range(2)] == ["off", "off"]
    return play


def _leave(
    play: Play, machine: Machine, *, is_restoring: bool = False, is_keeping: bool = False, is_trying: bool = False
) -> str:
    play.capture.readouterr()
    leave_switches(
        Invocation(config=play.config_path),
        machine.host,
        is_restoring=is_restoring,
        is_keeping=is_keeping,
        is_trying=is_trying,
    )
    return play.capture.readouterr().out


def test_restoring_turns_them_on_while_no_daemon_runs(play: Play, machine: Machine) -> None:
    said = _leave(play, machine, is_restoring=True)

    assert [play.switch(f"moved{number}.example") for number in range(2)] == ["on", "on"]
    assert "still off by mailswitch:\n  web01: moved0.example\n  web01: moved1.example\n" in said
    assert machine.calls == [_STOP]


def test_keeping_them_off_only_tells_them(play: Play, machine: Machine) -> None:
    said = _leave(play, machine, is_keeping=True)

    assert "they stay off" in said
    assert play.switch("moved0.example") == "off"
    assert machine.calls == []


def test_a_dry_run_tells_what_restoring_would_do(play: Play, machine: Machine) -> None:
    assert "would turn them on again" in _leave(play, machine, is_restoring=True, is_trying=True)
    assert play.switch("moved0.example") == "off"


def test_where_nobody_can_be_asked_one_has_to_say(
    play: Play, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        with pytest.raises(ConfigError, match=r"2 switches are still off.*--restore or --keep-off"):
            _leave(play, machine)

    assert play.switch("moved0.example") == "off"


def test_where_restoring_fails_the_daemon_goes_on(play: Play, machine: Machine) -> None:
    play.ok("pause", "--reason", "not now")

    with pytest.raises(UnsafePlan, match="paused"):
        _leave(play, machine, is_restoring=True)

    assert machine.calls == [_STOP, _START]


def test_where_nothing_is_off_nothing_is_asked(staged: Staged, machine: Machine) -> None:
    said = _leave(staged(a_world(moved=0)), machine)

    assert "no switch is off by mailswitch" in said
