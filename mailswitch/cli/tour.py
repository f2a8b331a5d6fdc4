"""The tour of ``demo``: a few commands, each run as an administrator would, with what they do to real messages."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mailswitch.cli import main, session
from mailswitch.cli.invocation import Invocation
from mailswitch.core.mx import is_routable
from mailswitch.core.table import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from mailswitch.core.names import DomainName
    from mailswitch.core.reports import DomainReport, PassReport, ServerReport
    from mailswitch.simulation.stage import Stage

__all__ = ["Tour"]

_FAILED = 1
_FAVOURITE = "moved.example"


@dataclass(frozen=True, slots=True)
class _Actor:
    """A name the tour follows, on the server that hosts it."""

    server: str
    name: DomainName
    own_address: str


class Tour:
    """Walks through one staged world."""

    def __init__(self, stage: Stage, *, is_built_in: bool) -> None:
        """Prepare the tour of ``stage``; the built-in world must come out as told, any other may hold anything."""
        self._stage = stage
        self._is_built_in = is_built_in
        self._surprises: list[str] = []
        self._step = 0

    def run(self) -> int:
        """Walk through it and return the exit code: 1 if the built-in world did not do what the tour says."""
        before = self._seen()
        moved = _moved(before)
        pinned = _pinned(before, moved)
        self._say("This world is simulated, on this machine only; the program, its messages and its records are real.")
        if moved is not None:
            self._message(moved, "A neighbour writes to a domain that moved away", should_be_local=True)
        if pinned is not None:
            self._command(
                f"One tenant asked to be left alone: {pinned}", "pin", str(pinned), "--reason", "asked by phone"
            )
        self._command("A dry run: what would change, and why", "report")
        if moved is not None:
            self._in_mode_approve(moved)
        self._command("Apply what is due, and nothing else", "once", "--apply")
        if moved is not None:
            self._message(moved, "The neighbour writes again", should_be_local=False)
        self._expect(not self._seen().plan.changes, "a second pass changes nothing")
        self._command("A second pass finds nothing to do", "once", "--apply")
        if moved is not None:
            self._comes_back(moved)
        held = _held(before)
        if held is not None:
            self._command(f"Why is {held} held?", "explain", str(held))
        self._command("What was done, when, by whom and why", "history")
        self._command("Undo everything that is still off", "revert", "--all", "--reason", "end of the tour")
        self._command("What was undone by hand is held for review (but for a name nobody may host here)", "report")
        again = [entry for _, entry in _due(self._seen())]
        self._expect(not again, "what a person undid is not turned off again by itself")
        return self._end()

    def _in_mode_approve(self, moved: _Actor) -> None:
        """Show the guard that only another configuration has."""
        path = self._stage.directory / "approve.yaml"
        text = self._stage.config_path.read_text(encoding="utf-8")
        path.write_text(text.replace("mode: report\n", "mode: approve\n", 1), encoding="utf-8")
        path.chmod(0o600)
        headline = "In mode approve nothing is turned off without a yes (mailswitch approve)"
        self._command(headline, "report", str(moved.name), config=path)

    def _comes_back(self, moved: _Actor) -> None:
        self._headline(f"{moved.name} moves its mail back to this server")
        exchange = f"mail.{moved.name}."
        kind = "AAAA" if ":" in moved.own_address else "A"
        records = f"{moved.name}. 300 IN MX 10 {exchange}\n{exchange} 300 IN {kind} {moved.own_address}\n"
        self._stage.change_dns(records)
        self._say(records.rstrip())
        self._command("Mail to it is refused until it is on again, so that takes one pass", "once", "--apply")
        self._message(moved, "And its mail is back", should_be_local=True)

    def _seen(self) -> PassReport:
        from mailswitch.service.reconcile import PassRequest, dry_run

        _, setup = session.opened(Invocation(config=self._stage.config_path))
        return dry_run(setup, PassRequest(by=session.who()))

    def _message(self, moved: _Actor, headline: str, *, should_be_local: bool) -> None:
        from mailswitch.simulation.mail import deliver

        self._headline(headline)
        delivery = deliver(self._stage.panel(moved.server), self._stage.records, moved.name)
        self._say(f"{moved.server} mail log: {delivery.text}")
        self._say(f"=> it went to: {delivery.where}")
        self._expect(delivery.is_local is should_be_local, f"a message to {moved.name} goes where it should")

    def _command(self, headline: str, *arguments: str, config: Path | None = None) -> None:
        self._headline(headline)
        shown = arguments if config is None else ("--config", config.name, *arguments)
        self._say("$ mailswitch " + " ".join(f"'{word}'" if " " in word else word for word in shown))
        code = main.main(["--config", str(config or self._stage.config_path), *arguments])
        if code != 0:
            self._say(f"(exit code {code})")
        self._expect(code == 0, f"mailswitch {arguments[0]} ends with 0")

    def _headline(self, text: str) -> None:
        self._step += 1
        self._say(f"\n=== {self._step}. {text}")

    def _say(self, text: str) -> None:
        session.say(text)
        sys.stdout.flush()

    def _expect(self, is_so: bool, what: str) -> None:  # noqa: FBT001 - reads like an assertion
        if not is_so:
            self._surprises.append(what)

    def _end(self) -> int:
        self._say("\nTo try it yourself: mailswitch demo --keep DIR")
        if not (self._surprises and self._is_built_in):
            return 0
        for what in self._surprises:
            click.echo(f"mailswitch demo: not as told: {what}", err=True)
        return _FAILED


def _due(report: PassReport) -> list[tuple[ServerReport, DomainReport]]:
    return [
        (server, entry)
        for server in report.servers
        if server.refusal is None
        for entry in server.domains
        if entry.decision.verdict is Verdict.TURN_OFF and not entry.is_never_local
    ]


def _moved(report: PassReport) -> _Actor | None:
    """Choose the name whose mail the tour follows: one that is due, on a server with a public address."""
    import ipaddress

    for server, entry in sorted(_due(report), key=lambda found: str(found[1].domain.name) != _FAVOURITE):
        for text in server.addresses:
            if "/" not in text and is_routable(ipaddress.ip_address(text)):
                return _Actor(server.name, entry.domain.name, text)
    return None


def _pinned(report: PassReport, moved: _Actor | None) -> DomainName | None:
    """Choose another name that is due, so that the pin is seen to hold."""
    names = [entry.domain.name for _, entry in _due(report) if moved is None or entry.domain.name != moved.name]
    return names[-1] if len(names) > 1 else None


def _held(report: PassReport) -> DomainName | None:
    held = [entry for server in report.servers for entry in server.domains if entry.decision.is_on_review]
    return held[0].domain.name if held else None
