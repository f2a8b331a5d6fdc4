"""A real pass killed with SIGKILL at every call of a port: nothing is lost, doubled or unrecorded."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mailswitch.config.settings import load
from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Change, Claim, DomainHistory, Outcome
from mailswitch.core.names import DomainName
from mailswitch.ledger.place import open_place
from mailswitch.service.reconcile import PassRequest, once
from mailswitch.service.setup import Setup
from mailswitch.service.wiring import setup_of
from mailswitch.simulation.journal import Request
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.stage import Stage
from mailswitch.simulation.state import PanelState
from mailswitch.simulation.world_file import parse_world

KILLED = -signal.SIGKILL
# inventory, begin_run, record_pass; read, intend, turn, read, settle for each change; record_pass, finish_run
BEFORE_THE_FIRST_READ_BACK, BEFORE_THE_SECOND_READ_BACK, SURVIVING = 7, 12, 16
ROOT = Path(__file__).parents[2]
MOVED, BACK = DomainName("moved.example"), DomainName("back.example")
AWAY = "{} 60 IN MX 1 aspmx.l.google.com."
HOME = "{} 60 IN MX 1 mail.hoster.example."
WORLD = """\
servers:
  - name: web01
    addresses: [203.0.113.10]
    domains:
      - {name: moved.example, mail: on}
      - {name: back.example, mail: on}
      - {name: here.example, mail: on}
dns: |
  here.example. 60 IN MX 1 mail.hoster.example.
  mail.hoster.example. 60 IN A 203.0.113.10
  aspmx.l.google.com. 60 IN A 198.51.100.26
config: {confirm: {sightings: 1, window: 0s}, dns: {timeout: 5s}}
"""
Child = Callable[[str, int], int]


class Round:
    """One world's panel with a fresh ledger: back.example is off by us and came back, moved.example has just moved."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.url = f"sqlite:///{stage.directory}/round-{number}.db"
        self.panel: PanelState = stage.panel("web01")
        self.setup: Setup = replace(setup_of(load(stage.config_path)), ledger=open_place(self.url))
        for name in (MOVED, BACK):
            self.panel.set_switch(name, Switch.ON)
        stage.change_dns("\n".join((HOME.format("moved.example."), AWAY.format("back.example."))))
        self.recover()
        assert self.histories()[BACK].claim is Claim.OURS
        stage.change_dns("\n".join((AWAY.format("moved.example."), HOME.format("back.example."))))
        self.first_request = len(self.panel.requests())
        self.first_write = len(self.panel.writes())
        self.first_change = self.changes()[-1].id or 0

    def recover(self) -> None:
        once(self.setup, PassRequest(by="alice", is_enforcing=True))

    def changes(self) -> list[Change]:
        reader = self.setup.ledger.reader()
        try:
            return list(reversed(reader.changes()))
        finally:
            reader.close()

    def histories(self) -> dict[DomainName, DomainHistory]:
        reader = self.setup.ledger.reader()
        try:
            return reader.histories("web01")
        finally:
            reader.close()

    def new_changes(self) -> list[Change]:
        return [change for change in self.changes() if (change.id or 0) > self.first_change]

    def writes(self) -> list[tuple[DomainName, Switch]]:
        return [(write.name, write.to) for write in self.panel.writes()[self.first_write :] if write.is_applied]

    def blind_writes(self) -> list[str]:
        """Return the sites that were written a second time without having been read in between."""
        written: set[str] = set()
        blind = []
        for request in self.panel.requests()[self.first_request :]:
            sites = _sites(request)
            if request.is_write:
                blind += sorted(sites & written)
                written |= sites
            else:
                written -= sites
        return blind


def _sites(request: Request) -> set[str]:
    return set(re.findall(r"<site-id>(\d+)</site-id>", request.text))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(parse_world(WORLD), tmp_path / "world") as running:
        yield running
        assert running.panel("web01").violations() == ()


@contextmanager
def passes(stage: Stage) -> Iterator[Child]:
    """Start the process that makes passes and dies in them; see tests.support.pass_child."""
    command = [sys.executable, "-W", "error", "-m", "tests.support.pass_child", str(stage.config_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        into, out = process.stdin, process.stdout

        def make(url: str, fatal: int) -> int:
            into.write(f"{url} {fatal}\n")
            into.flush()
            return int(out.readline())

        yield make
        process.stdin.close()


def test_a_pass_killed_at_any_call_is_settled_by_the_next_one_and_nothing_is_lost_or_doubled(stage: Stage) -> None:
    points, cut_short = 0, 0
    with passes(stage) as child:
        while True:
            points += 1
            scene = Round(stage, points)
            ended = child(scene.url, points)
            open_intents = [change for change in scene.new_changes() if change.outcome is None]
            cut_short += len(open_intents)
            assert len(open_intents) <= 1

            scene.recover()

            check_everything_is_as_it_should_be(scene)
            if ended == 0:
                break
            assert ended == KILLED
    assert points == SURVIVING
    assert cut_short == 6  # three calls of each change are made with an intent that is open


def check_everything_is_as_it_should_be(scene: Round) -> None:
    done = [change for change in scene.new_changes() if change.outcome is Outcome.DONE]
    assert sorted((change.name, change.switch_to) for change in done) == [(BACK, Switch.ON), (MOVED, Switch.OFF)]
    assert sorted(scene.writes()) == [(BACK, Switch.ON), (MOVED, Switch.OFF)]
    assert all(change.outcome is not None for change in scene.changes())
    assert scene.blind_writes() == []
    assert (scene.panel.switch_of(MOVED), scene.panel.switch_of(BACK)) == (Switch.OFF, Switch.ON)
    histories = scene.histories()
    assert (histories[MOVED].claim, histories[BACK].claim) == (Claim.OURS, Claim.NONE)
    assert histories[MOVED].claim_change in {change.id for change in done}


def test_what_a_killed_pass_turned_off_is_turned_on_when_the_customer_comes_back(stage: Stage) -> None:
    scene = Round(stage, 1)
    with passes(stage) as child:
        assert child(scene.url, BEFORE_THE_SECOND_READ_BACK) == KILLED
    assert scene.panel.switch_of(MOVED) is Switch.OFF
    assert scene.histories()[MOVED].claim is Claim.NONE
    stage.change_dns(HOME.format("moved.example."))

    scene.recover()

    assert scene.panel.switch_of(MOVED) is Switch.ON
    assert [(change.switch_to, change.outcome) for change in scene.new_changes() if change.name == MOVED] == [
        (Switch.OFF, Outcome.DONE),
        (Switch.ON, Outcome.DONE),
    ]
    assert scene.blind_writes() == []


def test_killed_while_the_reply_to_a_write_is_awaited_the_next_pass_finds_out(stage: Stage) -> None:
    """The panel has done it when the process dies; only reading tells."""
    scene = Round(stage, 1)
    scene.panel.misbehave(Misbehaviour(fault=Fault.REPLY_LOST, on="write"))
    with passes(stage) as child:
        assert child(scene.url, BEFORE_THE_FIRST_READ_BACK) == KILLED

        scene.recover()

    check_everything_is_as_it_should_be(scene)
