"""What a person does through mailswitch: one switch by hand, and undoing changes on record.

Both are recorded as a person's doing, which mailswitch never undoes by itself; both work in every mode, and neither
while paused (design.md section 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from mailswitch.core.domain import HostedDomain, Switch, SwitchTarget, target_of
from mailswitch.core.errors import ConfigError, InventoryError, UnsafePlan
from mailswitch.core.ledger import Actor, Change, Claim, Outcome
from mailswitch.core.names import DomainName
from mailswitch.core.reports import ServerError
from mailswitch.service.apply import perform
from mailswitch.service.observe import read_inventories
from mailswitch.service.ports import Ledger, LedgerReader, Panel
from mailswitch.service.reconcile import settle
from mailswitch.service.remarks import failure_text
from mailswitch.service.setup import Setup

__all__ = ["Everything", "HandOutcome", "HandResult", "OneChange", "OneDomain", "OneRun", "revert", "switch_by_hand"]

_FAILURES_IN_A_ROW = 3


class HandOutcome(StrEnum):
    """How an attempt by hand ended."""

    DONE = "done"
    FAILED = "failed"
    NOTHING_TO_DO = "nothing-to-do"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandResult:
    """One name, and what became of it."""

    server: str
    name: DomainName
    outcome: HandOutcome
    text: str
    change: int | None = None


@dataclass(frozen=True, slots=True)
class OneChange:
    """Revert the change with this id."""

    id: int


@dataclass(frozen=True, slots=True)
class OneDomain:
    """Revert the last change that still stands of this name."""

    name: DomainName


@dataclass(frozen=True, slots=True)
class OneRun:
    """Revert every change of this run that still stands."""

    id: str


@dataclass(frozen=True, slots=True)
class Everything:
    """Turn on everything that is still off by mailswitch."""


Target = OneChange | OneDomain | OneRun | Everything


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """One switch somebody wants turned."""

    target: SwitchTarget
    server: str
    to: Switch
    reverts: Change | None = None


def switch_by_hand(
    setup: Setup, name: DomainName, to: Switch, *, reason: str, by: str, server: str | None = None
) -> HandResult:
    """Turn one switch on a person's word.

    Raises:
        ConfigError: no server hosts the name, or several do and none is named, or it is not configured for mail.
        UnsafePlan: all changes are paused.
        InventoryError: a panel that had to be asked did not answer.
    """
    with setup.ledger.locked() as ledger:
        _check_pause(ledger)
        settle(setup, ledger)
        with ExitStack() as stack:
            found, panel, domain = _find(setup, name, server, stack)
            if domain.switch is Switch.NOT_CONFIGURED:
                raise ConfigError(f"{name} on {found}: mail is not configured in Plesk, and that is never touched")
            wish = _Wish(target=target_of(domain), server=found, to=to)
            return _fulfil(setup, ledger, panel, wish, reason=reason, by=by)


def revert(setup: Setup, target: Target, *, reason: str, by: str, server: str | None = None) -> tuple[HandResult, ...]:
    """Restore the former state of what was changed, as a person's doing.

    Raises:
        ConfigError: there is nothing on record that could be reverted.
        UnsafePlan: all changes are paused.
    """
    with setup.ledger.locked() as ledger:
        _check_pause(ledger)
        settle(setup, ledger)
        changes = _standing(setup, ledger, target, server)
        results: list[HandResult] = []
        for name in dict.fromkeys(change.server for change in changes):
            group = [change for change in changes if change.server == name]
            results += _revert_on(setup, ledger, name, group, reason=reason, by=by)
        return tuple(results)


def _check_pause(ledger: Ledger) -> None:
    pause = ledger.pause()
    if pause is not None:
        raise UnsafePlan(
            f"all changes are paused by {pause.by} since {pause.at:%Y-%m-%d %H:%M} UTC, also those by hand: "
            "nothing was changed; mailswitch resume lifts the pause"
        )


def _find(setup: Setup, name: DomainName, server: str | None, stack: ExitStack) -> tuple[str, Panel, HostedDomain]:
    """Return the one server that hosts ``name``, with its panel, which is closed with ``stack``."""
    chosen = [one for one in setup.servers if server in {None, one.name}]
    found: list[tuple[str, Panel, HostedDomain]] = []
    silent: list[str] = []
    for asked, answer in read_inventories(chosen, stack, at_once=setup.most_panels_at_once).items():
        if isinstance(answer, ServerError):
            silent.append(failure_text(asked, answer))
        else:
            panel, inventory = answer
            found += [(asked, panel, domain) for domain in inventory.domains if domain.name == name]
    if len(found) == 1 and not silent:
        return found[0]
    if silent:
        hint = "; name its server with --server" if server is None and len(chosen) > 1 else ""
        raise InventoryError(f"cannot tell which server hosts {name}{hint}: {'; '.join(silent)}", code="unreachable")
    if not found:
        names = ", ".join(one.name for one in chosen) or f"no server called {server}"
        raise ConfigError(f"{name} is not hosted there (asked: {names})")
    servers = ", ".join(one for one, _, _ in found)
    raise ConfigError(f"{name} is hosted on several servers ({servers}): say which with --server")


def _standing(setup: Setup, ledger: LedgerReader, target: Target, server: str | None) -> list[Change]:
    """Return the changes to revert: done, and still the last word on their name, newest first."""
    known = {one.name for one in setup.servers}
    changes, what = _named(ledger, target, known)
    chosen = [change for change in changes if server in {None, change.server}]
    missing = sorted({change.server for change in chosen} - known)
    if missing:
        raise ConfigError(f"{what} was on {', '.join(missing)}, which is no longer in the configuration")
    standing = [change for change in chosen if change.outcome is Outcome.DONE and _is_last_word(ledger, change)]
    if isinstance(target, OneDomain):
        standing = [change for change in standing if change.reverts is None]
    if not standing and not isinstance(target, Everything):
        raise ConfigError(f"{what}: no change on record that still stands and could be reverted (mailswitch history)")
    return standing


def _named(ledger: LedgerReader, target: Target, servers: set[str]) -> tuple[tuple[Change, ...], str]:
    """Return the changes a target names, with the words for it."""
    match target:
        case OneChange(id=number):
            return ledger.changes(change_id=number), f"change {number}"
        case OneDomain(name=name):
            return ledger.changes(name=name), str(name)
        case OneRun(id=run):
            return ledger.changes(run_id=run), f"run {run}"
        case Everything():
            owned = [change for name in sorted(servers) for change in _owned(ledger, name)]
            return tuple(owned), "anything still off by mailswitch"
        case _ as never:
            assert_never(never)


def _owned(ledger: LedgerReader, server: str) -> Iterable[Change]:
    for history in ledger.histories(server).values():
        if history.claim is Claim.OURS and history.claim_change is not None:
            yield from ledger.changes(change_id=history.claim_change)


def _is_last_word(ledger: LedgerReader, change: Change) -> bool:
    """Whether no later change of the same name was done: what was overtaken is not restored.

    Later is what was recorded later: by their ids, for the clock may have gone backwards.
    """
    every = ledger.changes(server=change.server, name=change.name)
    numbers = [one.id for one in every if one.outcome is Outcome.DONE and one.id is not None]
    return change.id is not None and change.id == max(numbers, default=change.id)


def _revert_on(
    setup: Setup, ledger: Ledger, server: str, changes: list[Change], *, reason: str, by: str
) -> list[HandResult]:
    managed = next(one for one in setup.servers if one.name == server)
    try:
        panel = managed.opened()
    except InventoryError as error:
        return [_failed(change, str(error)) for change in changes]
    results: list[HandResult] = []
    try:
        for change in changes:
            if [one.outcome for one in results[-_FAILURES_IN_A_ROW:]] == [HandOutcome.FAILED] * _FAILURES_IN_A_ROW:
                results.append(_failed(change, "not tried: three changes in a row failed on this server"))
                continue
            target = SwitchTarget(name=change.name, kind=change.kind, panel_id=change.panel_id)
            wish = _Wish(target=target, server=server, to=change.switch_from, reverts=change)
            results.append(_fulfil(setup, ledger, panel, wish, reason=reason, by=by))
    finally:
        panel.close()
    return results


def _failed(change: Change, text: str) -> HandResult:
    return HandResult(server=change.server, name=change.name, outcome=HandOutcome.FAILED, text=text)


def _fulfil(setup: Setup, ledger: Ledger, panel: Panel, wish: _Wish, *, reason: str, by: str) -> HandResult:
    """Read the switch, and turn it if it does not stand where it is wanted."""
    name = wish.target.name

    def result(outcome: HandOutcome, text: str, change: int | None = None) -> HandResult:
        return HandResult(server=wish.server, name=name, outcome=outcome, text=text, change=change)

    if any(change.name == name for change in ledger.unsettled(wish.server)):
        return result(HandOutcome.FAILED, "not turned, an earlier change of it is not settled yet")
    try:
        stands = panel.read_switch(wish.target)
    except InventoryError as error:
        return result(HandOutcome.FAILED, f"not turned, the switch could not be read first: {error}")
    if stands is wish.to:
        return result(HandOutcome.NOTHING_TO_DO, f"the switch is {wish.to} already")
    if stands not in {Switch.ON, Switch.OFF}:
        return result(HandOutcome.FAILED, f"not turned, the switch is {stands}")
    change = _change(wish, stands, reason=reason, by=by, at=setup.now())
    attempt = perform(ledger, panel, change, setup.now)
    if attempt.is_done:
        return result(HandOutcome.DONE, f"{stands} -> {wish.to}", attempt.change.id)
    return result(HandOutcome.FAILED, attempt.change.error or "it failed", attempt.change.id)


def _change(wish: _Wish, stands: Switch, *, reason: str, by: str, at: datetime) -> Change:
    undone = wish.reverts
    return Change(
        id=None,
        run_id=None,
        server=wish.server,
        name=wish.target.name,
        kind=wish.target.kind,
        panel_id=wish.target.panel_id,
        switch_from=stands,
        switch_to=wish.to,
        actor=Actor.PERSON,
        by=by,
        reason=reason,
        route=None if undone is None else undone.route,
        exchanges=() if undone is None else undone.exchanges,
        evidence="{}",
        is_reviewed=False,
        is_never_local=False,
        reverts=None if undone is None else undone.id,
        intended_at=at,
    )
