"""What may become of a message while its domain moves: the oracle of the steady stream. Pure.

Facts:

- A message is on its way from the moment its sender begins to hand it in until it lies in a mailbox or its bounce does.
  What was so at some time in between may have decided where it went; nothing else may have.
- A change is under way from when it was begun until nobody can see what was before: meanwhile both may be so.
- A co-tenant's mail follows the switch first and public MX only where that is off. Mail from outside follows public MX,
  and is refused where that leads to a server whose switch is off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from tests.e2e.lab.tally import Found, Row, Sent, Tally, tally, verdict

__all__ = ["Change", "Course", "Phase", "Streamed", "judged", "possible"]


class Phase(StrEnum):
    """What was so of a domain all the while a message was on its way."""

    SETTLED = "switch and MX agree"
    UNCONFIRMED = "moved, not confirmed yet"
    REFUSING = "moved back, before the next pass"
    CHANGING = "while MX or switch was being changed"


@dataclass(frozen=True, slots=True)
class Change:
    """MX leads here or away, or the switch is on or off, from some time on; in seconds since 1970."""

    to: bool
    begun: float
    settled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Everything that happened to one domain, which was here and on at first; oldest first."""

    moves: tuple[Change, ...]
    """To here, or away."""
    turns: tuple[Change, ...]
    """To on, or off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """A message of the stream; ``rightful`` of it is not known yet."""

    number: str
    sender: str
    domain: str
    is_from_outside: bool
    handed_in: float


def possible(changes: Iterable[Change], since: float, until: float) -> frozenset[bool]:
    """Return what may have been so at some time of a span; before the first change it was true."""
    values = {True}
    for change in changes:
        if change.settled <= since:
            values = {change.to}
        elif change.begun <= until:
            values.add(change.to)
    return frozenset(values)


@dataclass(frozen=True, slots=True)
class _Fate:
    phase: Phase
    sent: Sent
    ends: frozenset[str]


_BOUNCED = "bounced"


def _fate(message: Streamed, course: Course, until: float, here: str, away: str) -> _Fate:
    moved = possible(course.moves, message.handed_in, until)
    turned = possible(course.turns, message.handed_in, until)
    ends = frozenset(
        _end(here if is_here else away, here, is_on=is_on, is_from_outside=message.is_from_outside)
        for is_here, is_on in product(moved, turned)
    )
    rightful = frozenset(here if is_here else away for is_here in moved)
    sent = Sent(number=message.number, sender=message.sender, recipient=f"info@{message.domain}", rightful=rightful)
    return _Fate(_phase(moved, turned), sent, ends)


def _end(exchange: str, here: str, *, is_on: bool, is_from_outside: bool) -> str:
    if is_on and not is_from_outside:
        return here
    return _BOUNCED if exchange == here and not is_on else exchange


def _phase(moved: frozenset[bool], turned: frozenset[bool]) -> Phase:
    if len(moved) > 1 or len(turned) > 1:
        return Phase.CHANGING
    if moved == turned:
        return Phase.SETTLED
    return Phase.REFUSING if True in moved else Phase.UNCONFIRMED


def judged(
    scenario: str,
    messages: Iterable[Streamed],
    courses: Mapping[str, Course],
    found: Found,
    arrived: Mapping[str, float],
    *,
    now: float,
    here: str,
    away: str,
) -> tuple[list[Row], list[str]]:
    """Return one row for each phase, and what became of messages that nothing explains.

    Args:
        scenario: For the rows.
        messages: Everything that was handed in.
        courses: What happened to each domain.
        found: Where the messages are.
        arrived: When the last copy or bounce of each message came to rest.
        now: Until when messages that are nowhere were looked for.
        here: The Plesk server's name.
        away: The provider's.
    """
    fates = [_fate(one, courses[one.domain], arrived.get(one.number, now), here, away) for one in messages]
    rows, problems = [], []
    for phase in Phase:
        group = [fate for fate in fates if fate.phase is phase]
        counted = tally((fate.sent for fate in group), found)
        rows.append(
            Row(
                scenario=scenario,
                step=phase.value,
                expected=_expected(phase, group, counted),
                found=counted,
                is_promised=phase is Phase.SETTLED,
            )
        )
        problems += [text for fate in group if (text := _unexplained(fate, found)) is not None]
    return rows, problems


def _expected(phase: Phase, group: list[_Fate], counted: Tally) -> Tally:
    """Return what one phase has to bring; where things change only that nothing is lost or there twice."""
    if phase is Phase.CHANGING:
        lacking = counted.lost + counted.twice
        return Tally(
            rightly=counted.rightly + lacking, abandoned=counted.abandoned, bounced=counted.bounced, lost=0, twice=0
        )
    ends = [next(iter(fate.ends)) for fate in group]
    bounced = ends.count(_BOUNCED)
    rightly = sum(1 for fate, end in zip(group, ends, strict=True) if end in fate.sent.rightful)
    return Tally(rightly=rightly, abandoned=len(group) - bounced - rightly, bounced=bounced)


def _unexplained(fate: _Fate, found: Found) -> str | None:
    number = fate.sent.number
    seen = {*found.copies.get(number, ()), *([_BOUNCED] if found.bounces.get(number) else [])}
    if seen <= fate.ends and seen:
        return None
    told = ", ".join(sorted(seen)) or "nowhere"
    wanted = " or ".join(sorted(fate.ends))
    return f"{number} to {fate.sent.recipient} ({fate.phase}): {told}, not {wanted} ({verdict(fate.sent, found)})"
