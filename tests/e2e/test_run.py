"""The daemon as a process: APScheduler, signals, systemd's socket and the simulated Plesk, all real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Outcome
from mailswitch.ledger.place import open_place
from mailswitch.simulation.misbehaviour import WRITES, Fault, Misbehaviour
from tests.support.daemons import Ear, listening
from tests.support.worlds import PROGRAM, Play, Staged, a_world, as_process

ENFORCING = "config: {mode: enforce, confirm: {sightings: 1, window: 0s, unknown_provider_window: 0s}}\n"
READING = "config: {confirm: {sightings: 1, window: 0s, unknown_provider_window: 0s}}\n"
PROMISED = 20.0


class Service:
    """One started daemon."""

    def __init__(self, play: Play, ear: Ear) -> None:
        self._ear = ear
        self._said: list[str] = []
        self.log_path = play.stage.directory / "daemon.log"
        with self.log_path.open("a") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "--config", str(play.config_path), "run"],
                env={**os.environ, "NOTIFY_SOCKET": ear.path, "WATCHDOG_USEC": "60000000"},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_path.read_text(encoding="utf-8").splitlines()]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == event]

    def await_passes(self, number: int) -> None:
        wait_until(lambda: self._has_listened() and len(self.events("pass_finished")) >= number)

    def hear(self, words: str) -> str:
        """Wait for something said to systemd that has the words in it, and forget what was said before."""
        wait_until(lambda: any(words in said for said in self._listen()))
        (at, *_) = [at for at, said in enumerate(self._said) if words in said]
        found = self._said[at]
        del self._said[: at + 1]
        return found

    def _has_listened(self) -> bool:
        return self._listen() is self._said

    def _listen(self) -> list[str]:
        # As systemd does: a socket nobody reads is soon full.
        self._said += self._ear.heard()
        return self._said

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)


def wait_until(is_so: Callable[[], bool], *, within: float = 40.0) -> None:
    """Look again and again, for what other processes do, until it is so."""
    end, pause = time.monotonic() + within, threading.Event()
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        pause.wait(0.02)


Started = Callable[[Play], Service]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Starts daemons that are over at the end of the test, whatever happened."""
    with ExitStack() as stack:
        ear = stack.enter_context(listening(tmp_path))

        def start(play: Play) -> Service:
            service = Service(play, ear)
            stack.callback(service.process.wait)
            stack.callback(service.process.kill)
            return service

        yield start


def ask(play: Play, *words: str) -> subprocess.CompletedProcess[str]:
    return as_process("--config", str(play.config_path), *words)


def outcomes(play: Play) -> list[tuple[str, Outcome | None]]:
    reader = open_place(f"sqlite:///{play.stage.directory / 'ledger.db'}").reader()
    try:
        return [(change.name.text, change.outcome) for change in reversed(reader.changes())]
    finally:
        reader.close()


def test_the_life_of_a_daemon(staged: Staged, started: Started) -> None:
    play = staged(a_world(moved=1, here=2, tail=READING))
    service = started(play)
    assert "STATUS=watching 1 server" in service.hear("READY=1")
    service.await_passes(1)

    second = ask(play, "run")
    assert (second.returncode, "another daemon is running" in second.stderr) == (5, True)

    asked = time.monotonic()
    assert ask(play, "recheck", "moved0.example", "", "nobody-hosts.example").returncode == 0
    recorded = time.monotonic()
    service.await_passes(2)
    assert time.monotonic() - recorded < 5.0 + (recorded - asked)
    assert service.events("pass_finished")[-1]["cause"] == "recheck"
    assert service.events("pass_finished")[-1]["domains"] == 1

    assert ask(play, "once").returncode == 0
    status = json.loads(ask(play, "status", "--format", "json").stdout)
    assert status["next_pass"] is not None
    assert [one["counts"]["domains"] for one in status["servers"]] == [3]

    assert service.terminate() == 0
    assert "STATUS=stopping" in service.hear("STOPPING=1")
    status = json.loads(ask(play, "status", "--format", "json").stdout)
    assert status["next_pass"] is None
    alone = ask(play, "recheck", "moved0.example")
    assert (alone.returncode, "no daemon is running" in alone.stderr) == (1, True)


def test_what_is_no_name_is_told_and_the_others_are_asked_for(staged: Staged, started: Started) -> None:
    play = staged(a_world(moved=1, here=2, tail=READING))
    service = started(play)
    service.await_passes(1)

    found = ask(play, "recheck", "no name at all", "moved0.example")

    assert found.returncode == 2
    assert "no name at all" in found.stderr
    service.await_passes(2)
    assert service.events("pass_finished")[-1]["domains"] == 1


def test_sighup_takes_a_good_configuration_and_refuses_a_bad_one(staged: Staged, started: Started) -> None:
    play = staged(a_world(moved=1, here=2, tail=READING))
    service = started(play)
    service.await_passes(1)
    good = play.config_path.read_text(encoding="utf-8")

    play.config_path.write_text(f"{good}\nnonsense: 1\nmood: bad\n", encoding="utf-8")
    service.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in service.hear("RELOADING=1")
    service.hear("READY=1")
    refused = service.events("configuration_refused")
    assert [word for word in ("nonsense", "mood") if word in str(refused)] == ["nonsense", "mood"]
    assert service.process.poll() is None

    play.config_path.write_text(good.replace("mode: report", "mode: enforce"), encoding="utf-8")
    service.process.send_signal(signal.SIGHUP)
    service.await_passes(2)
    assert play.switch("moved0.example") == "off"
    assert service.terminate() == 0


def test_sigterm_during_an_apply_finishes_the_change_and_begins_no_other(staged: Staged, started: Started) -> None:
    play = staged(a_world(moved=3, here=8, tail=ENFORCING))
    panel = play.stage.panel("web01")
    panel.misbehave(Misbehaviour(fault=Fault.SLOW, on=WRITES, seconds=2.0), times=None)
    service = started(play)
    wait_until(lambda: any(request.is_write for request in panel.requests()))

    began = time.monotonic()
    assert service.terminate() == 0

    assert time.monotonic() - began < PROMISED
    assert outcomes(play) == [("moved0.example", Outcome.DONE)]
    assert panel.switch_of("moved1.example") is Switch.ON


def test_sigterm_while_a_panel_hangs_ends_in_time_and_leaves_the_rest_to_the_next(
    staged: Staged, started: Started
) -> None:
    play = staged(a_world(moved=1, here=8, tail=ENFORCING))
    panel = play.stage.panel("web01")
    panel.misbehave(Misbehaviour(fault=Fault.SLOW, on=WRITES, seconds=40.0), times=1)
    service = started(play)
    wait_until(lambda: any(request.is_write for request in panel.requests()))

    began = time.monotonic()
    assert service.terminate() == 0

    assert time.monotonic() - began < PROMISED
    assert outcomes(play) == [("moved0.example", None)]


def test_sigterm_while_those_who_are_told_hang_ends_in_time_and_the_news_stays_on_record(
    staged: Staged, started: Started
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hanging = f"notify: {{mail: {{to: root, sender: root, host: 127.0.0.1, port: {port}, timeout: 10m}}}}"
        play = staged(a_world(moved=1, here=8, tail=ENFORCING.replace("mode: enforce", f"mode: enforce, {hanging}")))
        service = started(play)
        connection, _ = silent.accept()
        for _ in range(5):  # some were said before
            service.hear("WATCHDOG=1")

        began = time.monotonic()
        assert service.terminate() == 0

        assert time.monotonic() - began < PROMISED
        connection.close()
    reader = open_place(f"sqlite:///{play.stage.directory / 'ledger.db'}").reader()
    memory = reader.notice_memory()
    reader.close()
    assert memory is not None
    assert [unsent.way for unsent in memory.unsent] == ["mail"]
    assert outcomes(play) == [("moved0.example", Outcome.DONE)]


def test_a_daemon_killed_during_an_apply_settles_it_when_it_is_back(staged: Staged, started: Started) -> None:
    play = staged(a_world(moved=3, here=8, tail=ENFORCING))
    panel = play.stage.panel("web01")
    panel.misbehave(Misbehaviour(fault=Fault.SLOW, on=WRITES, seconds=1.0), times=1)
    service = started(play)
    wait_until(lambda: any(request.is_write for request in panel.requests()))
    service.process.kill()
    service.process.wait()

    again = started(play)
    again.await_passes(1)

    names = [f"moved{number}.example" for number in range(3)]
    assert {name for name, _ in outcomes(play)} == set(names)
    assert [panel.switch_of(name) for name in names] == [Switch.OFF] * 3
    assert {outcome for _, outcome in outcomes(play)} <= {Outcome.DONE, Outcome.FAILED}
    assert again.terminate() == 0


def test_a_broken_configuration_is_told_at_the_start_and_nothing_begins(staged: Staged) -> None:
    play = staged(a_world(tail=READING))
    play.edit_config("mode: report", "mode: sometimes")

    found = ask(play, "run")

    assert found.returncode == 2
    assert "mode" in found.stderr
    assert not (play.stage.directory / "ledger.db").exists()
