"""Turning one switch so that it is never lost, doubled or unrecorded: intent, call, read-back, outcome.

A write is never retried. What the panel answered to it does not count; what it says when asked again does. An intent
without an outcome is settled by reading before anything else is done (design.md section 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from mailswitch.core.claims import Settlement, claim_after, settlement
from mailswitch.core.domain import SwitchTarget
from mailswitch.core.errors import ApplyError, InventoryError
from mailswitch.core.ledger import Change, Outcome
from mailswitch.service.ports import Ledger, Panel

__all__ = ["Attempt", "perform", "settle_open_intents"]

_REPLY_LOST = "reply-lost"
"""The code of an ApplyError after which the panel may still be at it (`mailswitch.service.ports.Panel.turn`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one change ended."""

    change: Change
    """With its id, and with its outcome and error where they are known."""

    @property
    def is_done(self) -> bool:
        """Whether the switch stands where it was meant to."""
        return self.change.outcome is Outcome.DONE


def perform(ledger: Ledger, panel: Panel, change: Change, now: Callable[[], datetime]) -> Attempt:
    """Make one change. The caller has checked that it may be made, and that the switch stands at ``switch_from``."""
    change = replace(change, id=ledger.intend(change))
    failure = None
    try:
        panel.turn(_target(change), change.switch_to)
    except ApplyError as error:
        failure = error
    return _settled(ledger, panel, change, failure, now)


def settle_open_intents(ledger: Ledger, panel: Panel, server: str, now: Callable[[], datetime]) -> tuple[Attempt, ...]:
    """Settle what a crash, a power cut or a lost reply left open, by reading each switch; never by writing it again.

    One that still cannot be read stays open, and its name is not touched until it can.
    """
    return tuple(_settled(ledger, panel, change, None, now) for change in ledger.unsettled(server))


def _settled(
    ledger: Ledger, panel: Panel, change: Change, failure: ApplyError | None, now: Callable[[], datetime]
) -> Attempt:
    why = None if failure is None else str(failure)
    is_lost = failure is not None and failure.code == _REPLY_LOST
    try:
        found = settlement(change, panel.read_switch(_target(change)), why, is_under_way=is_lost)
    except InventoryError as error:
        if error.code == "gone":
            found = Settlement(outcome=Outcome.FAILED, error=f"{change.name} is no longer there: {error}")
        else:
            what = why or "the switch was written"
            text = f"{what}; it could not be read back ({error}) and is settled by the next pass"
            found = Settlement(outcome=None, error=text)
    finished = now()
    if found.outcome is not None and change.id is not None:
        ledger.settle(
            change.id,
            outcome=found.outcome,
            error=found.error,
            at=finished,
            claim=claim_after(change, found.outcome),
            claim_route=change.route,
            claim_exchanges=change.exchanges,
        )
    ended = None if found.outcome is None else finished
    return Attempt(change=replace(change, outcome=found.outcome, error=found.error, finished_at=ended))


def _target(change: Change) -> SwitchTarget:
    return SwitchTarget(name=change.name, kind=change.kind, panel_id=change.panel_id)
