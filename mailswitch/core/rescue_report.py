"""What ``rescue`` tells: what would be sent on, and what came of sending it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailswitch.core.names import DomainName
from mailswitch.core.rescue import RescuedMessage, RescueOutcome

__all__ = ["MailboxPlan", "RescuePlan", "RescueResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxPlan:
    """One mailbox of a dry run."""

    mailbox: str
    messages: int
    """To be sent on."""
    octets: int
    known: Mapping[RescueOutcome | None, int] = field(default_factory=dict)
    """On record already, by what became of them; None stands for perhaps sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescuePlan:
    """A dry run: nothing was sent and nothing recorded."""

    server: str
    name: DomainName
    since: datetime
    remark: str | None
    """What is to be known about ``since``, in words."""
    exchanges: tuple[DomainName, ...]
    """Where the name's mail lives now."""
    obstacles: tuple[str, ...]
    """Why nothing could be sent now; empty where everything is fine."""
    mailboxes: tuple[MailboxPlan, ...]
    skipped: Mapping[str, int]
    """What would be left out, by the reason in words."""

    @property
    def messages(self) -> int:
        """All messages together."""
        return sum(one.messages for one in self.mailboxes)

    @property
    def octets(self) -> int:
        """Their size together."""
        return sum(one.octets for one in self.mailboxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueResult:
    """What came of ``rescue --send``."""

    server: str
    name: DomainName
    id: int
    """The run's number in the ledger."""
    exchanges: tuple[DomainName, ...]
    counts: Mapping[RescueOutcome | None, int]
    """This run's messages by what became of them; None stands for perhaps sent."""
    stopped: str | None
    """Why it ended before its end, in words."""
    skipped: Mapping[str, int]
    perhaps: tuple[RescuedMessage, ...]
    """Every message of the name that was perhaps sent, of earlier runs too: these are never sent again."""
    rejected: int
    """Messages of the name that the other side does not have because it refused them, of earlier runs too."""
