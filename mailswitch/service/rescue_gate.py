"""May a name's stranded mail be sent on? Asked before each batch: the route is elsewhere, confirmed, the switch off."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from mailswitch.core.domain import HostedDomain, Kind, Switch, target_of
from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.core.history import confirmation_window, is_confirmed, needed_spread
from mailswitch.core.ledger import DomainHistory, Pause
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Confirmation, Route
from mailswitch.core.quorum import Finding
from mailswitch.core.reports import ServerError
from mailswitch.core.words import counted, duration
from mailswitch.service.observe import Answered, Scope, look, read_inventories
from mailswitch.service.ports import LedgerReader
from mailswitch.service.remarks import failure_text
from mailswitch.service.setup import Setup

__all__ = ["Gate", "Leave", "open_gate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """What was found at one moment."""

    exchanges: tuple[DomainName, ...]
    """Where the name's mail lives."""
    obstacles: tuple[str, ...]
    """Why nothing may be sent, in words; empty where it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One name on one server, with its panel open."""

    setup: Setup
    answered: Answered
    domain: HostedDomain

    @property
    def server(self) -> str:
        """The server's name."""
        return self.answered.server.name

    def ask(self, reader: LedgerReader) -> Leave:
        """Look at the panel, public DNS and the ledger, all of them now.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        name = self.domain.name
        finding = self._finding(reader.run_count())
        history = reader.histories(self.server).get(name)
        pause = reader.pause()
        obstacles = [
            None if pause is None else _about_pause(pause),
            _about_kind(self.domain),
            self._about_switch(),
            _about_route(finding),
            _about_history(history, finding, self.answered.server.policy.confirm, self.setup.now()),
        ]
        if any(change.name == name for change in reader.unsettled(self.server)):
            obstacles.append("a change of its switch is not settled yet: any pass settles it")
        return Leave(exchanges=finding.exchange_names, obstacles=tuple(one for one in obstacles if one is not None))

    def _finding(self, rotation: int) -> Finding:
        scope = Scope(names=frozenset({self.domain.name}), is_thorough=True)
        seen = look([self.answered], self.setup.public_view, self.setup.providers, scope, rotation=rotation)
        return seen[self.server].findings[self.domain.name]

    def _about_switch(self) -> str | None:
        try:
            stands = self.answered.panel.read_switch(target_of(self.domain))
        except InventoryError as error:
            return f"the switch cannot be read: {error}"
        if stands is Switch.OFF:
            return None
        return f"the switch is {stands}: mail to it would land in its mailboxes here again; turn it off first"


def open_gate(setup: Setup, reader: LedgerReader, name: DomainName, servers: frozenset[str], stack: ExitStack) -> Gate:
    """Find the one server that hosts a name, and open its panel until ``stack`` is closed.

    Args:
        setup: What a pass works with.
        reader: The ledger.
        name: Whose mail.
        servers: Those whose mailboxes are on this machine.
        stack: Closes the panels.

    Raises:
        ConfigError: none of them hosts it, or several do.
        InventoryError: a panel that may host it did not answer.
    """
    chosen = [one for one in setup.servers if one.name in servers]
    silent: list[str] = []
    found: list[Gate] = []
    read = read_inventories(chosen, stack, at_once=setup.most_panels_at_once)
    for one in chosen:
        answer = read[one.name]
        if isinstance(answer, ServerError):
            silent.append(failure_text(one.name, answer))
            continue
        panel, inventory = answer
        answered = Answered(server=one, panel=panel, inventory=inventory, histories=reader.histories(one.name))
        found += [
            Gate(setup=setup, answered=answered, domain=domain) for domain in inventory.domains if domain.name == name
        ]
    if len(found) == 1 and not silent:
        return found[0]
    if silent:
        raise InventoryError(f"cannot tell who hosts {name}: {'; '.join(silent)}", code="unreachable")
    asked = ", ".join(sorted(servers))
    if not found:
        raise ConfigError(f"{name} is not hosted on this machine (asked: {asked})")
    raise ConfigError(f"{name} is hosted on several servers ({asked}): say which with --server")


def _about_pause(pause: Pause) -> str:
    """Say who paused; a ledger that was restored from an old backup, and forgot what was sent, is a pause too."""
    why = f" ({pause.reason})" if pause.reason else ""
    return f"all changes are paused by {pause.by}{why}: mailswitch resume lifts the pause"


def _about_kind(domain: HostedDomain) -> str | None:
    if domain.kind is not Kind.ALIAS:
        return None
    return f"it is an alias of {domain.parent}, whose mailboxes its mail is in: ask for {domain.parent}"


def _about_route(finding: Finding) -> str | None:
    if finding.route is not Route.ELSEWHERE:
        return f"its mail does not live elsewhere as far as can be seen now: route {finding.route} ({finding.because})"
    return None if finding.is_sighting else "no quorum of vantages agrees just now that its mail lives elsewhere"


def _about_history(history: DomainHistory | None, finding: Finding, confirm: Confirmation, now: datetime) -> str | None:
    """Say what a confirmed route still lacks.

    Passes count sightings of names whose switch is on; of one that was turned off by hand they only follow the route,
    so that its age has to do.
    """
    if finding.route is not Route.ELSEWHERE:
        return None
    if history is None or history.route is not Route.ELSEWHERE or history.since is None:
        return "the route is not confirmed: no pass has seen it elsewhere yet"
    needed = needed_spread(history, confirmation_window(finding, confirm))
    if is_confirmed(history, finding, confirm) or (now - history.since >= needed and history.unknown_since is None):
        return None
    seen = f"seen {counted(history.sightings, 'time')} over {duration(history.credited)}"
    return f"the route is not confirmed: {seen}, {counted(confirm.sightings, 'time')} over {duration(needed)} needed"
