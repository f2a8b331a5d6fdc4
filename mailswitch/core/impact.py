"""What the hole costs: co-tenants' messages that went into a mailbox nobody reads any more (design.md section 1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mailswitch.core.decide import Decision, is_log_asked
from mailswitch.core.evidence import MailLog
from mailswitch.core.guards import Case
from mailswitch.core.ledger import Guard
from mailswitch.core.policy import Action

__all__ = ["RECENT", "Impact", "impact_of"]

RECENT = timedelta(days=30)
"""What a summary looks back on."""
_READ_HERE = frozenset({Guard.STILL_RECEIVING, Guard.NEEDED_BY_ALIAS})
"""Guards that show that these mailboxes may well be in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """Messages from this server and its users that were delivered here although the mail lives elsewhere."""

    messages: int
    """Since the route changed, as far back as counts are kept."""
    since: date
    """The first day that is counted. The day on which the route changed is not, since not all of it was wrong."""
    recent: int
    """Within 30 days."""


def impact_of(case: Case, decision: Decision) -> Impact | None:
    """Return what a name's switch has cost; None where its mail is not known to live elsewhere, or without a log."""
    log, now = case.evidence, case.now
    if not isinstance(log, MailLog):
        return None
    is_gone = case.policy.action(case.domain, case.finding.route) is Action.TURN_OFF
    is_asked = is_log_asked(case.domain, case.finding.route, case.policy, case.history)
    if not (is_gone and is_asked) or _READ_HERE & set(decision.holding):
        return None
    beginning = min([(now - log.covers).date(), *(one.day for one in log.written)])
    left = case.history.last_seen_here
    since = beginning if left is None or left > now else max(beginning, left.date() + timedelta(days=1))
    counted_days = [one for one in log.written if one.day >= since]
    recently = (now - RECENT).date()
    return Impact(
        messages=sum(one.messages for one in counted_days),
        since=since,
        recent=sum(one.messages for one in counted_days if one.day > recently),
    )
