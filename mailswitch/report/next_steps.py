"""Says what happens next to one name, and when, from the decision of the pass at hand."""

from __future__ import annotations

from datetime import UTC, datetime

from mailswitch.core.decide import Decision
from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Claim, Guard, Pause
from mailswitch.core.limits import Refusal
from mailswitch.core.policy import Mode
from mailswitch.core.reports import DomainReport
from mailswitch.core.table import Verdict
from mailswitch.report.advice import advice

__all__ = ["next_steps"]


def next_steps(
    entry: DomainReport,
    *,
    mode: Mode,
    pause: Pause | None = None,
    refusal: Refusal | None = None,
    now: datetime,
) -> tuple[str, ...]:
    """Return sentences for people, the nearest step first.

    Args:
        entry: The name as this pass sees it.
        mode: How far a pass may go by itself.
        pause: The pause in force, if any.
        refusal: A limit that stands in front of the server's turn-offs, if any.
        now: The moment of the pass.
    """
    match entry.decision.verdict:
        case Verdict.TURN_ON:
            return _turn_on(mode, pause)
        case Verdict.TURN_OFF:
            return _turn_off(entry, mode, pause, refusal)
        case Verdict.HOLD:
            return _held(entry, now)
        case Verdict.KEEP:
            return (_kept(entry, mode),)


def _turn_on(mode: Mode, pause: Pause | None) -> tuple[str, ...]:
    if pause is not None:
        return (f"{_paused(pause)} Mail to it is refused until then: mailswitch resume.",)
    if mode is Mode.REPORT:
        return (
            "Mail to it is refused and mode report turns nothing on: mailswitch once --apply turns it on again now.",
        )
    return ("The next pass turns it on again.",)


def _turn_off(entry: DomainReport, mode: Mode, pause: Pause | None, refusal: Refusal | None) -> tuple[str, ...]:
    steps = [] if pause is None else [f"{_paused(pause)} Nothing is turned off before mailswitch resume."]
    if refusal is not None and not entry.is_never_local:
        steps.append(
            f"A limit stands in front of it ({refusal.code}): mailswitch report shows the plan and the command that "
            "passes the limit."
        )
    elif mode is Mode.REPORT:
        steps.append("It is due, and mode report turns nothing off: mailswitch once --apply turns it off.")
    else:
        steps.append("The next pass turns it off.")
    return tuple(steps)


def _held(entry: DomainReport, now: datetime) -> tuple[str, ...]:
    decision, route = entry.decision, entry.finding.route
    if not decision.holding:
        steps = ["Nothing happens by itself while the route stays as it is."]
        return (*steps, _sentence(route.value)) if advice(route.value) else tuple(steps)
    steps = [_sentence(guard.value) for guard in decision.holding if guard is not Guard.UNCONFIRMED]
    if Guard.UNCONFIRMED in decision.holding:
        steps.insert(0, _confirmation(decision, now, is_last=len(decision.holding) == 1))
    if decision.is_on_review:
        steps.append(
            "A review lifts all of it: mailswitch report shows the plan, mailswitch once --apply --plan applies it."
        )
    return tuple(steps)


def _confirmation(decision: Decision, now: datetime, *, is_last: bool) -> str:
    then = "it is due to be turned off" if is_last else "it is confirmed (and still held by the rest)"
    if decision.due is None or decision.due <= now:
        return f"unconfirmed: {then} when it was seen often enough, so not before the next pass."
    at = f"{decision.due.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"unconfirmed: {then} at {at} at the earliest, if every pass until then sees the same route."


def _kept(entry: DomainReport, mode: Mode) -> str:
    if entry.domain.switch is not Switch.OFF:
        return "Nothing: it stays on while mail is routed here or the policy keeps it."
    if entry.history.claim is Claim.OURS and mode is Mode.REPORT:
        return (
            "It stays off, also when its mail is routed here again: mode report turns nothing on. Use mode enforce, or "
            "mailswitch revert."
        )
    if entry.history.claim is Claim.OURS:
        return "It stays off until a quorum of vantages sees its mail routed here again, then it is turned on at once."
    return "Nothing: somebody else turned it off, and mailswitch never turns on what it did not turn off."


def _sentence(code: str) -> str:
    return f"{code}: {advice(code)}."


def _paused(pause: Pause) -> str:
    reason = f" ({pause.reason})" if pause.reason else ""
    return f"Paused by {pause.by}{reason}."
