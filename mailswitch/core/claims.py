"""Whose a switch is once a change has ended, and how an intent without an outcome is settled."""

from __future__ import annotations

from dataclasses import dataclass

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Actor, Change, Claim, Outcome

__all__ = ["Settlement", "claim_after", "settlement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What reading the switch back says of a change."""

    outcome: Outcome | None
    """None while it cannot be told; the intent stays open and is settled by a later pass."""
    error: str | None = None


def claim_after(change: Change, outcome: Outcome) -> Claim | None:
    """Return whose the switch is after a change; None where nothing was changed.

    What a person did is never undone: their *on* is held against turning off until the route is here again, their *off*
    is no switch of ours to turn on.
    """
    if outcome is Outcome.FAILED:
        return None
    if change.actor is Actor.PERSON:
        return Claim.RE_ENABLED if change.switch_to is Switch.ON else Claim.NONE
    return Claim.OURS if change.switch_to is Switch.OFF else Claim.NONE


def settlement(change: Change, found: Switch, failure: str | None, *, is_under_way: bool = False) -> Settlement:
    """Return what a switch read back after a write says of it.

    Args:
        change: The change that was meant.
        found: Where the switch stands now.
        failure: Why the write seemed to fail; None where the panel said that it was done, or after a crash.
        is_under_way: The reply was lost just now, so that the panel may still be at it.
    """
    if found is change.switch_to:
        return Settlement(outcome=Outcome.DONE)
    if found is Switch.UNKNOWN:
        why = failure or "the switch was written"
        return Settlement(outcome=None, error=f"{why}; read back, the panel does not say clearly where it stands")
    if is_under_way and found is change.switch_from:
        # Settled as failed, a write that takes effect a moment later would be nobody's, and never be undone.
        why = failure or "the reply was lost"
        text = f"{why}; read back, the switch is still {found}: the next pass looks whether it was done after all"
        return Settlement(outcome=None, error=text)
    why = failure or "the write did not take effect"
    return Settlement(outcome=Outcome.FAILED, error=f"{why}; read back, the switch is {found}")
