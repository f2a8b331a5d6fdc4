"""What is known of one name, gathered for ``explain``: the values that its text and its JSON are made from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailswitch.core.ledger import Approval, Change, Guard, Pause, Pin
from mailswitch.core.limits import Refusal
from mailswitch.core.mx import Address
from mailswitch.core.policy import Mode
from mailswitch.core.reports import DomainReport
from mailswitch.core.table import Verdict
from mailswitch.report.next_steps import next_steps
from mailswitch.report.usage import Pointing

__all__ = ["Explanation", "GuardAnswer", "GuardState", "guard_answers", "is_ours"]

_ASKED_OF_NEVER_LOCAL = frozenset({Guard.NOT_MANAGED, Guard.PINNED, Guard.SUSPENDED, Guard.APPROVAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one server's part of a pass, and the ledger, know about one name."""

    server: str
    addresses: tuple[str, ...]
    """What counts as ours: addresses and networks, as in the server's report."""
    entry: DomainReport
    mode: Mode
    now: datetime
    pointing: Pointing
    pins: tuple[Pin, ...] = ()
    """Those that match the name, expired ones included."""
    approval: Approval | None = None
    changes: tuple[Change, ...] = ()
    """Newest first."""
    pause: Pause | None = None
    refusal: Refusal | None = None

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What happens next, in sentences."""
        return next_steps(self.entry, mode=self.mode, pause=self.pause, refusal=self.refusal, now=self.now)


class GuardState(StrEnum):
    """What a guard says about a turn-off."""

    HOLDS = "holds"
    LIFTED = "lifted"
    """It would hold, but an approval lifts it."""
    DOES_NOT_HOLD = "does-not-hold"
    NOT_ASKED = "not-asked"
    """Nothing is to be turned off, or the name is on the never_local list, where few guards count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardAnswer:
    """One guard's answer about one name."""

    guard: Guard
    state: GuardState
    text: str
    """Why it holds or would hold; empty otherwise."""


def guard_answers(entry: DomainReport) -> tuple[GuardAnswer, ...]:
    """Return what every guard says, in the fixed order of design.md section 5."""
    decision = entry.decision
    is_asked = decision.verdict is Verdict.TURN_OFF or bool(decision.holding)
    texts = {str(reason.code): reason.text for reason in decision.reasons}

    def state(guard: Guard) -> GuardState:
        if guard in decision.holding:
            return GuardState.HOLDS
        if not is_asked or (entry.is_never_local and guard not in _ASKED_OF_NEVER_LOCAL):
            return GuardState.NOT_ASKED
        return GuardState.LIFTED if guard.value in texts else GuardState.DOES_NOT_HOLD

    return tuple(GuardAnswer(guard=guard, state=state(guard), text=texts.get(guard.value, "")) for guard in Guard)


def is_ours(found: Address, ours: tuple[str, ...]) -> bool:
    """Whether ``found`` is among the addresses and networks that ``ours`` lists as texts."""
    return any(found.version == network.version and found in network for network in _networks(ours))


def _networks(texts: Iterable[str]) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for text in texts:
        try:
            yield ipaddress.ip_network(text, strict=False)
        except ValueError:
            # A server's list may hold host patterns as well as addresses.
            continue
